package s3

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/store"
)

// Copy is store.Copier's. The server copies whole cells, where it tells their
// checksums; what does not fill one passes through. done hears of it when all
// is there and right.
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
	var want store.CRC
	for _, p := range parts {
		want = want.Append(p.CRC, p.Len())
	}
	if f.sum == sumCRC64 && !s.miscopies.Load() {
		told, err := c.byServer(ctx, e, want)
		if !errors.Is(err, errMiscopied) {
			for _, p := range told {
				err = cmp.Or(err, done(p))
			}
			return err
		}
		s.miscopies.Store(true)
	}
	return c.all(ctx, e, want, done)
}

var errMiscopied = errors.New("the server cannot copy, or tells wrong checksums of what it copies")

// byServer copies e, and returns what was copied only if all of it is right.
func (c *copying) byServer(ctx context.Context, e extent.Extent, want store.CRC) (told []store.Part, err error) {
	c.server = true
	defer func() { c.server = false }()
	err = c.all(ctx, e, want, func(p store.Part) error {
		told = append(told, p)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return told, nil
}

// all copies e, which has to have the checksum want.
func (c *copying) all(ctx context.Context, e extent.Extent, want store.CRC, done func(store.Part) error) error {
	var got store.CRC
	err := relay(ctx, func(p store.Part) error {
		got = got.Append(p.CRC, p.Len())
		return done(p)
	}, func(ctx context.Context, start func(*piece, func()) bool) error { return c.run(ctx, e, start) })
	if err == nil && got != want {
		err = fmt.Errorf("copying from %s: the checksum is %s, not %s: %w", c.src.ID, got, want, errMiscopied)
	}
	return err
}

// copying is a Copy at work.
type copying struct {
	s   *Store
	o   store.Object
	h   handle
	f   *features
	src store.Object

	server bool  // the server copies what it can
	back   int64 // what is to be added to an offset in o for the one in src
}

// run starts a piece for each cell.
func (c *copying) run(ctx context.Context, e extent.Extent, start func(*piece, func()) bool) error {
	for cell := range c.o.Grid.Cut(e) {
		if c.server && c.o.Grid.Fills(cell, c.o.Size) {
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
	case bad(err):
		p.err = fmt.Errorf("%w: %w", errMiscopied, err)
	case err != nil:
		p.err = fmt.Errorf("copying from %s: %w", c.src.ID, translate(err))
	case out.CopyPartResult == nil || out.CopyPartResult.ETag == nil || out.CopyPartResult.ChecksumCRC64NVME == nil:
		p.err = errMiscopied
	default:
		p.part = store.Part{Extent: p.Extent, Receipt: partReceipt(n, *out.CopyPartResult.ETag)}
		p.part.CRC, p.err = store.ParseCRC(*out.CopyPartResult.ChecksumCRC64NVME)
	}
}
