package s3

import (
	"math/rand/v2"
	"testing"

	"github.com/muleteer/muleteer/store"
)

func TestLayout(t *testing.T) {
	t.Parallel()
	const gib, tib = int64(1) << 30, int64(1) << 40
	for _, c := range []struct {
		what        string
		size, chunk int64
		limit       int64
		equal       bool
		want        store.Grid
		k           int64
	}{
		{what: "nothing is known", size: gib, want: store.Grid{Cell: 8 * mib}, k: 4},
		{what: "empty", size: 0, want: store.Grid{Cell: 8 * mib}, k: 4},
		{what: "chunks that can be parts", size: gib, chunk: 6 * mib, want: store.Grid{Cell: 6 * mib}, k: 4},
		{what: "the smallest of these", size: gib, chunk: minPart, want: store.Grid{Cell: minPart}, k: 4},
		{what: "odd ones", size: gib, chunk: minPart + 1, want: store.Grid{Cell: minPart + 1}, k: 4},
		{what: "small chunks fill cells", size: gib, chunk: mib, want: store.Grid{Cell: 8 * mib}, k: 4},
		{what: "odd small chunks", size: gib, chunk: 3_000_000, want: store.Grid{Cell: 9_000_000}, k: 4},
		{what: "tiny chunks", size: gib, chunk: 1, want: store.Grid{Cell: 8 * mib}, k: 4},
		{what: "large chunks are cut", size: gib, chunk: 64 * mib, want: store.Grid{Cell: 16 * mib}, k: 4},
		{what: "chunks that cannot be cut evenly", size: gib, chunk: 67_108_859, want: store.Grid{Cell: 8 * mib}, k: 4}, // a prime
		{what: "2,500 cells", size: 2500 * 8 * mib, want: store.Grid{Cell: 8 * mib}, k: 4},
		{what: "one more", size: 2500*8*mib + 1, want: store.Grid{Cell: 8 * mib}, k: 2},
		{what: "5,000 cells", size: 5000 * 8 * mib, want: store.Grid{Cell: 8 * mib}, k: 2},
		{what: "too many: a multiple", size: 5000*8*mib + 1, want: store.Grid{Cell: 16 * mib}, k: 2},
		{what: "5 TiB", size: 5 * tib, chunk: 6 * mib, want: store.Grid{Cell: 175 * 6 * mib}, k: 2},
		{what: "unknown", size: -1, want: store.Grid{Cell: 20 * mib, Widen: 520}, k: 2},
		{what: "unknown, of at most 50 GiB", size: -1, limit: 50 * gib, chunk: 6 * mib, want: store.Grid{Cell: 6 * mib, Widen: 1666}, k: 2},
		{what: "unknown, and small", size: -1, limit: gib, want: store.Grid{Cell: 8 * mib}, k: 2},
		{what: "unknown, equal parts", size: -1, equal: true, want: store.Grid{Cell: 64 * mib}, k: 2},
		{what: "known, equal parts", size: gib, equal: true, want: store.Grid{Cell: 8 * mib}, k: 4},
	} {
		s := &Store{place: place{equal: c.equal}, limit: c.limit}
		if s.limit == 0 {
			s.limit = maxObject
		}
		got, k, err := s.layout(c.size, c.chunk)
		if err != nil || got != c.want || k != c.k {
			t.Errorf("%s: %+v, %d numbers for each cell, %v; want %+v, %d", c.what, got, k, err, c.want, c.k)
		}
	}
	if _, _, err := (&Store{}).layout(maxObject+1, 0); err == nil {
		t.Error("more than 5 TiB were taken")
	}
}

// TestLayoutFits tries sizes, chunks and limits of all magnitudes: whatever
// comes, parts are as S3 wants them.
func TestLayoutFits(t *testing.T) {
	t.Parallel()
	const seed = 1
	rnd := rand.New(rand.NewPCG(seed, 2))
	for range 20_000 {
		size, chunk := rnd.Int64N(maxObject+1)>>rnd.IntN(40), rnd.Int64N(maxObject)>>rnd.IntN(43)
		s := &Store{limit: max(1, rnd.Int64N(maxObject+1)>>rnd.IntN(40))}
		last := max(size, 1) - 1
		if rnd.IntN(3) == 0 {
			size, last = -1, s.limit-1
		}
		g, k, err := s.layout(size, chunk)
		if err != nil {
			t.Fatalf("seed %d: %d bytes in chunks of %d: %v", seed, size, chunk, err)
		}
		cell, n := g.At(last)
		for epoch := range k {
			if number, err := (handle{k: k}).number(n, epoch); err != nil || number < 1 {
				t.Fatalf("seed %d: %d bytes in chunks of %d, at most %d: the byte %d is in cell %d of %+v: %v", seed, size, chunk, s.limit, last, n, g, err)
			}
		}
		if cell.Len() > maxPart || g.Cell < minPart || k < 2 {
			t.Fatalf("seed %d: %d bytes in chunks of %d: %+v, its last cell has %d bytes, each %d numbers", seed, size, chunk, g, cell.Len(), k)
		}
	}
}

// TestNumber: nodes that follow each other never write to the same part, and
// parts stand in the order of their cells.
func TestNumber(t *testing.T) {
	t.Parallel()
	for _, k := range []int64{2, 4} {
		seen, last := map[int32]bool{}, int32(0)
		for cell := range int64(100) {
			for epoch := range k {
				n, err := handle{k: k}.number(cell, epoch)
				if err != nil || seen[n] || n != last+1 {
					t.Fatalf("cell %d, epoch %d of %d: number %d, %v", cell, epoch, k, n, err)
				}
				seen[n], last = true, n
				if again, _ := (handle{k: k}).number(cell, epoch+k); again != n {
					t.Errorf("epoch %d writes to %d, epoch %d to %d", epoch, n, epoch+k, again)
				}
			}
		}
	}
	if n, err := (handle{k: 4}).number(2500, 0); err == nil {
		t.Errorf("there is a part %d", n)
	}
}
