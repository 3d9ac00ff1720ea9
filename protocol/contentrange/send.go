package contentrange

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/internal/wire"
	"github.com/muleteer/muleteer/upload"
)

// attempts is how often a request looks for its upload again, when others
// begin and end uploads of the same name at the same time.
const attempts = 16

// send takes a body.
func (h *handler) send(a *answer) error {
	ctx, q := a.r.Context(), a.q
	if h.Compat && q.start && q.length <= 0 {
		return fmt.Errorf("content-length missing or zero: %w", upload.ErrInvalid)
	}
	a.body = &body{Reader: wire.Body(a.w, a.r)}
	for range attempts {
		u, err := h.mine(ctx, q)
		if err != nil {
			return err
		}
		if h.Compat && !q.start && q.Start > offset(u) {
			return fmt.Errorf("the bytes before %d are missing: %w", q.Start, upload.ErrInvalid)
		}
		u, err = h.write(ctx, q, a.body, u)
		switch {
		case err == nil:
			return a.told(u, false)
		case errors.Is(err, upload.ErrExists) && a.body.n == 0:
			continue // another request was first to begin it
		}
		if u != nil && u.Phase == upload.Receiving {
			a.seen = u
		}
		return err
	}
	return upload.ErrBusy
}

// mine returns the upload to which the bytes of q belong, or nil if they begin
// a new one. An unfinished one that they show to be outdated is removed.
func (h *handler) mine(ctx context.Context, q *request) (*upload.Record, error) {
	u, err := h.open(ctx, q)
	if err != nil || q.pinned {
		if err == nil && u == nil {
			u, err = h.done(ctx, q)
		}
		if err == nil && u != nil && differs(u, q.total) {
			err = fmt.Errorf("%w: it was %d bytes, now %d", upload.ErrSize, u.Size, q.total)
		}
		return u, err
	}
	if u == nil && !q.start && q.Start > 0 {
		return nil, h.s.Refused(ctx, q.key)
	}
	if u == nil || !q.start && !differs(u, q.total) {
		return u, nil
	}
	if u.Phase != upload.Receiving {
		// Its bytes are all here, and nobody throws away a whole file.
		if u, err = h.s.Settle(ctx, u.ID); err == nil && !u.Whole() {
			err = upload.ErrBusy
		}
		return nil, err
	}
	err = h.s.Withdraw(ctx, u.ID)
	if errors.Is(err, upload.ErrNotFound) || errors.Is(err, upload.ErrGone) {
		err = nil
	}
	return nil, err
}

// write hands the body to the upload u, or to a new one.
func (h *handler) write(ctx context.Context, q *request, b *body, u *upload.Record) (*upload.Record, error) {
	c := upload.Chunk{At: q.Start, Len: q.Len(), Size: q.total, Body: b}
	if q.start {
		c.Len, c.Last = q.length, true
	}
	if q.sum != nil {
		c.Verify = func() error {
			if b.sum != *q.sum {
				return upload.ErrChecksum
			}
			return nil
		}
	}
	if u != nil {
		return h.s.Write(ctx, u.ID, c)
	}
	n := h.new(q)
	if q.start || q.Start == 0 && q.End == q.total {
		u, err := h.s.Take(ctx, n, c)
		if u != nil && u.Here == 0 && errors.Is(err, upload.ErrChecksum) {
			// Nothing was kept, so nothing is to be continued.
			_ = h.s.Withdraw(context.WithoutCancel(ctx), u.ID) // else it expires
		}
		return u, err
	}
	u, err := h.s.Create(ctx, n)
	if err != nil {
		return nil, err
	}
	return h.s.Write(ctx, u.ID, c)
}

// new is the upload that a request begins.
func (h *handler) new(q *request) upload.New {
	n := upload.New{
		Protocol: Protocol, Size: q.total, Fingerprint: q.key, Once: q.pinned, Word: q.word,
		Meta: upload.Meta{Name: q.name, Path: q.path, Fields: q.fields}, Type: q.kind,
	}
	if h.Base != base {
		n.Meta.Wire = map[string]string{baseField: h.Base}
	}
	if !q.start && q.End != q.total {
		n.Chunk = q.Len()
	}
	return n
}

// query tells which bytes are here. It never waits and disturbs nobody.
func (h *handler) query(a *answer) error {
	ctx, q := a.r.Context(), a.q
	if n, err := io.ReadFull(wire.Body(a.w, a.r), make([]byte, 1)); n > 0 || err != io.EOF {
		return fmt.Errorf("a query has no body: %w", upload.ErrInvalid)
	}
	u, err := h.newest(ctx, q)
	if err != nil {
		return err
	}
	if differs(u, q.total) {
		if q.pinned {
			return fmt.Errorf("%w: it was %d bytes, now %d", upload.ErrSize, u.Size, q.total)
		}
		return upload.ErrNotFound // that one is another file
	}
	if u.Phase == upload.Receiving && u.Size < 0 && q.total >= 0 {
		if _, err = h.s.SetSize(ctx, u.ID, q.total); err != nil {
			return err
		}
	}
	if u, err = h.s.Get(ctx, u.ID); err != nil {
		return err
	}
	// What the client has put into the store counts as well.
	if !u.Meta.Signed.IsZero() && u.Phase == upload.Receiving && u.Here < u.Size && upload.Caller(ctx).May(upload.MayWrite) {
		if u, err = h.s.Collect(ctx, u.ID, extent.Extent{End: u.Size}); err != nil {
			return err
		}
	}
	return a.told(u, true)
}

// status tells of the upload as JSON.
func (h *handler) status(a *answer) error {
	u, err := h.newest(a.r.Context(), a.q)
	if err != nil {
		return err
	}
	if u, err = h.s.Get(a.r.Context(), u.ID); err != nil {
		return err
	}
	a.file(http.StatusOK, u)
	return nil
}

// cancel removes the upload that is not whole yet.
func (h *handler) cancel(a *answer) error {
	u, err := h.open(a.r.Context(), a.q)
	if err != nil {
		return err
	}
	if u == nil || u.Phase != upload.Receiving {
		return upload.ErrNotFound
	}
	if err := h.s.Remove(a.r.Context(), u.ID); err != nil {
		return err
	}
	a.w.WriteHeader(http.StatusNoContent)
	return nil
}
