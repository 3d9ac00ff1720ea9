package upload

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/store"
)

// taking is one Write at work.
type taking struct {
	s    *Service
	u    *Record
	c    Chunk
	body *meter
	seen *watch // nil unless somebody wants to see the file's ends

	limit    int64        // no byte may be at or beyond it
	held     []store.Part // durable, but to count only when the body has ended well
	crumbs   bool         // there may be cells to fold
	next     int          // the first of the record's parts that skip has not come to
	gaps     extent.Set   // what of the chunk was missing
	compared int64        // before it may come bytes that are here; what comes earlier waits for the comparison
	conflict bool         // bytes that are here came with others
	failed   error        // why parts could not be recorded
}

// whole tells whether the chunk counts as a whole or not at all.
func (t *taking) whole() bool { return t.c.Atomic || t.c.Verify != nil }

// check refuses what cannot be right, before anything changes.
func (t *taking) check(e extent.Extent) error {
	if t.limit = max(t.u.Size, t.c.Size); t.limit < 0 {
		t.limit = t.s.limit(t.u)
	}
	said := t.c.Size >= 0
	switch {
	case t.c.Append && t.c.At != t.u.Offset:
		return ErrOffset
	case said && t.u.Size >= 0 && t.c.Size != t.u.Size, said && t.c.Size < t.c.At:
		return fmt.Errorf("%w: %d bytes at %d of %d, which was %d", ErrSize, t.c.Len, t.c.At, t.c.Size, t.u.Size)
	case t.u.Phase == Done && t.c.Append && t.body.more():
		return ErrComplete
	case t.c.Len > 0 && e.End > t.limit, t.c.At > t.limit:
		return ErrTooLarge
	}
	return nil
}

// take moves the body into the store, and makes it count.
func (t *taking) take(ctx context.Context, e extent.Extent) error {
	e.End = min(e.End, t.limit)
	if err := t.fill(ctx, e); err != nil {
		return err
	}
	if t.conflict && !t.whole() {
		t.drop(ctx)
		return ErrConflict
	}
	broken := t.broken()
	if !t.whole() {
		// What was held back is as good as what was not, unless the body goes on.
		if errors.Is(broken, ErrTooLarge) {
			t.held = nil
		}
	} else if err := broken; err != nil {
		t.drop(ctx)
		return err
	} else if t.c.Verify != nil {
		if err := t.c.Verify(); err != nil {
			t.drop(ctx)
			return err
		}
	}
	if t.conflict {
		t.drop(ctx)
		return ErrConflict
	}
	if t.whole() && t.c.Size >= 0 {
		u, err := t.s.setSize(ctx, t.u, t.c.Size)
		if err != nil {
			t.drop(ctx)
			return err
		}
		t.u = u
	}
	if err := t.record(ctx, t.held...); err != nil {
		return err
	}
	if broken == nil && t.c.Last {
		u, err := t.s.setSize(ctx, t.u, t.c.At+t.body.n)
		if err != nil {
			return err
		}
		t.u = u
	}
	return broken
}

// fill reads the body to its end and keeps those of its bytes that are missing.
func (t *taking) fill(ctx context.Context, e extent.Extent) error {
	pos := e.Start
	missing := t.u.Ranges().Missing(e)
	if t.u.Phase == Done {
		missing = nil
	}
	t.gaps = missing
	for _, p := range t.u.Parts {
		if !p.Empty() && e.Contains(p.Extent) {
			t.compared = p.Start
		}
	}
	add := func(p store.Part) error { return t.add(ctx, p) }
	for _, gap := range missing {
		t.skip(ctx, extent.Extent{Start: pos, End: gap.Start})
		if t.conflict && !t.whole() {
			return nil
		}
		if t.body.err != nil {
			return nil
		}
		if err := t.s.Store.Put(ctx, t.u.object(), gap, t.body, add); err != nil {
			return cmp.Or(t.failed, storeError(err))
		}
		pos = gap.End
	}
	t.skip(ctx, extent.Extent{Start: pos, End: e.End})
	return nil
}

// add takes a part that has become durable.
func (t *taking) add(ctx context.Context, p store.Part) error {
	t.crumbs = t.crumbs || p.Crumb
	// A body of unknown length may be longer than the file: its last bytes wait
	// until it is known not to be, so that it cannot complete anything before.
	if t.whole() || t.c.Len < 0 && p.End == t.limit || p.Start < t.compared {
		t.held = append(t.held, p)
		return nil
	}
	t.failed = t.record(ctx, p)
	return t.failed
}

// record makes parts count.
func (t *taking) record(ctx context.Context, parts ...store.Part) error {
	if len(parts) == 0 {
		return nil
	}
	p, err := t.s.State.Add(ctx, t.u.ID, t.u.Epoch, parts...)
	switch {
	case errors.Is(err, ErrChanged), errors.Is(err, ErrOverlap):
		// Somebody finished it, removed it, or took it over.
		if u, err := t.s.load(ctx, t.u.ID, extent.Extent{}); err != nil {
			return err
		} else if u.Epoch == t.u.Epoch && u.full() {
			t.u = u
			return nil
		}
		return ErrInterrupted
	case err != nil:
		return stateError(err)
	}
	t.u.Offset, t.u.Here, t.u.Touched = p.Offset, p.Here, t.s.now()
	if t.c.Progress != nil {
		t.c.Progress(p.Offset)
	}
	if t.u.Size < 0 && p.Missing >= 0 { // another writer has told the size
		u, err := t.s.load(ctx, t.u.ID, extent.Extent{})
		if err != nil {
			return err
		}
		t.u.Size = u.Size
	}
	return nil
}

// drop forgets what was kept of an atomic chunk that failed.
func (t *taking) drop(ctx context.Context) {
	var crumbs []store.Part
	for _, p := range t.held {
		if p.Crumb {
			crumbs = append(crumbs, p)
		}
	}
	t.held = nil
	if f, ok := t.s.Store.(store.Folder); ok && len(crumbs) > 0 {
		if err := f.Drop(ctx, t.u.object(), crumbs); err != nil {
			t.s.log().Warn("crumbs of a failed chunk stay until the upload ends", "id", t.u.ID, "error", err)
		}
	}
}

// skip reads bytes that are here already. Where a recorded checksum shows that
// others were sent, it notes a conflict.
func (t *taking) skip(ctx context.Context, e extent.Extent) {
	parts := t.u.Parts
	if t.u.Phase == Done {
		parts = []store.Part{{Extent: extent.Extent{End: t.u.Size}, CRC: t.u.Final.CRC}}
	}
	for ; t.next < len(parts) && parts[t.next].Start < e.End; t.next++ {
		p := parts[t.next]
		if p.Empty() || !e.Contains(p.Extent) {
			continue
		}
		t.body.discard(p.Start - e.Start)
		if crc, n := t.body.discard(p.Len()); n == p.Len() && crc != p.CRC {
			t.conflict = true
		}
		e.Start = p.End
	}
	t.body.discard(e.Len())
}

// broken tells why the body is not what it should have been, or nil.
func (t *taking) broken() error {
	switch {
	case t.body.more():
		return ErrTooLarge
	case t.body.err != io.EOF:
		return t.body.err
	case t.c.Len >= 0 && t.body.n < t.c.Len:
		return io.ErrUnexpectedEOF
	}
	return nil
}

// fold makes parts of the crumbs that fill the cells which the chunk touched.
func (t *taking) fold(ctx context.Context) error {
	for _, p := range t.u.Parts {
		t.crumbs = t.crumbs || p.Crumb
	}
	e := extent.Extent{Start: t.c.At, End: t.c.At + t.body.n}
	if !t.crumbs || e.Empty() || t.u.full() {
		return nil
	}
	first, _ := t.u.Grid.At(e.Start)
	last, _ := t.u.Grid.At(e.End - 1)
	wait, cancel := context.WithTimeout(ctx, takeover)
	defer cancel()
	err := t.s.alone(wait, t.u.ID, func() error {
		u, err := t.s.load(ctx, t.u.ID, extent.Extent{Start: first.Start, End: last.End})
		if err != nil {
			return err
		}
		return t.s.fold(ctx, u)
	})
	if errors.Is(err, ErrBusy) { // whoever finishes it folds it
		return nil
	}
	return err
}
