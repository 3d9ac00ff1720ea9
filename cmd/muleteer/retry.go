package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"
)

// patience is how a client waits for a server that does not answer as it
// should: longer each time, but never long.
type patience struct {
	failures int
	damaged  int           // how often bytes arrived damaged
	limit    time.Duration // gives up after so long without success; 0: never
	since    time.Time     // of the first failure in a row
}

const (
	firstWait   = 250 * time.Millisecond
	longestWait = 30 * time.Second
	// damages is how often bytes may arrive damaged before something must be
	// wrong that no repetition heals.
	damages = 5
)

// errDamaged is what bytes are sent again for that arrived as others.
var errDamaged = errors.New("the bytes arrived damaged")

// passing tells whether a repetition can end in success.
func passing(err error) bool {
	var r *refused
	if !errors.As(err, &r) {
		return !errors.Is(err, errChanged) && !errors.Is(err, errStrange) && !errors.Is(err, context.Canceled)
	}
	switch r.status {
	case http.StatusRequestTimeout, http.StatusConflict, http.StatusLocked, http.StatusTooEarly,
		http.StatusTooManyRequests, statusChecksum:
		return true
	case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported:
		return false
	}
	return r.status >= 500
}

const statusChecksum = 460

// success makes the next failure the first one.
func (p *patience) success() { p.failures, p.damaged = 0, 0 }

// wait waits until it is time to try again after err, and tells so to note. It
// returns an error if there is no sense in trying again.
func (p *patience) wait(ctx context.Context, err error, note func(string)) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if !passing(err) {
		return err
	}
	var r *refused
	refusal := errors.As(err, &r)
	if errors.Is(err, errDamaged) || refusal && r.status == statusChecksum {
		if p.damaged++; p.damaged >= damages {
			return fmt.Errorf("%w, %d times in a row; something on the way changes them", errDamaged, p.damaged)
		}
	}
	if p.failures == 0 {
		p.since = time.Now()
	}
	if p.limit > 0 && time.Since(p.since) > p.limit {
		return fmt.Errorf("given up after %v: %w", span(p.limit), reason(err))
	}
	d := pause(p.failures)
	if refusal && r.after > 0 {
		d = min(r.after, longestWait)
	}
	p.failures++
	if p.failures > 1 {
		note(fmt.Sprintf("%v; again in %v", reason(err), d.Round(100*time.Millisecond)))
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// pause is the wait after so many failures: twice as long each time, and never
// the same for two clients that failed together.
func pause(failures int) time.Duration {
	d := min(firstWait<<min(failures, 10), longestWait)
	return d/2 + rand.N(d/2)
}
