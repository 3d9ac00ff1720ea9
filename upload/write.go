package upload

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/store"
)

// patience is how long a request waits for what others do to its upload,
// before the client is told to ask again.
const patience = 20 * time.Second

// Write takes bytes of an upload and returns the record as it stands then, but
// for its parts; with most errors too, so that a client can be told the true
// offset. When the last byte has come the upload is finished before Write
// returns; should that fail, the bytes are safe and Sweep goes on with it.
//
// Bytes that are here already are read and dropped, so that every chunk may be
// sent again. What arrived of a body that breaks is kept, unless the chunk is
// atomic; the error then wraps what the body said, or io.ErrUnexpectedEOF.
func (s *Service) Write(ctx context.Context, id string, c Chunk) (*Record, error) {
	if c.At < 0 || c.Len < -1 || c.Len > extent.Max-c.At || c.Size < -1 {
		return nil, fmt.Errorf("%w: %d bytes at %d of %d", ErrInvalid, c.Len, c.At, c.Size)
	}
	e := extent.At(c.At, c.Len)
	claimed := e
	if c.Append {
		claimed = everything
	}
	w, err := s.claim(ctx, id, claimed, c.Body, patience)
	if err != nil {
		return nil, err
	}
	defer s.release(w)
	u, err := s.load(ctx, id, e)
	if err != nil {
		return u, err
	}
	if len(u.Sources) > 0 {
		return u, fmt.Errorf("%w: a concatenation takes its bytes from its sources", ErrRefused)
	}
	// From here on the client's leaving must not undo what it has brought.
	ctx = context.WithoutCancel(ctx)
	if u.full() && u.Phase != Done {
		if u, err = s.finishWithin(ctx, u, patience); err != nil {
			return u, err
		}
	}
	t := &taking{s: s, u: u, c: c, body: &meter{r: c.Body, stopped: w.stopped}}
	if err := t.check(e); err != nil {
		return u, err
	}
	if c.Size >= 0 && !t.whole() {
		if t.u, err = s.setSize(ctx, u, c.Size); err != nil {
			return t.u, err
		}
	}
	if s.Hook != nil && c.Body != nil {
		t.seen = &watch{Reader: c.Body, pos: c.At, size: max(t.u.Size, c.Size)}
		t.body.r = t.seen
	}
	if err = t.take(ctx, e); err == nil || !t.whole() {
		err = cmp.Or(err, t.inspect(ctx))
	}
	if t.u.full() && t.u.Phase != Done {
		// Also for a client that left right after its last byte.
		u, failed := s.finishWithin(ctx, t.u, patience)
		return u, cmp.Or(err, failed)
	}
	return t.u, cmp.Or(err, t.fold(ctx))
}

// SetSize takes the length of an upload that was begun without one. It may be
// said again, but not changed.
func (s *Service) SetSize(ctx context.Context, id string, size int64) (*Record, error) {
	return s.Write(ctx, id, Chunk{At: 0, Len: 0, Size: size})
}

// setSize keeps the size if it can be true.
func (s *Service) setSize(ctx context.Context, u *Record, size int64) (*Record, error) {
	if size > s.limit() {
		return u, ErrTooLarge
	}
	parts := u.Parts
	for {
		if u.Size == size {
			u.Parts = parts
			return u, nil
		}
		if u.Size >= 0 || u.Phase != Receiving {
			return u, fmt.Errorf("%w: it was %d bytes, now %d", ErrSize, u.Size, size)
		}
		beyond := extent.Extent{Start: size, End: extent.Max}
		v, err := s.load(ctx, u.ID, beyond)
		if err != nil {
			return v, err
		}
		for _, p := range v.Parts {
			if p.End > size {
				return u, fmt.Errorf("%w: %d bytes are fewer than what is here", ErrSize, size)
			}
		}
		if u = v; u.Size >= 0 {
			continue
		}
		u.Size = size
		if u.full() {
			u.Due = s.now()
		}
		if err := s.State.Save(ctx, u); err != nil && !errors.Is(err, ErrChanged) {
			return u, stateError(err)
		} else if err != nil {
			if u, err = s.load(ctx, u.ID, extent.Extent{}); err != nil {
				return u, err
			}
		}
	}
}

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
		t.limit = t.s.limit()
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
		for piece := range t.u.Grid.Cut(gap) {
			if t.body.err != nil {
				return nil
			}
			if err := t.s.Store.Put(ctx, t.u.object(), piece, t.body, add); err != nil {
				return cmp.Or(t.failed, storeError(err))
			}
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

// meter is a body on its way into the store.
type meter struct {
	r       io.Reader
	n       int64           // bytes read
	err     error           // why there are no more
	stopped <-chan struct{} // a later request took over
	ahead   [1]byte         // read by more, not yet given on
	has     bool
}

func (m *meter) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if m.has {
		p[0], m.has = m.ahead[0], false
		m.n++
		return 1, nil
	}
	if m.err != nil {
		return 0, m.err
	}
	if m.r == nil {
		m.err = io.EOF
		return 0, m.err
	}
	n, err := m.r.Read(p)
	m.n += int64(n)
	if m.err = err; err != io.EOF {
		select {
		case <-m.stopped:
			m.err = ErrInterrupted
		default:
		}
	}
	return n, m.err
}

// more tells whether there is another byte, and keeps it for the next Read.
func (m *meter) more() bool {
	for !m.has && m.err == nil {
		n, _ := m.Read(m.ahead[:])
		m.n -= int64(n)
		m.has = n == 1
	}
	return m.has
}

// discard reads up to n bytes and tells their checksum and number.
func (m *meter) discard(n int64) (store.CRC, int64) {
	if n <= 0 || m.err != nil && !m.has {
		return 0, 0
	}
	var crc store.CRC
	var got int64
	buf := make([]byte, min(n, 64<<10))
	for got < n {
		k, err := m.Read(buf[:min(n-got, int64(len(buf)))])
		crc, got = crc.Update(buf[:k]), got+int64(k)
		if err != nil {
			break
		}
	}
	return crc, got
}
