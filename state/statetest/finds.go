package statetest

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/upload"
)

var finds = []promise{
	{"Find yields the newest first", func(t *tester) {
		a, b, c := t.create(t.record(1)), t.create(t.record(1)), t.create(t.record(1))
		t.equal("found", t.found(upload.Query{}), []string{c.ID, b.ID, a.ID})
		t.save(a)
		t.equal("found", t.found(upload.Query{Limit: 2}), []string{c.ID, b.ID})
	}},
	{"Find yields by Due, the earliest first, if the query has it", func(t *tester) {
		var ids []string
		for _, s := range []int{5, 0, 3, 9, 1} {
			u := t.record(1)
			if s > 0 {
				u.Due = noon.Add(time.Duration(s) * time.Nanosecond)
			}
			ids = append(ids, t.create(u).ID)
		}
		t.equal("found", t.found(upload.Query{DueBefore: noon.Add(9)}), []string{ids[4], ids[2], ids[0]})
		t.equal("found", t.found(upload.Query{DueBefore: noon.Add(10), Limit: 2}), []string{ids[4], ids[2]})
	}},
	{"Find by File yields all uploads of one file, the newest first", func(t *tester) {
		var ids []string
		for i, file := range []string{"f", "", "f", "F", "f", ""} {
			u := t.record(1)
			u.File, u.Fingerprint = file, fmt.Sprintf("print-%d", i) // of one file, there may be several that are open
			if i == 4 {
				u.Phase = upload.Done
			}
			ids = append(ids, t.create(u).ID)
		}
		t.equal("found", t.found(upload.Query{File: "f"}), []string{ids[4], ids[2], ids[0]})
		t.equal("open", t.found(upload.Query{File: "f", Phases: []upload.Phase{upload.Receiving}}), []string{ids[2], ids[0]})
		t.equal("one", t.found(upload.Query{File: "f", Fingerprint: "print-0"}), []string{ids[0]})
		t.equal("none", t.found(upload.Query{File: "g"}), []string{})
		u := t.load(ids[1])
		u.File = "g"
		t.save(u)
		t.equal("after Save", t.found(upload.Query{File: "g"}), []string{ids[1]})
		t.equal("kept", t.load(ids[1]).File, "g")
	}},
	{"Find by Source matches ids exactly", func(t *tester) {
		u, w := t.record(1), t.record(1)
		u.Sources, w.Sources = []string{"source-1", "source-22", "source-1"}, []string{"source-22"}
		t.create(u)
		t.create(w)
		t.create(t.record(1))
		for id, want := range map[string][]string{"source-1": {u.ID}, "source-22": {w.ID, u.ID}, "source-2": {}, "source": {}, "%": {}, "source_1": {}} {
			t.equal(id, t.found(upload.Query{Source: id}), want)
		}
		u.Sources = []string{"source-3"}
		t.save(u)
		t.equal("after Save", t.found(upload.Query{Source: "source-1"}), []string{})
		t.equal("after Save", t.found(upload.Query{Source: "source-3"}), []string{u.ID})
	}},
	{"Find yields the parts that the query wants", func(t *tester) {
		u, w := t.create(t.record(100)), t.create(t.record(100))
		t.add(u, plain(0, 10), plain(20, 30), plain(40, 50))
		t.add(w, plain(25, 26))
		for _, e := range []extent.Extent{{}, {Start: 10, End: 19}, {Start: 22, End: 40}, {End: extent.Max}} {
			for v, err := range t.Find(t.ctx, upload.Query{Near: e}) {
				t.is(err, nil)
				want, err := t.Load(t.ctx, v.ID, e)
				t.is(err, nil)
				t.equal("parts", v.Parts, want.Parts)
			}
		}
	}},
	{"Find joins the fields of a query by and", findModel},
	{"Find does not stand in the way of its caller", func(t *tester) {
		const n = 300
		for range n {
			u := t.record(1)
			u.Due = noon
			t.create(u)
		}
		seen := map[string]bool{}
		for u, err := range t.Find(t.ctx, upload.Query{DueBefore: noon.Add(1)}) {
			t.is(err, nil)
			seen[u.ID] = true
			u.Due = noon.Add(time.Hour)
			t.save(u)
			t.load(u.ID)
			for range t.Find(t.ctx, upload.Query{Limit: 1}) {
				break
			}
		}
		t.equal("seen", len(seen), n)
		t.equal("left", t.found(upload.Query{DueBefore: noon.Add(1)}), []string{})
		t.equal("all", len(t.found(upload.Query{})), n)
		t.equal("limit", len(t.found(upload.Query{Limit: 280})), 280)
	}},
}

// findModel compares random queries with a look at every record.
func findModel(t *tester) {
	const seed = 1
	rnd := rand.New(rand.NewPCG(seed, 0))
	owners, endpoints := []string{"", "ann", "bob"}, []string{"", "photos"}
	var all []*upload.Record
	for i := range 300 {
		u := t.record(1)
		u.Owner, u.Endpoint = owners[rnd.IntN(3)], endpoints[rnd.IntN(2)]
		u.Phase = upload.Phase(1 + rnd.IntN(6))
		if u.Phase >= upload.Done || i%4 == 0 {
			u.Fingerprint = fmt.Sprintf("print-%d", rnd.IntN(8))
		}
		if u.Phase < upload.Done && u.Fingerprint != "" {
			u.Fingerprint = fmt.Sprintf("print-%d", i)
		}
		if rnd.IntN(3) > 0 {
			u.File = fmt.Sprintf("file-%d", rnd.IntN(8))
		}
		if rnd.IntN(2) == 0 {
			u.Due = noon.Add(time.Duration(rnd.IntN(20)) * time.Minute)
		}
		if rnd.IntN(3) == 0 {
			u.Sources = []string{fmt.Sprintf("source-%d", rnd.IntN(4))}
		}
		all = append(all, t.create(u))
	}
	for step := range 250 {
		var q upload.Query
		if rnd.IntN(2) == 0 {
			q.Owner = &owners[rnd.IntN(3)]
		}
		if rnd.IntN(2) == 0 {
			q.Endpoint = &endpoints[rnd.IntN(2)]
		}
		for range rnd.IntN(4) {
			q.Phases = append(q.Phases, upload.Phase(1+rnd.IntN(6)))
		}
		switch rnd.IntN(4) {
		case 0:
			q.Fingerprint = fmt.Sprintf("print-%d", rnd.IntN(40))
		case 1:
			q.Source = fmt.Sprintf("source-%d", rnd.IntN(5))
		}
		if rnd.IntN(3) == 0 {
			q.File = fmt.Sprintf("file-%d", rnd.IntN(9))
		}
		if rnd.IntN(2) == 0 {
			q.DueBefore = noon.Add(time.Duration(rnd.IntN(22)) * time.Minute)
		}
		want := wanted(all, q)
		if rnd.IntN(2) == 0 {
			q.Limit = 1 + rnd.IntN(290)
			want = want[:min(len(want), q.Limit)]
		}
		if got := t.found(q); !slices.Equal(got, want) {
			t.Fatalf("seed %d, step %d: %+v:\n got %v\nwant %v", seed, step, q, got, want)
		}
	}
}

// wanted returns the ids that a query without a limit has to find, in order.
func wanted(all []*upload.Record, q upload.Query) []string {
	all = slices.Clone(all)
	if q.DueBefore.IsZero() {
		slices.Reverse(all)
	} else {
		slices.SortStableFunc(all, func(a, b *upload.Record) int {
			return cmp.Compare(a.Due.UnixNano(), b.Due.UnixNano())
		})
	}
	ids := []string{}
	for _, u := range all {
		if (q.Owner == nil || u.Owner == *q.Owner) &&
			(q.Endpoint == nil || u.Endpoint == *q.Endpoint) &&
			(q.Fingerprint == "" || u.Fingerprint == q.Fingerprint) &&
			(q.File == "" || u.File == q.File) &&
			(q.Phases == nil || slices.Contains(q.Phases, u.Phase)) &&
			(q.Source == "" || slices.Contains(u.Sources, q.Source)) &&
			(q.DueBefore.IsZero() || !u.Due.IsZero() && u.Due.Before(q.DueBefore)) {
			ids = append(ids, u.ID)
		}
	}
	return ids
}
