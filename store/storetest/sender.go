package storetest

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/store"
)

// sender sends one object and knows the truth of it: its bytes, and the parts
// that the store acknowledged.
type sender struct {
	t    *testing.T
	s    store.Store
	o    store.Object
	data []byte

	mu    sync.Mutex
	parts []store.Part // in order
}

// send begins an object of the spec with random bytes; the size is theirs.
func send(t *testing.T, s store.Store, size int64, spec store.Spec) *sender {
	t.Helper()
	if spec.Key == "" {
		spec.Key = "some/file.bin"
	}
	spec.Size = size
	return &sender{t: t, s: s, o: begin(t, s, spec), data: random(size, uint64(size))}
}

// random returns size bytes that depend on the seed.
func random(size int64, seed uint64) []byte {
	size = max(size, 0)
	rnd := rand.New(rand.NewPCG(seed, 1))
	b := make([]byte, (size+7)/8*8)
	for i := 0; i < len(b); i += 8 {
		binary.LittleEndian.PutUint64(b[i:], rnd.Uint64())
	}
	return b[:size:size]
}

// put sends the bytes e, cut on the grid, and wants all of them acknowledged.
func (x *sender) put(e extent.Extent) {
	x.t.Helper()
	for piece := range x.o.Grid.Cut(e) {
		n := x.putFrom(piece, bytes.NewReader(x.data[piece.Start:piece.End]))
		if n != piece.Len() {
			x.t.Errorf("Put %s: %d bytes were acknowledged", piece, n)
		}
	}
}

// putFrom puts e from r, whose bytes must be those of the object, and returns
// how many bytes were acknowledged.
func (x *sender) putFrom(e extent.Extent, r io.Reader) int64 {
	x.t.Helper()
	parts, err := x.try(e, r, func(store.Part) error { return nil })
	if err != nil {
		x.t.Errorf("Put %s: %v", e, err)
	}
	x.keep(parts...)
	var n int64
	for _, p := range parts {
		n += p.Len()
	}
	return n
}

// try puts e from r and checks what done is told.
func (x *sender) try(e extent.Extent, r io.Reader, then func(store.Part) error) ([]store.Part, error) {
	x.t.Helper()
	var parts []store.Part
	var inside atomic.Bool
	var over atomic.Bool
	next := e.Start
	err := x.s.Put(x.t.Context(), x.o, e, r, func(p store.Part) error {
		if inside.Swap(true) {
			x.t.Errorf("Put %s: done is called while it runs", e)
		}
		defer inside.Store(false)
		if over.Load() {
			x.t.Errorf("Put %s: done is called after Put has returned", e)
		}
		if p.Start != next || p.End <= p.Start || p.End > e.End {
			x.t.Errorf("Put %s: done(%s), want a run from %d", e, p.Extent, next)
		} else if want := store.CRC(0).Update(x.data[p.Start:p.End]); p.CRC != want {
			x.t.Errorf("Put %s: the CRC of %s is %s, want %s", e, p.Extent, p.CRC, want)
		}
		if c, _ := x.o.Grid.At(p.Start); !c.Contains(p.Extent) {
			x.t.Errorf("Put %s: %s crosses the cell %s", e, p.Extent, c)
		}
		if p.Crumb && p.Receipt == "" {
			x.t.Errorf("Put %s: the crumb %s has no receipt", e, p.Extent)
		}
		if p.Crumb && x.o.Grid.Cell == 0 {
			x.t.Errorf("Put %s: %s is a crumb without a grid", e, p.Extent)
		}
		next = p.End
		parts = append(parts, p)
		return then(p)
	})
	over.Store(true)
	return parts, err
}

// keep records parts: neighbours without receipts become one.
func (x *sender) keep(parts ...store.Part) {
	x.mu.Lock()
	defer x.mu.Unlock()
	all := slices.Concat(x.parts, parts)
	slices.SortFunc(all, func(a, b store.Part) int { return cmp.Compare(a.Start, b.Start) })
	x.parts = nil
	for _, p := range all {
		if n := len(x.parts); n > 0 {
			l := &x.parts[n-1]
			if l.End == p.Start && l.Receipt == "" && p.Receipt == "" {
				l.CRC, l.End = l.CRC.Append(p.CRC, p.Len()), p.End
				continue
			}
		}
		x.parts = append(x.parts, p)
	}
}

// fold makes parts of the crumbs that fill their cells, and drops them.
func (x *sender) fold() {
	x.t.Helper()
	var parts, crumbs []store.Part
	for _, p := range x.parts {
		if !p.Crumb {
			parts = append(parts, p)
			continue
		}
		crumbs = append(crumbs, p)
		whole := extent.Extent{Start: crumbs[0].Start, End: p.End}
		if !x.o.Grid.Fills(whole, x.o.Size) {
			continue
		}
		f := x.s.(store.Folder)
		folded, err := f.Fold(x.t.Context(), x.o, crumbs)
		if err != nil {
			x.t.Fatalf("Fold %s of %d crumbs: %v", whole, len(crumbs), err)
		}
		if want := store.CRC(0).Update(x.data[whole.Start:whole.End]); folded.Extent != whole || folded.CRC != want || folded.Crumb {
			x.t.Fatalf("Fold %s: %+v, want the CRC %s", whole, folded, want)
		}
		if err := f.Drop(x.t.Context(), x.o, crumbs); err != nil {
			x.t.Fatalf("Drop: %v", err)
		}
		parts, crumbs = append(parts, folded), nil
	}
	x.parts = append(parts, crumbs...)
}

// join folds and joins, keeps the key that it is told, and checks the answer.
func (x *sender) join() store.Final {
	x.t.Helper()
	x.fold()
	final, err := x.s.Join(x.t.Context(), x.o, x.parts)
	if err != nil {
		x.t.Fatalf("Join of %d parts: %v", len(x.parts), err)
	}
	if want := store.CRC(0).Update(x.data); final.CRC != want || final.Size != int64(len(x.data)) {
		x.t.Fatalf("Join: %+v, want %d bytes with the CRC %s", final, len(x.data), want)
	}
	x.o.Key, x.o.Joined = final.Key, true
	return final
}

// whole sends everything and joins.
func (x *sender) whole() store.Final {
	x.t.Helper()
	x.put(extent.Extent{End: int64(len(x.data))})
	return x.join()
}

// verify reads the whole object and compares.
func (x *sender) verify() {
	x.t.Helper()
	x.verifyAt(extent.Extent{End: int64(len(x.data))})
}

func (x *sender) verifyAt(e extent.Extent) {
	x.t.Helper()
	b, err := read(x.t, x.s, x.o, e)
	if err != nil {
		x.t.Errorf("Open %s: %v", e, err)
	} else if !bytes.Equal(b, x.data[e.Start:e.End]) {
		x.t.Errorf("Open %s: %d bytes that differ from what was sent", e, len(b))
	}
}

// verifyAcknowledged reads what was acknowledged of an object on its way, if
// the store can, and compares.
func (x *sender) verifyAcknowledged() {
	x.t.Helper()
	for _, p := range x.parts {
		b, err := read(x.t, x.s, x.o, p.Extent)
		if errors.Is(err, store.ErrNotYet) {
			return
		}
		if err != nil || !bytes.Equal(b, x.data[p.Start:p.End]) {
			x.t.Errorf("Open %s before Join: %d bytes that differ from what was acknowledged, %v", p.Extent, len(b), err)
		}
	}
}

func read(t *testing.T, s store.Store, o store.Object, e extent.Extent) ([]byte, error) {
	r, err := s.Open(t.Context(), o, e)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}
