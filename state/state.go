// Package state keeps the records of uploads: in a SQLite database, or in
// memory for tests and servers that are thrown away.
//
// What is promised is said at upload.State and upload.Outbox; the package
// statetest checks it, sentence by sentence.
package state

import (
	"context"
	"errors"
	"time"

	"github.com/muleteer/muleteer/upload"
)

// State is what Open returns.
type State interface {
	upload.State
	upload.Outbox

	// Ping tells whether the state can be reached, by an error if not.
	Ping(ctx context.Context) error
	// Close waits for what has begun and ends the state. Every later call
	// answers ErrClosed.
	Close() error
}

// ErrClosed is what a state answers after Close.
var ErrClosed = errors.New("the state is closed")

// stamp returns t as states keep it: Unix nanoseconds, which reach from the
// year 1678 to 2262, and 0 for the zero time.
func stamp(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

// moment is the inverse of stamp. The time is in UTC.
func moment(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}
