package statetest

import (
	"time"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/store"
	"github.com/muleteer/muleteer/upload"
)

var adds = []promise{
	{"Add tells Offset, Here and Missing", func(t *tester) {
		u := t.create(t.record(100))
		for _, c := range []struct {
			part store.Part
			want upload.Progress
		}{
			{plain(50, 60), upload.Progress{Offset: 0, Here: 10, Missing: 90}},
			{receipt(10, 20, "r"), upload.Progress{Offset: 0, Here: 20, Missing: 80}},
			{crumb(0, 5, "c"), upload.Progress{Offset: 5, Here: 25, Missing: 80}},
			{crumb(5, 10, "d"), upload.Progress{Offset: 20, Here: 30, Missing: 80}},
			{receipt(0, 10, "fold"), upload.Progress{Offset: 20, Here: 30, Missing: 70}},
			{plain(20, 50), upload.Progress{Offset: 60, Here: 60, Missing: 40}},
			{plain(60, 100), upload.Progress{Offset: 100, Here: 100, Missing: 0}},
		} {
			t.equal("progress", t.add(u, c.part), c.want)
			l := t.load(u.ID)
			t.equal("Offset, Here", []int64{l.Offset, l.Here}, []int64{c.want.Offset, c.want.Here})
		}
	}},
	{"Add tells Missing as -1 while the size is unknown", func(t *tester) {
		u := t.create(t.record(-1))
		t.equal("progress", t.add(u, plain(0, 10)), upload.Progress{Offset: 10, Here: 10, Missing: -1})
		u = t.load(u.ID)
		u.Size = 15
		t.save(u)
		t.equal("progress", t.add(u), upload.Progress{Offset: 10, Here: 10, Missing: 5})
	}},
	{"Add raises Version while the size is unknown, and when it makes the upload full", func(t *tester) {
		for _, size := range []int64{-1, 20} {
			u := t.create(t.record(size))
			was := u.Version
			t.add(u, plain(0, 10))
			if raised := t.load(u.ID).Version > was; raised != (size < 0) {
				t.Errorf("size %d: the version was raised: %v", size, raised)
			}
			was = t.load(u.ID).Version
			t.add(u, plain(10, 20))
			if v := t.load(u.ID).Version; v <= was {
				t.Errorf("size %d: the version was not raised by the last byte", size)
			}
		}
	}},
	{"Add refuses with ErrChanged unless the record is Receiving", func(t *tester) {
		for p := upload.Joining; p <= upload.Gone; p++ {
			u := t.create(t.record(100))
			u.Phase = p
			t.save(u)
			t.refused(u, u.Epoch, upload.ErrChanged, plain(0, 10))
		}
	}},
	{"Add refuses with ErrChanged an epoch that is not the record's", func(t *tester) {
		u := t.create(t.record(100))
		u.Epoch = 5
		t.save(u)
		t.refused(u, 4, upload.ErrChanged, plain(0, 10))
		t.refused(u, 6, upload.ErrChanged, plain(0, 10))
		t.add(u, plain(0, 10))
	}},
	{"Add answers ErrNotFound if there is no record", func(t *tester) {
		_, err := t.Add(t.ctx, "nobody", 0, plain(0, 10))
		t.is(err, upload.ErrNotFound)
	}},
	{"Add refuses with ErrOverlap a part that overlaps others without lying within or covering them", func(t *tester) {
		u := t.create(t.record(100))
		t.add(u, receipt(10, 20, "a"), receipt(30, 40, "b"), receipt(40, 50, "c"))
		for _, e := range []extent.Extent{{Start: 5, End: 15}, {Start: 15, End: 25}, {Start: 15, End: 35}, {Start: 5, End: 45}, {Start: 35, End: 55}, {Start: 25, End: 45}} {
			t.refused(u, 0, upload.ErrOverlap, receipt(e.Start, e.End, "x"))
			t.refused(u, 0, upload.ErrOverlap, plain(e.Start, e.End))
		}
	}},
	{"Add changes nothing for a part that lies within what is recorded", func(t *tester) {
		u := t.create(t.record(100))
		t.add(u, receipt(30, 40, "a"), receipt(40, 50, "b"), plain(50, 70))
		for _, p := range []store.Part{receipt(30, 39, "x"), receipt(31, 40, "x"), receipt(35, 45, "x"), plain(45, 65), crumb(30, 40, "x"), crumb(50, 70, "x"), crumb(30, 70, "x")} {
			t.add(u, p)
			t.parts(u, receipt(30, 40, "a"), receipt(40, 50, "b"), plain(50, 70))
		}
	}},
	{"Add replaces the parts that a part covers", func(t *tester) {
		u := t.create(t.record(100))
		t.add(u, receipt(10, 20, "a"), receipt(30, 40, "b"), receipt(60, 70, "c"))
		t.add(u, receipt(10, 50, "d"))
		t.parts(u, receipt(10, 50, "d"), receipt(60, 70, "c"))
		t.equal("here", t.load(u.ID).Here, int64(50))
	}},
	{"Add replaces crumbs by the part that they were folded into", func(t *tester) {
		u := t.create(t.record(20))
		t.add(u, crumb(0, 4, "a"), crumb(4, 7, "b"), crumb(7, 10, "c"))
		t.equal("progress", t.add(u, receipt(0, 10, "fold")), upload.Progress{Offset: 10, Here: 10, Missing: 10})
		t.parts(u, receipt(0, 10, "fold"))
	}},
	{"Add that is repeated late does not bring crumbs back", func(t *tester) {
		u := t.create(t.record(20))
		t.add(u, crumb(0, 4, "a"), crumb(4, 10, "b"))
		t.add(u, receipt(0, 10, "fold"))
		t.equal("progress", t.add(u, crumb(0, 4, "a"), crumb(4, 10, "b"), crumb(0, 10, "c")), upload.Progress{Offset: 10, Here: 10, Missing: 10})
		t.parts(u, receipt(0, 10, "fold"))
	}},
	{"Add takes the later of two parts with the same bounds", func(t *tester) {
		u := t.create(t.record(20))
		t.add(u, receipt(0, 10, "first"))
		t.add(u, receipt(0, 10, "second"))
		t.parts(u, receipt(0, 10, "second"))
	}},
	{"Add makes neighbours without receipts one", func(t *tester) {
		u := t.create(t.record(100))
		t.add(u, plain(10, 20))
		t.add(u, plain(30, 40))
		t.add(u, plain(20, 30))
		t.parts(u, plain(10, 40))
		t.add(u, plain(0, 10))
		t.add(u, plain(40, 60), plain(60, 100))
		t.parts(u, plain(0, 100))
	}},
	{"Add keeps neighbours with receipts and crumbs apart", func(t *tester) {
		u := t.create(t.record(100))
		bare := plain(30, 40)
		bare.Crumb = true
		t.add(u, plain(0, 10), receipt(10, 20, "r"), plain(20, 30), bare, plain(40, 50))
		t.parts(u, plain(0, 10), receipt(10, 20, "r"), plain(20, 30), bare, plain(40, 50))
	}},
	{"Add makes all parts count or none", func(t *tester) {
		u := t.create(t.record(100))
		t.add(u, plain(0, 10), receipt(50, 60, "r"), crumb(80, 85, "c"))
		t.refused(u, 0, upload.ErrOverlap, plain(10, 20), plain(30, 40), receipt(80, 90, "fold"), plain(20, 30), receipt(55, 70, "x"))
		t.add(u, plain(10, 20))
		t.parts(u, plain(0, 20), receipt(50, 60, "r"), crumb(80, 85, "c"))
	}},
	{"Add takes no bytes as nothing", func(t *tester) {
		u := t.create(t.record(100))
		t.add(u, plain(10, 20))
		t.equal("progress", t.add(u, plain(15, 15), plain(0, 0)), upload.Progress{Offset: 0, Here: 10, Missing: 90})
		t.parts(u, plain(10, 20))
	}},
	{"Add sets Touched to now and leaves the Version alone", func(t *tester) {
		u := t.create(t.record(100))
		before := time.Now()
		t.add(u, plain(0, 10))
		after := time.Now()
		l := t.load(u.ID)
		t.equal("version", l.Version, int64(1))
		if l.Touched.Before(before.Round(0)) || l.Touched.After(after.Round(0)) {
			t.Errorf("touched at %v, not between %v and %v", l.Touched, before, after)
		}
	}},
	{"Add never sets Touched back", func(t *tester) {
		u := t.record(100)
		u.Touched = time.Now().Add(time.Hour).UTC().Round(0)
		t.create(u)
		t.add(u, plain(0, 10))
		t.equal("touched", t.load(u.ID).Touched, u.Touched)
	}},
	{"Add refuses with ErrTooLarge a part that ends beyond the Size", func(t *tester) {
		u := t.create(t.record(100))
		t.refused(u, 0, upload.ErrTooLarge, plain(90, 101))
		t.refused(u, 0, upload.ErrTooLarge, plain(0, 10), receipt(100, 101, "r"))
		t.add(u, plain(90, 100))
		u = t.create(t.record(-1))
		t.add(u, plain(0, 200))
	}},
	{"Add sets Due to now when it makes Here reach Size, and only then", func(t *tester) {
		u := t.record(20)
		u.Due = noon
		t.create(u)
		t.add(u, crumb(0, 5, "a"), plain(5, 15))
		t.equal("due before", t.load(u.ID).Due, noon)
		before := time.Now()
		t.add(u, plain(15, 20))
		l := t.load(u.ID)
		if l.Due.Before(before.Round(0)) || l.Due.After(time.Now()) {
			t.Errorf("due at %v, not now", l.Due)
		}
		l.Due = noon
		t.save(l)
		t.add(u, plain(15, 20), receipt(0, 5, "fold"))
		t.equal("due afterwards", t.load(u.ID).Due, noon)
		open := t.create(t.record(-1))
		t.add(open, plain(0, 10))
		t.equal("due of an unknown size", t.load(open.ID).Due, time.Time{})
	}},
	{"Add of any parts in any order is as one entry per byte would be", model},
}

// refused checks that an Add is refused and leaves no trace.
func (t *tester) refused(u *upload.Record, epoch int64, want error, parts ...store.Part) {
	t.Helper()
	before := t.load(u.ID)
	_, err := t.Add(t.ctx, u.ID, epoch, parts...)
	t.is(err, want)
	t.equal("record after a refusal", t.load(u.ID), before)
}
