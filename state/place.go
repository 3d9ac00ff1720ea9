package state

import (
	"github.com/muleteer/muleteer/store"
	"github.com/muleteer/muleteer/upload"
)

// change is what one more part does to the parts that are recorded.
type change struct {
	remove []store.Part // recorded parts that are covered, or merged into put
	put    store.Part   // what is recorded instead; empty if nothing changes
}

// place tells what becomes of near, the recorded parts that overlap or touch
// p in order, when p is added. Both states use it, so that they cannot differ.
//
// A part may lie within what is recorded and cover parts of it at once, by
// having the same bounds. It then replaces them, because the later Put is what
// the store holds now and because folding crumbs needs it; only a crumb never
// replaces the proper part that it was folded into, so that an Add that is
// repeated late cannot undo the folding.
func place(near []store.Part, p store.Part) (change, error) {
	switch {
	case p.Start < 0:
		return change{}, upload.ErrInvalid
	case p.Empty():
		return change{}, nil
	}
	i, j := 0, len(near)
	if i < j && near[i].End == p.Start {
		i++
	}
	if i < j && near[j-1].Start == p.End {
		j--
	}
	over := near[i:j]
	covers, within := relate(over, p)
	switch {
	case len(over) == 1 && over[0] == p:
		return change{}, nil
	case len(over) == 0, covers && !(within && p.Crumb && solid(over) > 0):
	case within:
		return change{}, nil
	default:
		return change{}, upload.ErrOverlap
	}
	if merges(p) && i > 0 && merges(near[i-1]) {
		i--
		p.CRC = near[i].CRC.Append(p.CRC, p.Len())
		p.Start = near[i].Start
	}
	if merges(p) && j < len(near) && merges(near[j]) {
		p.CRC = p.CRC.Append(near[j].CRC, near[j].Len())
		p.End = near[j].End
		j++
	}
	return change{near[i:j], p}, nil
}

// relate tells whether p covers each of the parts that it overlaps, and
// whether every byte of p is in one of them.
func relate(over []store.Part, p store.Part) (covers, within bool) {
	if len(over) == 0 {
		return false, false
	}
	first, last := over[0], over[len(over)-1]
	covers = p.Start <= first.Start && last.End <= p.End
	within = first.Start <= p.Start && p.End <= last.End
	for k := 1; within && k < len(over); k++ {
		within = over[k-1].End == over[k].Start
	}
	return covers, within
}

// merges tells whether a part becomes one with a neighbour of which the same
// is true.
func merges(p store.Part) bool { return p.Receipt == "" && !p.Crumb }

// none tells whether nothing changes.
func (c change) none() bool { return c.put.Empty() }

// here is by how many bytes more are here after the change.
func (c change) here() int64 {
	n := c.put.Len()
	for _, p := range c.remove {
		n -= p.Len()
	}
	return n
}

// solid is by how many bytes more are in proper parts after the change.
func (c change) solid() int64 {
	return solid([]store.Part{c.put}) - solid(c.remove)
}

// solid is the number of bytes that are in parts and not in crumbs.
func solid(parts []store.Part) int64 {
	var n int64
	for _, p := range parts {
		if !p.Crumb {
			n += p.Len()
		}
	}
	return n
}

// progress tells how far an upload of size bytes, -1 while unknown, has come.
func progress(size, offset, here, solid int64) upload.Progress {
	if size < 0 {
		return upload.Progress{Offset: offset, Here: here, Missing: -1}
	}
	return upload.Progress{Offset: offset, Here: here, Missing: size - solid}
}
