//go:build linux

package main

import (
	"net"
	"sync"
	"time"
)

const (
	// room is how many bytes wait before a slow line, as in a router.
	room = 128 << 10
	// wide is how many bytes a line without a limit holds in each direction:
	// those of 25 ms, at more than a machine can do.
	wide = 64 << 20
)

// packet is how many bytes travel together, at most.
func (s shape) packet() int {
	if s.rate > 0 {
		return 8 << 10
	}
	return 64 << 10
}

// packet is some bytes and when they arrive; none for the end.
type packet struct {
	bytes []byte
	at    time.Time
}

// way is what is under way in one direction of a connection.
type way struct {
	mu    sync.Mutex
	moved sync.Cond
	queue []packet
	held  int // bytes, also those that just arrive
	most  int
	gone  bool // nobody takes them any more
}

func newWay(s shape) *way {
	w := &way{most: s.window / 2} // the other half is acknowledged, which is under way back
	switch {
	case s.rate > 0:
		w.most = room + int(s.rate*s.delay.Seconds())
	case s.window == 0:
		w.most = wide
	}
	w.moved.L = &w.mu
	return w
}

// put waits until the way has room. It is false if there is no other end.
func (w *way) put(p packet) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.held+len(p.bytes) > w.most && !w.gone {
		w.moved.Wait()
	}
	w.queue = append(w.queue, p)
	w.held += len(p.bytes)
	w.moved.Broadcast()
	return !w.gone
}

// next returns the first packet of the queue.
func (w *way) next() packet {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.queue) == 0 {
		w.moved.Wait()
	}
	p := w.queue[0]
	w.queue = w.queue[1:]
	return p
}

// arrived makes room for n bytes.
func (w *way) arrived(n int, gone bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.held -= n
	w.gone = gone
	w.moved.Broadcast()
}

// deliver hands over what is under way, each packet at its time, up to the end
// of it. What cannot be handed over breaks the connection.
func (w *way) deliver(to, from net.Conn) {
	for {
		p := w.next()
		time.Sleep(time.Until(p.at))
		if p.bytes == nil {
			end(to)
			return
		}
		_, err := to.Write(p.bytes)
		w.arrived(len(p.bytes), err != nil)
		if err != nil {
			from.Close()
			return
		}
	}
}

// end tells the other side that no more comes, and lets it go on sending.
func end(c net.Conn) {
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite() // it may have gone
		return
	}
	c.Close()
}

// limiter lets bytes leave one after another, no faster than its rate.
type limiter struct {
	rate float64 // bytes per second; 0 for no limit
	mu   sync.Mutex
	free time.Time // when what waits already has left
}

// leaves returns when n bytes have left that come now.
func (l *limiter) leaves(n int) time.Time {
	now := time.Now()
	if l.rate == 0 {
		return now
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.free.Before(now) {
		l.free = now
	}
	l.free = l.free.Add(time.Duration(float64(n) / l.rate * float64(time.Second)))
	return l.free
}
