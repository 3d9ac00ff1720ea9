package socketio

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/muleteer/muleteer/upload"
)

// The client listens for the success of an upload only after it has handled the
// acknowledgement of the last chunk. What comes together with that is lost to
// it, so success is told some time after, more than once.
func rests() []time.Duration {
	return []time.Duration{50 * time.Millisecond, 450 * time.Millisecond, 1500 * time.Millisecond}
}

// finish leads an upload to its end, of which all bytes are here, and tells the
// client what became of it. If the client goes before it can have heard, whoever
// comes back from there is told, as long as it is news.
func (s *socket) finish(session, id string) { s.finishUntil(session, id, time.Now().Add(fresh)) }

func (s *socket) finishUntil(session, id string, until time.Time) {
	s.h.background(func() {
		if !s.settle(session, id) {
			s.h.news.keep(s.from(), session, item{id, until})
		}
	})
}

// settle waits for the end of an upload and tells of it; false if the client
// went before.
func (s *socket) settle(session, id string) bool {
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		u, err := s.h.s.Settle(s.ctx, id)
		switch {
		case err == nil && u.Phase >= upload.Held:
			return s.announce(session)
		case s.ctx.Err() != nil:
			return false
		case err != nil && !passing(err):
			return s.fail(session, err) == nil
		}
		if !s.sleep(wait) {
			return false
		}
	}
}

// announce tells a client of a success; false if it went before.
func (s *socket) announce(session string) bool {
	for _, wait := range rests() {
		if !s.flushed() || !s.sleep(wait) {
			return false
		}
		s.tell("upload_success_" + session)
	}
	return s.flushed()
}

// sleep waits, and tells whether the socket is still there.
func (s *socket) sleep(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-s.ctx.Done():
		return false
	}
}

// catchUp tells a client that has connected what it may have missed: a client
// that waits for a success waits for ever, and says nothing.
func (s *socket) catchUp() {
	from, now := s.from(), time.Now()
	for session, i := range s.h.news.take(from, now) {
		s.finishUntil(session, i.id, i.until)
	}
	// What a server before this one was about to tell, the state knows.
	if now.Sub(s.h.news.since) > fresh {
		return
	}
	s.h.background(func() {
		ctx, cancel := context.WithTimeout(s.ctx, s.h.PingTimeout)
		defer cancel()
		for u, err := range s.h.s.Find(ctx, upload.Query{Phases: []upload.Phase{upload.Joining, upload.Accepting, upload.Held, upload.Done}, Limit: newest}) {
			if err != nil {
				if !errors.Is(err, context.Canceled) {
					s.h.unexpected(err)
				}
				return
			}
			if u.Protocol == Protocol && u.Meta.Wire["from"] == from && s.h.now().Sub(u.Touched) < fresh {
				s.finish(u.Meta.Wire["session"], u.ID)
			}
		}
	})
}

// How long a success is news, and how many of a server's newest uploads are
// looked at for it.
const (
	fresh  = 2 * time.Minute
	newest = 200
)

// news is what clients have to hear still that have gone. It may be used
// concurrently.
type news struct {
	since time.Time // when the server began

	mu  sync.Mutex
	all map[string]map[string]item // by where it came from, and session
}

// item is one upload, and until when it is news.
type item struct {
	id    string
	until time.Time
}

func newNews(now time.Time) *news {
	return &news{since: now, all: map[string]map[string]item{}}
}

// keep keeps one for whoever comes from there.
func (n *news) keep(from, session string, i item) {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := time.Now()
	for from := range n.all { // what nobody came for
		n.forget(from, now)
	}
	if n.all[from] == nil {
		n.all[from] = map[string]item{}
	}
	if len(n.all[from]) < newest && now.Before(i.until) {
		n.all[from][session] = i
	}
}

// take returns those for a client, which are then its own.
func (n *news) take(from string, now time.Time) map[string]item {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.forget(from, now)
	taken := n.all[from]
	delete(n.all, from)
	return taken
}

// forget drops what is no news any more. The lock must be held.
func (n *news) forget(from string, now time.Time) {
	for session, i := range n.all[from] {
		if now.After(i.until) {
			delete(n.all[from], session)
		}
	}
	if len(n.all[from]) == 0 {
		delete(n.all, from)
	}
}
