package socketio

import (
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
// client what became of it. It goes on only as long as the socket: a client that
// comes back is told then.
func (s *socket) finish(session, id string) {
	s.h.background(func() {
		for wait := 50 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
			u, err := s.h.s.Settle(s.as(), id)
			switch {
			case err == nil && u.Phase >= upload.Held:
				s.announce(session, u)
				return
			case s.ctx.Err() != nil:
				return
			case err != nil && !passing(err):
				_ = s.fail(session, err) // a name that is too long got nowhere
				return
			}
			if !s.sleep(wait) {
				return
			}
		}
	})
}

// announce tells a client of a success, and what the application has said of it.
func (s *socket) announce(session string, u *upload.Record) {
	var said []any
	if u.Meta.Answer != nil && len(u.Meta.Answer.Fields) > 0 {
		said = append(said, u.Meta.Answer.Fields)
	}
	for _, wait := range rests() {
		if !s.flushed() || !s.sleep(wait) {
			return
		}
		s.tell("upload_success_"+session, said...)
	}
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

// catchUp tells a client that has connected what it may have missed. A client
// that waits for a success waits for ever and says nothing, so whatever was
// finished from where it is, and not long ago, is told; others ignore it.
func (s *socket) catchUp() {
	from, now := s.from(), s.h.now()
	for _, i := range s.h.news.of(from, now) {
		s.finish(i.session, i.id)
	}
	// What a server before this one was about to tell, the state knows.
	if now.Sub(s.h.news.since) > fresh {
		return
	}
	s.h.background(func() {
		full := []upload.Phase{upload.Joining, upload.Accepting, upload.Held, upload.Done}
		for u, err := range s.h.s.Find(s.as(), upload.Query{Phases: full, Limit: newest}) {
			if err != nil {
				if s.ctx.Err() == nil {
					s.h.unexpected(err)
				}
				return
			}
			if u.Protocol == Protocol && u.Meta.Wire["from"] == from && !u.Touched.After(s.h.news.since) && now.Sub(u.Touched) < fresh {
				s.finish(u.Meta.Wire[sessionField], u.ID)
			}
		}
	})
}

// How long a success is news, and how many of them there are at most, in all
// and for one client.
const (
	fresh  = 2 * time.Minute
	most   = 10_000
	newest = 200
)

// news are the uploads that were finished not long ago. It may be used
// concurrently.
type news struct {
	since time.Time // when the server began

	mu  sync.Mutex
	all []item // the oldest first
}

type item struct {
	from, session, id string
	at                time.Time
}

// add adds one.
func (n *news) add(i item) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.forget(i.at)
	if len(n.all) == most {
		n.all = n.all[1:]
	}
	n.all = append(n.all, i)
}

// of returns the newest from somewhere.
func (n *news) of(from string, now time.Time) []item {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.forget(now)
	var found []item
	for k := len(n.all) - 1; k >= 0 && len(found) < newest; k-- {
		if n.all[k].from == from {
			found = append(found, n.all[k])
		}
	}
	return found
}

// forget drops what is no news any more. The lock must be held.
func (n *news) forget(now time.Time) {
	old := 0
	for old < len(n.all) && now.Sub(n.all[old].at) > fresh {
		old++
	}
	n.all = n.all[old:]
}
