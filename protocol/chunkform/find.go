package chunkform

import (
	"context"
	"time"

	"github.com/muleteer/muleteer/upload"
)

// grace is how long a finished file answers for the chunks of one of the same
// name and size.
const grace = 24 * time.Hour

// open returns the upload of q that is not there yet, or nil. There is one at
// most: State.Create sees to that.
func (h *handler) open(ctx context.Context, q *request) (*upload.Record, error) {
	return h.find(ctx, q, upload.Receiving, upload.Joining, upload.Accepting)
}

// done returns the newest finished upload of q, if it is not old, or nil.
func (h *handler) done(ctx context.Context, q *request) (*upload.Record, error) {
	u, err := h.find(ctx, q, upload.Held, upload.Done)
	if u != nil && !h.recent(u) {
		u = nil
	}
	return u, err
}

func (h *handler) recent(u *upload.Record) bool { return h.now().Sub(u.Touched) <= grace }

func (h *handler) find(ctx context.Context, q *request, phases ...upload.Phase) (*upload.Record, error) {
	for u, err := range h.s.Find(ctx, upload.Query{Fingerprint: q.key, Phases: phases, Limit: 1, Near: q.near}) {
		return u, err
	}
	return nil, nil
}

func (h *handler) now() time.Time {
	if h.s.Now != nil {
		return h.s.Now()
	}
	return time.Now()
}
