package upload

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/store"
)

// directLife is how long a client may take until it begins to put a part into
// the store by itself.
const directLife = 15 * time.Minute

var errBlind = fmt.Errorf("%w: its parts go into the storage itself", ErrRefused)

// Direct tells what clients may put into the store themselves; nothing, if it is
// zero.
func (s *Service) Direct(ctx context.Context) (store.Signing, error) {
	d, err := s.signer()
	if err != nil {
		return store.Signing{}, nil
	}
	signs, err := d.Signs(ctx)
	return signs, storeError(err)
}

// signer returns the store as one that signs, or ErrIndirect.
func (s *Service) signer() (store.Signer, error) {
	d, ok := s.Store.(store.Signer)
	if !ok {
		return nil, ErrIndirect
	}
	return d, nil
}

// Sign returns a request by which the client puts the bytes of p, which fill a
// cell of the upload's grid, into the store itself. They count when Collect has
// found them there. The request is zero if they are here already, and the error
// ErrConflict if others are. It is ErrIndirect where they have to come through
// Write, ErrNoCell where only these have to.
func (s *Service) Sign(ctx context.Context, id string, p store.Part) (*Record, store.Signed, error) {
	var none store.Signed
	u, d, _, err := s.signing(ctx, id, p.Extent)
	switch {
	case err != nil:
		return u, none, err
	case u.Meta.Blind:
		return u, none, ErrIndirect
	case u.Size < 0, p.Empty():
		return u, none, ErrNoCell
	case p.End > u.Size:
		return u, none, ErrTooLarge
	case u.Phase != Receiving:
		return u, none, nil
	case u.Ranges().Has(p.Extent):
		if crc, known := u.Sum(p.Extent); known && crc != p.CRC {
			return u, none, ErrConflict
		}
		return u, none, nil
	case !u.Grid.Fills(p.Extent, u.Size), len(u.Ranges().Missing(p.Extent)) != 1, u.Ranges().Missing(p.Extent).Len() != p.Len():
		return u, none, ErrNoCell
	}
	number, err := d.Number(u.object(), p.Extent)
	if err != nil {
		return u, none, storeError(err)
	}
	signed, err := s.signed(ctx, d, u, number, &p)
	return u, signed, err
}

// SignNumbered returns a request by which the client puts a part into the store
// itself, of an upload that was begun as Blind. It has come when Numbered tells
// of it, and counts when Complete names it; how large it is shows only then.
func (s *Service) SignNumbered(ctx context.Context, id string, number int64) (store.Signed, error) {
	u, d, signs, err := s.signing(ctx, id, extent.Extent{})
	switch {
	case err != nil:
		return store.Signed{}, err
	case !u.Meta.Blind || !signs.Blind:
		return store.Signed{}, ErrIndirect
	case u.Phase != Receiving:
		return store.Signed{}, ErrComplete
	case number < 1 || number > signs.Most:
		return store.Signed{}, fmt.Errorf("%w: parts have numbers from 1 to %d", ErrInvalid, signs.Most)
	case number-1 > s.limit(u)/signs.Least: // none before it but the last is smaller
		return store.Signed{}, ErrTooLarge
	}
	return s.signed(ctx, d, u, number, nil)
}

// signing returns an upload for which the caller may have something signed, and
// what signs it.
func (s *Service) signing(ctx context.Context, id string, e extent.Extent) (*Record, store.Signer, store.Signing, error) {
	if err := s.authorize(ctx, MayWrite); err != nil {
		return nil, nil, store.Signing{}, err
	}
	u, err := s.load(ctx, id, e)
	if err != nil {
		return u, nil, store.Signing{}, err
	}
	d, err := s.signer()
	if err != nil {
		return u, nil, store.Signing{}, err
	}
	signs, err := s.Direct(ctx)
	if err == nil && (signs.Origin == "" || len(u.Sources) > 0) {
		err = ErrIndirect
	}
	return u, d, signs, err
}

// signed notes that a client puts a part, so that its upload does not expire
// meanwhile, and that Sweep looks for what the client does not tell; and signs.
func (s *Service) signed(ctx context.Context, d store.Signer, u *Record, number int64, p *store.Part) (store.Signed, error) {
	now := s.now()
	for now.Sub(u.Meta.Signed) >= time.Minute { // not for each part
		u.Meta.Signed = now
		u.Due = s.Expires(u)
		if untold := now.Add(directLife + time.Minute); untold.Before(u.Due) {
			u.Due = untold
		}
		err := s.State.Save(ctx, u)
		if err == nil {
			break
		}
		if !errors.Is(err, ErrChanged) {
			return store.Signed{}, stateError(err)
		}
		v, err := s.load(ctx, u.ID, extent.Extent{})
		if err != nil {
			return store.Signed{}, err
		}
		if v.Phase != Receiving {
			return store.Signed{}, ErrComplete
		}
		u = v
	}
	life := directLife
	if ends := Caller(ctx).Ends; !ends.IsZero() {
		life = min(life, max(ends.Sub(now), time.Second))
	}
	signed, err := d.Sign(ctx, u.object(), number, p, life)
	return signed, storeError(err)
}

// Collect makes those of the bytes e count that clients have put into the store
// themselves, and returns the record with its parts that overlap or touch e. Like
// Write it finishes an upload that becomes full. What the store has is asked for
// only if something was signed and is missing. It disturbs nobody who writes.
func (s *Service) Collect(ctx context.Context, id string, e extent.Extent) (*Record, error) {
	if err := s.authorize(ctx, MayWrite); err != nil {
		return nil, err
	}
	return s.collect(ctx, id, e, patience)
}

// collect is Collect, and waits no longer until the upload is whole.
func (s *Service) collect(ctx context.Context, id string, e extent.Extent, wait time.Duration) (*Record, error) {
	u, err := s.load(ctx, id, e)
	if err != nil || !u.awaits(e) && (!u.full() || u.Whole()) {
		return u, err
	}
	parts, err := s.arrived(ctx, u, e)
	if err != nil {
		return u, s.lose(ctx, id, err)
	}
	ctx = context.WithoutCancel(ctx) // now it is known what the client has brought
	t := &taking{s: s, u: u}
	if err := t.record(ctx, parts...); err != nil {
		return u, err
	}
	if u, err = s.load(ctx, id, e); err != nil {
		return u, err
	}
	if u.full() && !u.Whole() {
		v, failed := s.finishWithin(ctx, u, wait)
		return v, s.lose(ctx, id, failed)
	}
	return u, nil
}

// awaits tells whether some of the bytes e, which u was loaded with, may have
// been put by a client and do not count yet.
func (u *Record) awaits(e extent.Extent) bool {
	return u.Phase == Receiving && !u.Meta.Signed.IsZero() && !u.Meta.Blind && u.Size >= 0 && !u.Ranges().Has(e.Intersect(extent.Extent{End: u.Size}))
}

// arrived returns those of the missing cells of e that are in the store.
func (s *Service) arrived(ctx context.Context, u *Record, e extent.Extent) ([]store.Part, error) {
	d, err := s.signer()
	if err != nil {
		return nil, nil // there is no such thing any more
	}
	cells := map[int64]extent.Extent{}
	first, last := int64(0), int64(0)
	for _, gap := range u.Ranges().Missing(e.Intersect(extent.Extent{End: u.Size})) {
		for cell := range u.Grid.Cut(gap) {
			if !u.Grid.Fills(cell, u.Size) {
				continue
			}
			number, err := d.Number(u.object(), cell)
			if err != nil {
				return nil, storeError(err)
			}
			cells[number] = cell
			first, last = cmp.Or(first, number), number
		}
	}
	if len(cells) == 0 {
		return nil, nil
	}
	var parts []store.Part
	for a, err := range d.Arrived(ctx, u.object(), first, last) {
		if err != nil {
			return nil, storeError(err)
		}
		if cell, wanted := cells[a.Number]; wanted && cell.Len() == a.Size {
			parts = append(parts, store.Part{Extent: cell, CRC: a.CRC, Receipt: a.Receipt})
		}
	}
	return parts, nil
}

// blindly returns the parts of an upload that clients have put by numbers, as far
// as they are in the store.
func (s *Service) blindly(ctx context.Context, u *Record) (map[int64]store.Arrival, error) {
	d, err := s.signer()
	if err != nil {
		return nil, err
	}
	all := map[int64]store.Arrival{}
	for a, err := range d.Arrived(ctx, u.object(), 1, MaxNumber) {
		if err != nil {
			return nil, storeError(err)
		}
		all[a.Number] = a
	}
	return all, nil
}

// completeBlind makes the parts count that clients have put by these numbers, in
// this order, and nothing else.
func (s *Service) completeBlind(ctx context.Context, u *Record, numbers []int64) (*Record, error) {
	if u.Phase != Receiving { // it was told before of which parts the file consists
		return s.SetSize(ctx, u.ID, u.Size)
	}
	signs, err := s.Direct(ctx)
	if err != nil {
		return u, err
	}
	all, err := s.blindly(ctx, u)
	if err != nil {
		return u, err
	}
	if len(numbers) == 0 && len(all) > 0 {
		return u, fmt.Errorf("%w: none of the %d parts that are here is named", ErrInvalid, len(all))
	}
	var parts []store.Part
	size := int64(0)
	for i, number := range numbers {
		a, here := all[number]
		switch {
		case !here:
			return u, fmt.Errorf("%w: part %d is not here", ErrInvalid, number)
		case a.Size == 0 || a.Size < signs.Least && i < len(numbers)-1:
			return u, fmt.Errorf("%w: part %d has %d bytes, and only the last one may have fewer than %d", ErrInvalid, number, a.Size, signs.Least)
		case a.Size > s.limit(u)-size:
			return u, ErrTooLarge
		}
		parts = append(parts, store.Part{Extent: extent.At(size, a.Size), CRC: a.CRC, Receipt: a.Receipt})
		size += a.Size
	}
	if u.Size >= 0 && u.Size != size { // it was completed before, by other parts
		return u, fmt.Errorf("%w: it was %d bytes, now %d", ErrSize, u.Size, size)
	}
	if u, err = s.SetSize(ctx, u.ID, size); err != nil { // nothing counts yet of what a quota refuses
		return u, err
	}
	t := &taking{s: s, u: u}
	if err := t.record(ctx, parts...); err != nil {
		return u, err
	}
	return s.SetSize(ctx, u.ID, size)
}
