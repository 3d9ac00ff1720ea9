package state

import (
	"context"
	"iter"
	"slices"
	"time"

	"github.com/muleteer/muleteer/upload"
)

// Pending implements upload.Outbox. It yields what was there when it began.
func (v *Volatile) Pending(ctx context.Context, endpoint string, now time.Time) iter.Seq2[upload.Event, error] {
	return func(yield func(upload.Event, error) bool) {
		due, err := v.due(ctx, endpoint, now)
		if err != nil {
			yield(upload.Event{}, err)
			return
		}
		for _, e := range due {
			if !yield(e, nil) {
				return
			}
		}
	}
}

func (v *Volatile) due(ctx context.Context, endpoint string, now time.Time) ([]upload.Event, error) {
	if err := v.enter(ctx); err != nil {
		return nil, err
	}
	defer v.mu.Unlock()
	var due []upload.Event
	seen := map[string]bool{}
	for _, e := range v.events {
		if !seen[e.Upload] && e.endpoint == endpoint && !e.due.After(now) {
			due = append(due, e.Event)
		}
		seen[e.Upload] = true
	}
	return due, nil
}

// Settle implements upload.Outbox. An event that is not there was delivered
// before, which is no error.
func (v *Volatile) Settle(ctx context.Context, id string, again time.Time) error {
	if err := v.enter(ctx); err != nil {
		return err
	}
	defer v.mu.Unlock()
	i := slices.IndexFunc(v.events, func(e pending) bool { return e.ID == id })
	switch {
	case i < 0:
	case again.IsZero():
		v.events = slices.Delete(v.events, i, i+1)
	default:
		v.events[i].due = moment(stamp(again))
		v.events[i].Attempts++
	}
	return nil
}

// Purge implements upload.Outbox. A record that is not there was purged
// before, which is no error; one that is not Gone is ErrChanged.
func (v *Volatile) Purge(ctx context.Context, id string) error {
	if err := v.enter(ctx); err != nil {
		return err
	}
	defer v.mu.Unlock()
	r, ok := v.records[id]
	switch {
	case !ok:
		return nil
	case r.Phase != upload.Gone:
		return upload.ErrChanged
	case slices.ContainsFunc(v.events, func(e pending) bool { return e.Upload == id }):
		return upload.ErrBusy
	}
	delete(v.records, id)
	return nil
}
