package store

import (
	"context"
	"fmt"
	"math"
	"sync"
)

// Budget is memory that all bodies on their way share, in bytes. Who takes
// some gives it back; who finds none waits, in order, so that nobody starves.
//
// It can only be free of deadlocks if nobody who holds some waits for more
// without end: whoever cannot go on has to give back what it holds, which a
// store does by making it durable. Methods may be called concurrently.
//
// A nil Budget is memory without a bound.
type Budget struct {
	size int64
	of   *Budget // of which this one is a share, or nil

	mu      sync.Mutex
	free    int64
	queue   []*claim
	reclaim []func(n int64)
}

// claim is somebody who waits.
type claim struct {
	n       int64
	granted chan struct{} // closed when n is theirs
}

// NewBudget returns a budget of size bytes.
func NewBudget(size int64) *Budget { return &Budget{size: size, free: size} }

// Share returns a budget of at most n bytes that come out of b. So somebody who
// holds memory while a store works for him leaves the rest of b to the store:
// then both go on, although one waits for the other. Free tells of the share
// alone.
func (b *Budget) Share(n int64) *Budget {
	if b == nil {
		return nil
	}
	return &Budget{size: min(n, b.size), free: min(n, b.size), of: b}
}

// Size returns the bytes of the whole budget.
func (b *Budget) Size() int64 {
	if b == nil {
		return math.MaxInt64
	}
	return b.size
}

// Reclaim adds somebody who holds what he can spare: f is called when n bytes
// are wanted and not there, and gives back what it can, at once. It must be
// called before the budget is used.
func (b *Budget) Reclaim(f func(n int64)) { b.reclaim = append(b.reclaim, f) }

// Try takes n bytes if they are there and nobody waits for them.
func (b *Budget) Try(n int64) bool {
	if b == nil {
		return true
	}
	taken := b.take(n)
	if !taken && len(b.reclaim) > 0 {
		for _, f := range b.reclaim {
			f(n)
		}
		taken = b.take(n)
	}
	if taken && !b.of.Try(n) {
		b.give(n)
		return false
	}
	return taken
}

func (b *Budget) take(n int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.queue) > 0 || b.free < n {
		return false
	}
	b.free -= n
	return true
}

// Take takes n bytes, and waits for them until ctx ends. More than there will
// ever be is an error.
func (b *Budget) Take(ctx context.Context, n int64) error {
	if b == nil || b.Try(n) {
		return nil
	}
	if err := b.wait(ctx, n); err != nil {
		return err
	}
	err := b.of.Take(ctx, n)
	if err != nil {
		b.give(n)
	}
	return err
}

// wait takes n bytes of b alone.
func (b *Budget) wait(ctx context.Context, n int64) error {
	if n > b.size {
		return fmt.Errorf("%d bytes of memory are wanted, and the budget has %d", n, b.size)
	}
	b.mu.Lock()
	c := &claim{n, make(chan struct{})}
	b.queue = append(b.queue, c)
	b.grant()
	b.mu.Unlock()
	// Whoever can spare some since the try has either seen the queue or is asked.
	for _, f := range b.reclaim {
		f(n)
	}
	select {
	case <-c.granted:
		return nil
	case <-ctx.Done():
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case <-c.granted: // it came at the same moment
		return nil
	default:
	}
	for i, w := range b.queue {
		if w == c {
			b.queue = append(b.queue[:i], b.queue[i+1:]...)
			break
		}
	}
	b.grant() // it may have been in the way of a smaller one
	return ctx.Err()
}

// Give gives n bytes back.
func (b *Budget) Give(n int64) {
	if b == nil {
		return
	}
	b.of.Give(n)
	b.give(n)
}

// give gives n bytes back to b alone.
func (b *Budget) give(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.free += n; b.free > b.size {
		panic("store: more was given back to a budget than was taken")
	}
	b.grant()
}

// grant serves who waits, the first one first. The lock must be held.
func (b *Budget) grant() {
	for len(b.queue) > 0 && b.free >= b.queue[0].n {
		b.free -= b.queue[0].n
		close(b.queue[0].granted)
		b.queue = b.queue[1:]
	}
}

// Waiting tells whether somebody waits.
func (b *Budget) Waiting() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.queue) > 0
}

// Free returns the bytes that nobody holds.
func (b *Budget) Free() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.free
}
