// Package extent speaks of byte ranges of one file, and of sets of them.
//
// It is the lowest floor of the house: offsets and lengths are bytes, never
// chunks or parts, so that every protocol's arithmetic ends here.
package extent

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Max is the largest offset: a file has at most 2^63-1 bytes.
const Max = math.MaxInt64

// Extent is the bytes [Start, End) of a file, 0 <= Start <= End. The zero
// value is empty.
type Extent struct{ Start, End int64 }

// At returns the extent of n bytes that begins at start, cut at Max, so that
// no sum of two numbers from the wire can overflow. A negative n means that
// the length is unknown: the extent then reaches to Max.
func At(start, n int64) Extent {
	if n < 0 || n > Max-start {
		return Extent{start, Max}
	}
	return Extent{start, start + n}
}

// Len is the number of bytes.
func (e Extent) Len() int64 { return e.End - e.Start }

// Empty tells whether e has no byte.
func (e Extent) Empty() bool { return e.End <= e.Start }

// Overlaps tells whether e and f have a byte in common.
func (e Extent) Overlaps(f Extent) bool {
	return max(e.Start, f.Start) < min(e.End, f.End)
}

// Contains tells whether every byte of f is one of e. An empty f is contained
// in everything.
func (e Extent) Contains(f Extent) bool {
	return f.Empty() || e.Start <= f.Start && f.End <= e.End
}

// Intersect returns the bytes that e and f have in common.
func (e Extent) Intersect(f Extent) Extent {
	r := Extent{max(e.Start, f.Start), min(e.End, f.End)}
	if r.Empty() {
		return Extent{}
	}
	return r
}

// String returns the extent as HTTP writes it: first-last, both inclusive.
func (e Extent) String() string {
	if e.Empty() {
		return "empty"
	}
	return fmt.Sprintf("%d-%d", e.Start, e.End-1)
}

// Set is a set of bytes: its extents are sorted, disjoint, not empty, and no
// two of them touch. The zero value is the empty set. Methods return new sets
// and leave the receiver alone.
type Set []Extent

// Of returns the set of the bytes in es, which may overlap and come in any
// order.
func Of(es ...Extent) Set {
	sorted := slices.Clone(es)
	slices.SortFunc(sorted, func(a, b Extent) int {
		switch {
		case a.Start < b.Start:
			return -1
		case a.Start > b.Start:
			return 1
		}
		return 0
	})
	var s Set
	for _, e := range sorted {
		if e.Empty() {
			continue
		}
		if n := len(s); n > 0 && e.Start <= s[n-1].End {
			s[n-1].End = max(s[n-1].End, e.End)
			continue
		}
		s = append(s, e)
	}
	return s
}

// Add returns s with the bytes of e.
func (s Set) Add(e Extent) Set {
	if e.Empty() {
		return s
	}
	i, j := s.touching(e)
	if i < j {
		e = Extent{min(e.Start, s[i].Start), max(e.End, s[j-1].End)}
	}
	r := make(Set, 0, len(s)-(j-i)+1)
	r = append(r, s[:i]...)
	r = append(r, e)
	return append(r, s[j:]...)
}

// Has tells whether every byte of e is in s.
func (s Set) Has(e Extent) bool {
	if e.Empty() {
		return true
	}
	i, j := s.touching(e)
	return j-i >= 1 && slices.ContainsFunc(s[i:j], func(f Extent) bool { return f.Contains(e) })
}

// Missing returns the bytes of e that are not in s.
func (s Set) Missing(e Extent) Set {
	if e.Empty() {
		return nil
	}
	var r Set
	pos := e.Start
	i, j := s.touching(e)
	for _, f := range s[i:j] {
		if f.Start > pos {
			r = append(r, Extent{pos, min(f.Start, e.End)})
		}
		pos = max(pos, f.End)
	}
	if pos < e.End {
		r = append(r, Extent{pos, e.End})
	}
	return r
}

// Prefix is the number of bytes that are here without a gap from the first
// byte of the file on: tus' offset, and one more than the last byte of
// Google's Range.
func (s Set) Prefix() int64 {
	if len(s) == 0 || s[0].Start > 0 {
		return 0
	}
	return s[0].End
}

// Len is the number of bytes in s.
func (s Set) Len() int64 {
	var n int64
	for _, e := range s {
		n += e.Len()
	}
	return n
}

// String returns the set as "0-99,200-299", as X-Upload-Ranges has it.
func (s Set) String() string {
	var b strings.Builder
	for i, e := range s {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(e.String())
	}
	return b.String()
}

// touching returns the run s[i:j] of extents that overlap e or touch it.
func (s Set) touching(e Extent) (i, j int) {
	i, _ = slices.BinarySearchFunc(s, e.Start, func(f Extent, start int64) int {
		if f.End < start {
			return -1
		}
		return 1
	})
	for j = i; j < len(s) && s[j].Start <= e.End; j++ {
	}
	return i, j
}
