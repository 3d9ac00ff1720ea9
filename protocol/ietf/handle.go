package ietf

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/internal/wire"
	"github.com/muleteer/muleteer/upload"
)

// create begins an upload, with its first bytes if they come along.
func (a *answer) create() error {
	c, resumable, err := a.creation()
	a.resumable = resumable
	switch {
	case err != nil:
		return err
	case !resumable && a.r.Method == http.MethodPatch:
		return fmt.Errorf("%w: %s must be ?0 or ?1", upload.ErrInvalid, a.v.field)
	}
	n, err := a.new(c)
	if err != nil {
		return err
	}
	ctx := a.r.Context()
	if !resumable {
		a.seen, err = a.service.Take(ctx, n, a.chunk(c))
		return a.told(c, err)
	}
	if a.inform = a.interim(); a.inform == nil && (c.len != 0 || c.complete) {
		a.seen, err = a.service.Take(ctx, n, a.chunk(c))
		return a.told(c, a.undo(err))
	}
	if a.seen, err = a.service.Create(ctx, n); err != nil {
		return err
	}
	a.inform.begins(a.location(), a.limits(a.seen))
	if c.len != 0 || c.complete {
		err = a.write(c)
	}
	a.inform.begun()
	return a.told(c, a.undo(err))
}

// undo ends an upload whose first request was so wrong that nobody can go on
// with it. What cannot be removed now expires.
func (a *answer) undo(err error) error {
	if err != nil && a.seen != nil && errors.Is(err, upload.ErrComplete) {
		_ = a.service.Withdraw(context.WithoutCancel(a.r.Context()), a.seen.ID)
		a.seen.Phase = upload.Gone
	}
	return err
}

// append takes bytes at the end of what is here.
func (a *answer) append(id string) error {
	a.resumable, a.resumed = true, true
	c, err := a.appending()
	if err != nil {
		return err
	}
	a.at = c.at
	a.seen = &upload.Record{}
	a.seen.ID = id
	a.inform = a.interim()
	err = a.write(c)
	if u := a.seen; u != nil && u.Phase == upload.Done && a.v.replays && c.complete && c.at < u.Size && errors.Is(err, upload.ErrOffset) {
		err = a.repeated(c)
	}
	if u := a.seen; err == nil && u.Whole() && !c.complete && a.body.got == 0 && c.at == u.Size {
		err = upload.ErrComplete
	}
	return a.told(c, err)
}

// repeated reads the last append of a finished upload once more: who has not
// seen the answer to it gets it now. Any other bytes come too late.
func (a *answer) repeated(c content) error {
	r, _, err := a.service.Open(a.r.Context(), a.seen.ID, extent.Extent{Start: c.at, End: a.seen.Size})
	if err != nil {
		return err
	}
	defer r.Close()
	same, err := wire.Same(a.body, r)
	if err == nil && (!same || c.at+a.body.got != a.seen.Size) {
		err = upload.ErrComplete
	}
	return err
}

// write hands the body to the upload that was seen.
func (a *answer) write(c content) error {
	id := a.seen.ID
	u, err := a.service.Write(a.r.Context(), id, a.chunk(c))
	a.seen = u
	return err
}

// chunk returns the body as the service takes it.
func (a *answer) chunk(c content) upload.Chunk {
	a.body = &counted{BodyReader: wire.Body(a.w, a.r), most: a.MaxAppend}
	var b body = a.body
	if a.inform != nil {
		b = &informed{b, a.inform}
	}
	b, verify := a.verified(b, digests(a.r.Header, "Content-Digest"), a.trailers(c))
	k := upload.Chunk{
		At: c.at, Len: c.len, Size: c.size, Last: c.complete, Body: b,
		Append: a.resumable, Verify: verify,
	}
	if a.inform != nil {
		k.Progress = a.inform.keep
	}
	return k
}

// counted is a body that knows how much of it was read, and ends where it
// becomes longer than one may be.
type counted struct {
	*wire.BodyReader
	got  int64
	most int64 // 0: no bound
}

func (b *counted) Read(p []byte) (int, error) {
	if b.most > 0 && int64(len(p)) > b.most-b.got+1 {
		p = p[:b.most-b.got+1]
	}
	n, err := b.BodyReader.Read(p)
	b.got += int64(n)
	if b.most > 0 && b.got > b.most {
		b.got--
		return n - 1, errLong
	}
	return n, err
}

// head tells from where a client has to go on.
func (a *answer) head(id string) (err error) {
	if err := a.bare(); err != nil {
		return err
	}
	if a.seen, err = a.service.Settle(a.r.Context(), id); err != nil {
		return err
	}
	u, h := a.seen, a.w.Header()
	h.Set(offset, decimal(u.Offset))
	a.v.setComplete(h, u.Whole())
	if u.Size >= 0 {
		h.Set(length, decimal(u.Size))
	}
	setLimits(h, a.limits(u))
	a.w.WriteHeader(http.StatusNoContent)
	return nil
}

// delete ends an upload, finished or not.
func (a *answer) delete(id string) error {
	if err := a.bare(); err != nil {
		return err
	}
	if err := a.service.Remove(a.r.Context(), id); err != nil {
		return err
	}
	a.w.WriteHeader(http.StatusNoContent)
	return nil
}

// bare refuses what up to version 6 a HEAD or DELETE must not have.
func (a *answer) bare() error {
	if !a.v.strict {
		return nil
	}
	for _, name := range []string{offset, a.v.field, length} {
		if len(a.r.Header.Values(name)) > 0 {
			return errBare
		}
	}
	return nil
}

// options tells what a client has to know before it begins.
func (a *answer) options(allow string) error {
	h := a.w.Header()
	h.Set("Allow", allow)
	h.Set("Accept-Patch", mediaType)
	setLimits(h, a.limits(nil))
	a.w.WriteHeader(http.StatusNoContent)
	return nil
}
