package upload

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/store"
)

// retryJoin is when Sweep looks after an upload that is full and that no
// request has finished.
const retryJoin = 5 * time.Second

// finishWithin is finish, but answers ErrBusy after a while; what has begun goes
// on, and who only waited for others has left.
func (s *Service) finishWithin(ctx context.Context, u *Record, d time.Duration) (*Record, error) {
	return s.within(ctx, u, d, s.finish)
}

// within runs f to its end, whatever happens to the caller, who waits for d at
// most.
func (s *Service) within(ctx context.Context, u *Record, d time.Duration, f func(context.Context, *Record) (*Record, error)) (*Record, error) {
	type answer struct {
		u   *Record
		err error
	}
	done := make(chan answer, 1)
	was := *u
	wait, cancel := context.WithTimeout(context.WithoutCancel(ctx), d)
	go func() {
		defer cancel()
		a := answer{u: &was}
		defer func() { done <- a }()
		defer s.contain(&a.err)
		a.u, a.err = f(wait, &was)
	}()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case a := <-done:
		return a.u, a.err
	case <-timer.C:
		return u, ErrBusy
	}
}

// contain makes an error of a panic, where it would end the process.
func (s *Service) contain(err *error) {
	if p := recover(); p != nil {
		s.log().Error("panic", "value", p, "stack", string(debug.Stack()))
		*err = fmt.Errorf("panic: %v", p)
	}
}

// finish leads a full upload through its last phases, as far as it gets. It may
// be called any number of times, by anybody, also after a crash in any of
// them; each phase is entered by one compare-and-swap.
func (s *Service) finish(ctx context.Context, u *Record) (*Record, error) {
	wait := ctx // for others only: what has begun goes on
	ctx = context.WithoutCancel(ctx)
	err := s.alone(wait, u.ID, func() error {
		for {
			v, err := s.load(ctx, u.ID, everything)
			if v != nil {
				u = v
			}
			if err != nil {
				return err
			}
			switch again, err := s.step(ctx, u); {
			case errors.Is(err, ErrChanged): // somebody else took this step
			case err != nil || !again:
				return err
			}
		}
	})
	if err = s.lose(ctx, u.ID, err); err == nil && u.Phase == Done && u.Partial {
		s.assembleWaiting(ctx, u.ID)
	}
	return u, err
}

// step takes an upload from its phase into the next one, and tells whether
// there is one more to take.
func (s *Service) step(ctx context.Context, u *Record) (again bool, err error) {
	switch {
	case u.Phase == Receiving && !u.full():
		return false, nil
	case u.Phase == Receiving:
		if err := s.reauthorize(ctx, u); err != nil {
			return false, err
		}
		if err := s.fold(ctx, u); err != nil {
			return false, err
		}
		if err := s.verifyEarly(ctx, u); err != nil {
			return false, err
		}
		u.Phase, u.Meta.Ask, u.Due = Joining, false, s.now().Add(retryJoin)
		return true, stateError(s.State.Save(ctx, u))
	case u.Phase == Joining:
		return true, s.join(ctx, u)
	case u.Phase == Accepting:
		return true, s.accept(ctx, u)
	case u.Phase == Held && u.Meta.Released:
		return true, s.appear(ctx, u)
	}
	return false, nil
}

// joined has the store make one object of the parts, and believes it only if
// that is what was acknowledged.
func (s *Service) joined(ctx context.Context, u *Record, o store.Object) (store.Final, error) {
	final, err := s.Store.Join(ctx, o, u.Parts)
	switch {
	case errors.Is(err, store.ErrGone), errors.Is(err, store.ErrParts):
		// What was acknowledged is not there any more: this is never "complete".
		s.log().Error("the store has lost an upload", "id", u.ID, "error", err)
		return final, cmp.Or(s.forget(ctx, u), ErrGone)
	case err != nil:
		return final, storeError(err)
	case final.Size != u.Size || final.CRC != combined(u.Parts):
		return final, fmt.Errorf("%w: the store joined %d bytes with checksum %v, not %d with %v",
			ErrUnavailable, final.Size, final.CRC, u.Size, combined(u.Parts))
	}
	return final, nil
}

// join makes one object of the parts.
func (s *Service) join(ctx context.Context, u *Record) error {
	final, err := s.joined(ctx, u, u.object())
	if err != nil {
		return err
	}
	u.Final, u.Key = final, final.Key
	if err := s.verify(ctx, u); err != nil {
		return verifyError(err)
	}
	if !s.accepts(u) {
		return s.done(ctx, u)
	}
	u.Phase, u.Due = Accepting, s.now().Add(retryJoin)
	return stateError(s.State.Save(ctx, u))
}

// combined is the checksum of parts that are in order and without a gap.
func combined(parts []store.Part) store.CRC {
	var crc store.CRC
	for _, p := range parts {
		crc = crc.Append(p.CRC, p.Len())
	}
	return crc
}

// done saves that an upload is there, or in quarantine, and, in the same
// transaction, that this is to be told.
func (s *Service) done(ctx context.Context, u *Record) error {
	kind := Completed
	if u.Phase = Done; u.Hidden && !u.Partial {
		u.Phase, kind = Held, Quarantined
	}
	u.Due = s.ends(u)
	if u.Partial {
		return stateError(s.State.Save(ctx, u))
	}
	u.Meta.Pieces = nil
	ev := s.events(kind)
	err := s.State.Save(ctx, u, ev...)
	s.written(ev) // whatever the state has said, they may be there
	return stateError(err)
}

// fold makes one part of the crumbs of each cell that is full of them. The
// caller is alone with the upload, and u has all parts of the cells in
// question.
func (s *Service) fold(ctx context.Context, u *Record) error {
	folder, ok := s.Store.(store.Folder)
	for i := 0; ok && i < len(u.Parts); {
		cell, _ := u.Grid.At(u.Parts[i].Start)
		if u.Size >= 0 {
			cell.End = min(cell.End, u.Size)
		}
		j, crumbs := i, false
		pos := cell.Start
		for ; j < len(u.Parts) && u.Parts[j].Start < cell.End; j++ {
			if u.Parts[j].Start == pos {
				pos = u.Parts[j].End
			}
			crumbs = crumbs || u.Parts[j].Crumb
		}
		if pos == cell.End && crumbs {
			if err := s.foldCell(ctx, folder, u, u.Parts[i:j]); err != nil {
				return err
			}
		}
		i = j
	}
	return nil
}

// foldCell replaces crumbs by one part. The crumbs go only after the record
// names what replaces them.
func (s *Service) foldCell(ctx context.Context, f store.Folder, u *Record, crumbs []store.Part) error {
	part, err := f.Fold(ctx, u.object(), crumbs)
	if err != nil {
		return storeError(err)
	}
	if part.CRC != combined(crumbs) || part.Extent != (extent.Extent{Start: crumbs[0].Start, End: crumbs[len(crumbs)-1].End}) {
		return fmt.Errorf("%w: the store folded %v into other bytes", ErrUnavailable, part.Extent)
	}
	if _, err := s.State.Add(ctx, u.ID, u.Epoch, part); err != nil {
		return stateError(err)
	}
	if err := f.Drop(ctx, u.object(), crumbs); err != nil {
		s.log().Warn("folded crumbs stay until the upload ends", "id", u.ID, "error", err)
	}
	return nil
}
