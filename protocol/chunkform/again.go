package chunkform

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/internal/wire"
	"github.com/muleteer/muleteer/upload"
)

// compare reads a chunk of a file that is finished. A repeat is nothing new;
// other bytes are another file, which cannot be told apart from this one.
func (h *handler) compare(ctx context.Context, q *request, c *content, u *upload.Record) error {
	k, err := q.chunk(ctx, c, u.Meta.PartSize)
	if err != nil {
		return err
	}
	r, _, err := h.s.Open(ctx, u.ID, extent.At(k.At, -1))
	if err != nil {
		return err
	}
	defer r.Close()
	another := fmt.Errorf("%w: a file of this name and size was finished not long ago, and this is another one; rename it", upload.ErrConflict)
	same, err := wire.Same(c, r)
	if err != nil {
		return err
	}
	if !same && k.Verify != nil {
		if _, err := io.Copy(io.Discard, c); err != nil {
			return err
		}
		return cmp.Or(k.Verify(), another)
	}
	if !same || k.Len >= 0 && c.n != k.Len || k.Last && k.At+c.n != u.Size {
		return another
	}
	return nil
}

// The times of waiting for another request that brings the same chunk.
const (
	outlivePatience = 20 * time.Second // proxies give up later
	outliveInterval = 200 * time.Millisecond
)

// outlive waits until the later request, which took over, has brought the
// chunk: two who send one file at once finish it together, and neither has to
// try again.
func (h *handler) outlive(ctx context.Context, q *request, u *upload.Record, k upload.Chunk) (*upload.Record, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), outlivePatience)
	defer cancel()
	tick := time.NewTicker(outliveInterval)
	defer tick.Stop()
	for k.Len >= 0 {
		v, err := h.s.Get(ctx, u.ID)
		if err != nil {
			return v, err
		}
		if v.Phase != upload.Receiving || v.Ranges().Has(extent.At(k.At, k.Len)) {
			return v, nil
		}
		select {
		case <-ctx.Done():
			return v, upload.ErrInterrupted
		case <-tick.C:
		}
	}
	return u, upload.ErrInterrupted
}
