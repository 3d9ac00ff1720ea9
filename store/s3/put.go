package s3

import (
	"cmp"
	"context"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/store"
)

// inFlight is how many pieces of one body may be on their way to the server,
// while the next one comes from the client.
const inFlight = 4

// piece is a run of bytes within one cell that goes to the server as one
// request.
type piece struct {
	extent.Extent
	bytes *buffer
	crc   store.CRC
	part  store.Part
	err   error
	sent  chan struct{} // closed when part or err is there
}

func (s *Store) newPiece() *piece {
	return &piece{bytes: &buffer{memory: s.memory}, sent: make(chan struct{})}
}

// Put is store.Store's. It fills pieces from r, and has up to inFlight of them
// on their way at once. done hears of them in order: what comes after one that
// failed is as if it had never been sent.
func (s *Store) Put(ctx context.Context, o store.Object, e extent.Extent, r io.Reader, done func(store.Part) error) error {
	h, err := s.check(o, e)
	if err != nil || e.Empty() {
		return err
	}
	f, err := s.features(ctx)
	if err != nil {
		return err
	}
	return relay(ctx, done, func(ctx context.Context, start func(*piece, func()) bool) error {
		return s.pieces(ctx, o, e, r, func(p *piece) bool {
			return start(p, func() { s.send(ctx, o, h, f, p) })
		})
	})
}

// relay runs what makes pieces, has several of them on their way at once, and
// tells done of them in order. The one that makes them gives each to start,
// with what makes it durable; it ends when start says so.
func relay(outer context.Context, done func(store.Part) error, run func(ctx context.Context, start func(*piece, func()) bool) error) error {
	ctx, cancel := context.WithCancel(outer)
	defer cancel()
	queue := make(chan *piece, inFlight-1)
	collected := make(chan error, 1)
	go func() { collected <- collect(queue, done, cancel) }()
	read := run(ctx, func(p *piece, send func()) bool {
		select {
		case queue <- p:
		case <-ctx.Done():
			p.bytes.free()
			return false
		}
		go send()
		return true
	})
	close(queue)
	return cmp.Or(<-collected, read, outer.Err())
}

// collect tells done of the pieces, in order, until one fails, and has the
// others end then.
func collect(queue <-chan *piece, done func(store.Part) error, cancel func()) (failed error) {
	for p := range queue {
		<-p.sent
		if failed == nil {
			if failed = p.err; failed == nil {
				failed = done(p.part)
			}
			if failed != nil {
				cancel()
			}
		}
	}
	return failed
}

// check refuses what no store could keep.
func (s *Store) check(o store.Object, e extent.Extent) (handle, error) {
	h, err := parseToken(o.Token)
	if err != nil {
		return h, err
	}
	if e.Start < 0 || e.End < e.Start || o.Size >= 0 && e.End > max(o.Size, e.Start) {
		return h, fmt.Errorf("bytes %d to %d of an object of %d", e.Start, e.End, o.Size)
	}
	if o.Grid.Cell <= 0 {
		return h, fmt.Errorf("an object without a grid cannot be in S3")
	}
	_, cell := o.Grid.At(e.Start)
	_, err = h.number(cell, o.Epoch)
	return h, err
}

// pieces reads e from r and yields what it read, cut by the grid: whole cells,
// if they fit into memory together with some others, else crumbs. It ends
// when r ends, for whatever reason, or when yield says so.
func (s *Store) pieces(ctx context.Context, o store.Object, e extent.Extent, r io.Reader, yield func(*piece) bool) error {
	most := s.memory.budget.Size() / inFlight
	for cell := range o.Grid.Cut(e) {
		for !cell.Empty() {
			p := s.newPiece()
			want := cell.Len()
			if want > most {
				want = max(most/2, 1)
			}
			ended, err := p.fill(ctx, want, r)
			p.Extent = extent.At(cell.Start, p.bytes.n)
			if err != nil || p.Empty() {
				p.bytes.free()
				return err
			}
			if !yield(p) || ended {
				return nil
			}
			cell.Start = p.End
		}
	}
	return nil
}

// fill reads up to want bytes, and tells whether r has ended. It stops early
// when there is no memory for more.
func (p *piece) fill(ctx context.Context, want int64, r io.Reader) (ended bool, err error) {
	b := p.bytes
	for idle := 0; b.n < want; {
		if ctx.Err() != nil {
			return true, nil // why, is told elsewhere
		}
		space := b.space()
		if len(space) == 0 {
			if more, err := b.grow(ctx); err != nil || !more {
				return false, err
			}
			continue
		}
		n, err := r.Read(space[:min(int64(len(space)), want-b.n)])
		p.crc = p.crc.Update(space[:n])
		b.n += int64(n)
		if err != nil {
			return true, nil
		}
		if idle++; n > 0 {
			idle = 0
		} else if idle > 100 {
			return true, nil // a reader that gives nothing and says nothing
		}
	}
	return false, nil
}

// send makes a piece durable, as a part if it fills its cell.
func (s *Store) send(ctx context.Context, o store.Object, h handle, f *features, p *piece) {
	defer close(p.sent)
	p.part = store.Part{Extent: p.Extent, CRC: p.crc}
	if o.Grid.Fills(p.Extent, o.Size) {
		p.part.Receipt, p.err = s.putPart(ctx, o, h, f, p.Extent, p.crc, p.bytes.reader())
		p.bytes.free()
		return
	}
	p.part.Crumb, p.part.Receipt = true, crumbReceipt(o, p.Start)
	key := s.crumbKey(o, p.part)
	in := &s3.PutObjectInput{
		Bucket: s.in(), Key: aws.String(key), Body: p.bytes.reader(), ContentLength: aws.Int64(p.Len()),
		ContentType: aws.String("application/octet-stream"),
	}
	s.encrypt(in)
	if p.err = s.putObject(ctx, in, f, p.crc); p.err != nil {
		p.bytes.free()
		return
	}
	s.memory.keep(key, p.bytes)
}

// putPart uploads a cell and returns its receipt.
func (s *Store) putPart(ctx context.Context, o store.Object, h handle, f *features, e extent.Extent, crc store.CRC, body io.ReadSeeker) (string, error) {
	_, cell := o.Grid.At(e.Start)
	n, err := h.number(cell, o.Epoch)
	if err != nil {
		return "", err
	}
	in := &s3.UploadPartInput{
		Key: aws.String(s.at(o, h)), UploadId: &h.uploadID, PartNumber: &n, Body: body, ContentLength: aws.Int64(e.Len()),
	}
	etag, err := s.uploadPart(ctx, f, in, crc)
	if missing(err) {
		return "", s.gone(ctx, o, h, err)
	}
	return partReceipt(n, etag), err
}

// uploadPart uploads a part, and returns its ETag.
func (s *Store) uploadPart(ctx context.Context, f *features, in *s3.UploadPartInput, crc store.CRC) (etag string, err error) {
	c, err := sumOf(f.sum, crc, in.Body.(io.ReadSeeker))
	if err != nil {
		return "", err
	}
	in.Bucket = s.in()
	c.onPart(in)
	out, err := s.client.UploadPart(ctx, in, unsigned)
	switch {
	case err != nil:
		return "", fmt.Errorf("part %d of %s: %w", *in.PartNumber, *in.Key, translate(err))
	case disagrees(out.ChecksumCRC64NVME, crc):
		return "", fmt.Errorf("part %d of %s: the server computed the checksum %s, not %s", *in.PartNumber, *in.Key, *out.ChecksumCRC64NVME, crc)
	case aws.ToString(out.ETag) == "":
		return "", fmt.Errorf("part %d of %s: the server told no ETag", *in.PartNumber, *in.Key)
	}
	return *out.ETag, nil
}

// putObject puts an object whose body is a buffer.
func (s *Store) putObject(ctx context.Context, in *s3.PutObjectInput, f *features, crc store.CRC) error {
	c, err := sumOf(f.sum, crc, in.Body.(io.ReadSeeker))
	if err != nil {
		return err
	}
	c.onObject(in)
	out, err := s.client.PutObject(ctx, in, unsigned)
	if err != nil {
		return translate(err)
	}
	if disagrees(out.ChecksumCRC64NVME, crc) {
		return fmt.Errorf("%s: the server computed the checksum %s, not %s", *in.Key, *out.ChecksumCRC64NVME, crc)
	}
	return nil
}
