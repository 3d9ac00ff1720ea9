package storetest

import (
	"errors"
	"testing"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/store"
)

var readPromises = []promise{
	{"Open reads any bytes of a joined object", openJoined},
	{"Open before Join reads what is there or answers ErrNotYet", openBefore},
	{"Open of what was removed answers ErrGone", openRemoved},
}

func openJoined(t *testing.T, s store.Store) {
	for _, size := range sizes(t, s) {
		x := send(t, s, size, store.Spec{})
		x.whole()
		for _, e := range []extent.Extent{{End: size}, {Start: size / 2, End: size}, {End: size / 3}, {Start: size, End: size}, {Start: size / 3, End: size / 2}} {
			x.verifyAt(e)
		}
		if r, err := s.Open(t.Context(), x.o, extent.Extent{End: size + 1}); err == nil {
			r.Close()
			t.Errorf("Open of %d bytes of %d: no error", size+1, size)
		}
	}
}

func openBefore(t *testing.T, s store.Store) {
	x := send(t, s, 50_000, store.Spec{})
	x.put(extent.Extent{Start: 10_000, End: 20_000})
	b, err := read(t, s, x.o, extent.Extent{Start: 11_000, End: 19_000})
	if x.o.Grid.Cell > 0 && err != nil && !errors.Is(err, store.ErrNotYet) {
		t.Errorf("Open: %v, want ErrNotYet or the bytes", err)
	}
	if x.o.Grid.Cell == 0 && err != nil {
		t.Errorf("Open: %v", err)
	}
	if err == nil && string(b) != string(x.data[11_000:19_000]) {
		t.Errorf("Open: %d bytes that differ from what was sent", len(b))
	}
}

func openRemoved(t *testing.T, s store.Store) {
	x := send(t, s, 5_000, store.Spec{})
	x.whole()
	if err := s.Remove(t.Context(), x.o); err != nil {
		t.Fatalf("Remove: %v", err)
	}
	if _, err := read(t, s, x.o, extent.Extent{End: 5_000}); !errors.Is(err, store.ErrGone) {
		t.Errorf("Open: %v, want ErrGone", err)
	}
	if final, err := s.Join(t.Context(), x.o, x.parts); !errors.Is(err, store.ErrGone) {
		t.Errorf("Join: %+v, %v, want ErrGone", final, err)
	}
}
