package storetest

import (
	"testing"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/store"
)

var removePromises = []promise{
	{"Remove deletes everything of an object, joined or not", removeAll},
	{"Remove of an object of which nothing is left is no error", removeNothing},
	{"Remove never takes what lies under a key that it was not told", removeStranger},
	{"Remove never takes what has replaced the object", removeReplaced},
	{"Remove leaves the neighbours alone", removeNeighbours},
}

func remove(t *testing.T, x *sender) {
	t.Helper()
	if err := x.s.Remove(t.Context(), x.o); err != nil {
		t.Errorf("Remove: %v", err)
	}
}

// wantNothing checks that nothing lies in the store, if it can tell.
func wantNothing(t *testing.T, s store.Store) {
	t.Helper()
	if w, ok := s.(store.Walker); ok {
		for e, err := range w.Walk(t.Context()) {
			t.Errorf("what is left: %+v, %v", e, err)
		}
	}
}

func removeAll(t *testing.T, s store.Store) {
	for name, build := range map[string]func(x *sender){
		"begun":    func(x *sender) {},
		"a part":   func(x *sender) { x.put(extent.Extent{Start: 3_000, End: 9_000}) },
		"all":      func(x *sender) { x.put(extent.Extent{End: 20_000}) },
		"joined":   func(x *sender) { x.whole() },
		"reopened": func(x *sender) { x.whole(); x.s = reopen(x.s); s = x.s },
	} {
		for _, hidden := range []bool{false, true} {
			x := send(t, s, 20_000, store.Spec{Key: "deep/in/dirs/" + name, Hidden: hidden})
			build(x)
			remove(t, x)
			remove(t, x)
			wantNothing(t, s)
		}
	}
}

func removeNothing(t *testing.T, s store.Store) {
	x := send(t, s, 10, store.Spec{})
	remove(t, x)
	remove(t, x)
	x.o.Joined = true
	remove(t, x)
	wantNothing(t, s)
}

func removeStranger(t *testing.T, s store.Store) {
	x := send(t, s, 1_000, store.Spec{Key: "mine"})
	y := send(t, s, 1_000, store.Spec{Key: "mine"})
	z := send(t, s, 1_000, store.Spec{Key: "mine", Overwrite: true})
	y.put(extent.Extent{End: 500})
	x.whole()
	remove(t, y)
	remove(t, z)
	x.verify()
	wantKeys(t, s, "mine")
}

func removeReplaced(t *testing.T, s store.Store) {
	x := send(t, s, 1_000, store.Spec{Key: "mine"})
	x.whole()
	y := send(t, s, 1_000, store.Spec{Key: "mine", Overwrite: true})
	y.whole()
	z := send(t, s, 2_000, store.Spec{Key: "mine", Overwrite: true})
	z.whole()
	remove(t, x)
	remove(t, y)
	z.verify()
	remove(t, z)
	wantNothing(t, s)
}

func removeNeighbours(t *testing.T, s store.Store) {
	x := send(t, s, 1_000, store.Spec{Key: "dir/a"})
	y := send(t, s, 1_000, store.Spec{Key: "dir/b"})
	z := send(t, s, 1_000, store.Spec{Key: "dir/a"})
	x.whole()
	y.whole()
	z.whole()
	remove(t, x)
	y.verify()
	z.verify()
	remove(t, y)
	z.verify()
	remove(t, z)
	wantNothing(t, s)
}
