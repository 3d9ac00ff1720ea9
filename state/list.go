package state

import (
	"iter"
	"slices"
	"sort"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/store"
)

// list is the parts of one upload, disjoint and in order. It is cut into
// blocks, so that one more part costs the same however many are there.
type list [][]store.Part

// block is the largest number of parts in one block of a list.
const block = 256

// from yields the parts that end at off or behind it, in order.
func (l list) from(off int64) iter.Seq[store.Part] {
	return func(yield func(store.Part) bool) {
		i := sort.Search(len(l), func(i int) bool { return l[i][len(l[i])-1].End >= off })
		if i == len(l) {
			return
		}
		k := sort.Search(len(l[i]), func(k int) bool { return l[i][k].End >= off })
		for ; i < len(l); i, k = i+1, 0 {
			for _, p := range l[i][k:] {
				if !yield(p) {
					return
				}
			}
		}
	}
}

// near returns the parts that overlap or touch e.
func (l list) near(e extent.Extent) []store.Part {
	var near []store.Part
	for p := range l.from(e.Start) {
		if p.Start > e.End {
			break
		}
		near = append(near, p)
	}
	return near
}

// prefix returns the end of the bytes that are here without a gap from off,
// up to which they are here.
func (l list) prefix(off int64) int64 {
	for p := range l.from(off) {
		if p.Start > off {
			break
		}
		off = p.End
	}
	return off
}

// insert adds p, which overlaps no part of l.
func (l *list) insert(p store.Part) {
	i, k := l.find(p.Start)
	if i == len(*l) {
		if i == 0 || len((*l)[i-1]) == block {
			*l = append(*l, make([]store.Part, 0, 4))
			i++
		}
		i, k = i-1, len((*l)[i-1])
	}
	b := slices.Insert((*l)[i], k, p)
	(*l)[i] = b
	if len(b) > block {
		*l = slices.Insert(*l, i+1, slices.Clone(b[block/2:]))
		(*l)[i] = slices.Delete(b, block/2, len(b))
	}
}

// remove takes out the part that begins at start.
func (l *list) remove(start int64) {
	i, k := l.find(start)
	(*l)[i] = slices.Delete((*l)[i], k, k+1)
	if len((*l)[i]) == 0 {
		*l = slices.Delete(*l, i, i+1)
	}
}

// find returns the place of the first part that begins at start or behind it.
func (l list) find(start int64) (i, k int) {
	i = sort.Search(len(l), func(i int) bool { return l[i][len(l[i])-1].Start >= start })
	if i < len(l) {
		k = sort.Search(len(l[i]), func(k int) bool { return l[i][k].Start >= start })
	}
	return i, k
}
