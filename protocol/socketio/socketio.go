// Package socketio takes files over Socket.IO, protocol 5 over Engine.IO 4:
// what socket.io-client speaks from version 3 on, by polling, by an upgrade to
// WebSocket, or by WebSocket alone.
//
//	begin_upload       {sessionID, fileName}         acknowledged when the upload is begun
//	upload_chunk_ID    {chunk: binary, last: bool}   acknowledged when the bytes are durable
//	upload_success_ID                                to the client, when the file is whole
//	upload_error_ID    a sentence                    to the client, instead of an acknowledgement
//
// ID is the sessionID, which the client chooses: 8 to 64 characters of A-Z,
// a-z, 0-9, "_" and "-". It is a fingerprint of the upload, so a session is
// found again from another socket, after a reconnect, and after a restart of the
// server. Who knows the ID may go on with it, if the principal is the same.
//
// A client that says more hears more. begin_upload may have size, type,
// lastModified, path, fingerprint (its word for the file, in all protocols), and
// resume: then an upload that is there already is continued. It is acknowledged
// with {offset, ranges, id, maxChunk}, and with file once the file is whole. A chunk may have its offset; then several may be
// under way at once, in any order, and the acknowledgement is {offset}. It may
// have its length, and sha256 (hexadecimal or base64) or crc64nvme (base64): then
// it counts as a whole or not at all. What fails has a second argument then,
// {status, ack}: what HTTP would say, and what is not acknowledged. The event
// upload_cancel_ID removes an upload.
//
// Nothing of a chunk is kept in memory but a small buffer: the socket is read
// as fast as the store takes the bytes, and one packet after the other.
package socketio

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/muleteer/muleteer/internal/wire"
	"github.com/muleteer/muleteer/upload"
)

// Protocol is the name of this protocol in records.
const Protocol = "socketio"

// Options are the limits of sockets, and what is known of their clients. Zero
// values are sensible.
type Options struct {
	URL wire.Links // makes a path of this server absolute; nil takes the request's host
	// Origins are the web origins whose pages may connect, beside those of the
	// host that was asked: browsers let every page open a WebSocket. "*" is all.
	Origins []string
	// Scope tells clients apart that have no name, say by their addresses. Who
	// comes from where a file was finished hears of it, if nobody else did.
	Scope func(r *http.Request) string

	// Token, if it is set, tells who has a token: a client may give it in the auth
	// of its connection. It is asked where nobody is known who may do anything.
	Token func(ctx context.Context, token string) (upload.Principal, error)

	PingInterval time.Duration // between two pings; 0: 25 s
	PingTimeout  time.Duration // so long a client may take to answer one; 0: 20 s
	Connect      time.Duration // so long it may take to connect; 0: 45 s
	Upgrade      time.Duration // so long it may take to change to WebSocket; 0: 10 s
	Most         int           // sockets at once; 0: 10,000
	MaxChunk     int64         // bytes of a chunk over WebSocket; 0: 16 MiB
}

// maxPayload is how many bytes the body of a POST has at most, as clients are
// told.
const maxPayload = 1_000_000

// Server has all sockets. It is an http.Handler, and may be called concurrently.
type Server struct {
	Options
	s    *upload.Service
	news news

	mu      sync.Mutex
	sockets map[string]*socket
	closed  bool
	work    sync.WaitGroup // what goes on for a socket
}

// Handler serves sockets at the path at which it is mounted, which clients
// expect to be /socket.io/. It has to be closed in the end.
func Handler(s *upload.Service, o Options) *Server {
	o.PingInterval = cmp.Or(o.PingInterval, 25*time.Second)
	o.PingTimeout = cmp.Or(o.PingTimeout, 20*time.Second)
	o.Connect = cmp.Or(o.Connect, 45*time.Second)
	o.Upgrade = cmp.Or(o.Upgrade, 10*time.Second)
	o.Most = cmp.Or(o.Most, 10_000)
	o.MaxChunk = cmp.Or(o.MaxChunk, 16<<20)
	if o.Scope == nil {
		o.Scope = func(*http.Request) string { return "" }
	}
	h := &Server{Options: o, s: s, sockets: map[string]*socket{}}
	h.news.since = h.now()
	return h
}

// principal is who sends a request of HTTP. What a socket does it does as the one
// who opened it, see socket.as.
func principal(r *http.Request) string { return upload.Owner(r.Context()) }

// Close ends all sockets, whose clients connect again by themselves, and waits
// until nothing goes on for them. What they sent and was not acknowledged does
// not count. Later requests are refused.
func (h *Server) Close() {
	h.mu.Lock()
	h.closed = true
	all := make([]*socket, 0, len(h.sockets))
	for _, s := range h.sockets {
		all = append(all, s)
	}
	h.mu.Unlock()
	for _, s := range all {
		s.close()
	}
	h.work.Wait()
}

// enter counts one in who works, unless the server is closed.
func (h *Server) enter() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return false
	}
	h.work.Add(1)
	return true
}

func (h *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !h.enter() {
		refuse(w, errEnding)
		return
	}
	defer h.work.Done()
	w.Header().Set("Cache-Control", "no-store")
	if err := h.serve(w, r); err != nil {
		refuse(w, err)
	}
}

// serve finds out what a request wants (Engine.IO protocol, "HTTP long-polling"
// and "WebSocket"). An error has not been answered.
func (h *Server) serve(w http.ResponseWriter, r *http.Request) error {
	if !h.allowed(r) {
		return errForbidden
	}
	if r.Method == http.MethodOptions {
		w.Header().Set("Allow", "GET, POST, OPTIONS")
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	q := r.URL.Query()
	transport, id := q.Get("transport"), q.Get("sid")
	if transport != "polling" && transport != "websocket" {
		return errTransport
	}
	if id == "" {
		switch {
		case r.Method != http.MethodGet:
			return errMethod
		case q.Get("EIO") != "4":
			return errVersion
		}
		return h.open(w, r, transport)
	}
	s := h.find(id)
	if s == nil || s.owner != principal(r) {
		return errUnknown
	}
	switch {
	case transport == "websocket":
		return s.upgrade(w, r)
	case r.Method == http.MethodGet:
		return s.poll(w, r)
	case r.Method == http.MethodPost:
		return s.post(w, r)
	}
	return errRequest
}

// allowed tells whether the page that a request comes from may connect. Who is
// no browser says none.
func (h *Server) allowed(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" || slices.Contains(h.Origins, "*") || slices.Contains(h.Origins, origin) {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && u.Host != "" && u.Host == r.Host
}

// now is the time by which the Service goes.
func (h *Server) now() time.Time {
	if h.s.Now != nil {
		return h.s.Now()
	}
	return time.Now()
}

func (h *Server) find(id string) *socket {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.sockets[id]
}

// open begins a socket.
func (h *Server) open(w http.ResponseWriter, r *http.Request, transport string) error {
	if transport == "websocket" && !upgradable(r) {
		return errRequest
	}
	s := newSocket(h, r)
	h.mu.Lock()
	full := len(h.sockets) >= h.Most || h.closed
	if !full {
		h.sockets[s.id] = s
	}
	h.mu.Unlock()
	if full {
		s.end()
		return errCrowded
	}
	s.watch()
	if transport == "polling" {
		plain(w, s.hello())
		return nil
	}
	return s.direct(w, r)
}
