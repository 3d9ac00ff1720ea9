package socketio

import (
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/muleteer/muleteer/upload"
)

// spoken is what a client has said so far, as far as the next packet needs it.
// socket.in guards it.
type spoken struct {
	connected bool
	awaited   func(r io.Reader) error // takes the attachment that has to come next; nil for none
}

// text works off one packet of Engine.IO. An error ends the socket.
func (s *socket) text(t string) error {
	if t == "" {
		return errRequest
	}
	switch t[0] {
	case '3':
		s.pong()
		return nil
	case '4':
		p, err := parse(t[1:])
		if err != nil || s.awaited != nil { // a packet and its attachments are not torn apart
			return errRequest
		}
		return s.packet(p)
	case '6':
		return nil
	}
	return errRequest // '1' ends it as well
}

// binary works off an attachment, all of which it reads.
func (s *socket) binary(r io.Reader) error {
	take := s.awaited
	if s.awaited = nil; take == nil {
		return errRequest
	}
	if err := take(r); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, r)
	return err
}

// packet works off one packet of Socket.IO.
func (s *socket) packet(p packet) error {
	if p.kind == connect {
		return s.connect(p)
	}
	if !s.connected || p.namespace != "/" {
		return errRequest
	}
	switch p.kind {
	case disconnect:
		s.join(false)
		return nil
	case event:
		return s.event(p)
	case binaryEvent:
		if p.attachments != 1 { // nothing that is known here has more
			return errRequest
		}
		return s.event(p)
	case ack:
		return nil // nobody waits for it
	}
	return errRequest
}

// connect lets a client into the one namespace that there is.
func (s *socket) connect(p packet) error {
	if p.namespace != "/" {
		name, _, _ := strings.Cut(p.namespace, "?")
		s.emit(packet{kind: connectError, namespace: name, ack: -1, data: `{"message":"Invalid namespace"}`})
		return nil
	}
	if s.connected {
		return errRequest
	}
	if err := s.introduce(p.data); err != nil {
		text, _ := json.Marshal(map[string]any{"message": err.Error(), "data": map[string]int{"status": http.StatusUnauthorized}})
		s.emit(packet{kind: connectError, namespace: "/", ack: -1, data: string(text)})
		return nil
	}
	s.join(true)
	// Nothing is found by this id, but clients show it.
	s.emit(packet{kind: connect, namespace: "/", ack: -1, data: `{"sid":"` + s.id[:20] + `"}`})
	s.catchUp()
	return nil
}

// introduce finds out who connects, where it has to be said by a token.
func (s *socket) introduce(auth string) error {
	who := upload.Caller(s.ctx)
	if s.h.Token == nil || who.Verbs == nil || len(who.Verbs) > 0 {
		return nil
	}
	var said struct {
		Token string `json:"token"`
		Other string `json:"upload_token"`
	}
	if auth != "" && json.Unmarshal([]byte(auth), &said) != nil {
		return errors.New("the auth of the connection is no object with a token")
	}
	p, err := s.h.Token(s.ctx, cmp.Or(said.Token, said.Other))
	if err == nil {
		s.who.Store(&p)
	}
	return err
}

// join notes whether the client is in the namespace.
func (s *socket) join(in bool) {
	s.connected = in
	s.mu.Lock()
	defer s.mu.Unlock()
	s.joined = in
}

// event calls what an event is for. Others than ours are dropped, as they are by
// every server that does not know them.
func (s *socket) event(p packet) error {
	c, err := readEvent(p.data)
	if err != nil {
		return errRequest
	}
	binary := p.kind == binaryEvent
	if binary {
		s.awaited = func(io.Reader) error { return nil }
	}
	do := func(arg []byte) error { return nil }
	if id, ok := strings.CutPrefix(c.name, "upload_chunk_"); ok {
		do = func(arg []byte) error { return s.chunk(id, arg, binary, p.ack) }
	} else if id, ok := strings.CutPrefix(c.name, "upload_cancel_"); ok {
		do = func([]byte) error { return s.cancel(id, p.ack) }
	} else if c.name == "begin_upload" {
		do = func(arg []byte) error { return s.begin(arg, p.ack) }
	}
	var arg []byte
	if len(c.args) > 0 {
		arg = c.args[0]
	}
	return do(arg)
}

// acknowledge answers a packet that wants it.
func (s *socket) acknowledge(id int64, args ...any) {
	if id >= 0 {
		s.emit(packet{kind: ack, namespace: "/", ack: id, data: array(args...)})
	}
}
