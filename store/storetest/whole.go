package storetest

import (
	"crypto/rand"
	"fmt"
	"sync"
	"testing"

	"github.com/muleteer/muleteer/store"
)

var wholePromises = []promise{
	{"PutWhole takes a small file at once", wholeSizes},
	{"PutWhole never overwrites unless the object says so", wholeTaken},
	{"PutWhole may be called by many at once", wholeConcurrent},
}

// putWhole puts size bytes at once.
func putWhole(t *testing.T, s store.WholePutter, size int64, spec store.Spec) *sender {
	t.Helper()
	id := rand.Text()
	spec.Size = size
	x := &sender{t: t, s: s.(store.Store), data: random(size, uint64(size))}
	o, final, err := s.PutWhole(t.Context(), id, spec, x.data)
	if err != nil {
		t.Errorf("PutWhole: %v", err)
	}
	if want := (store.Final{Size: size, CRC: store.CRC(0).Update(x.data), Key: o.Key}); final != want {
		t.Errorf("PutWhole: %+v, want %+v", final, want)
	}
	if o.ID != id || o.Size != size || !o.Joined || o.Hidden != spec.Hidden || o.Type != spec.Type {
		t.Errorf("PutWhole(%s, %+v): %+v", id, spec, o)
	}
	x.o = o
	return x
}

func wholeSizes(t *testing.T, s store.Store) {
	w, ok := s.(store.WholePutter)
	if !ok {
		return
	}
	for _, size := range []int64{0, 1, 4096, 16 << 10, 1<<20 + 1} {
		key := fmt.Sprintf("new/%d/file.bin", size)
		x := putWhole(t, w, size, store.Spec{Key: key, Type: "text/plain"})
		if x.o.Key != key {
			t.Errorf("PutWhole: it appeared under %q, want %q", x.o.Key, key)
		}
		wantKeys(t, s, key)
		x.s = reopen(x.s)
		x.verify()
		s = x.s
		w = s.(store.WholePutter)
		remove(t, x)
		wantNothing(t, s)

		h := putWhole(t, w, size, store.Spec{Key: key, Hidden: true})
		wantKeys(t, s)
		h.verify()
		remove(t, h)
		wantNothing(t, s)
	}
}

func wholeTaken(t *testing.T, s store.Store) {
	w, ok := s.(store.WholePutter)
	if !ok {
		return
	}
	x := send(t, s, 1000, store.Spec{Key: "a.txt"})
	x.whole()
	y := putWhole(t, w, 500, store.Spec{Key: "a.txt"})
	z := putWhole(t, w, 500, store.Spec{Key: "a.txt"})
	wantKeys(t, s, "a.txt", "a (1).txt", "a (2).txt")
	v := send(t, s, 700, store.Spec{Key: "a.txt"})
	v.whole()
	for _, o := range []*sender{x, y, z, v} {
		o.verify()
	}
	r := putWhole(t, w, 300, store.Spec{Key: "a.txt", Overwrite: true})
	r.verify()
	wantKeys(t, s, "a.txt", "a (1).txt", "a (2).txt", "a (3).txt")
	remove(t, x)
	r.verify()
	q := putWhole(t, w, 300, store.Spec{Key: "a.txt", Overwrite: true})
	remove(t, r)
	q.verify()
}

func wholeConcurrent(t *testing.T, s store.Store) {
	w, ok := s.(store.WholePutter)
	if !ok {
		return
	}
	all := make([]*sender, 32)
	var wg sync.WaitGroup
	for i := range all {
		wg.Go(func() {
			all[i] = putWhole(t, w, int64(i*100), store.Spec{Key: fmt.Sprintf("%d/x", i%4)})
		})
	}
	wg.Wait()
	seen := map[string]bool{}
	for _, x := range all {
		if seen[x.o.Key] {
			t.Errorf("%q was told twice", x.o.Key)
		}
		seen[x.o.Key] = true
		x.s = reopen(x.s)
		x.verify()
	}
}
