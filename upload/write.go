package upload

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/store"
)

// patience is how long a request waits for what others do to its upload,
// before the client is told to ask again.
const patience = 20 * time.Second

// Write takes bytes of an upload and returns the record as it stands then, but
// for its parts; with most errors too, so that a client can be told the true
// offset. When the last byte has come the upload is finished before Write
// returns; should that fail, the bytes are safe and Sweep goes on with it.
//
// Bytes that are here already are read and dropped, so that every chunk may be
// sent again. What arrived of a body that breaks is kept, unless the chunk is
// atomic; the error then wraps what the body said, or io.ErrUnexpectedEOF.
func (s *Service) Write(ctx context.Context, id string, c Chunk) (*Record, error) {
	if err := s.authorize(ctx, MayWrite); err != nil {
		return nil, err
	}
	if c.At < 0 || c.Len < -1 || c.Len > extent.Max-c.At || c.Size < -1 {
		return nil, fmt.Errorf("%w: %d bytes at %d of %d", ErrInvalid, c.Len, c.At, c.Size)
	}
	e := extent.At(c.At, c.Len)
	claimed := e
	if c.Append {
		claimed = everything
	}
	w, err := s.claim(ctx, id, claimed, c.Body, patience)
	if err != nil {
		return nil, err
	}
	defer s.release(w)
	u, err := s.load(ctx, id, e)
	if err != nil {
		return u, err
	}
	if len(u.Sources) > 0 {
		return u, fmt.Errorf("%w: a concatenation takes its bytes from its sources", ErrRefused)
	}
	if u.Meta.Blind && c.Len != 0 {
		return u, errBlind
	}
	// From here on the client's leaving must not undo what it has brought.
	ctx = context.WithoutCancel(ctx)
	if u.full() && !u.Whole() {
		if u, err = s.finishWithin(ctx, u, cmp.Or(c.Patience, patience)); err != nil {
			return u, err
		}
	}
	t := &taking{s: s, u: u, c: c, body: &meter{r: c.Body, stopped: w.stopped}}
	if err := t.check(e); err != nil {
		return u, err
	}
	if c.Size >= 0 && !t.whole() {
		if t.u, err = s.setSize(ctx, u, c.Size); err != nil {
			return t.u, err
		}
	}
	if t.u.Size < 0 {
		grown := *t.u
		grown.Here += max(c.Len, 0)
		if err := s.State.Weigh(ctx, &grown, s.quota(ctx, false)); err != nil {
			return t.u, stateError(err)
		}
	}
	if s.watches(t.u) && c.Body != nil {
		t.seen = &watch{Reader: c.Body, pos: c.At, size: max(t.u.Size, c.Size)}
		t.body.r = t.seen
	}
	if err = t.take(ctx, e); err == nil || !t.whole() {
		err = cmp.Or(err, t.inspect(ctx))
	}
	if t.u.full() && !t.u.Whole() {
		// Also for a client that left right after its last byte.
		u, failed := s.finishWithin(ctx, t.u, cmp.Or(c.Patience, patience))
		return u, s.lose(ctx, id, cmp.Or(err, failed))
	}
	return t.u, s.lose(ctx, id, cmp.Or(err, t.fold(ctx)))
}

// SetSize takes the length of an upload that was begun without one. It may be
// said again, but not changed.
func (s *Service) SetSize(ctx context.Context, id string, size int64) (*Record, error) {
	return s.Write(ctx, id, Chunk{At: 0, Len: 0, Size: size})
}

// Amend changes what the client has said of a file of which bytes are missing
// still: a name that it tells late, the size of its parts. The file appears under
// a name that comes late if the store can still do that, and if no hook has
// chosen another. What change leaves alone, by answering false, is not saved; it
// may be called more than once, and must not write to maps of what it is given.
func (s *Service) Amend(ctx context.Context, id string, change func(*Meta) bool) (*Record, error) {
	if err := s.authorize(ctx, MayWrite); err != nil {
		return nil, err
	}
	for {
		u, err := s.load(ctx, id, extent.Extent{})
		if err != nil || u.Phase != Receiving {
			return u, err
		}
		before, name, path := s.Key.key(u, u.Began), u.Meta.Name, u.Meta.Path
		if !change(&u.Meta) {
			return u, nil
		}
		if u.Meta.Named {
			u.Meta.Name, u.Meta.Path = name, path
		}
		s.rename(u, before)
		if err := s.State.Save(ctx, u); !errors.Is(err, ErrChanged) {
			return u, stateError(err)
		}
	}
}

// rename gives u the key that its new name asks for, if its key was the one that
// the old name asked for.
func (s *Service) rename(u *Record, before string) {
	key := s.Key.key(u, u.Began)
	n, ok := s.Store.(store.Renamer)
	if !ok || key == before || u.Key != before {
		return
	}
	if o, ok := n.Rename(u.object(), key); ok {
		u.Key = o.Key
	}
}

// Describe sets further fields of a file, finished or not: the title and such
// that people give it. Others stay as they are. Everybody who may see the
// upload may do so.
func (s *Service) Describe(ctx context.Context, id string, fields map[string]string) (*Record, error) {
	if err := s.authorize(ctx, MayWrite); err != nil {
		return nil, err
	}
	for {
		u, err := s.load(ctx, id, extent.Extent{})
		if err != nil {
			return u, err
		}
		all := maps.Clone(u.Meta.Fields)
		if all == nil {
			all = map[string]string{}
		}
		maps.Copy(all, fields)
		u.Meta.Fields = all
		if err := s.State.Save(ctx, u); !errors.Is(err, ErrChanged) {
			return u, stateError(err)
		}
	}
}

// setSize keeps the size if it can be true.
func (s *Service) setSize(ctx context.Context, u *Record, size int64) (*Record, error) {
	if size > s.limit(u) {
		return u, ErrTooLarge
	}
	parts := u.Parts
	for {
		if u.Size == size {
			u.Parts = parts
			return u, nil
		}
		if u.Size >= 0 || u.Phase != Receiving {
			return u, fmt.Errorf("%w: it was %d bytes, now %d", ErrSize, u.Size, size)
		}
		beyond := extent.Extent{Start: size, End: extent.Max}
		v, err := s.load(ctx, u.ID, beyond)
		if err != nil {
			return v, err
		}
		for _, p := range v.Parts {
			if p.End > size {
				return u, fmt.Errorf("%w: %d bytes are fewer than what is here", ErrSize, size)
			}
		}
		if u = v; u.Size >= 0 {
			continue
		}
		u.Size = size
		if err := s.State.Weigh(ctx, u, s.quota(ctx, false)); err != nil {
			u.Size = -1
			return u, stateError(err)
		}
		if u.full() {
			u.Due = s.now()
		}
		if err := s.State.Save(ctx, u); err != nil && !errors.Is(err, ErrChanged) {
			return u, stateError(err)
		} else if err != nil {
			if u, err = s.load(ctx, u.ID, extent.Extent{}); err != nil {
				return u, err
			}
		}
	}
}
