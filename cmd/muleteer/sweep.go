package main

import (
	"context"
	"time"
)

// The sweep loop rests at least and at most so long.
const (
	shortRest = time.Second
	longRest  = 30 * time.Second
)

type sweeping struct{}

// sweep does what is due, at the start and then whenever something is, until
// ctx ends.
func (h *house) sweep(ctx context.Context) {
	ctx = context.WithValue(ctx, sweeping{}, true)
	for {
		next, err := h.service.Sweep(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			h.log.Error("sweeping, which is tried again", "error", err)
		}
		rest := longRest
		if !next.IsZero() {
			rest = min(max(time.Until(next), shortRest), longRest)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(rest):
		}
	}
}
