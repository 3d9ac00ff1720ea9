package upload

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"strings"
	"time"

	"github.com/muleteer/muleteer/extent"
)

// tellers is how many events are told at once. A receiver that is slow holds up
// no other work, and a single one gets no more requests than that.
const tellers = 16

// Between two attempts lies a second at first, then twice as long each time, up
// to an hour; and up to half as much again, by chance, so that not all that
// failed together is tried together.
const (
	firstPause   = time.Second
	longestPause = time.Hour
	// A receiver that asks to be left alone longer than this is not heeded.
	longestLater = 24 * time.Hour
)

// pause is how long an event rests at least after so many attempts.
func pause(attempts int) time.Duration {
	return min(firstPause<<min(attempts-1, 12), longestPause)
}

// exhausted tells whether an event has rested for all of d.
func exhausted(attempts int, d time.Duration) bool {
	var rested time.Duration
	for i := 1; i <= attempts && rested < d; i++ {
		rested += pause(i)
	}
	return rested >= d
}

func (s *Service) tries() time.Duration {
	if s.Tries > 0 {
		return s.Tries
	}
	return 3 * 24 * time.Hour
}

// events makes the events that go with a record: those of which the hook wants
// to be told.
func (s *Service) events(kinds ...Kind) []Event {
	var ev []Event
	for _, k := range kinds {
		if s.wants(k) {
			ev = append(ev, Event{ID: rand.Text(), Kind: k, At: s.now()})
		}
	}
	return ev
}

// written has the dispatcher look at what was written.
func (s *Service) written(ev []Event) {
	if len(ev) == 0 {
		return
	}
	select {
	case s.working().tell <- struct{}{}:
	default:
	}
}

// Deliver tells the hook all that has happened and is due: each event at least
// once and always by the same id, those of one upload in their order, of several
// uploads at once. It returns when nothing is due any more, with the time at
// which it wants to be called next, at the latest.
//
// It may be called at any time and by any number of processes; an event may
// then be told twice.
func (s *Service) Deliver(ctx context.Context) (next time.Time, err error) {
	next = s.now().Add(time.Minute)
	box, ok := s.State.(Outbox)
	if !ok || s.Hook == nil {
		return next, nil
	}
	d := &delivery{s: s, box: box, busy: map[string]bool{}, told: make(chan told, tellers)}
	err = d.run(ctx)
	// What rests may have been put off by anybody, and at any time; nothing rests
	// longer than longestLater.
	for range box.Pending(ctx, s.Endpoint, s.now().Add(longestLater)) {
		return s.now().Add(firstPause), err
	}
	return next, err
}

// deliverAlways delivers until ctx ends. Errors are logged.
func (s *Service) deliverAlways(ctx context.Context) {
	for ctx.Err() == nil {
		next, err := s.Deliver(ctx)
		if err != nil && ctx.Err() == nil {
			s.log().Warn("events could not all be delivered, they are tried again", "error", err)
		}
		timer := time.NewTimer(next.Sub(s.now()))
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-s.working().tell:
		}
		timer.Stop()
	}
}

// delivery is one Deliver at work.
type delivery struct {
	s    *Service
	box  Outbox
	due  []Event         // of different uploads
	busy map[string]bool // the uploads of which something is being told
	told chan told
}

// told says that an event was told, or was not.
type told struct {
	upload string
	err    error // of the state
}

func (d *delivery) run(ctx context.Context) (err error) {
	fresh := true // there may be events that were not looked at
	for {
		if len(d.due) == 0 && fresh && err == nil && ctx.Err() == nil {
			fresh = false
			err = d.look(ctx)
		}
		for err == nil && len(d.due) > 0 && len(d.busy) < tellers && ctx.Err() == nil {
			e := d.due[0]
			d.due = d.due[1:]
			d.busy[e.Upload] = true
			go func() {
				d.told <- told{e.Upload, d.s.tell(ctx, d.box, e)}
			}()
		}
		if len(d.busy) == 0 {
			return err
		}
		select {
		case t := <-d.told:
			delete(d.busy, t.upload)
			fresh = true
			if t.err != nil && err == nil {
				err = t.err
			}
		case <-d.s.working().tell:
			fresh = true
		}
	}
}

// batch is how many events are looked up at once, at most.
const batch = 8 * tellers

// look finds events that are due, of uploads of which nothing is being told.
func (d *delivery) look(ctx context.Context) error {
	for e, err := range d.box.Pending(ctx, d.s.Endpoint, d.s.now()) {
		if err != nil {
			return stateError(err)
		}
		if !d.busy[e.Upload] {
			d.due = append(d.due, e)
		}
		if len(d.due) == batch {
			break
		}
	}
	return nil
}

// tell delivers one event, or puts it off, or ends it for dead.
func (s *Service) tell(ctx context.Context, box Outbox, e Event) error {
	u, err := s.State.Load(ctx, e.Upload, extent.Extent{})
	switch {
	case errors.Is(err, ErrNotFound): // nobody can say anything of it any more
		return stateError(box.Settle(ctx, e.ID))
	case err != nil:
		return stateError(err)
	}
	t := s.turn(u, e.Kind)
	t.EventID, t.At = e.ID, e.At
	failed := s.call(ctx, t)
	if failed != nil && ctx.Err() != nil {
		return nil // it was us who ended it
	}
	ctx = context.WithoutCancel(ctx)
	if failed == nil {
		return stateError(box.Settle(ctx, e.ID))
	}
	s.put(&e, failed)
	return stateError(box.Defer(ctx, e))
}

// put notes in an event that an attempt failed.
func (s *Service) put(e *Event, failed error) {
	const most = 500
	e.Attempts++
	e.Error = strings.ToValidUTF8(fmt.Sprintf("%.*s", most, failed.Error()), "\uFFFD")
	e.Due = time.Time{}
	if exhausted(e.Attempts, s.tries()) {
		e.Dead = s.now()
		s.log().Error("an event could not be delivered and is dead; it can be replayed", "event", e.ID, "kind", e.Kind, "id", e.Upload, "attempts", e.Attempts, "error", e.Error)
		return
	}
	rest := pause(e.Attempts)
	rest += mathrand.N(rest/2 + 1)
	if later := (*Later)(nil); errors.As(failed, &later) {
		rest = max(rest, min(later.After, longestLater))
	}
	e.Due = s.now().Add(rest)
	level := slog.LevelWarn
	if e.Attempts > 1 { // it was said
		level = slog.LevelDebug
	}
	s.log().Log(context.Background(), level, "an event was not delivered", "event", e.ID, "kind", e.Kind, "id", e.Upload, "again", rest.Round(time.Millisecond), "error", e.Error)
}

// call calls the hook for a turn that has happened.
func (s *Service) call(ctx context.Context, t Turn) (err error) {
	defer s.contain(&err)
	_, err = s.Hook(ctx, t)
	return err
}
