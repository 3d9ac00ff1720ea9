package upload

import (
	"context"
	"errors"
	"fmt"

	"github.com/muleteer/muleteer/extent"
)

// Confirm says that the application wants to keep a finished file, which else is
// removed where Service.Unconfirmed says so. It may be said again.
func (s *Service) Confirm(ctx context.Context, id string) (*Record, error) {
	return s.manage(ctx, id, func(u *Record) (bool, error) {
		switch {
		case u.Phase != Done:
			return false, ErrIncomplete
		case u.Meta.Confirmed:
			return false, nil
		}
		u.Meta.Confirmed = true
		u.Due = s.ends(u)
		return true, nil
	})
}

// Release lets a file that is Held appear. It may be said again.
func (s *Service) Release(ctx context.Context, id string) (*Record, error) {
	u, err := s.manage(ctx, id, func(u *Record) (bool, error) {
		switch {
		case u.Phase == Done, u.Phase == Held && u.Meta.Released:
			return false, nil
		case u.Phase != Held:
			return false, ErrIncomplete
		}
		// A crash from here on is the sweep's to repair.
		u.Meta.Released, u.Due = true, s.now().Add(retryJoin)
		return true, nil
	})
	if err != nil || u.Phase == Done {
		return u, err
	}
	return s.finishWithin(ctx, u, patience)
}

// manage changes the record of a finished upload, if change says so.
func (s *Service) manage(ctx context.Context, id string, change func(*Record) (bool, error)) (*Record, error) {
	if err := s.authorize(ctx, MayManage); err != nil {
		return nil, err
	}
	for {
		u, err := s.load(ctx, id, extent.Extent{})
		if err != nil {
			return u, err
		}
		if u.Partial {
			return u, fmt.Errorf("%w: it is a part of another upload", ErrInvalid)
		}
		if changed, err := change(u); err != nil || !changed {
			return u, err
		}
		if err := s.State.Save(ctx, u); !errors.Is(err, ErrChanged) {
			return u, stateError(err)
		}
	}
}

// appear ends a quarantine: the object, which was joined out of sight, gets its
// key. A crash between store and state repeats it.
func (s *Service) appear(ctx context.Context, u *Record) error {
	o := u.Object
	o.Hidden, o.Joined = false, false
	final, err := s.joined(ctx, u, o)
	if err != nil {
		return err
	}
	u.Hidden, u.Final, u.Key = false, final, final.Key
	return s.done(ctx, u)
}
