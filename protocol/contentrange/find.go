package contentrange

import (
	"context"

	"github.com/muleteer/muleteer/upload"
)

// open returns the upload of q that is not there yet, or nil. There is one at
// most: State.Create sees to that.
func (h *handler) open(ctx context.Context, q *request) (*upload.Record, error) {
	return h.find(ctx, q, upload.Receiving, upload.Joining, upload.Accepting)
}

// done returns the newest finished upload of q, or nil.
func (h *handler) done(ctx context.Context, q *request) (*upload.Record, error) {
	return h.find(ctx, q, upload.Held, upload.Done)
}

func (h *handler) find(ctx context.Context, q *request, phases ...upload.Phase) (*upload.Record, error) {
	for u, err := range h.s.Find(ctx, upload.Query{Fingerprint: q.key, Phases: phases, Limit: 1}) {
		return u, err
	}
	return nil, nil
}

// newest returns the upload of which somebody asks: the open one, else the
// newest finished one, else ErrNotFound.
func (h *handler) newest(ctx context.Context, q *request) (*upload.Record, error) {
	u, err := h.open(ctx, q)
	if u == nil && err == nil {
		u, err = h.done(ctx, q)
	}
	if u == nil && err == nil {
		err = upload.ErrNotFound
	}
	return u, err
}

// differs tells whether an upload cannot be of a file with total bytes; -1 fits
// every one.
func differs(u *upload.Record, total int64) bool {
	if total < 0 {
		return false
	}
	return u.Size != total && (u.Size >= 0 || u.Here > total)
}

// offset is how much of u is here from its start on; of none, nothing.
func offset(u *upload.Record) int64 {
	if u == nil {
		return 0
	}
	return u.Offset
}
