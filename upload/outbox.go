package upload

import (
	"context"
	"iter"
	"time"
)

// Events yields the events of this endpoint that are not delivered, the dead ones
// too, in the order in which they were written; only the one of that id if id is
// not empty. Who may manage may see them.
func (s *Service) Events(ctx context.Context, id string) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		if err := s.authorize(ctx, MayManage); err != nil {
			yield(Event{}, err)
			return
		}
		box, ok := s.State.(Outbox)
		if !ok {
			return
		}
		for e, err := range box.Events(ctx, id) {
			if err != nil {
				yield(Event{}, stateError(err))
				return
			}
			if e.Endpoint == s.Endpoint && !yield(e, nil) {
				return
			}
		}
	}
}

// Replay has an event tried again, now and for as long as a new one. ErrNotFound
// if there is none of that id.
func (s *Service) Replay(ctx context.Context, id string) error {
	e, err := s.event(ctx, id)
	if err != nil {
		return err
	}
	if err := s.State.(Outbox).Defer(ctx, e.Again()); err != nil {
		return stateError(err)
	}
	s.written([]Event{e})
	return nil
}

// Again is the event as one that was not tried yet.
func (e Event) Again() Event {
	e.Attempts, e.Due, e.Dead = 0, time.Time{}, time.Time{}
	return e
}

// Drop forgets an event that nobody wants to hear any more. ErrNotFound if there
// is none of that id.
func (s *Service) Drop(ctx context.Context, id string) error {
	e, err := s.event(ctx, id)
	if err != nil {
		return err
	}
	err = s.State.(Outbox).Settle(ctx, e.ID)
	s.written([]Event{e}) // the next one of its upload may be due
	return stateError(err)
}

// event finds an event for somebody who may manage.
func (s *Service) event(ctx context.Context, id string) (Event, error) {
	if id != "" {
		for e, err := range s.Events(ctx, id) {
			return e, err
		}
	}
	return Event{}, ErrNotFound
}
