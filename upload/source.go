package upload

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/store"
)

// maxSources is how many uploads one concatenation may have: what a client can
// make us copy must have a bound.
const maxSources = 1000

// checkSources tells whether a new upload may be made of its sources, and takes
// its size from theirs, as far as it is known.
func (s *Service) checkSources(ctx context.Context, u *Record) error {
	if len(u.Sources) == 0 {
		return nil
	}
	if len(u.Sources) > maxSources {
		return fmt.Errorf("%w: more than %d sources", ErrInvalid, maxSources)
	}
	if u.Size >= 0 {
		return fmt.Errorf("%w: a concatenation has the size of its sources", ErrInvalid)
	}
	size := int64(0)
	for _, id := range u.Sources {
		p, err := s.load(ctx, id, extent.Extent{})
		switch {
		case err != nil:
			return fmt.Errorf("source %s: %w", id, err)
		case !p.Partial:
			return fmt.Errorf("%w: source %s is an upload of its own", ErrInvalid, id)
		case p.Size < 0 || size < 0:
			size = -1
		case p.Size > s.limit(u)-size:
			return ErrTooLarge
		default:
			size += p.Size
		}
	}
	u.Size, u.Due = size, s.now().Add(time.Minute)
	return nil
}

// assembleWithin is assemble, but the caller waits a while only and then gets
// the record as it is; the assembling goes on.
func (s *Service) assembleWithin(ctx context.Context, u *Record, d time.Duration) (*Record, error) {
	v, err := s.within(ctx, u, d, s.assemble)
	if errors.Is(err, ErrBusy) {
		return u, nil
	}
	return v, err
}

// assembleWaiting goes on with the concatenations that wait for a source.
func (s *Service) assembleWaiting(ctx context.Context, source string) {
	var waiting []*Record
	for u, err := range s.State.Find(ctx, Query{Source: source, Phases: []Phase{Receiving}}) {
		if err != nil {
			s.log().Warn("a concatenation is looked at later", "source", source, "error", err)
			return
		}
		waiting = append(waiting, u)
	}
	for _, u := range waiting {
		if _, err := s.assembleWithin(itself(ctx, u), u, patience); err != nil {
			s.log().Warn("a concatenation is tried again", "id", u.ID, "error", err)
			s.putOff(ctx, u.ID)
		}
	}
}

// assemble takes the sources that are Done into the upload, in order, and
// finishes it when it has them all.
func (s *Service) assemble(ctx context.Context, u *Record) (*Record, error) {
	wait := ctx
	ctx = itself(context.WithoutCancel(ctx), u)
	ready := true
	err := s.alone(wait, u.ID, func() error {
		v, err := s.load(ctx, u.ID, everything)
		if err != nil {
			return err
		}
		u = v
		if u.Phase != Receiving {
			return nil
		}
		sources := make([]*Record, len(u.Sources))
		total := int64(0)
		for i, id := range u.Sources {
			p, err := s.load(ctx, id, everything)
			if errors.Is(err, ErrNotFound) || errors.Is(err, ErrGone) {
				return s.forget(ctx, u) // it can never become whole
			}
			if err != nil {
				return err
			}
			if p.Phase != Done {
				ready = false
				return nil
			}
			sources[i], total = p, total+p.Size
		}
		if total > s.limit(u) {
			return cmp.Or(s.forget(ctx, u), ErrTooLarge)
		}
		if u, err = s.setSize(ctx, u, total); err != nil {
			return err
		}
		at := int64(0)
		for _, p := range sources {
			if err := s.copySource(ctx, u, at, p); err != nil {
				return err
			}
			at += p.Size
		}
		return nil
	})
	if err != nil || !ready {
		return u, err
	}
	return s.finish(ctx, u)
}

// copySource takes one source into an upload at an offset, as a whole, without
// moving its bytes through this process where the store can.
func (s *Service) copySource(ctx context.Context, u *Record, at int64, p *Record) error {
	e := extent.At(at, p.Size)
	if u.Ranges().Has(e) {
		return nil
	}
	if c, ok := s.Store.(store.Copier); ok {
		var parts []store.Part
		err := c.Copy(ctx, u.object(), at, p.object(), p.Parts, func(part store.Part) error {
			parts = append(parts, part)
			return nil
		})
		if err == nil {
			_, err = s.State.Add(ctx, u.ID, u.Epoch, parts...)
			return stateError(err)
		}
		if !errors.Is(err, errors.ErrUnsupported) {
			return storeError(err)
		}
	}
	r, err := s.Store.Open(ctx, p.object(), extent.Extent{End: p.Size})
	if err != nil {
		return storeError(err)
	}
	defer r.Close()
	t := &taking{s: s, u: u, c: Chunk{At: at, Len: p.Size, Size: -1, Body: r, Atomic: true}, body: &meter{r: r}}
	if err := t.check(e); err != nil {
		return err
	}
	return t.take(ctx, e)
}
