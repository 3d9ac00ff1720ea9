package store

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/muleteer/muleteer/extent"
)

const (
	mib = int64(1) << 20
	gib = mib << 10
	tib = gib << 10
)

// grids are shapes worth trying: no cut, equal cells, widening ones, and some
// of which the sums would overflow.
func grids() []Grid {
	return []Grid{
		{},
		{Cell: 1},
		{Cell: 7},
		{Cell: 8 * mib},
		{Cell: 1, Widen: 1},
		{Cell: 3, Widen: 4},
		{Cell: 8 * mib, Widen: 500},
		{Cell: 20 * mib, Widen: 520},
		{Cell: extent.Max, Widen: 1},
		{Cell: extent.Max/2 + 1, Widen: 2},
		{Cell: 1, Widen: extent.Max},
		{Cell: extent.Max, Widen: extent.Max},
	}
}

// offsets yields offsets of all magnitudes, and those around each.
func offsets(r *rand.Rand, n int) []int64 {
	list := []int64{0, 1, 2, extent.Max - 2, extent.Max - 1}
	for range n {
		list = append(list, r.Int64N(extent.Max)>>r.IntN(63))
	}
	return list
}

func TestGridAt(t *testing.T) {
	t.Parallel()
	for _, g := range grids() {
		t.Run(fmt.Sprint(g), func(t *testing.T) {
			t.Parallel()
			const seed = 1
			for _, off := range offsets(rand.New(rand.NewPCG(seed, 2)), 2000) {
				c, n := g.At(off)
				if off < c.Start || off >= c.End || c.Start < 0 || n < 0 {
					t.Fatalf("seed %d: byte %d is in cell %d = %v", seed, off, n, c)
				}
				if first, k := g.At(c.Start); first != c || k != n {
					t.Fatalf("seed %d: the first byte of cell %d = %v is in cell %d = %v", seed, n, c, k, first)
				}
				if last, k := g.At(c.End - 1); last != c || k != n {
					t.Fatalf("seed %d: the last byte of cell %d = %v is in cell %d = %v", seed, n, c, k, last)
				}
				if c.End == extent.Max {
					continue // the last one
				}
				next, k := g.At(c.End)
				if next.Start != c.End || k != n+1 {
					t.Fatalf("seed %d: after cell %d = %v comes cell %d = %v", seed, n, c, k, next)
				}
				if next.End < extent.Max && next.Len() < c.Len() {
					t.Fatalf("seed %d: cell %d = %v is smaller than the one before, %v", seed, k, next, c)
				}
			}
		})
	}
}

// TestGridWidens walks through the cells one by one, as At never does.
func TestGridWidens(t *testing.T) {
	t.Parallel()
	g := Grid{Cell: 3, Widen: 4}
	start := int64(0)
	for n := range int64(200) {
		want := extent.At(start, 3<<(n/4))
		if c, k := g.At(start); c != want || k != n {
			t.Fatalf("cell %d = %v, want cell %d = %v", k, c, n, want)
		}
		start = want.End
	}
}

func TestGridCut(t *testing.T) {
	t.Parallel()
	const seed = 3
	r := rand.New(rand.NewPCG(seed, 4))
	for _, g := range grids() {
		for _, start := range offsets(r, 300) {
			c, _ := g.At(start)
			// Up to some twenty cells, so that tiny cells do not take for ever.
			n := c.Len()
			if n < extent.Max/40 {
				n *= 20
			}
			e := extent.At(start, r.Int64N(n)+1)
			pos := e.Start
			for piece := range g.Cut(e) {
				cell, _ := g.At(piece.Start)
				if piece.Start != pos || piece.Empty() || !cell.Contains(piece) {
					t.Fatalf("seed %d: %v cuts %v at %d into %v, its cell is %v", seed, g, e, pos, piece, cell)
				}
				pos = piece.End
				// Only the first and the last piece may be less than a cell.
				if piece.Start != e.Start && piece.End != e.End && piece != cell {
					t.Fatalf("seed %d: %v cuts %v in the middle of %v: %v", seed, g, e, cell, piece)
				}
			}
			if pos != e.End {
				t.Fatalf("seed %d: the pieces of %v by %v end at %d", seed, e, g, pos)
			}
		}
	}
	for range (Grid{Cell: 8}).Cut(extent.Extent{Start: 5, End: 5}) {
		t.Error("nothing was cut into something")
	}
}

func TestGridFills(t *testing.T) {
	t.Parallel()
	g := Grid{Cell: 10}
	for _, c := range []struct {
		e    extent.Extent
		size int64
		want bool
	}{
		{extent.Extent{Start: 0, End: 10}, 100, true},
		{extent.Extent{Start: 0, End: 9}, 100, false},
		{extent.Extent{Start: 1, End: 10}, 100, false},
		{extent.Extent{Start: 0, End: 20}, 100, false}, // two cells are not one
		{extent.Extent{Start: 90, End: 95}, 95, true},  // the last may be shorter
		{extent.Extent{Start: 90, End: 95}, 96, false},
		{extent.Extent{Start: 90, End: 95}, -1, false}, // nobody knows that it is the last
		{extent.Extent{Start: 90, End: 100}, -1, true},
	} {
		if got := g.Fills(c.e, c.size); got != c.want {
			t.Errorf("of %d bytes, %v fills its cell: %v, want %v", c.size, c.e, got, c.want)
		}
	}
	if !(Grid{}).Fills(extent.Extent{Start: 3, End: 4}, -1) {
		t.Error("without a grid there are no crumbs")
	}
}

// TestGridReach: an object store takes 10,000 parts of at most 5 GiB and
// 5 TiB in all. Fencing by part numbers gives each cell two of them, so 5,000
// cells must do. 8 MiB, doubled every 500, do not: they need 5,141, and the
// last of them are of 8 GiB.
func TestGridReach(t *testing.T) {
	t.Parallel()
	const parts, slots = 10_000, 2
	g := Grid{Cell: 20 * mib, Widen: 520}
	c, n := g.At(5*tib - 1)
	if number := n*slots + slots; number > parts {
		t.Errorf("the last of 5 TiB is in cell %d, so its part may be number %d", n, number)
	}
	if c.Len() > 5*gib {
		t.Errorf("the last cell is of %d bytes", c.Len())
	}
	if _, n := (Grid{Cell: 8 * mib, Widen: 500}).At(5*tib - 1); n+1 != 5141 {
		t.Errorf("the comment is wrong: %d cells", n+1)
	}
}

// FuzzGrid tries shapes and offsets that nobody thought of.
func FuzzGrid(f *testing.F) {
	f.Add(int64(8)*mib, int64(500), 5*tib)
	f.Add(int64(1), int64(1), int64(extent.Max-1))
	f.Fuzz(func(t *testing.T, cell, widen, off int64) {
		if off < 0 || off == extent.Max {
			return // not the offset of a byte
		}
		g := Grid{Cell: cell, Widen: widen}
		c, n := g.At(off)
		if off < c.Start || off >= c.End || n < 0 {
			t.Fatalf("%v: byte %d is in cell %d = %v", g, off, n, c)
		}
		if again, k := g.At(c.Start); again != c || k != n {
			t.Fatalf("%v: cell %d = %v begins in cell %d = %v", g, n, c, k, again)
		}
		if c.Start > 0 {
			if before, k := g.At(c.Start - 1); before.End != c.Start || k != n-1 {
				t.Fatalf("%v: before cell %d = %v is cell %d = %v", g, n, c, k, before)
			}
		}
	})
}
