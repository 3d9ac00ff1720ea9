package mem

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/store"
)

// run is in how many bytes Put cuts where there is no grid.
const run = 64 << 10

// Put is store.Store's.
func (s *Store) Put(ctx context.Context, o store.Object, e extent.Extent, r io.Reader, done func(store.Part) error) error {
	if err := s.check(ctx, o, e); err != nil {
		return err
	}
	for cell := range s.cells(o).Cut(e) {
		if err := s.reach(o, cell.Start); err != nil {
			return err
		}
		b, broken := io.ReadAll(io.LimitReader(r, cell.Len()))
		n := int64(len(b))
		if n > 0 {
			p, err := s.keep(ctx, o, extent.At(cell.Start, n), b)
			if err != nil {
				return err
			}
			if err := done(p); err != nil {
				return err
			}
		}
		if broken != nil || n < cell.Len() {
			return nil
		}
	}
	return nil
}

// cells is how Put cuts what comes.
func (s *Store) cells(o store.Object) store.Grid {
	if s.options.Cell == 0 {
		return store.Grid{Cell: run}
	}
	return o.Grid
}

// check refuses what no store could keep.
func (s *Store) check(ctx context.Context, o store.Object, e extent.Extent) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if e.Start < 0 || e.End < e.Start || o.Size >= 0 && e.End > max(o.Size, e.Start) {
		return fmt.Errorf("bytes %d to %d of an object of %d", e.Start, e.End, o.Size)
	}
	if o.Grid != s.grid() {
		return fmt.Errorf("an object on the grid %v in a store on the grid %v", o.Grid, s.grid())
	}
	return s.reach(o, e.Start)
}

// reach refuses a byte that is in a cell too many.
func (s *Store) reach(o store.Object, off int64) error {
	_, number := o.Grid.At(off)
	if most := int64(s.options.MaxParts); most > 0 && number >= most {
		return fmt.Errorf("byte %d is in cell %d, and there are %d", off, number, most)
	}
	return nil
}

// keep keeps the bytes of e.
func (s *Store) keep(ctx context.Context, o store.Object, e extent.Extent, b []byte) (store.Part, error) {
	if err := ctx.Err(); err != nil {
		return store.Part{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	u, err := s.lookup(o)
	if errors.Is(err, store.ErrGone) && s.options.Cell == 0 {
		u = s.create(o.ID, o.Hidden)
	} else if err != nil {
		return store.Part{}, err
	}
	if u.final != nil {
		return store.Part{}, fmt.Errorf("%s is joined: %w", o.ID, store.ErrGone)
	}
	p := store.Part{Extent: e, CRC: store.CRC(0).Update(b)}
	switch {
	case s.options.Cell == 0:
		u.file.write(e.Start, b)
		u.here = u.here.Add(e)
	case o.Grid.Fills(e, o.Size):
		p = u.fill(o, p, b)
	default:
		s.serial++
		p.Crumb, p.Receipt = true, fmt.Sprintf("crumb-%d-%d-%d", e.Start, o.Epoch, s.serial)
		u.crumbs[p.Receipt] = piece{p, b}
	}
	return p, nil
}

// fill makes p the part of its cell and epoch.
func (u *upload) fill(o store.Object, p store.Part, b []byte) store.Part {
	_, cell := o.Grid.At(p.Start)
	p.Receipt = fmt.Sprintf("part-%d-%d-%s", cell, o.Epoch, p.CRC)
	u.slots[slot{cell, o.Epoch}] = piece{p, b}
	return p
}

// Fold is store.Folder's.
func (s *Store) Fold(ctx context.Context, o store.Object, crumbs []store.Part) (store.Part, error) {
	if len(crumbs) == 0 {
		return store.Part{}, fmt.Errorf("no crumbs: %w", store.ErrParts)
	}
	whole := extent.Extent{Start: crumbs[0].Start, End: crumbs[len(crumbs)-1].End}
	if err := s.check(ctx, o, whole); err != nil {
		return store.Part{}, err
	}
	if s.options.Cell == 0 || !o.Grid.Fills(whole, o.Size) {
		return store.Part{}, fmt.Errorf("%s does not fill its cell: %w", whole, store.ErrParts)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	u, err := s.lookup(o)
	if err != nil {
		return store.Part{}, err
	}
	if u.final != nil {
		return store.Part{}, fmt.Errorf("%s is joined: %w", o.ID, store.ErrGone)
	}
	var bytes []byte
	pos := whole.Start
	for _, p := range crumbs {
		c, ok := u.crumbs[p.Receipt]
		if !ok || c.Part != p || p.Start != pos {
			return store.Part{}, fmt.Errorf("crumb %s: %w", p.Extent, store.ErrParts)
		}
		bytes, pos = append(bytes, c.bytes...), p.End
	}
	return u.fill(o, store.Part{Extent: whole, CRC: store.CRC(0).Update(bytes)}, bytes), nil
}

// Drop is store.Folder's.
func (s *Store) Drop(ctx context.Context, o store.Object, crumbs []store.Part) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	u, err := s.lookup(o)
	if err != nil {
		return nil // nothing is left to drop
	}
	for _, p := range crumbs {
		if !p.Crumb {
			return fmt.Errorf("%s is no crumb: %w", p.Extent, store.ErrParts)
		}
		delete(u.crumbs, p.Receipt)
	}
	return nil
}

// Copy is store.Copier's. Like S3, it can only copy from what is joined, or
// answers ErrNotYet.
func (s *Store) Copy(ctx context.Context, o store.Object, at int64, src store.Object, parts []store.Part, done func(store.Part) error) error {
	if err := shape(parts); err != nil || len(parts) == 0 {
		return err
	}
	from := extent.Extent{Start: parts[0].Start, End: parts[len(parts)-1].End}
	r, err := s.Open(ctx, src, from)
	if err != nil {
		return err
	}
	for e := range o.Grid.Cut(extent.At(at, from.Len())) {
		if err := s.Put(ctx, o, e, r, done); err != nil {
			return err
		}
	}
	return nil
}
