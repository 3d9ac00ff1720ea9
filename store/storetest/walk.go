package storetest

import (
	"testing"
	"time"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/store"
)

var walkPromises = []promise{
	{"Walk tells all that lies in the store", walkAll},
	{"What Walk finds without a key can be removed by its ID", walkSweep},
	{"Unfinished tells what Walk tells without a key", walkUnfinished},
	{"Free tells what the store can take", freeSpace},
}

func walkAll(t *testing.T, s store.Store) {
	w, ok := s.(store.Walker)
	if !ok {
		return
	}
	wantNothing(t, s)
	before := time.Now()
	part := send(t, s, 40_000, store.Spec{Key: "a/part"})
	part.put(extent.Extent{Start: 10_000, End: 20_000})
	all := send(t, s, 40_000, store.Spec{Key: "a/all"})
	all.put(extent.Extent{End: 40_000})
	hidden := send(t, s, 30_000, store.Spec{Key: "a/hidden", Hidden: true})
	hidden.whole()
	joined := send(t, s, 20_000, store.Spec{Key: "a/b/joined"})
	joined.whole()
	empty := send(t, s, 0, store.Spec{Key: "a/empty"})
	empty.whole()

	ids, keys := map[string]bool{}, map[string]int64{}
	for e, err := range w.Walk(t.Context()) {
		if err != nil {
			t.Fatalf("Walk: %v", err)
		}
		if e.Name == "" || e.ID == "" && e.Key == "" {
			t.Errorf("nobody can say what this is: %+v", e)
		}
		// A store's clock may be another one, and coarser.
		if e.Began.Before(before.Add(-time.Hour)) || e.Began.After(time.Now().Add(time.Hour)) {
			t.Errorf("%s began at %s", e.Name, e.Began)
		}
		ids[e.ID] = true
		if e.Key != "" {
			keys[e.Key] = e.Size
		}
	}
	for name, x := range map[string]*sender{"a part": part, "all, not joined": all, "hidden": hidden} {
		if !ids[x.o.ID] {
			t.Errorf("Walk did not find %s", name)
		}
	}
	if keys["a/b/joined"] != 20_000 || len(keys) != 2 {
		t.Errorf("Walk found %v under their keys", keys)
	}
	if _, ok := keys["a/empty"]; !ok {
		t.Errorf("Walk did not find the empty object")
	}
	for range w.Walk(t.Context()) {
		break // a caller may stop
	}
}

func walkUnfinished(t *testing.T, s store.Store) {
	w, ok := s.(interface {
		store.Walker
		store.Sweeper
	})
	if !ok {
		return
	}
	part := send(t, s, 40_000, store.Spec{Key: "part"})
	part.put(extent.Extent{Start: 10_000, End: 20_000})
	hidden := send(t, s, 30_000, store.Spec{Key: "hidden", Hidden: true})
	hidden.whole()
	joined := send(t, s, 20_000, store.Spec{Key: "joined"})
	joined.whole()
	told := map[store.Entry]int{}
	for e, err := range w.Walk(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Key == "" {
			told[e]++
		}
	}
	for e, err := range w.Unfinished(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		told[e]--
	}
	for e, n := range told {
		if n != 0 {
			t.Errorf("only one of them tells of %+v", e)
		}
	}
	if len(told) < 2 {
		t.Errorf("they tell of %d things", len(told))
	}
}

func freeSpace(t *testing.T, s store.Store) {
	if f, ok := s.(store.Spacer); ok {
		if n, err := f.Free(t.Context()); err != nil || n < -1 || n == 0 {
			t.Errorf("Free: %d, %v", n, err)
		}
	}
}

func walkSweep(t *testing.T, s store.Store) {
	w, ok := s.(store.Walker)
	if !ok {
		return
	}
	part := send(t, s, 40_000, store.Spec{Key: "part"})
	part.put(extent.Extent{Start: 10_000, End: 20_000})
	hidden := send(t, s, 30_000, store.Spec{Key: "hidden", Hidden: true})
	hidden.whole()
	joined := send(t, s, 20_000, store.Spec{Key: "joined"})
	joined.whole()
	s = reopen(s)
	for e, err := range w.Walk(t.Context()) {
		if err != nil {
			t.Fatalf("Walk: %v", err)
		}
		if e.Key == "" {
			if err := s.Remove(t.Context(), store.Object{ID: e.ID}); err != nil {
				t.Errorf("Remove of %+v: %v", e, err)
			}
		}
	}
	for e, err := range w.Walk(t.Context()) {
		if err != nil || e.Key != "joined" {
			t.Errorf("what is left: %+v, %v", e, err)
		}
	}
	joined.verify()
}
