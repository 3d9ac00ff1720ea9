package main

import (
	"errors"
	"net/http"
	"sync"
)

// chunk is how large the pieces are that are sent: as large as wished, as small
// as the line and the proxies on it need. It is shared by all files of a put.
type chunk struct {
	mu      sync.Mutex
	most    int64 // bytes; a proxy may have lowered it
	now     int64
	arrived int // pieces without trouble since now changed
}

const (
	// mostChunk stays below the 100 MB at which widespread proxies refuse.
	mostChunk = 95 << 20
	// A piece counts as a whole or not at all, so that on a line that always
	// breaks only small ones arrive.
	leastOnBadLine = 256 << 10
	leastChunk     = 64 << 10
	// leastDirect is what S3 takes as a part.
	leastDirect = 5 << 20
)

// errTooLarge is what a piece is refused with by a proxy, whatever its size.
var errTooLarge = errors.New("something before the server refuses even the smallest pieces as too large (413)")

func newChunk(size int64) *chunk {
	size = min(max(size, 1), mostChunk)
	return &chunk{most: size, now: size}
}

// size is how large the next piece shall be, in bytes.
func (c *chunk) size() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// ok notes that a piece arrived: after a few of them larger ones are tried
// again.
func (c *chunk) ok() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.arrived++; c.arrived >= 4 && c.now < c.most {
		c.now, c.arrived = min(c.now*2, c.most), 0
	}
}

// failed notes that a piece of n bytes did not arrive. It returns an error if
// no smaller one will either.
func (c *chunk) failed(n int64, err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.arrived = 0
	var r *refused
	switch {
	case errors.As(err, &r) && r.status == http.StatusRequestEntityTooLarge:
		switch {
		case r.own:
			return err // the file is too large, not the piece
		case n <= leastChunk:
			return errTooLarge
		}
		c.most = max(min(c.most, n/2), min(leastChunk, c.most))
		c.now = min(c.now, c.most)
	case r == nil && passing(err) && n > leastOnBadLine:
		c.now = min(c.now, max(n/2, leastOnBadLine))
	}
	return nil
}

// shrunk tells whether an error only means that smaller pieces are wanted.
func shrunk(err error) bool {
	var r *refused
	return errors.As(err, &r) && r.status == http.StatusRequestEntityTooLarge && !r.own
}
