package contentrange

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/muleteer/muleteer/internal/wire"
	"github.com/muleteer/muleteer/store"
	"github.com/muleteer/muleteer/upload"
)

// directly lets a client put a piece into the store by itself. It asks for a
// request that does so with all the headers of the piece, and without its bytes;
// in the same way it tells then that they are there.
func (h *handler) directly(a *answer) error {
	ctx, q := a.r.Context(), a.q
	do, known := map[string]func(context.Context, *answer) error{"sign": h.sign, "sent": h.sent}[q.direct]
	switch {
	case !known || a.r.Method != http.MethodPost:
		return fmt.Errorf("x-upload-direct is sign or sent, by POST: %w", upload.ErrInvalid)
	case !q.pinned || q.start || q.query || q.sum == nil || q.total < 0:
		return fmt.Errorf("x-upload-direct needs X-Upload-Fingerprint, X-Upload-Checksum, and a Content-Range with a total: %w", upload.ErrInvalid)
	}
	if n, err := io.ReadFull(wire.Body(a.w, a.r), make([]byte, 1)); n > 0 || err != io.EOF {
		return fmt.Errorf("with x-upload-direct the bytes go elsewhere: %w", upload.ErrInvalid)
	}
	return do(ctx, a)
}

// signature is the answer to who wants to put a piece.
type signature struct {
	Put put `json:"put"`
}

type put struct {
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers"`
	Expires int64             `json:"expires"` // seconds
}

func (h *handler) sign(ctx context.Context, a *answer) error {
	q := a.q
	for range attempts {
		u, err := h.mine(ctx, q)
		if err != nil {
			return err
		}
		if u == nil {
			if u, err = h.begin(ctx, q); errors.Is(err, upload.ErrExists) {
				continue // another request was first
			}
			if err != nil {
				return err
			}
		}
		u, signed, err := h.s.Sign(ctx, u.ID, store.Part{Extent: q.Extent, CRC: *q.sum})
		if errors.Is(err, upload.ErrNoCell) && u != nil && u.Grid.Cell > 0 {
			cell, _ := u.Grid.At(q.Start)
			a.w.Header().Set("X-Upload-Cell", strconv.FormatInt(cell.Len(), 10))
		}
		if err != nil {
			return err
		}
		if signed.URL == "" {
			return a.told(u, false)
		}
		a.about(u)
		wire.JSON(a.w, http.StatusOK, signature{put{signed.URL, signed.Header, int64(time.Until(signed.Until).Seconds())}})
		return nil
	}
	return upload.ErrBusy
}

// begin begins the upload of a piece, if the store takes any from clients.
func (h *handler) begin(ctx context.Context, q *request) (*upload.Record, error) {
	if signs, err := h.s.Direct(ctx); err != nil {
		return nil, err
	} else if signs.Origin == "" {
		return nil, upload.ErrIndirect
	}
	return h.s.Create(ctx, h.new(q))
}

func (h *handler) sent(ctx context.Context, a *answer) error {
	q := a.q
	u, err := h.mine(ctx, q)
	if err == nil && u == nil {
		err = upload.ErrNotFound
	}
	if err != nil {
		return err
	}
	if u, err = h.s.Collect(ctx, u.ID, q.Extent); err != nil {
		return err
	}
	if u.Phase == upload.Receiving && !u.Ranges().Has(q.Extent) {
		return fmt.Errorf("%w: the storage has no such part", upload.ErrNoCell)
	}
	if crc, known := u.Sum(q.Extent); known {
		if a.body = (&body{sum: crc}); crc != *q.sum {
			return upload.ErrConflict // somebody has put others
		}
	}
	return a.told(u, false)
}
