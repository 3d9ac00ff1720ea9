package storetest

import (
	"bytes"
	"errors"
	"testing"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/store"
)

var copyPromises = []promise{
	{"Copy puts the parts of another object", copySources},
	{"Copy may take a source twice and part of one", copyTwice},
	{"Copy ends with the error of done", copyDoneError},
}

// copyFrom copies n bytes of y, from its byte off on, to the byte at of x, and
// checks what done is told.
func (x *sender) copyFrom(at int64, y *sender, parts []store.Part) {
	x.t.Helper()
	next := at
	err := x.s.(store.Copier).Copy(x.t.Context(), x.o, at, y.o, parts, func(p store.Part) error {
		if p.Start != next || p.Empty() {
			x.t.Errorf("Copy: done(%s), want a run from %d", p.Extent, next)
		} else if want := store.CRC(0).Update(x.data[p.Start:p.End]); p.CRC != want {
			x.t.Errorf("Copy: the CRC of %s is %s, want %s", p.Extent, p.CRC, want)
		}
		next = p.End
		x.keep(p)
		return nil
	})
	if err != nil {
		x.t.Errorf("Copy: %v", err)
	}
	if len(parts) > 0 && next != at+parts[len(parts)-1].End-parts[0].Start {
		x.t.Errorf("Copy: acknowledged up to %d from %d", next, at)
	}
}

func copySources(t *testing.T, s store.Store) {
	if _, ok := s.(store.Copier); !ok {
		return
	}
	for _, size := range sizes(t, s) {
		hidden := send(t, s, size, store.Spec{Key: "part", Hidden: true})
		hidden.whole()
		shown := send(t, s, size/2+1, store.Spec{Key: "shown"})
		shown.whole()
		x := send(t, s, 2*size+shown.o.Size, store.Spec{Key: "both"})
		x.data = bytes.Join([][]byte{hidden.data, shown.data, random(size, 4)}, nil)
		x.copyFrom(0, hidden, hidden.parts)
		x.copyFrom(size, shown, shown.parts)
		x.put(extent.Extent{Start: size + shown.o.Size, End: x.o.Size})
		x.s = reopen(x.s)
		x.verifyAcknowledged()
		x.join()
		remove(t, hidden)
		remove(t, shown)
		x.verify()
		s = x.s
	}
}

func copyTwice(t *testing.T, s store.Store) {
	if _, ok := s.(store.Copier); !ok {
		return
	}
	y := send(t, s, 50_000, store.Spec{Key: "part", Hidden: true})
	for e := range (store.Grid{Cell: 7_000}).Cut(extent.Extent{End: 50_000}) {
		y.put(e)
	}
	y.join()
	x := send(t, s, 100_000, store.Spec{})
	x.data = append(bytes.Clone(y.data), y.data...)
	x.copyFrom(50_000, y, y.parts)
	x.copyFrom(0, y, y.parts)
	x.copyFrom(0, y, nil)
	x.join()
	x.verify()
	y.verify()

	if tail := len(y.parts) - 1; tail > 0 { // not from its beginning
		from := y.parts[tail].Start
		z := send(t, s, 50_000-from, store.Spec{})
		z.data = y.data[from:]
		z.copyFrom(0, y, y.parts[tail:])
		z.join()
		z.verify()
	}
	if err := s.(store.Copier).Copy(t.Context(), begin(t, s, store.Spec{Key: "x", Size: 50_000}), 0, store.Object{ID: "nothing-is-here-at-all-00", Grid: x.o.Grid, Key: "none", Size: 50_000},
		y.parts, func(store.Part) error { return nil }); !errors.Is(err, store.ErrGone) {
		t.Errorf("Copy of what never was: %v, want ErrGone", err)
	}
}

func copyDoneError(t *testing.T, s store.Store) {
	c, ok := s.(store.Copier)
	if !ok {
		return
	}
	y := send(t, s, 50_000, store.Spec{Key: "part", Hidden: true})
	y.whole()
	x := send(t, s, 50_000, store.Spec{})
	x.data = y.data
	if err := c.Copy(t.Context(), x.o, 0, y.o, y.parts, func(store.Part) error { return errBroken }); !errors.Is(err, errBroken) {
		t.Errorf("Copy: %v, want done's own error", err)
	}
	x.whole()
	x.verify()
}
