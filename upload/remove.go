package upload

import (
	"context"
	"errors"
	"time"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/store"
)

// Remove ends an upload, finished or not: those who write to it are
// interrupted, its bytes are deleted, and it answers ErrGone for a while. The
// hook may refuse it.
func (s *Service) Remove(ctx context.Context, id string) error {
	if err := s.authorize(ctx, MayRemove); err != nil {
		return err
	}
	if s.wants(Removing) {
		u, err := s.load(ctx, id, extent.Extent{})
		if err != nil {
			return err
		}
		if _, err := s.ask(ctx, u, Removing); err != nil {
			return err
		}
	}
	return s.remove(ctx, id, func(*Record) bool { return true })
}

// Withdraw is Remove by a protocol whose client did not ask for it: the upload
// came to nothing, or its client begins anew. Who may write may do so.
func (s *Service) Withdraw(ctx context.Context, id string) error {
	if err := s.authorize(ctx, MayWrite); err != nil {
		return err
	}
	return s.remove(ctx, id, func(*Record) bool { return true })
}

// remove is Remove, if wanted says so of the record as it is when nobody writes
// any more.
func (s *Service) remove(ctx context.Context, id string, wanted func(*Record) bool) error {
	w, err := s.claim(ctx, id, everything, nil, patience)
	if err != nil {
		return err
	}
	defer s.release(w)
	return s.end(context.WithoutCancel(ctx), id, wanted)
}

// end removes an upload.
func (s *Service) end(ctx context.Context, id string, wanted func(*Record) bool) error {
	u, err := s.load(ctx, id, everything)
	if err != nil || !wanted(u) {
		return err
	}
	if u.full() && (!u.Whole() && !u.asks() || u.Phase == Held && u.Meta.Released) {
		// Only after the join it is known under which key the bytes are.
		v, err := s.finishWithin(ctx, u, patience)
		if v.Phase == Joining {
			return err
		}
		if v.Phase != Gone {
			u = v
		}
	}
	wait, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return s.alone(wait, id, func() error {
		for {
			err := s.forget(ctx, u)
			if !errors.Is(err, ErrChanged) {
				return err
			}
			if u, err = s.load(ctx, id, everything); err != nil || !wanted(u) {
				return err
			}
			if u.Phase == Joining {
				return ErrBusy
			}
		}
	})
}

// forget saves that an upload is gone, and then deletes its bytes.
func (s *Service) forget(ctx context.Context, u *Record) error {
	u.Phase, u.Due, u.Meta.Pieces = Gone, s.now(), nil
	ev := s.events(Removed)
	err := s.State.Save(ctx, u, ev...)
	s.written(ev)
	if err != nil {
		return stateError(err)
	}
	s.clear(ctx, u)
	return nil
}

// lose ends an upload of which the store no longer has what was acknowledged,
// for good: its offset must not become smaller, and it will never be whole. Any
// other error is left alone.
func (s *Service) lose(ctx context.Context, id string, err error) error {
	if !errors.Is(err, store.ErrGone) {
		return err
	}
	wait, cancel := context.WithTimeout(ctx, takeover)
	defer cancel()
	ended := s.alone(wait, id, func() error {
		u, err := s.load(ctx, id, everything)
		if err != nil || u.Phase != Receiving {
			return err
		}
		s.log().Error("the store has lost an upload", "id", id)
		return s.forget(ctx, u)
	})
	if ended != nil && !errors.Is(ended, ErrGone) && !errors.Is(ended, ErrNotFound) {
		s.log().Warn("a lost upload is ended by the next request", "id", id, "error", ended)
	}
	return err
}

// clear deletes the bytes of an upload that is gone. If the store does not
// answer, Sweep does it.
func (s *Service) clear(ctx context.Context, u *Record) {
	again := time.Minute
	if err := s.Store.Remove(ctx, u.object()); err != nil {
		s.log().Warn("the bytes of a removed upload are still there", "id", u.ID, "again", again, "error", err)
	} else {
		u.Cleared, again = true, s.remember()
	}
	u.Due = s.now().Add(again)
	if err := s.State.Save(ctx, u); err != nil {
		s.log().Warn("a removed upload is looked at again", "id", u.ID, "error", err)
	}
}
