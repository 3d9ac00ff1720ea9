package upload

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/muleteer/muleteer/extent"
)

// MaxNumber is the highest number of a part, as S3 has it.
const MaxNumber = 10_000

// WriteNumbered takes a part by its number, from 1, instead of its offset; c.Len
// must be known, and c.At is ignored. Parts are nearly always of one size, but
// for the last: that size is Meta.PartSize or, if the client did not say it, the
// size of part 1. A part that fits goes to its place at once. One that does not,
// as the last one of a file of unknown size, or one that comes before its size
// is known, is kept under its number until Complete tells the order; until then
// the last writer of a number wins.
func (s *Service) WriteNumbered(ctx context.Context, id string, number int64, c Chunk) (*Record, error) {
	if err := s.authorize(ctx, MayWrite); err != nil {
		return nil, err
	}
	if number < 1 || number > MaxNumber || c.Len < 0 {
		return nil, fmt.Errorf("%w: part %d of %d bytes", ErrInvalid, number, c.Len)
	}
	u, err := s.load(ctx, id, extent.Extent{})
	if err != nil {
		return u, err
	}
	if u.Meta.Blind {
		return u, errBlind
	}
	if c.Len > s.limit(u) || u.Size >= 0 && c.Len > u.Size {
		return u, ErrTooLarge // which must not be what the size of parts is fixed by
	}
	if number == 1 { // any other may be the last one, and shorter
		if u, err = s.Amend(ctx, id, func(m *Meta) bool {
			if m.PartSize > 0 || c.Len == 0 {
				return false
			}
			m.PartSize = c.Len
			return true
		}); err != nil {
			return u, err
		}
	}
	own := itself(ctx, u)
	aside, err := s.aside(own, u)
	if err != nil {
		return u, err
	}
	c.At = u.placeOf(number)
	if c.Len > 0 && u.Meta.PartSize > 0 && (c.Len == u.Meta.PartSize || u.Size >= 0 && c.At+c.Len == u.Size) {
		if u, err = s.Write(ctx, id, c); err != nil {
			return u, err
		}
	} else if err := s.setAside(own, u, number, c); err != nil {
		return u, err
	}
	for _, old := range aside[number] {
		if err := s.Remove(own, old.ID); err != nil && !errors.Is(err, ErrGone) && !errors.Is(err, ErrNotFound) {
			return u, err
		}
	}
	return u, nil
}

// A Numbered is a part that is here as a whole.
type Numbered struct {
	Number int64 // from 1
	Size   int64 // bytes
}

// Numbered tells how an upload stands, and which of its numbered parts are here,
// in their order. Like Get it disturbs nobody. Of an upload that is whole all
// parts are, as far as all but the last were of one size.
func (s *Service) Numbered(ctx context.Context, id string) (*Record, []Numbered, error) {
	if err := s.authorize(ctx, MayLook); err != nil {
		return nil, nil, err
	}
	u, err := s.load(ctx, id, everything)
	if err != nil {
		return u, nil, err
	}
	sizes := map[int64]int64{}
	if u.Meta.Blind && u.Phase == Receiving {
		all, err := s.blindly(ctx, u)
		for number, a := range all {
			sizes[number] = a.Size
		}
		return u, numbered(sizes), err
	}
	aside, err := s.aside(itself(ctx, u), u)
	if err != nil {
		return u, nil, err
	}
	here := u.Ranges()
	if u.Phase != Receiving {
		here = extent.Of(extent.Extent{End: u.Size})
	}
	for _, e := range here {
		for number := u.firstIn(e); number > 0 && number <= MaxNumber; number++ {
			part := u.part(number)
			if part.Empty() || !e.Contains(part) {
				break
			}
			sizes[number] = part.Len()
		}
	}
	for number, kept := range aside {
		sizes[number] = kept[0].Size
	}
	return u, numbered(sizes), nil
}

// numbered makes parts of sizes by their numbers.
func numbered(sizes map[int64]int64) []Numbered {
	parts := make([]Numbered, 0, len(sizes))
	for _, number := range slices.Sorted(maps.Keys(sizes)) {
		parts = append(parts, Numbered{number, sizes[number]})
	}
	return parts
}

// Complete ends an upload of numbered parts: it consists of these, in this
// order; of none, if none is here. It is ErrInvalid if one of them is not here, or
// if an order is told that the parts which are in their places already do not
// have.
func (s *Service) Complete(ctx context.Context, id string, numbers []int64) (*Record, error) {
	if err := s.authorize(ctx, MayWrite); err != nil {
		return nil, err
	}
	w, err := s.claim(ctx, id, everything, nil, patience)
	if err != nil {
		return nil, err
	}
	defer s.release(w)
	u, err := s.load(ctx, id, everything)
	if err != nil || u.Phase == Done {
		return u, err
	}
	ctx = context.WithoutCancel(ctx)
	rising := slices.IsSorted(numbers) && len(slices.Compact(slices.Clone(numbers))) == len(numbers)
	if u.Meta.Blind && rising {
		return s.completeBlind(ctx, u, numbers)
	}
	own := itself(ctx, u)
	aside, err := s.aside(own, u)
	if err != nil {
		return u, err
	}
	if len(numbers) == 0 && u.Here+int64(len(aside)) > 0 || !rising {
		return u, fmt.Errorf("%w: the numbers of the parts must rise", ErrInvalid)
	}
	size, here := int64(0), u.Ranges()
	for _, number := range numbers {
		if kept := aside[number]; len(kept) > 0 {
			p, err := s.load(own, kept[0].ID, everything)
			if err != nil {
				return u, err
			}
			if p.Size > s.limit(u)-size || u.Size >= 0 && p.Size > u.Size-size {
				return u, fmt.Errorf("%w: with part %d the parts are larger than the file", ErrInvalid, number)
			}
			if err := s.copySource(own, u, size, p); err != nil {
				return u, err
			}
			size += p.Size
			continue
		}
		e := u.part(number)
		if e.Start != size || e.Empty() || !here.Has(e) {
			return u, fmt.Errorf("%w: part %d is not here, or not in its place", ErrInvalid, number)
		}
		size = e.End
	}
	if u, err = s.SetSize(ctx, id, size); err != nil {
		return u, err
	}
	for _, kept := range aside {
		for _, p := range kept {
			if err := s.Remove(own, p.ID); err != nil && !errors.Is(err, ErrGone) && !errors.Is(err, ErrNotFound) {
				s.log().Warn("a part that was placed stays until it expires", "id", p.ID, "error", err)
			}
		}
	}
	return u, nil
}

// setAside keeps a part under its number. It is found only when it is whole.
func (s *Service) setAside(ctx context.Context, u *Record, number int64, c Chunk) error {
	n := New{Protocol: u.Protocol, Size: c.Len, Partial: true, Meta: Meta{Number: number}}
	c.At, c.Size = 0, -1
	p, err := s.Take(ctx, n, c)
	for err == nil {
		p.Fingerprint = u.asideName()
		if err = stateError(s.State.Save(ctx, p)); !errors.Is(err, ErrChanged) {
			break
		}
		p, err = s.load(ctx, p.ID, extent.Extent{})
	}
	if err != nil && p != nil { // a part is whole or it is not there
		err = errors.Join(err, s.Remove(ctx, p.ID))
	}
	return err
}

// aside returns the parts that are kept under numbers, without their own parts;
// of each number the newest first, and then those that it has replaced.
func (s *Service) aside(ctx context.Context, u *Record) (map[int64][]*Record, error) {
	kept := map[int64][]*Record{}
	for p, err := range s.Find(ctx, Query{Fingerprint: u.asideName(), Phases: []Phase{Done}}) {
		if err != nil {
			return nil, err
		}
		kept[p.Meta.Number] = append(kept[p.Meta.Number], p)
	}
	return kept, nil
}

func (u *Record) asideName() string { return Fingerprint(u.Owner, "part", u.ID) }

// part is where a part belongs whose place is known by its number; it is empty
// if there is none, and beyond the file.
func (u *Record) part(number int64) extent.Extent {
	e := extent.At(u.placeOf(number), u.Meta.PartSize)
	if u.Size >= 0 {
		e.End = max(e.Start, min(e.End, u.Size))
	}
	return e
}

// firstIn is the number of the first part that begins in e; 0 while the size of
// parts is not known.
func (u *Record) firstIn(e extent.Extent) int64 {
	if u.Meta.PartSize == 0 {
		return 0
	}
	return e.Start/u.Meta.PartSize + min(1, e.Start%u.Meta.PartSize) + 1
}

func (u *Record) placeOf(number int64) int64 {
	if u.Meta.PartSize > 0 && number-1 > (extent.Max-u.Meta.PartSize)/u.Meta.PartSize {
		return extent.Max
	}
	return (number - 1) * u.Meta.PartSize
}
