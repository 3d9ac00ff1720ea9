package chunkform

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/internal/wire"
	"github.com/muleteer/muleteer/upload"
)

// attempts is how often a request looks for its upload again, when others
// begin and end uploads of the same name at the same time.
const attempts = 16

// write takes a chunk into its upload, which it begins if it has to.
func (h *handler) write(ctx context.Context, q *request, c *content) (*upload.Record, error) {
	for range attempts {
		u, err := h.mine(ctx, q)
		if err != nil {
			return u, err
		}
		switch {
		case u == nil:
			u, err = h.begin(ctx, q, c)
		case u.Whole():
			err = h.compare(ctx, q, c, u)
		default:
			u, err = h.put(ctx, q, c, u)
		}
		if errors.Is(err, upload.ErrExists) && c.rewind() {
			continue // another request was first to begin it
		}
		return u, err
	}
	return nil, upload.ErrBusy
}

// mine returns the upload to which a chunk belongs, finished or not; nil if it
// begins one.
func (h *handler) mine(ctx context.Context, q *request) (*upload.Record, error) {
	u, err := h.open(ctx, q)
	anew := q.sequential && q.first()
	switch {
	case err != nil:
		return nil, err
	case u != nil && anew:
		return nil, h.supersede(ctx, u)
	case u != nil:
		return u, nil
	}
	if err := h.s.Refused(ctx, q.key); err != nil {
		return nil, err
	}
	if u, err = h.done(ctx, q); err != nil || u != nil && !anew {
		return u, err
	}
	if resumed, _ := q.said.get("qqresume"); q.alone && resumed == "true" {
		return nil, errReset
	}
	return nil, nil
}

// errReset tells Fine Uploader, which resumes without asking what is here, to
// start over.
var errReset = fmt.Errorf("%w any more; it starts over", upload.ErrNotFound)

// supersede ends an upload of which the first chunk comes again, from a client
// that calls all its files by their names.
func (h *handler) supersede(ctx context.Context, u *upload.Record) error {
	if u.Phase != upload.Receiving {
		// Its bytes are all here, and nobody throws away a whole file.
		u, err := h.s.Settle(ctx, u.ID)
		if err == nil && !u.Whole() {
			err = upload.ErrBusy
		}
		return err
	}
	err := h.s.Withdraw(ctx, u.ID)
	if errors.Is(err, upload.ErrNotFound) || errors.Is(err, upload.ErrGone) {
		err = nil
	}
	return err
}

// begin takes the first chunk that comes of a file.
func (h *handler) begin(ctx context.Context, q *request, c *content) (*upload.Record, error) {
	if h.s.MaxSize > 0 && q.total > h.s.MaxSize {
		return nil, upload.ErrTooLarge
	}
	k, err := q.chunk(ctx, c, 0)
	if err != nil {
		return nil, err
	}
	if q.sequential && k.At > 0 {
		return nil, fmt.Errorf("nothing is here of what comes before this chunk: %w", upload.ErrOffset)
	}
	n := upload.New{
		Protocol: q.client.name, Size: k.Size, Meta: q.meta, Type: q.kind, Fingerprint: q.key,
		Chunk: max(q.step, q.length, 0),
	}
	if n.Word, err = wire.Word(q.said.r.Header, q.said.field, q.meta.Name, q.total); err != nil {
		return nil, err
	}
	// Who sends a file that another one has finished just now ends with the same
	// file; what was sent long ago, or by those who begin anew, is another.
	old, err := h.find(ctx, q, upload.Held, upload.Done)
	if err != nil {
		return nil, err
	}
	n.Once = !q.sequential && (old == nil || h.recent(old))
	if q.whole {
		n.Chunk = 0
		c.try(upload.Small) // so that it can be taken again
		return h.s.Take(ctx, n, k)
	}
	u, err := h.s.Create(ctx, n)
	if err != nil {
		return nil, err
	}
	return h.put(ctx, q, c, u)
}

// put writes a chunk to its upload.
func (h *handler) put(ctx context.Context, q *request, c *content, u *upload.Record) (*upload.Record, error) {
	k, err := q.chunk(ctx, c, u.Meta.PartSize)
	if err != nil {
		return u, err
	}
	switch {
	case q.sequential && k.At > u.Offset:
		return u, fmt.Errorf("the chunk before this one is not here: %w", upload.ErrOffset)
	case q.measured() && !q.whole:
		intact := k.Verify
		k.Verify = func() error {
			if intact != nil {
				if err := intact(); err != nil {
					return err
				}
			}
			return h.measure(ctx, q, u.ID, k.At, c.n)
		}
	}
	if name := q.meta.Name; q.lateName && name != "" {
		if _, err := h.s.Amend(ctx, u.ID, func(m *upload.Meta) bool {
			before := m.Name
			m.Name = cmp.Or(before, name)
			return before == ""
		}); err != nil {
			return u, err
		}
	}
	u, err = h.s.Write(ctx, u.ID, k)
	if errors.Is(err, upload.ErrInterrupted) && u != nil {
		return h.outlive(ctx, q, u, k)
	}
	return u, err
}

// chunk says where the bytes of a request belong, if the chunks but the last
// have partSize bytes, 0 while that is not known. It may have to hold them for
// that.
func (q *request) chunk(ctx context.Context, c *content, partSize int64) (upload.Chunk, error) {
	k := upload.Chunk{At: q.at, Len: q.length, Size: q.size(), Body: c, Last: q.last && q.size() < 0}
	// What a form that breaks off ends with may be a piece of its boundary, and
	// only the length would tell.
	k.Atomic = k.Len < 0
	if q.sum != nil {
		c.hash = sha256.New()
		k.Verify = func() error {
			if !bytes.Equal(c.hash.Sum(nil), q.sum) {
				return errDamaged
			}
			return nil
		}
	}
	switch {
	case q.whole && k.Len < 0:
		k.At, k.Len = 0, k.Size
		return k, nil
	case !q.measured():
		return k, nil
	case q.index == 0:
		k.At = 0
	case partSize > 0:
		k.At = product(q.index, partSize)
	default:
		if err := c.hold(ctx); err != nil {
			return k, held(c, err)
		}
		switch {
		case !q.last:
			k.At = product(q.index, c.size)
		case q.total >= 0:
			k.At = max(q.total-c.size, 0) // too much is refused below
		default:
			return k, fmt.Errorf("the last chunk came before the others, and nothing tells its place: %w", upload.ErrOffset)
		}
	}
	if c.held != nil {
		k.Len = c.size
	}
	if q.total >= 0 && k.At > q.total-max(k.Len, 0) {
		return k, fmt.Errorf("the chunk lies beyond the end of the file of %d bytes: %w", q.total, upload.ErrInvalid)
	}
	return k, nil
}

// errDamaged is passing: the page sends the chunk again.
var errDamaged = fmt.Errorf("the chunk is not what its %s says: %w", chunkSum, upload.ErrChecksum)

// product is a times b, extent.Max if that is too much.
func product(a, b int64) int64 {
	if b > 0 && a > extent.Max/b {
		return extent.Max
	}
	return a * b
}

// measure keeps the size of the chunks, which shows by one of them that is not
// the last, and refuses one of n bytes at at that contradicts it.
func (h *handler) measure(ctx context.Context, q *request, id string, at, n int64) error {
	if q.last {
		if q.total >= 0 && at+n != q.total {
			return fmt.Errorf("the last chunk ends at %d and not at %d: %w", at+n, q.total, upload.ErrInvalid)
		}
		return nil
	}
	u, err := h.s.Amend(ctx, id, func(m *upload.Meta) bool {
		if m.PartSize > 0 || n == 0 {
			return false
		}
		m.PartSize = n
		return true
	})
	if err == nil && u.Meta.PartSize != n {
		err = fmt.Errorf("a chunk of %d bytes among chunks of %d: %w", n, u.Meta.PartSize, upload.ErrInvalid)
	}
	return err
}
