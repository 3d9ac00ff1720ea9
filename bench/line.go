//go:build linux

package main

import (
	"context"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// shape is what a line is like.
type shape struct {
	delay  time.Duration // from one end to the other; a round trip takes two
	rate   float64       // bytes per second, each way; 0 for no limit
	window int           // bytes of a connection that may be under way each way, and not acknowledged; 0 for no limit
	shared bool          // the rate is that of the whole line, not of each connection
}

// line is a long way to a server, as a TCP proxy: whatever enters a connection
// comes out later by the delay, and no faster than the rate, while more enters.
// So it delays without slowing, as a real line does, also beneath TLS.
type line struct {
	shape
	addr     string // where clients connect
	to       string // the server
	listener net.Listener
	up, down *limiter // of all connections, if they share one

	mu     sync.Mutex
	conns  []net.Conn
	loads  []*atomic.Int64 // bytes to the server, by connection
	closed bool
}

// newLine opens a line to a server. It ends by close.
func newLine(ctx context.Context, to string, s shape) (*line, error) {
	listener, err := s.listen(ctx)
	if err != nil {
		return nil, err
	}
	l := &line{shape: s, addr: listener.Addr().String(), to: to, listener: listener}
	if s.shared {
		l.up, l.down = &limiter{rate: s.rate}, &limiter{rate: s.rate}
	}
	go l.accept()
	return l, nil
}

// listen sees to it that a client cannot write megabytes into the sockets before
// a slow line, which hold no more than fits a real one.
func (s shape) listen(ctx context.Context) (net.Listener, error) {
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		if s.rate > 0 {
			if broken := c.Control(func(fd uintptr) {
				err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, room)
			}); broken != nil {
				return broken
			}
		}
		return err
	}}
	return config.Listen(ctx, "tcp", "127.0.0.1:0")
}

func (l *line) accept() {
	for {
		client, err := l.listener.Accept()
		if err != nil {
			return // it was closed
		}
		server, err := net.Dial("tcp", l.to)
		if err != nil {
			client.Close()
			continue
		}
		l.mu.Lock()
		load := new(atomic.Int64)
		l.conns, l.loads = append(l.conns, client, server), append(l.loads, load)
		if l.closed {
			client.Close()
			server.Close()
		}
		l.mu.Unlock()
		up, down := l.up, l.down
		if !l.shared {
			up, down = &limiter{rate: l.rate}, &limiter{rate: l.rate}
		}
		go l.carry(server, client, up, load)
		go l.carry(client, server, down, new(atomic.Int64))
	}
}

// carry takes bytes from one end to the other until there are no more. A
// connection opens by two packets, back and forth, before its first byte leaves.
func (l *line) carry(to, from net.Conn, limit *limiter, load *atomic.Int64) {
	time.Sleep(2 * l.delay)
	w := newWay(l.shape)
	go w.deliver(to, from)
	for {
		b := make([]byte, l.packet())
		n, err := from.Read(b)
		load.Add(int64(n))
		if n > 0 && !w.put(packet{b[:n], limit.leaves(n).Add(l.delay)}) {
			return
		}
		if err != nil {
			w.put(packet{nil, limit.leaves(0).Add(l.delay)})
			return
		}
	}
}

// busy is how many connections had something to carry to the server.
func (l *line) busy() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, load := range l.loads {
		if load.Load() > 256<<10 {
			n++
		}
	}
	return n
}

// close ends the line and all connections on it.
func (l *line) close() {
	l.listener.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for _, c := range slices.Backward(l.conns) {
		c.Close()
	}
}
