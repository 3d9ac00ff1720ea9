package socketio

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/coder/websocket"
)

// upgradable tells whether a request asks for a WebSocket.
func upgradable(r *http.Request) bool {
	return r.Method == http.MethodGet && strings.EqualFold(r.Header.Get("Upgrade"), "websocket")
}

// accept answers with a WebSocket. Its origin was looked at before; compression
// would cost more than it gives with most files. The error is answered.
func (s *socket) accept(w http.ResponseWriter, r *http.Request) (*websocket.Conn, error) {
	ws, err := websocket.Accept(hijacking{w, s}, r, &websocket.AcceptOptions{InsecureSkipVerify: true, CompressionMode: websocket.CompressionDisabled})
	if err == nil {
		ws.SetReadLimit(s.h.MaxChunk + 1)
	}
	return ws, err
}

// direct is the life of a socket that is a WebSocket from the start.
func (s *socket) direct(w http.ResponseWriter, r *http.Request) error {
	defer s.close()
	ws, err := s.accept(w, r)
	if err != nil {
		return nil // it is answered
	}
	defer ws.CloseNow()
	s.mu.Lock()
	s.ws = ws
	s.mu.Unlock()
	s.send(s.hello())
	s.read(ws)
	return nil
}

// upgrade is the life of a socket as a WebSocket, after it has polled (Engine.IO
// protocol, "Upgrade"). If the WebSocket does not get through, it goes on
// polling.
func (s *socket) upgrade(w http.ResponseWriter, r *http.Request) error {
	s.mu.Lock()
	free := s.ws == nil && !s.upgrading && s.ctx.Err() == nil && upgradable(r)
	if free {
		s.upgrading = true
		s.change()
	}
	s.mu.Unlock()
	if !free {
		return errRequest
	}
	ws, err := s.accept(w, r)
	if err == nil {
		defer ws.CloseNow()
		if err = s.probe(ws); err == nil {
			defer s.close()
			s.read(ws)
			return nil
		}
	}
	s.mu.Lock()
	s.upgrading = false
	s.change()
	s.mu.Unlock()
	return nil
}

// probe changes over to a WebSocket when the client says so.
func (s *socket) probe(ws *websocket.Conn) error {
	ctx, cancel := context.WithTimeout(s.ctx, s.h.Upgrade)
	defer cancel()
	if err := expect(ctx, ws, "2probe"); err != nil {
		return err
	}
	if err := ws.Write(ctx, websocket.MessageText, []byte("3probe")); err != nil {
		return err
	}
	if err := expect(ctx, ws, "5"); err != nil {
		return err
	}
	s.in.Lock() // what it has sent by POST comes first
	defer s.in.Unlock()
	s.out.Lock() // and so do the packets that wait
	defer s.out.Unlock()
	s.mu.Lock()
	waiting := s.queue
	s.queue, s.ws, s.upgrading = nil, ws, false
	s.taken += uint64(len(waiting))
	s.change()
	s.mu.Unlock()
	s.write(ws, waiting)
	return nil
}

// expect reads one short message.
func expect(ctx context.Context, ws *websocket.Conn, want string) error {
	kind, r, err := ws.Reader(ctx)
	if err != nil {
		return err
	}
	got, err := io.ReadAll(io.LimitReader(r, int64(len(want))+1))
	if err == nil && (kind != websocket.MessageText || string(got) != want) {
		err = errRequest
	}
	return err
}

// read works off what a WebSocket brings, until it or the client ends.
func (s *socket) read(ws *websocket.Conn) {
	for {
		kind, r, err := ws.Reader(s.ctx)
		if err != nil {
			return
		}
		s.arrived()
		if s.message(kind, r) != nil {
			return
		}
	}
}

func (s *socket) message(kind websocket.MessageType, r io.Reader) error {
	s.in.Lock()
	defer s.in.Unlock()
	message := &counter{r: r, limit: s.h.MaxChunk, s: s}
	if kind == websocket.MessageText {
		text, err := io.ReadAll(io.LimitReader(message, textLimit+1))
		if err == nil && len(text) > textLimit {
			err = errTooLarge
		}
		if err != nil {
			return err
		}
		return s.text(string(text))
	}
	return s.binary(message)
}

// hijacking gives a connection out as a line.
type hijacking struct {
	http.ResponseWriter
	s *socket
}

func (h hijacking) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffer, err := http.NewResponseController(h.ResponseWriter).Hijack()
	return &line{conn, h.s}, buffer, err
}

// line is the connection of a WebSocket.
type line struct {
	net.Conn
	s *socket
}

// Read notes that bytes come. A connection that ends is never io.EOF, which the
// library would take for the proper end of a message if it came in its middle.
func (l *line) Read(p []byte) (int, error) {
	n, err := l.Conn.Read(p)
	if n > 0 {
		l.s.arrived()
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}
