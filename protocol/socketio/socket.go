package socketio

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/coder/websocket"

	"github.com/muleteer/muleteer/upload"
)

// socket is one session of Engine.IO: a client, over whatever transport.
type socket struct {
	h     *Server
	id    string
	owner string                           // who opened it
	who   atomic.Pointer[upload.Principal] // who has connected by a token, if nobody was known before
	scope string                           // from where
	about *http.Request                    // what links need to know of the client
	ctx   context.Context
	end   context.CancelFunc

	in     sync.Mutex // held while a packet of the client is at work: one after the other
	spoken            // under in

	out sync.Mutex // held while packets are handed to a WebSocket, so that they keep their order

	mu        sync.Mutex
	ws        *websocket.Conn // nil while the client polls
	upgrading bool            // a WebSocket is being tried
	polling   bool            // a GET waits
	queue     []string        // packets for the next GET
	queued    uint64          // packets that ever were in the queue
	taken     uint64          // and of these, those that were sent
	changed   chan struct{}   // closed when any of the above changes
	body      interrupter     // what of the client is being read
	pulse
}

// interrupter is a body whose reading can be ended.
type interrupter interface{ Interrupt() }

// mostQueued is how many packets wait for a client that does not poll.
const mostQueued = 1000

func newSocket(h *Server, r *http.Request) *socket {
	about := &http.Request{Host: r.Host, URL: &url.URL{Scheme: "http"}}
	if r.TLS != nil || r.URL.Scheme == "https" {
		about.URL.Scheme = "https"
	}
	s := &socket{
		h: h, id: rand.Text(), owner: principal(r), scope: h.Scope(r), about: about,
		changed: make(chan struct{}),
	}
	s.ctx, s.end = context.WithCancel(context.WithoutCancel(r.Context()))
	return s
}

// as is the context in which calls of the Service are made for the socket: as
// the one who opened it, or who said by a token who that was.
func (s *socket) as() context.Context {
	if p := s.who.Load(); p != nil {
		return upload.By(s.ctx, *p)
	}
	return s.ctx
}

// hello is the first packet of a socket.
func (s *socket) hello() string {
	text, err := json.Marshal(struct {
		ID       string   `json:"sid"`
		Upgrades []string `json:"upgrades"`
		Interval int64    `json:"pingInterval"`
		Timeout  int64    `json:"pingTimeout"`
		Payload  int64    `json:"maxPayload"`
	}{s.id, s.upgrades(), s.h.PingInterval.Milliseconds(), s.h.PingTimeout.Milliseconds(), maxPayload})
	if err != nil {
		panic(err) // strings and numbers
	}
	return "0" + string(text)
}

func (s *socket) upgrades() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ws != nil {
		return []string{}
	}
	return []string{"websocket"}
}

// change tells those who wait that something has changed. The lock must be held.
func (s *socket) change() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// send sends packets of Engine.IO: at once over a WebSocket, else with the next
// poll. A client that does not take them loses its socket.
func (s *socket) send(packets ...string) {
	s.out.Lock()
	defer s.out.Unlock()
	s.mu.Lock()
	ws := s.ws
	if ws == nil {
		s.queue = append(s.queue, packets...)
		s.queued += uint64(len(packets))
		full := len(s.queue) > mostQueued
		s.change()
		s.mu.Unlock()
		if full {
			s.close()
		}
		return
	}
	s.mu.Unlock()
	s.write(ws, packets)
}

// write writes packets to a WebSocket. The caller holds s.out.
func (s *socket) write(ws *websocket.Conn, packets []string) {
	ctx, cancel := context.WithTimeout(s.ctx, s.h.PingTimeout)
	defer cancel()
	for _, p := range packets {
		if ws.Write(ctx, websocket.MessageText, []byte(p)) != nil {
			s.end() // whoever reads closes it
			return
		}
	}
}

// emit sends a packet of Socket.IO.
func (s *socket) emit(p packet) { s.send("4" + p.String()) }

// tell sends an event without an acknowledgement.
func (s *socket) tell(name string, args ...any) {
	s.emit(packet{kind: event, namespace: "/", ack: -1, data: array(append([]any{name}, args...)...)})
}

// flushed waits until the client has been sent all there is, and, if it polls,
// has come for more since; false if the socket ended before.
func (s *socket) flushed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for last := s.queued; s.ctx.Err() == nil; {
		if s.ws != nil || s.taken >= last && s.polling {
			return true
		}
		changed := s.changed
		s.mu.Unlock()
		select {
		case <-changed:
		case <-s.ctx.Done():
		}
		s.mu.Lock()
	}
	return false
}

// close ends the socket, whatever is going on. What it did is found again by
// the ids of its uploads.
func (s *socket) close() {
	s.h.mu.Lock()
	delete(s.h.sockets, s.id)
	s.h.mu.Unlock()
	s.end() // a WebSocket is torn down by that
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pulse.stop()
	s.queue = nil
	if s.body != nil {
		s.body.Interrupt()
	}
}

// background does something for a socket that outlives its request. A panic
// stays in it.
func (h *Server) background(f func()) {
	h.work.Add(1)
	go func() {
		defer h.work.Done()
		defer func() {
			if p := recover(); p != nil {
				h.noted(p)
			}
		}()
		f()
	}()
}

// join has what packets look like in the body of a poll.
func join(packets []string) string { return strings.Join(packets, "\x1e") }
