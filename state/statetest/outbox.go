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
		e := upload.Event{ID: "e", Upload: u.ID, Kind: upload.Removed, At: noon, Attempts: 3, Due: noon, Error: "é\x00"}
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
				t.is(t.Settle(t.ctx, settled), nil)
			}
		}
	}},
	{"Pending yields only events of the endpoint of their uploads", func(t *tester) {
		a, b := t.record(1), t.record(1)
		a.Endpoint = "photos"
		t.create(a)
		t.create(b)
		t.save(a, event("a", a.ID))
		t.save(b, event("b", b.ID))
		t.equal("events", t.pending(noon), []string{"b"})
		for e, err := range t.Pending(t.ctx, "photos", noon) {
			t.is(err, nil)
			want := event("a", a.ID)
			want.Endpoint = "photos"
			t.equal("event", e, want)
		}
	}},
	{"Create writes events with the record or not at all", func(t *tester) {
		u := t.record(1)
		t.is(t.Create(t.ctx, u, upload.Quota{}, event("1", u.ID), event("2", u.ID)), nil)
		t.is(t.Create(t.ctx, u, upload.Quota{}, event("3", u.ID)), upload.ErrExists)
		large := t.record(100)
		t.is(t.Create(t.ctx, large, upload.Quota{Bytes: 10}, event("4", large.ID)), upload.ErrFull)
		t.equal("events", t.events(""), []string{"1", "2"})
	}},
	{"Defer tries an event again when it is time, and keeps what was wrong", func(t *tester) {
		a, b := t.create(t.record(1)), t.create(t.record(1))
		t.save(a, event("a1", a.ID), event("a2", a.ID))
		t.save(b, event("b1", b.ID))
		e := event("a1", a.ID)
		e.Attempts, e.Due, e.Error = 1, noon.Add(time.Minute), "nobody answers"
		t.is(t.Defer(t.ctx, e), nil)
		t.equal("before", t.pending(noon.Add(time.Minute-1)), []string{"b1"})
		t.equal("then", t.pending(noon.Add(time.Minute)), []string{"a1", "b1"})
		for got, err := range t.Events(t.ctx, "a1") {
			t.is(err, nil)
			t.equal("event", got, e)
		}
	}},
	{"Defer changes nothing else of an event", func(t *tester) {
		u := t.create(t.record(1))
		t.save(u, event("e", u.ID))
		t.is(t.Defer(t.ctx, upload.Event{ID: "e", Upload: "other", Endpoint: "other", Kind: upload.Removed, At: noon.Add(1)}), nil)
		for got, err := range t.Events(t.ctx, "e") {
			t.is(err, nil)
			t.equal("event", got, event("e", u.ID))
		}
	}},
	{"A dead event is passed by the later ones of its upload until it is deferred again", func(t *tester) {
		u := t.create(t.record(1))
		t.save(u, event("1", u.ID), event("2", u.ID))
		dead := event("1", u.ID)
		dead.Dead = noon
		t.is(t.Defer(t.ctx, dead), nil)
		t.equal("pending", t.pending(noon), []string{"2"})
		t.equal("all", t.events(""), []string{"1", "2"})
		t.is(t.Defer(t.ctx, dead.Again()), nil)
		t.equal("pending", t.pending(noon), []string{"1"})
	}},
	{"Events yields all there are, or one", func(t *tester) {
		want := []string{}
		for i := range 300 {
			u := t.record(1)
			u.Endpoint = []string{"", "photos"}[i%2]
			t.create(u)
			id := fmt.Sprintf("event-%d", (i*179)%300)
			e := event(id, u.ID)
			e.Due = noon.Add(time.Duration(i) * time.Hour)
			t.save(u, e)
			want = append(want, id)
		}
		t.equal("all", t.events(""), want)
		t.equal("one", t.events("event-7"), []string{"event-7"})
		t.equal("none", t.events("event-300"), []string{})
	}},
	{"Settle and Defer of an event that is not there are no errors", func(t *tester) {
		t.is(t.Settle(t.ctx, "e"), nil)
		t.is(t.Defer(t.ctx, upload.Event{ID: "e"}), nil)
		t.equal("events", t.events(""), []string{})
	}},
	{"Pending does not stand in the way of its caller", func(t *tester) {
		for i := range 300 {
			u := t.create(t.record(1))
			t.save(u, event(fmt.Sprint(i), u.ID))
		}
		for e, err := range t.Pending(t.ctx, "", noon) {
			t.is(err, nil)
			t.load(e.Upload)
			t.is(t.Settle(t.ctx, e.ID), nil)
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
		late := event("e", u.ID)
		late.Due, late.Dead = noon.Add(time.Hour), noon
		t.is(t.Defer(t.ctx, late), nil)
		t.is(t.Purge(t.ctx, u.ID), upload.ErrBusy)
		t.load(u.ID)
		t.is(t.Settle(t.ctx, "e"), nil)
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

// events returns the ids of all events, or of the one, in order.
func (t *tester) events(id string) []string {
	t.Helper()
	ids := []string{}
	for e, err := range t.Events(t.ctx, id) {
		t.is(err, nil)
		ids = append(ids, e.ID)
	}
	return ids
}
