package upload

import (
	"context"
	"errors"
	"time"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/store"
)

// orphanAge is how old something in the store must be before the lack of a
// record makes it an orphan: a record is written right after its object begins.
const orphanAge = time.Hour

// Sweep does all that is due: it finishes what is full, removes what has
// expired, and forgets what was removed long ago. It returns when it wants to be
// called next, at the latest.
//
// It may be called at any time and by any number of processes.
func (s *Service) Sweep(ctx context.Context) (next time.Time, err error) {
	var due []*Record
	for u, err := range s.State.Find(ctx, Query{Endpoint: &s.Endpoint, DueBefore: s.now().Add(1)}) {
		if err != nil {
			return s.now().Add(time.Second), stateError(err)
		}
		due = append(due, u)
	}
	var errs []error
	for _, u := range due {
		if ctx.Err() != nil {
			break
		}
		if err := s.attend(itself(ctx, u), u); err != nil && !errors.Is(err, ErrChanged) && !errors.Is(err, ErrNotFound) {
			if !errors.Is(err, ErrGone) {
				errs = append(errs, err)
			}
			s.putOff(ctx, u.ID)
		}
	}
	next = s.now().Add(time.Minute)
	for u, err := range s.State.Find(ctx, Query{Endpoint: &s.Endpoint, DueBefore: next, Limit: 1}) {
		if err == nil && u.Due.Before(next) {
			next = u.Due
		}
	}
	if soon := s.now().Add(time.Second); next.Before(soon) {
		next = soon
	}
	return next, errors.Join(errs...)
}

// Run sweeps until ctx ends: whenever something is due, and orphans once an
// orphanAge. Beside that it delivers events, so that a slow receiver holds up
// nothing else. Errors are logged.
func (s *Service) Run(ctx context.Context) {
	delivered := make(chan struct{})
	go func() {
		defer close(delivered)
		s.deliverAlways(ctx)
	}()
	defer func() { <-delivered }()
	if err := s.resume(ctx); err != nil && ctx.Err() == nil {
		s.log().Warn("unfinished uploads could not be searched", "error", err)
	}
	orphans := time.Now()
	for ctx.Err() == nil {
		next, err := s.Sweep(ctx)
		if err != nil && ctx.Err() == nil {
			s.log().Warn("what is due could not all be done, it is tried again", "error", err)
		}
		if !time.Now().Before(orphans) {
			orphans = time.Now().Add(orphanAge)
			if n, err := s.SweepOrphans(ctx); err != nil && ctx.Err() == nil {
				s.log().Warn("the store could not be searched for orphans", "error", err)
			} else if n > 0 {
				s.log().Info("removed from the store what no record names", "objects", n)
			}
		}
		timer := time.NewTimer(next.Sub(s.now()))
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
}

// resume finishes the uploads that are full, or whose sources are, but whose last
// writer died with its process, without waiting until they are due.
func (s *Service) resume(ctx context.Context) error {
	var full []*Record
	for u, err := range s.State.Find(ctx, Query{Endpoint: &s.Endpoint, Phases: []Phase{Receiving, Joining, Accepting, Held}}) {
		if err != nil {
			return stateError(err)
		}
		if u.full() && !u.asks() && (u.Phase != Held || u.Meta.Released) || len(u.Sources) > 0 {
			full = append(full, u)
		}
	}
	for _, u := range full {
		if err := s.attend(itself(ctx, u), u); err != nil && !errors.Is(err, ErrChanged) {
			s.log().Warn("a full upload is finished later", "id", u.ID, "error", err)
			s.putOff(ctx, u.ID)
		}
	}
	return nil
}

// attend does what is due for one upload.
func (s *Service) attend(ctx context.Context, u *Record) (err error) {
	defer s.contain(&err)
	switch {
	case u.Phase == Gone && !u.Cleared:
		s.clear(ctx, u)
		return nil
	case u.Phase == Gone:
		box, ok := s.State.(Outbox)
		if !ok {
			return nil
		}
		err := box.Purge(ctx, u.ID)
		if errors.Is(err, ErrBusy) { // its events come first
			wait := time.Minute
			if s.Hook == nil { // and nobody hears them now
				wait = s.remember()
			}
			u.Due = s.now().Add(wait)
			err = s.State.Save(ctx, u)
		}
		return err
	case u.full() && (!u.Whole() && u.Phase < Done && !u.asks() || u.Phase == Held && u.Meta.Released):
		_, err := s.finishWithin(ctx, u, takeover)
		if errors.Is(err, ErrRefused) || errors.Is(err, errDigest) {
			return nil
		}
		return err
	case u.Phase == Receiving && len(u.Sources) > 0 && s.now().Before(u.Touched.Add(u.idle())):
		v, err := s.assemble(ctx, u)
		if err == nil && v.Phase == Receiving { // it waits for its sources
			v.Due = s.now().Add(time.Minute)
			err = s.State.Save(ctx, v)
		}
		return err
	}
	if u.Phase == Receiving && !u.Meta.Signed.IsZero() { // its client may have left before it told
		v, err := s.collect(ctx, u.ID, everything, takeover)
		if err != nil || v.Phase != Receiving {
			return err
		}
		u = v
	}
	return s.expireOne(ctx, u)
}

// expireOne removes an upload to which nothing has come for too long, or puts
// its day off: bytes that come do not touch Due, so that they cost less.
func (s *Service) expireOne(ctx context.Context, u *Record) error {
	at := s.ends(u)
	if at.IsZero() {
		u.Due = time.Time{}
		return s.State.Save(ctx, u)
	}
	if s.now().Before(at) || s.busy(u.ID) {
		u.Due = later(at, s.now().Add(time.Second))
		return s.State.Save(ctx, u)
	}
	return s.remove(ctx, u.ID, func(u *Record) bool {
		at := s.ends(u)
		return !at.IsZero() && !s.now().Before(at) && (u.Phase == Done || !u.full() || u.asks())
	})
}

// putOff keeps a record whose turn failed from being looked at all the time.
func (s *Service) putOff(ctx context.Context, id string) {
	u, err := s.State.Load(ctx, id, extent.Extent{})
	if err != nil {
		return
	}
	u.Due = s.now().Add(retryJoin)
	if err := s.State.Save(ctx, u); err != nil {
		s.log().Debug("an upload is looked at again at once", "id", id, "error", err)
	}
}

// SweepOrphans removes from the store what no record needs and what is too old
// to belong to a request under way: what a process left that died between
// bytes and record, and what is left beside a file that is finished. It tells
// how many it has removed. Finished files are never touched.
func (s *Service) SweepOrphans(ctx context.Context) (int, error) {
	walker, ok := s.Store.(store.Walker)
	if !ok {
		return 0, nil
	}
	walk := walker.Walk
	if w, ok := s.Store.(store.Sweeper); ok {
		walk = w.Unfinished
	}
	removed := 0
	for e, err := range walk(ctx) {
		if err != nil {
			return removed, storeError(err)
		}
		if e.ID == "" || e.Key != "" || s.now().Sub(e.Began) < orphanAge || s.needed(ctx, e.ID) {
			continue
		}
		// It is not said to be joined, so nothing is touched that has a key.
		if err := s.Store.Remove(ctx, store.Object{ID: e.ID, Token: e.Token}); err != nil {
			return removed, storeError(err)
		}
		removed++
	}
	return removed, nil
}

// needed tells whether something that has no key may belong to an upload: it
// has a record, and is not finished under a key of its own.
func (s *Service) needed(ctx context.Context, id string) bool {
	u, err := s.State.Load(ctx, id, extent.Extent{})
	if err != nil {
		return !errors.Is(err, ErrNotFound)
	}
	return u.Phase != Done || u.Hidden
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}
