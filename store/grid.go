package store

import (
	"iter"

	"github.com/muleteer/muleteer/extent"
)

// Grid tells where an object is cut. The store chooses it, the rules cut
// there. The zero Grid does not cut.
//
// Cells are Cell bytes long. If Widen is positive, they double after every
// Widen cells, so that an object of unknown length reaches a great size
// within a limited number of parts.
type Grid struct {
	Cell  int64 // bytes
	Widen int64 // cells
}

// At returns the cell that off is in, and its number, from 0.
func (g Grid) At(off int64) (extent.Extent, int64) {
	if g.Cell <= 0 {
		return extent.Extent{Start: 0, End: extent.Max}, 0
	}
	cell, start, number := g.Cell, int64(0), int64(0)
	for g.Widen > 0 && cell <= extent.Max/2/g.Widen {
		band := cell * g.Widen
		if off-start < band || start > extent.Max-band {
			break
		}
		start, number, cell = start+band, number+g.Widen, cell*2
	}
	k := (off - start) / cell
	return extent.At(start+k*cell, cell), number + k
}

// Cut yields the pieces of e, each within one cell.
func (g Grid) Cut(e extent.Extent) iter.Seq[extent.Extent] {
	return func(yield func(extent.Extent) bool) {
		for !e.Empty() {
			c, _ := g.At(e.Start)
			piece := extent.Extent{Start: e.Start, End: min(e.End, c.End)}
			if !yield(piece) {
				return
			}
			e.Start = piece.End
		}
	}
}

// Fills tells whether e is a whole cell of an object of the given size, of
// which the last cell may be shorter. A size of -1 is unknown: a last cell
// cannot be told then.
func (g Grid) Fills(e extent.Extent, size int64) bool {
	if g.Cell <= 0 {
		return true
	}
	c, _ := g.At(e.Start)
	if size >= 0 {
		c.End = min(c.End, size)
	}
	return e == c
}
