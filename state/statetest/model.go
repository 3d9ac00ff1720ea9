package statetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/store"
	"github.com/muleteer/muleteer/upload"
)

// cell is what the model knows of one byte: nothing, or what it is part of.
type cell struct {
	here    bool
	receipt string // "" for bytes that merge
	crumb   bool
}

// ledger is the truth about one upload: one cell per byte. Neighbours belong
// to one part if their cells are equal, so receipts must be unique.
type ledger []cell

// run returns the part that byte i is in.
func (l ledger) run(i int64) extent.Extent {
	start, end := i, i+1
	for start > 0 && l[start-1] == l[i] {
		start--
	}
	for end < int64(len(l)) && l[end] == l[i] {
		end++
	}
	return extent.Extent{Start: start, End: end}
}

// add is the contract of Add for one part, said of bytes.
func (l ledger) add(p store.Part) error {
	within, covers, proper, any := true, true, false, false
	for i := p.Start; i < p.End; i++ {
		if !l[i].here {
			within = false
			continue
		}
		any = true
		covers = covers && p.Contains(l.run(i))
		proper = proper || !l[i].crumb
	}
	switch {
	case any && within && (!covers || p.Crumb && proper):
		return nil
	case any && !covers:
		return upload.ErrOverlap
	}
	for i := p.Start; i < p.End; i++ {
		l[i] = cell{true, p.Receipt, p.Crumb}
	}
	return nil
}

// parts returns what has to be recorded.
func (l ledger) parts() []store.Part {
	var parts []store.Part
	for i := int64(0); i < int64(len(l)); {
		if !l[i].here {
			i++
			continue
		}
		e := l.run(i)
		p := plain(e.Start, e.End)
		p.Receipt, p.Crumb = l[i].receipt, l[i].crumb
		parts = append(parts, p)
		i = e.End
	}
	return parts
}

// sums returns Offset, Here and Missing.
func (l ledger) sums() (offset, here, missing int64) {
	for offset < int64(len(l)) && l[offset].here {
		offset++
	}
	for _, c := range l {
		if c.here {
			here++
		}
		if !c.here || c.crumb {
			missing++
		}
	}
	return offset, here, missing
}

// model plays random Adds on a state and on a ledger.
func model(t *tester) {
	const plays, size = 30, 60
	for seed := range uint64(plays) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		u := t.create(t.record(size))
		truth := make(ledger, size)
		for step := range 40 {
			parts := make([]store.Part, 1+rnd.IntN(3)*rnd.IntN(2))
			for i := range parts {
				parts[i] = anyPart(rnd, truth, fmt.Sprintf("%d.%d", step, i))
			}
			next := slices.Clone(truth)
			var want error
			for _, p := range parts {
				if want = next.add(p); want != nil {
					break
				}
			}
			got, err := t.Add(t.ctx, u.ID, 0, parts...)
			if !errors.Is(err, want) {
				t.Fatalf("seed %d, step %d: add %v to %v: got %v, want %v", seed, step, parts, truth.parts(), err, want)
			}
			if want == nil {
				truth = next
			}
			offset, here, missing := truth.sums()
			if want == nil && got != (upload.Progress{Offset: offset, Here: here, Missing: missing}) {
				t.Fatalf("seed %d, step %d: got %+v, want offset %d, here %d and missing %d", seed, step, got, offset, here, missing)
			}
			l := t.load(u.ID)
			if l.Offset != offset || l.Here != here || !slices.Equal(l.Parts, truth.parts()) {
				t.Fatalf("seed %d, step %d: after %v:\n got %d %d %v\nwant %d %d %v",
					seed, step, parts, l.Offset, l.Here, l.Parts, offset, here, truth.parts())
			}
		}
	}
}

// anyPart draws a part; often one that the ledger takes, by bounds that are
// there already.
func anyPart(rnd *rand.Rand, l ledger, name string) store.Part {
	size := int64(len(l))
	start := rnd.Int64N(size)
	end := start + 1 + rnd.Int64N(min(12, size-start))
	if known := l.parts(); len(known) > 0 && rnd.IntN(2) == 0 {
		first := rnd.IntN(len(known))
		last := min(first+rnd.IntN(3), len(known)-1)
		start, end = known[first].Start, known[last].End
		if rnd.IntN(3) == 0 {
			start, end = end, min(size, end+1+rnd.Int64N(4))
		}
	}
	p := plain(start, end)
	switch rnd.IntN(4) {
	case 0:
		p.Receipt = name
	case 1:
		p.Receipt, p.Crumb = name, true
	}
	return p
}
