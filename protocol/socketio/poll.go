package socketio

import (
	"bufio"
	"encoding/base64"
	"io"
	"net/http"
	"time"

	"github.com/muleteer/muleteer/internal/wire"
)

// The bytes that a text packet has at most: ours are short.
const textLimit = 64 << 10

// between separates the packets of a poll (Engine.IO protocol, "Payload").
const between = 0x1e

// hurry is how often a poll is ended while the client tries a WebSocket: it
// changes over only when none waits.
const hurry = 100 * time.Millisecond

// poll answers a GET with the packets that wait for the client, or as soon as
// there are some.
func (s *socket) poll(w http.ResponseWriter, r *http.Request) error {
	s.mu.Lock()
	if s.ws != nil {
		s.mu.Unlock()
		return errRequest
	}
	if s.polling {
		s.mu.Unlock()
		s.close() // two that poll would take each other's packets
		return errRequest
	}
	s.polling = true
	s.change()
	packets, err := s.await(r)
	s.polling = false
	s.taken += uint64(len(packets))
	s.mu.Unlock()
	if err != nil {
		s.close()
		return err
	}
	if len(packets) == 0 {
		packets = []string{"6"} // nothing but an end to the waiting
	}
	plain(w, join(packets))
	s.mu.Lock()
	s.change()
	s.mu.Unlock()
	return nil
}

// await waits for packets; for none, where the client is changing over. The
// lock must be held.
func (s *socket) await(r *http.Request) ([]string, error) {
	for s.ctx.Err() == nil {
		if packets := s.queue; len(packets) > 0 {
			s.queue = nil
			return packets, nil
		}
		if s.ws != nil {
			return nil, nil
		}
		var soon <-chan time.Time
		if s.upgrading {
			soon = time.After(hurry)
		}
		changed := s.changed
		s.mu.Unlock()
		tired := false
		select {
		case <-changed:
		case <-soon:
			tired = true
		case <-s.ctx.Done():
		case <-r.Context().Done():
			s.mu.Lock()
			return nil, errRequest // what it would have been sent is lost to it
		}
		s.mu.Lock()
		if tired && len(s.queue) == 0 {
			return nil, nil
		}
	}
	return []string{"1"}, nil
}

// post takes the packets that a client sends. It is answered when they are all
// worked off, which is what holds the client back.
func (s *socket) post(w http.ResponseWriter, r *http.Request) error {
	if r.ContentLength > maxPayload {
		s.close()
		return errTooLarge
	}
	if !s.in.TryLock() {
		s.close() // nobody could tell in which order the packets are
		return errRequest
	}
	defer s.in.Unlock()
	body := wire.Body(w, r)
	s.mu.Lock()
	over := s.ws != nil || s.ctx.Err() != nil
	if !over {
		s.body = body
	}
	s.mu.Unlock()
	if over {
		return errRequest
	}
	err := s.packets(bufio.NewReader(&counter{r: body, limit: maxPayload, s: s}))
	s.mu.Lock()
	s.body = nil
	s.mu.Unlock()
	if err != nil {
		s.close()
		return err
	}
	w.Header().Set("Content-Type", "text/html")
	_, _ = io.WriteString(w, "ok") // who has left needs no answer
	return nil
}

// counter is a body of which more than limit bytes are errTooLarge.
type counter struct {
	r     io.Reader
	limit int64
	s     *socket
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.s.arrived()
	if c.limit -= int64(n); c.limit < 0 {
		return 0, errTooLarge
	}
	return n, err
}

// packets works off the body of a POST.
func (s *socket) packets(r *bufio.Reader) error {
	for {
		first, err := r.Peek(1)
		if err != nil {
			return ended(err)
		}
		if first[0] == 'b' {
			_, _ = r.Discard(1) // it is there
			err = s.encoded(r)
		} else {
			err = s.line(r)
		}
		if err != nil {
			return err
		}
		switch _, err := r.ReadByte(); { // what separates it from the next
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
	}
}

// ended makes nothing of a proper end.
func ended(err error) error {
	if err == io.EOF {
		return nil
	}
	return err
}

// line works off one packet of text.
func (s *socket) line(r *bufio.Reader) error {
	text, err := io.ReadAll(io.LimitReader(&packetReader{r: r}, textLimit+1))
	if err != nil {
		return err
	}
	if len(text) > textLimit {
		return errTooLarge
	}
	return s.text(string(text))
}

// encoded works off an attachment, which is in base64. Some browsers' clients
// have "undefined" for an empty one (engine.io-parser before 5.1).
func (s *socket) encoded(r *bufio.Reader) error {
	p := &packetReader{r: r}
	const word = "undefined"
	if begins, _ := r.Peek(len(word) + 1); len(begins) >= len(word) && string(begins[:len(word)]) == word &&
		(len(begins) == len(word) || begins[len(word)] == between) {
		_, _ = r.Discard(len(word)) // it is there
	}
	if err := s.binary(base64.NewDecoder(base64.StdEncoding, p)); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, p) // what is left is line ends at most
	return err
}

// packetReader reads up to what separates packets, and leaves that.
type packetReader struct{ r *bufio.Reader }

func (p *packetReader) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	if _, err := p.r.Peek(1); err != nil {
		return 0, err
	}
	ahead, _ := p.r.Peek(min(p.r.Buffered(), len(b)))
	for i, c := range ahead {
		if c == between {
			ahead = ahead[:i]
			break
		}
	}
	if len(ahead) == 0 {
		return 0, io.EOF
	}
	n := copy(b, ahead)
	_, err := p.r.Discard(n)
	return n, err
}
