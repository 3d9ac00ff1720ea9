package statetest

import (
	"github.com/muleteer/muleteer/store"
	"github.com/muleteer/muleteer/upload"
)

var saves = []promise{
	{"Save keeps all of a record but what Add keeps", func(t *tester) {
		u := t.record(100)
		u.Parts = []store.Part{plain(0, 10)}
		t.create(u)
		n := full(t, 1000)
		n.ID, n.Version = u.ID, u.Version
		want := *n
		t.save(n)
		want.Version, want.Offset, want.Here, want.Touched = 2, 10, 10, noon
		want.Parts = u.Parts
		t.equal("record", *t.load(u.ID), want)
	}},
	{"Save can empty what was set", func(t *tester) {
		u := t.create(full(t, 1))
		n := t.record(-1)
		n.ID, n.Version = u.ID, u.Version
		t.save(n)
		want := *n
		want.Touched = u.Touched
		t.equal("record", *t.load(u.ID), want)
		t.equal("found by its old source", t.found(upload.Query{Source: u.Sources[0]}), []string{})
	}},
	{"Save raises the Version by one", func(t *tester) {
		u := t.create(t.record(1))
		for v := int64(2); v < 5; v++ {
			t.save(u)
			t.equal("version", []int64{u.Version, t.load(u.ID).Version}, []int64{v, v})
		}
	}},
	{"Save answers ErrChanged if the Version is not the one that is kept", func(t *tester) {
		u := t.create(t.record(1))
		old, next := *u, *u
		t.save(u)
		old.Owner = "eve"
		t.is(t.Save(t.ctx, &old, event("e", u.ID)), upload.ErrChanged)
		next.Version = 3
		t.is(t.Save(t.ctx, &next), upload.ErrChanged)
		t.equal("the caller's versions", []int64{old.Version, next.Version}, []int64{1, 3})
		t.equal("owner", t.load(u.ID).Owner, "ann")
		t.equal("events", t.pending(noon), []string{})
	}},
	{"Save answers ErrNotFound if there is no record", func(t *tester) {
		u := t.record(1)
		u.Version = 1
		t.is(t.Save(t.ctx, u, event("e", u.ID)), upload.ErrNotFound)
		t.equal("events", t.pending(noon), []string{})
	}},
	{"Save does not hide what was added since the record was loaded", func(t *tester) {
		u := t.create(t.record(100))
		t.add(u, plain(0, 10))
		u.Due = noon
		t.save(u)
		l := t.load(u.ID)
		t.equal("Offset, Here", []int64{l.Offset, l.Here}, []int64{10, 10})
		t.parts(u, plain(0, 10))
	}},
	{"Save cannot take the fingerprint of another upload before Held", func(t *tester) {
		a, b := t.record(1), t.record(1)
		a.Fingerprint = "f"
		t.create(a)
		t.create(b)
		b.Fingerprint = "f"
		t.is(t.Save(t.ctx, b), upload.ErrExists)
		t.equal("fingerprint", t.load(b.ID).Fingerprint, "")
		a.Fingerprint = "g"
		t.save(a)
		t.save(b)
	}},
}
