package chunkform

import (
	"errors"
	"net/http"
	"path"

	"github.com/muleteer/muleteer/internal/wire"
	"github.com/muleteer/muleteer/upload"
)

// cancel answers a page that does not want a file any more: it names it as in
// its requests for chunks, or by the id that Fine Uploader has given it.
func (h *handler) cancel(a *answer) error {
	if c, _, known := a.said.speaker(); !known || !c.probes {
		return h.remove(a, path.Base(a.r.URL.Path))
	}
	q, err := h.request(a.said, nil)
	if a.q = q; err != nil {
		return err
	}
	return h.end(a, q)
}

// remove is cancel by Fine Uploader's id.
func (h *handler) remove(a *answer, id string) error {
	q := &request{client: remover(), said: a.said, id: id, total: -1}
	q.identify("", "")
	q.key = h.fingerprint(q)
	return h.end(a, q)
}

// end ends an upload or removes its file. What was removed before is as good as
// removed.
func (h *handler) end(a *answer, q *request) error {
	a.q, a.probe = q, true
	ctx := a.r.Context()
	u, err := h.find(ctx, q, upload.Receiving, upload.Joining, upload.Accepting, upload.Held, upload.Done)
	if u == nil && err == nil {
		if u, err = h.find(ctx, q, upload.Gone); u == nil && err == nil {
			err = upload.ErrNotFound
		}
	} else if err == nil {
		err = h.s.Remove(ctx, u.ID)
	}
	if err != nil && !errors.Is(err, upload.ErrGone) {
		return err
	}
	wire.JSON(a.w, http.StatusOK, map[string]any{"ok": true, "success": true})
	return nil
}
