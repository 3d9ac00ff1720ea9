package chunkform

import (
	"errors"
	"net/http"

	"github.com/muleteer/muleteer/internal/wire"
	"github.com/muleteer/muleteer/upload"
)

// remove ends an upload or removes its file, by the id that its client has given
// it. What was removed before is as good as removed.
func (h *handler) remove(a *answer, id string) error {
	q := &request{client: remover(), said: a.said, id: id, total: -1}
	a.q, a.probe = q, true
	q.identify("", "")
	q.key = h.fingerprint(q)
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
