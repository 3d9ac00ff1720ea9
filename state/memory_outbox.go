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
	seen := map[string]bool{}
	return v.yield(ctx, func(e upload.Event) bool {
		if !e.Dead.IsZero() || seen[e.Upload] {
			return false
		}
		seen[e.Upload] = true
		return e.Endpoint == endpoint && !e.Due.After(now)
	})
}

// Events implements upload.Outbox. It yields what was there when it began.
func (v *Volatile) Events(ctx context.Context, id string) iter.Seq2[upload.Event, error] {
	return v.yield(ctx, func(e upload.Event) bool { return id == "" || e.ID == id })
}

// yield yields the events that are wanted, which it asks of each in its order.
func (v *Volatile) yield(ctx context.Context, wanted func(upload.Event) bool) iter.Seq2[upload.Event, error] {
	return func(yield func(upload.Event, error) bool) {
		if err := v.enter(ctx); err != nil {
			yield(upload.Event{}, err)
			return
		}
		all := slices.Clone(v.events)
		v.mu.Unlock()
		for _, e := range all {
			if wanted(e) && !yield(e, nil) {
				return
			}
		}
	}
}

// append adds events of a record to the outbox. The caller holds v.mu.
func (v *Volatile) append(r *upload.Record, ev []upload.Event) {
	for _, e := range ev {
		e.Upload, e.Endpoint = r.ID, r.Endpoint
		e.At, e.Due, e.Dead = moment(stamp(e.At)), moment(stamp(e.Due)), moment(stamp(e.Dead))
		v.events = append(v.events, e)
	}
}

// Settle implements upload.Outbox.
func (v *Volatile) Settle(ctx context.Context, id string) error {
	if err := v.enter(ctx); err != nil {
		return err
	}
	defer v.mu.Unlock()
	v.events = slices.DeleteFunc(v.events, func(e upload.Event) bool { return e.ID == id })
	return nil
}

// Defer implements upload.Outbox.
func (v *Volatile) Defer(ctx context.Context, e upload.Event) error {
	if err := v.enter(ctx); err != nil {
		return err
	}
	defer v.mu.Unlock()
	if i := slices.IndexFunc(v.events, func(o upload.Event) bool { return o.ID == e.ID }); i >= 0 {
		o := &v.events[i]
		o.Attempts, o.Due, o.Dead, o.Error = e.Attempts, moment(stamp(e.Due)), moment(stamp(e.Dead)), e.Error
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
	case slices.ContainsFunc(v.events, func(e upload.Event) bool { return e.Upload == id }):
		return upload.ErrBusy
	}
	delete(v.records, id)
	return nil
}
