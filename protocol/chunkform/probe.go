package chunkform

import (
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/internal/wire"
	"github.com/muleteer/muleteer/upload"
)

// probe tells whether a chunk is here. It never waits and disturbs nobody.
func (h *handler) probe(a *answer) error {
	s := a.said
	if file := s.query.Get("file"); file != "" {
		return h.stored(a, s, file)
	}
	q, err := h.request(s, nil)
	a.probe = true
	if a.q = q; err != nil {
		return err
	}
	list := s.query.Get("probe") == "list"
	if q.near = (extent.Extent{End: extent.Max}); !list && !q.measured() {
		q.near = q.extent()
	}
	u, err := h.newest(a, q)
	if err != nil {
		return err
	}
	if list {
		return a.list(u)
	}
	if u == nil || !u.Whole() && !q.here(u) {
		a.missing()
		return nil
	}
	return a.told(u, nil)
}

// newest returns the upload of which somebody asks; nil if there is none.
func (h *handler) newest(a *answer, q *request) (*upload.Record, error) {
	ctx := a.r.Context()
	u, err := h.open(ctx, q)
	if u == nil && err == nil {
		u, err = h.done(ctx, q)
	}
	return u, err
}

// here tells whether a chunk is here as a whole.
func (q *request) here(u *upload.Record) bool {
	if u.Phase != upload.Receiving {
		return true
	}
	if q.measured() {
		if u.Meta.PartSize == 0 && q.index > 0 {
			return false
		}
		q.at, q.step = product(q.index, u.Meta.PartSize), u.Meta.PartSize
	}
	e := q.extent()
	return !e.Empty() && u.Ranges().Has(e)
}

// extent is where a chunk lies. Where it does not say how long it is, it may be
// the last one and reach to the end.
func (q *request) extent() extent.Extent {
	e := extent.At(q.at, q.length)
	if q.length < 0 {
		if e.End = q.at + max(q.step, 0); q.total >= 0 && (q.step <= 0 || q.total-q.at < 2*q.step) {
			e.End = q.total
		}
	}
	return e
}

// listLimit is how many chunks are told of at once.
const listLimit = 100_000

// list answers a page that asks once, and not for every chunk
// (simple-uploader.js with checkChunkUploadedByResponse).
func (a *answer) list(u *upload.Record) error {
	q := *a.q
	if q.step <= 0 || q.total < 0 || q.total/q.step > listLimit || q.count > listLimit {
		return fmt.Errorf("a list needs the size of the file and of at most %d chunks: %w", listLimit, upload.ErrInvalid)
	}
	uploaded := []int64{}
	if u != nil {
		here, count := u.Ranges(), max(q.total/q.step, 1)
		if q.count >= 0 {
			count = min(q.count, count+1)
		}
		for i := range count {
			e := extent.Extent{Start: i * q.step, End: min((i+1)*q.step, q.total)}
			if i == count-1 {
				e.End = q.total
			}
			if u.Phase != upload.Receiving || here.Has(e) {
				uploaded = append(uploaded, i+q.base)
			}
		}
	}
	fields := map[string]any{"skipUpload": false}
	if u != nil {
		fields = a.fields(u)
		fields["skipUpload"] = u.Whole()
	}
	fields["uploaded"], fields["needMerge"] = uploaded, false
	wire.JSON(a.w, http.StatusOK, fields)
	return nil
}

// stored tells a page with jQuery File Upload how much of a file is here.
func (h *handler) stored(a *answer, s *said, name string) error {
	c := rangedByName()
	q := &request{client: c, said: s, index: -1, total: -1}
	a.q, a.probe = q, true
	if err := q.names(s, &wire.FormPart{Filename: name}); err != nil {
		return err
	}
	q.key = h.fingerprint(q)
	u, err := h.open(a.r.Context(), q)
	if u == nil && err == nil && s.has("upload_id") {
		u, err = h.done(a.r.Context(), q) // it is this one, and no older one of its name
	}
	switch {
	case err != nil:
		return err
	case u == nil:
		wire.JSON(a.w, http.StatusOK, map[string]any{"file": nil})
		return nil
	}
	size := u.Offset
	if u.Phase != upload.Receiving {
		size = u.Size
	}
	fields := a.fields(u)
	fields["file"] = map[string]any{"name": u.Meta.Name, "size": size, "url": fields["url"]}
	wire.JSON(a.w, http.StatusOK, fields)
	return nil
}

// conclude answers what a page sends when all chunks are sent: it wants the
// result. Nothing is left to be done then, so it may be asked any number of
// times.
func (h *handler) conclude(a *answer, s *said) error {
	a.body = wire.Body(a.w, a.r)
	document, err := io.ReadAll(io.LimitReader(a.body, concludeLimit+1))
	if err != nil {
		return err
	}
	if len(document) > concludeLimit {
		return fmt.Errorf("this has more than %d bytes: %w", concludeLimit, upload.ErrTooLarge)
	}
	if kind, _, _ := mime.ParseMediaType(a.r.Header.Get("Content-Type")); kind == "application/json" {
		for name, value := range wire.Object(document) {
			s.add(name, value)
		}
	} else {
		values, err := url.ParseQuery(string(document))
		if err != nil {
			return fmt.Errorf("the form is broken: %w: %w", upload.ErrInvalid, err)
		}
		for name := range values {
			s.add(name, values.Get(name))
		}
	}
	if method, _ := s.get("_method"); method == http.MethodDelete {
		id, _ := s.get(remover().fields.id)
		return h.remove(a, id)
	}
	if !a.concludes(s) {
		return errUnknown
	}
	return h.result(a, s)
}

// concludeLimit is how many bytes of fields come without a file.
const concludeLimit = 64 << 10

// result answers with the finished upload.
func (h *handler) result(a *answer, s *said) error {
	c, _, _ := s.speaker()
	q := &request{client: c, said: s}
	a.q, a.probe = q, true
	q.alone = true // it has no chunk, and needs no number of one
	if err := q.numbers(s); err != nil {
		return err
	}
	if err := q.names(s, nil); err != nil {
		return err
	}
	if _, named := s.get(c.fields.path); !named && c.fields.path != "" {
		q.identity[2], _ = s.get(c.fields.name) // so the library has it, for a file of no directory
	}
	q.key = h.fingerprint(q)
	u, err := h.newest(a, q)
	switch {
	case err != nil:
		return err
	case u == nil:
		return upload.ErrNotFound
	case u.Phase == upload.Receiving:
		return fmt.Errorf("%w: %d bytes are here", upload.ErrIncomplete, u.Here)
	}
	return a.told(u, nil)
}
