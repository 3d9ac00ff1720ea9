package socketio

import (
	"sync/atomic"
	"time"
)

// patience is how many times the usual a client may take to answer a ping,
// while bytes of it arrive: the answer is behind what was on its way already.
const patience = 9

// pulse finds out whether a client is still there. All but the atomic fields is
// guarded by socket.mu.
type pulse struct {
	timer  *time.Timer
	opened time.Time
	joined bool         // it has connected to the namespace
	asked  time.Time    // when the ping was sent that is not answered; zero if none is
	heard  atomic.Int64 // when bytes came last, in nanoseconds since opened
	held   atomic.Int32 // more than 0 while we do not read what it sends
}

// watch begins to ask a client whether it is there.
func (s *socket) watch() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opened = time.Now()
	s.timer = time.AfterFunc(min(s.h.PingInterval, s.h.Connect), s.beat)
}

// stop ends it. The lock must be held.
func (p *pulse) stop() {
	if p.timer != nil {
		p.timer.Stop()
	}
}

// arrived notes that bytes came.
func (s *socket) arrived() { s.heard.Store(int64(time.Since(s.opened))) }

// hold notes whether it is us who does not read.
func (s *socket) hold(on bool) {
	if on {
		s.held.Add(1)
		return
	}
	s.arrived() // from now on it is the client who takes time
	s.held.Add(-1)
}

// pong notes that the ping was answered.
func (s *socket) pong() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.asked.IsZero() || s.ctx.Err() != nil {
		return
	}
	s.asked = time.Time{}
	s.timer.Reset(s.h.PingInterval)
}

// beat is what is due when the timer strikes.
func (s *socket) beat() {
	if !s.h.enter() {
		return
	}
	defer s.h.work.Done()
	defer func() {
		if p := recover(); p != nil {
			s.h.noted(p)
		}
	}()
	s.mu.Lock()
	ping, dead := false, false
	now := time.Now()
	switch late := now.Sub(s.opened) >= s.h.Connect; {
	case s.ctx.Err() != nil:
	case !s.joined && late:
		dead = true
	case s.asked.IsZero() && now.Sub(s.opened) < s.h.PingInterval:
		s.timer.Reset(s.h.PingInterval - now.Sub(s.opened))
	case s.asked.IsZero():
		ping, s.asked = true, now
		s.timer.Reset(s.h.PingTimeout)
	default:
		silent := now.Sub(s.opened) - time.Duration(s.heard.Load())
		switch {
		case s.held.Load() > 0:
			s.timer.Reset(s.h.PingTimeout)
		case silent < s.h.PingTimeout && now.Sub(s.asked) < patience*s.h.PingTimeout:
			s.timer.Reset(s.h.PingTimeout - silent)
		default:
			dead = true
		}
	}
	s.mu.Unlock()
	switch {
	case dead:
		s.close()
	case ping:
		s.send("2")
	}
}
