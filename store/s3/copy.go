package s3

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/store"
)

// Copy is store.Copier's. The server copies whole cells, if it tells their
// checksums; what does not fill one passes through. A server that checks
// CRC-64/NVME and does not tell it of a copy is errors.ErrUnsupported.
func (s *Store) Copy(ctx context.Context, o store.Object, at int64, src store.Object, parts []store.Part, done func(store.Part) error) error {
	if err := shape(parts); err != nil || len(parts) == 0 {
		return err
	}
	e := extent.At(at, parts[len(parts)-1].End-parts[0].Start)
	h, err := s.check(o, e)
	if err != nil {
		return err
	}
	f, err := s.features(ctx)
	if err != nil {
		return err
	}
	seen, err := s.look(ctx, s.final(src))
	if err == nil && !owned(seen, src.ID) {
		err = s.notThere(ctx, src)
	}
	if err != nil {
		return err
	}
	c := &copying{s: s, o: o, h: h, f: f, src: src, back: parts[0].Start - at}
	var want, got store.CRC
	for _, p := range parts {
		want = want.Append(p.CRC, p.Len())
	}
	err = relay(ctx, func(p store.Part) error {
		got = got.Append(p.CRC, p.Len())
		return done(p)
	}, func(ctx context.Context, start func(*piece, func()) bool) error { return c.run(ctx, e, start) })
	if err == nil && got != want {
		err = fmt.Errorf("what was copied from %s has the checksum %s, not %s", src.ID, got, want)
	}
	return err
}

// copying is a Copy at work.
type copying struct {
	s    *Store
	o    store.Object
	h    handle
	f    *features
	src  store.Object
	back int64 // what is to be added to an offset in o for the one in src
}

// run starts a piece for each cell.
func (c *copying) run(ctx context.Context, e extent.Extent, start func(*piece, func()) bool) error {
	for cell := range c.o.Grid.Cut(e) {
		if c.f.sum == sumCRC64 && c.o.Grid.Fills(cell, c.o.Size) {
			p := c.s.newPiece()
			p.Extent = cell
			if !start(p, func() { c.cell(ctx, p) }) {
				return nil
			}
			continue
		}
		r, err := c.s.Open(ctx, c.src, extent.Extent{Start: cell.Start + c.back, End: cell.End + c.back})
		if err != nil {
			return err
		}
		got := int64(0)
		err = c.s.pieces(ctx, c.o, cell, r, func(p *piece) bool {
			got += p.Len()
			return start(p, func() { c.s.send(ctx, c.o, c.h, c.f, p) })
		})
		r.Close()
		if err != nil || ctx.Err() != nil {
			return err
		}
		if got != cell.Len() {
			return fmt.Errorf("reading %s ended after %d of %d bytes", c.src.ID, got, cell.Len())
		}
	}
	return nil
}

// cell has the server copy a cell.
func (c *copying) cell(ctx context.Context, p *piece) {
	defer close(p.sent)
	_, cell := c.o.Grid.At(p.Start)
	n, err := c.h.number(cell, c.o.Epoch)
	if err != nil {
		p.err = err
		return
	}
	out, err := c.s.client.UploadPartCopy(ctx, &s3.UploadPartCopyInput{
		Bucket: c.s.in(), Key: aws.String(c.s.at(c.o, c.h)), UploadId: &c.h.uploadID, PartNumber: &n,
		CopySource:      aws.String(c.s.source(c.s.final(c.src))),
		CopySourceRange: aws.String(fmt.Sprintf("bytes=%d-%d", p.Start+c.back, p.End+c.back-1)),
	})
	switch {
	case missing(err):
		p.err = c.s.gone(ctx, c.o, c.h, err)
	case err != nil:
		p.err = fmt.Errorf("copying from %s: %w", c.src.ID, translate(err))
	case out.CopyPartResult == nil || out.CopyPartResult.ETag == nil || out.CopyPartResult.ChecksumCRC64NVME == nil:
		p.err = errors.ErrUnsupported
	default:
		p.part = store.Part{Extent: p.Extent, Receipt: partReceipt(n, *out.CopyPartResult.ETag)}
		p.part.CRC, p.err = store.ParseCRC(*out.CopyPartResult.ChecksumCRC64NVME)
	}
}
