package storetest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/store"
)

var joinPromises = []promise{
	{"Join makes one object of all sizes", joinSizes},
	{"Join must be given all parts in order without a gap", joinRefuses},
	{"Join may be repeated and tells what it told before", joinRepeated},
	{"Join may be repeated after a crash among equal objects", joinRepeatedAmongEquals},
	{"Join may be called concurrently", joinConcurrent},
	{"Join makes the object appear at once and whole", joinAppears},
	{"Join of a hidden object shows nothing", joinHidden},
	{"Join of an object that was hidden makes it appear", joinShown},
}

func joinSizes(t *testing.T, s store.Store) {
	for i, size := range sizes(t, s) {
		key := fmt.Sprintf("dir %d/sub/file", i)
		x := send(t, s, size, store.Spec{Key: key, Type: "text/plain"})
		if final := x.whole(); final.Key != key {
			t.Errorf("%d bytes appeared under %q, want %q", size, final.Key, key)
		}
		x.verify()
	}
}

func joinRefuses(t *testing.T, s store.Store) {
	c := cell(begin(t, s, store.Spec{Size: -1, Key: "probe"}))
	x := send(t, s, 3*c, store.Spec{})
	var parts []store.Part // one for each cell, not merged
	for e := range (store.Grid{Cell: c}).Cut(extent.Extent{End: 3 * c}) {
		x.put(e)
	}
	x.fold()
	if len(x.parts) == 1 { // a store that does not cut: cut here
		for e := range (store.Grid{Cell: c}).Cut(extent.Extent{End: 3 * c}) {
			parts = append(parts, store.Part{Extent: e, CRC: store.CRC(0).Update(x.data[e.Start:e.End])})
		}
	} else {
		parts = slices.Clone(x.parts)
	}
	crumb := slices.Clone(parts)
	crumb[1].Crumb = true
	swapped := slices.Clone(parts)
	swapped[0], swapped[1] = swapped[1], swapped[0]
	n := len(parts)
	for name, wrong := range map[string][]store.Part{
		"none":        nil,
		"no first":    parts[1:],
		"no last":     parts[:n-1],
		"a gap":       slices.Concat(parts[:1], parts[2:]),
		"disorder":    swapped,
		"a part more": append(slices.Clone(parts), parts[n-1]),
		"a crumb":     crumb,
	} {
		if final, err := s.Join(t.Context(), x.o, wrong); !errors.Is(err, store.ErrParts) {
			t.Errorf("Join with %s: %+v, %v, want ErrParts", name, final, err)
		}
	}
	if x.o.Grid.Cell > 0 {
		unknown := slices.Clone(parts)
		unknown[1].Receipt += "x"
		unknown[1].CRC++ // of the same bytes it may have become another one
		if final, err := s.Join(t.Context(), x.o, unknown); !errors.Is(err, store.ErrParts) {
			t.Errorf("Join with an unknown receipt: %+v, %v, want ErrParts", final, err)
		}
	}
	x.join()
	x.verify()
}

func joinRepeated(t *testing.T, s store.Store) {
	for _, size := range []int64{0, 50_000} {
		x := send(t, s, size, store.Spec{Key: "again.txt"})
		begun := x.o
		want := x.whole()
		told := x.o
		for range 3 {
			for _, o := range []store.Object{begun, told} { // before and after the record was saved
				if got, err := x.s.Join(t.Context(), o, x.parts); err != nil || got != want {
					t.Errorf("Join of %d bytes repeated: %+v, %v, want %+v", size, got, err, want)
				}
			}
			x.s = reopen(x.s)
			x.verify()
		}
	}
}

// Three uploads of the same bytes under the same key: after a crash each has to
// find its own, else removing one would take another's.
func joinRepeatedAmongEquals(t *testing.T, s store.Store) {
	var all []*sender
	var begun []store.Object
	var told []store.Final
	for range 3 {
		x := send(t, s, 10_000, store.Spec{Key: "same.bin"})
		all, begun = append(all, x), append(begun, x.o)
		told = append(told, x.whole())
	}
	s = reopen(s)
	for i, x := range all {
		if got, err := s.Join(t.Context(), begun[i], x.parts); err != nil || got != told[i] {
			t.Errorf("Join %d repeated: %+v, %v, want %+v", i, got, err, told[i])
		}
	}
	if err := s.Remove(t.Context(), all[0].o); err != nil {
		t.Fatal(err)
	}
	for i, x := range all[1:] {
		if got, err := s.Join(t.Context(), begun[i+1], x.parts); err != nil || got != told[i+1] {
			t.Errorf("Join %d repeated with the first gone: %+v, %v, want %+v", i+1, got, err, told[i+1])
		}
	}
}

func joinConcurrent(t *testing.T, s store.Store) {
	x := send(t, s, 50_000, store.Spec{Key: "many at once.bin"})
	x.put(extent.Extent{End: 50_000})
	x.fold()
	finals := make([]store.Final, 8)
	var wg sync.WaitGroup
	for i := range finals {
		wg.Go(func() {
			var err error
			if finals[i], err = s.Join(t.Context(), x.o, x.parts); err != nil {
				t.Errorf("Join: %v", err)
			}
		})
	}
	wg.Wait()
	for _, f := range finals {
		if f != finals[0] {
			t.Errorf("one Join told %+v, another %+v", finals[0], f)
		}
	}
	x.join()
	x.verify()
}

func joinAppears(t *testing.T, s store.Store) {
	x := send(t, s, 50_000, store.Spec{Key: "in time.bin"})
	for e := range (store.Grid{Cell: 9_000}).Cut(extent.Extent{End: 50_000}) {
		x.put(e)
		wantKeys(t, s)
	}
	x.join()
	wantKeys(t, s, "in time.bin")
	x.verify()
}

func joinHidden(t *testing.T, s store.Store) {
	x := send(t, s, 50_000, store.Spec{Key: "part", Hidden: true})
	y := send(t, s, 0, store.Spec{Key: "part", Hidden: true})
	z := send(t, s, 50_000, store.Spec{Key: "part"})
	for _, v := range []*sender{x, y} {
		v.whole()
		v.join()
		v.s = reopen(v.s)
		v.join()
		v.verify()
	}
	wantKeys(t, x.s)
	z.s = x.s
	if final := z.whole(); final.Key != "part" {
		t.Errorf("hidden objects took the key: got %q", final.Key)
	}
	x.verify()
	z.verify()
	wantKeys(t, z.s, "part")
}

func joinShown(t *testing.T, s store.Store) {
	for i, size := range []int64{50_000, 0, 50_000} {
		x := send(t, s, size, store.Spec{Key: "shown", Hidden: true})
		x.whole()
		x.join()
		x.verify()
		x.o.Hidden, x.o.Joined = false, false
		final := x.join()
		if want := store.Beside("shown", i); final.Key != want || x.o.Key != want {
			t.Errorf("it appeared as %q, want %q", final.Key, want)
		}
		x.verify()
		x.s = reopen(x.s) // and once more, after a crash that lost the answer
		x.o.Joined, x.o.Key = false, "shown"
		if again := x.join(); again != final {
			t.Errorf("repeated, Join tells %+v, not %+v", again, final)
		}
		x.verify()
		s = x.s
	}
	wantKeys(t, s, "shown", "shown (1)", "shown (2)")
}

// wantKeys checks which objects have appeared, if the store can tell.
func wantKeys(t *testing.T, s store.Store, want ...string) {
	t.Helper()
	w, ok := s.(store.Walker)
	if !ok {
		return
	}
	var got []string
	for e, err := range w.Walk(t.Context()) {
		if err != nil {
			t.Fatalf("Walk: %v", err)
		}
		if e.Key != "" {
			got = append(got, e.Key)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("what has appeared: %.300q, want %.300q", got, want)
	}
}
