// Package storetest is the suite that every store passes. Each subtest is named
// with the promise of package store that it checks.
package storetest

import (
	"crypto/rand"
	"testing"

	"github.com/muleteer/muleteer/store"
)

// Run checks a store. Open must return an empty one at every call, and close it
// at the end of its test. Where the store has a grid, objects are cut there and
// crumbs are folded, as package upload does it; what only some stores can do is
// checked where the store can do it. A store with a method
//
//	Reopen() store.Store
//
// is opened anew at the points where what it promised has to survive that; the
// old value must go on to work, as the new one.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	for _, group := range [][]promise{putPromises, joinPromises, namePromises, readPromises, removePromises, copyPromises, wholePromises, walkPromises, signPromises} {
		for _, p := range group {
			t.Run(p.name, func(t *testing.T) {
				t.Parallel()
				p.check(t, open(t))
			})
		}
	}
}

// promise is a sentence of package store with its check.
type promise struct {
	name  string
	check func(t *testing.T, s store.Store)
}

// reopen returns the store as a new process would see it.
func reopen(s store.Store) store.Store {
	if r, ok := s.(interface{ Reopen() store.Store }); ok {
		return r.Reopen()
	}
	return s
}

// begin begins an object and fails the test if it cannot.
func begin(t *testing.T, s store.Store, spec store.Spec) store.Object {
	t.Helper()
	o, err := s.Begin(t.Context(), rand.Text(), spec)
	if err != nil {
		t.Fatalf("Begin(%+v): %v", spec, err)
	}
	return o
}

// cell returns the size of a cell that tests can afford, and a size that is as
// good as one where the store does not cut.
func cell(o store.Object) int64 {
	if o.Grid.Cell > 0 && o.Grid.Cell <= 8<<20 {
		return o.Grid.Cell
	}
	return 100_000
}

// sizes returns the sizes at which objects of a store change their nature.
func sizes(t *testing.T, s store.Store) []int64 {
	c := cell(begin(t, s, store.Spec{Size: -1, Key: "probe"}))
	return []int64{0, 1, c - 1, c, c + 1, 2*c + 4097}
}
