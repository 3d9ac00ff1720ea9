package trial

import (
	"io"
	"net"
	"sync"
	"testing"
)

// Brittle is a line to a server that can be cut.
type Brittle struct {
	Address string // host and port

	mu    sync.Mutex
	conns map[net.Conn]struct{}
}

// NewBrittle opens a line that lives as long as the test.
func NewBrittle(t *testing.T, server string) *Brittle {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &Brittle{Address: l.Addr().String(), conns: map[net.Conn]struct{}{}}
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
			for _, pair := range [][2]net.Conn{{c, s}, {s, c}} {
				open.Go(func() {
					_, _ = io.Copy(pair[0], pair[1]) // it ends as it likes
					b.forget(pair[0], pair[1])
				})
			}
		}
	})
	t.Cleanup(func() {
		l.Close()
		b.Cut()
		open.Wait()
	})
	return b
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
