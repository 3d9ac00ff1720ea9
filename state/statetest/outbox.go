package statetest

import (
	"fmt"
	"time"

	"github.com/muleteer/muleteer/store"
	"github.com/muleteer/muleteer/upload"
)

var outbox = []promise{
	{"Pending yields an event as it was saved", func(t *tester) {
		u := t.create(t.record(1))
		e := upload.Event{ID: "e", Upload: u.ID, Kind: upload.Removed, At: noon, Attempts: 3}
		t.save(u, e)
		for got, err := range t.Pending(t.ctx, "", noon) {
			t.is(err, nil)
			t.equal("event", got, e)
		}
		t.equal("events", t.pending(noon), []string{"e"})
	}},
	{"Pending yields the events in the order in which they were written", func(t *tester) {
		var want []string
		for i := range 300 {
			u := t.create(t.record(1))
			id := fmt.Sprintf("event-%d", (i*179)%300)
			t.save(u, event(id, u.ID))
			want = append(want, id)
		}
		t.equal("events", t.pending(noon), want)
	}},
	{"Pending yields of each upload only the oldest until it is settled", func(t *tester) {
		a, b := t.create(t.record(1)), t.create(t.record(1))
		t.save(a, event("z", a.ID), event("y", a.ID))
		t.save(b, event("x", b.ID))
		t.save(a, event("w", a.ID))
		for _, want := range [][]string{{"z", "x"}, {"y", "x"}, {"x", "w"}, {"w"}, {}} {
			got := t.pending(noon)
			t.equal("events", got, want)
			if len(got) > 0 {
				settled := got[0]
				if len(got) == 2 && got[1] == "w" {
					settled = "x"
				}
				t.is(t.Settle(t.ctx, settled, time.Time{}), nil)
			}
		}
	}},
	{"Settle tries an event again when it is time, and counts the attempt", func(t *tester) {
		a, b := t.create(t.record(1)), t.create(t.record(1))
		t.save(a, event("a1", a.ID), event("a2", a.ID))
		t.save(b, event("b1", b.ID))
		t.is(t.Settle(t.ctx, "a1", noon.Add(time.Minute)), nil)
		t.equal("before", t.pending(noon.Add(time.Minute-1)), []string{"b1"})
		t.equal("then", t.pending(noon.Add(time.Minute)), []string{"a1", "b1"})
		t.is(t.Settle(t.ctx, "a1", noon.Add(time.Second)), nil)
		for e := range t.Pending(t.ctx, "", noon.Add(time.Minute)) {
			t.equal("attempts of "+e.ID, e.Attempts, map[string]int{"a1": 2, "b1": 0}[e.ID])
		}
	}},
	{"Settle of an event that is not there is no error", func(t *tester) {
		t.is(t.Settle(t.ctx, "e", time.Time{}), nil)
		t.is(t.Settle(t.ctx, "e", noon), nil)
		t.equal("events", t.pending(noon.Add(time.Hour)), []string{})
	}},
	{"Pending does not stand in the way of its caller", func(t *tester) {
		for i := range 300 {
			u := t.create(t.record(1))
			t.save(u, event(fmt.Sprint(i), u.ID))
		}
		for e, err := range t.Pending(t.ctx, "", noon) {
			t.is(err, nil)
			t.load(e.Upload)
			t.is(t.Settle(t.ctx, e.ID, time.Time{}), nil)
		}
		t.equal("left", t.pending(noon), []string{})
	}},
	{"Purge forgets a record in phase Gone with its parts", func(t *tester) {
		u := t.record(100)
		u.Parts, u.Phase, u.Fingerprint, u.Sources = []store.Part{receipt(0, 10, "r")}, upload.Gone, "f", []string{"s"}
		t.create(u)
		t.is(t.Purge(t.ctx, u.ID), nil)
		_, err := t.Load(t.ctx, u.ID, everything)
		t.is(err, upload.ErrNotFound)
		t.equal("found", t.found(upload.Query{Source: "s"}), []string{})
		again := t.record(100)
		again.ID = u.ID
		t.create(again)
		t.parts(again)
	}},
	{"Purge answers ErrBusy while there are undelivered events", func(t *tester) {
		u := t.create(t.record(1))
		u.Phase = upload.Gone
		t.save(u, event("e", u.ID))
		t.is(t.Settle(t.ctx, "e", noon.Add(time.Hour)), nil)
		t.is(t.Purge(t.ctx, u.ID), upload.ErrBusy)
		t.load(u.ID)
		t.is(t.Settle(t.ctx, "e", time.Time{}), nil)
		t.is(t.Purge(t.ctx, u.ID), nil)
	}},
	{"Purge keeps a record that is not Gone", func(t *tester) {
		u := t.create(t.record(1))
		t.is(t.Purge(t.ctx, u.ID), upload.ErrChanged)
		t.load(u.ID)
	}},
	{"Purge of a record that is not there is no error", func(t *tester) {
		t.is(t.Purge(t.ctx, "nobody"), nil)
	}},
}

// event returns an event of noon.
func event(id, of string) upload.Event {
	return upload.Event{ID: id, Upload: of, Kind: upload.Completed, At: noon}
}

// pending returns the ids of the events that are due, in order.
func (t *tester) pending(now time.Time) []string {
	t.Helper()
	ids := []string{}
	for e, err := range t.Pending(t.ctx, "", now) {
		t.is(err, nil)
		ids = append(ids, e.ID)
	}
	return ids
}
