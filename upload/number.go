package upload

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/muleteer/muleteer/extent"
)

// maxNumber is the highest number of a part, as S3 has it.
const maxNumber = 10_000

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
	if number < 1 || number > maxNumber || c.Len < 0 {
		return nil, fmt.Errorf("%w: part %d of %d bytes", ErrInvalid, number, c.Len)
	}
	u, err := s.load(ctx, id, extent.Extent{})
	if err != nil {
		return u, err
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
	aside, err := s.setAside(own, u, number)
	if err != nil {
		return u, err
	}
	c.At = u.placeOf(number)
	if c.Len == u.Meta.PartSize || u.Meta.PartSize > 0 && u.Size >= 0 && c.At+c.Len == u.Size {
		if u, err = s.Write(ctx, id, c); err != nil {
			return u, err
		}
	} else {
		n := New{Protocol: u.Protocol, Size: c.Len, Partial: true, Fingerprint: u.asideName(number)}
		c.At, c.Size = 0, -1
		for old, err := range s.Find(own, Query{Fingerprint: n.Fingerprint, Phases: []Phase{Receiving, Joining, Accepting}}) {
			if err != nil {
				return u, err
			}
			if err := s.Remove(own, old.ID); err != nil && !errors.Is(err, ErrGone) {
				return u, err
			}
		}
		if p, err := s.Take(own, n, c); err != nil {
			if p != nil { // a part is whole or it is not there
				err = errors.Join(err, s.Remove(own, p.ID))
			}
			return u, err
		}
	}
	for _, old := range aside {
		if err := s.Remove(own, old.ID); err != nil && !errors.Is(err, ErrGone) && !errors.Is(err, ErrNotFound) {
			return u, err
		}
	}
	return u, nil
}

// Complete ends an upload of numbered parts: it consists of these, in this
// order. It is ErrInvalid if one of them is not here, or if an order is told
// that the parts which are in their places already do not have.
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
	if len(numbers) == 0 || !slices.IsSorted(numbers) || len(slices.Compact(slices.Clone(numbers))) != len(numbers) {
		return u, fmt.Errorf("%w: the numbers of the parts must rise", ErrInvalid)
	}
	ctx = context.WithoutCancel(ctx)
	own := itself(ctx, u)
	size, here := int64(0), u.Ranges()
	var aside []*Record
	for _, number := range numbers {
		kept, err := s.setAside(own, u, number)
		if err != nil {
			return u, err
		}
		if len(kept) > 0 {
			if err := s.copySource(own, u, size, kept[0]); err != nil {
				return u, err
			}
			aside, size = append(aside, kept...), size+kept[0].Size
			continue
		}
		e := extent.At(u.placeOf(number), u.Meta.PartSize)
		if u.Size >= 0 {
			e.End = min(e.End, u.Size)
		}
		if e.Start != size || e.Empty() || !here.Has(e) {
			return u, fmt.Errorf("%w: part %d is not here, or not in its place", ErrInvalid, number)
		}
		size = e.End
	}
	if u, err = s.SetSize(ctx, id, size); err != nil {
		return u, err
	}
	for _, p := range aside {
		if err := s.Remove(own, p.ID); err != nil {
			s.log().Warn("a part that was placed stays until it expires", "id", p.ID, "error", err)
		}
	}
	return u, nil
}

// setAside returns the part that is kept under a number, and older ones that
// it has replaced; the newest first.
func (s *Service) setAside(ctx context.Context, u *Record, number int64) ([]*Record, error) {
	var kept []*Record
	for p, err := range s.Find(ctx, Query{Fingerprint: u.asideName(number), Phases: []Phase{Done}}) {
		if err != nil {
			return nil, err
		}
		if p, err = s.load(ctx, p.ID, everything); err != nil {
			return nil, err
		}
		kept = append(kept, p)
	}
	return kept, nil
}

func (u *Record) asideName(number int64) string {
	return Fingerprint(u.Owner, "part", u.ID, strconv.FormatInt(number, 10))
}

func (u *Record) placeOf(number int64) int64 {
	if u.Meta.PartSize > 0 && number-1 > (extent.Max-u.Meta.PartSize)/u.Meta.PartSize {
		return extent.Max
	}
	return (number - 1) * u.Meta.PartSize
}
