package trial

import (
	"io"
	"math"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// Brittle is a line to a server that can be cut, counts what passes, and can
// stand still.
type Brittle struct {
	Address  string       // host and port
	Up, Down atomic.Int64 // bytes to the server, and from it

	mu    sync.Mutex
	conns map[net.Conn]struct{}
	moved sync.Cond
	until int64 // it stands still once so many bytes have come for the server
	still bool
}

// NewBrittle opens a line that lives as long as the test.
func NewBrittle(t *testing.T, server string) *Brittle {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &Brittle{Address: l.Addr().String(), conns: map[net.Conn]struct{}{}, until: math.MaxInt64}
	b.moved.L = &b.mu
	var open sync.WaitGroup
	open.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s, err := net.Dial("tcp", server)
			if err != nil {
				c.Close()
				continue
			}
			b.mu.Lock()
			b.conns[c], b.conns[s] = struct{}{}, struct{}{}
			b.mu.Unlock()
			for _, way := range []struct {
				to, from net.Conn
				passed   func(n int)
			}{{c, s, b.down}, {s, c, b.up}} {
				open.Go(func() {
					_, _ = io.Copy(way.to, &counted{way.from, way.passed}) // it ends as it likes
					b.forget(way.to, way.from)
				})
			}
		}
	})
	t.Cleanup(func() {
		l.Close()
		b.Let(math.MaxInt64)
		b.Cut()
		open.Wait()
	})
	return b
}

// Let has the line stand still once so many bytes in all have come for the server.
func (b *Brittle) Let(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.until, b.still = n, false
	b.moved.Broadcast()
}

// Still tells whether it stands still.
func (b *Brittle) Still() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.still
}

func (b *Brittle) down(n int) { b.Down.Add(int64(n)) }

func (b *Brittle) up(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for came := b.Up.Add(int64(n)); came > b.until; {
		b.still = true
		b.moved.Wait()
	}
}

// counted tells of what is read before it is given on.
type counted struct {
	io.Reader
	passed func(n int)
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.passed(n)
	return n, err
}

// Cut ends all connections.
func (b *Brittle) Cut() {
	b.mu.Lock()
	all := b.conns
	b.conns = map[net.Conn]struct{}{}
	b.mu.Unlock()
	for c := range all {
		c.Close()
	}
}

func (b *Brittle) forget(conns ...net.Conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range conns {
		c.Close()
		delete(b.conns, c)
	}
}
