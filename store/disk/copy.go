package disk

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/store"
)

// Copy is store.Copier's. The bytes are shared or copied by the kernel where it
// can; their checksums are those of the source and are not computed again.
func (s *Store) Copy(ctx context.Context, o store.Object, at int64, src store.Object, parts []store.Part, done func(store.Part) error) error {
	if err := checkID(o.ID); err != nil || len(parts) == 0 {
		return err
	}
	whole := extent.Extent{Start: parts[0].Start, End: parts[0].Start}
	for _, p := range parts {
		if p.Start != whole.End || p.Empty() || p.Crumb {
			return fmt.Errorf("%s after %s: %w", p.Extent, whole, store.ErrParts)
		}
		whole.End = p.End
	}
	if err := errors.Join(checkExtent(o, extent.At(at, whole.Len())), checkExtent(src, whole)); err != nil {
		return err
	}
	from, err := s.at(src)
	if err != nil {
		return err
	}
	defer from.Close()
	if info, err := from.stat(); err != nil || info.Size() < whole.End {
		return errors.Join(err, fmt.Errorf("%s is shorter than %d bytes: %w", src.ID, whole.End, store.ErrGone))
	}
	h, err := s.handles.take(o.ID)
	if err != nil {
		return wrap(err)
	}
	defer h.give()
	c := &put{s: s, h: h, done: done}
	return wrap(c.copy(ctx, from, parts, at-whole.Start))
}

// copied is how many bytes are copied between two syncs, at least.
const copied = 256 << 20

// copy copies the parts, moved by so many bytes.
func (p *put) copy(ctx context.Context, from file, parts []store.Part, move int64) error {
	var run []store.Part
	var size int64
	for i, part := range parts {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := p.copyPart(from, part.Start, move, part.Len()); err != nil {
			return err
		}
		e := extent.Extent{Start: part.Start + move, End: part.End + move}
		run, size = append(run, store.Part{Extent: e, CRC: part.CRC}), size+e.Len()
		if size < copied && i < len(parts)-1 {
			continue
		}
		whole := run[0]
		for _, q := range run[1:] {
			whole.CRC, whole.End = whole.CRC.Append(q.CRC, q.Len()), q.End
		}
		if err := p.settle(whole); err != nil {
			return err
		}
		run, size = run[:0], 0
	}
	return nil
}

func (p *put) copyPart(from file, off, move, n int64) error {
	k, err := p.h.f.copy(off+move, from, off, n)
	if err == nil {
		return nil
	}
	if !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	w := io.NewOffsetWriter(p.h.f, off+move+k)
	wrote, err := io.CopyBuffer(struct{ io.Writer }{w}, io.NewSectionReader(from, off+k, n-k), make([]byte, 256<<10))
	if err == nil && wrote < n-k {
		err = io.ErrUnexpectedEOF
	}
	return err
}
