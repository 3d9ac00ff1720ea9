package wire

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"time"
)

// A Pace is how fast the bodies of a client must and may come. Its zero value
// has no bounds.
type Pace struct {
	Least int64 // bytes a second, over PaceWindow; slower clients are taken for dead
	// Most, if set, is told of n bytes that came, and returns how long the next
	// ones have to wait. Any number of bodies may call it at once.
	Most func(n int) time.Duration
}

// PaceWindow is over how long a body has to be as fast as Pace.Least.
const PaceWindow = 30 * time.Second

type paceKey struct{}

// Paced returns r with a body that has to keep to p, for Body.
func Paced(r *http.Request, p Pace) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), paceKey{}, p))
}

// paced is how far a body keeps to its pace.
type paced struct {
	Pace
	ended   chan struct{} // closed by Interrupt
	began   time.Time     // when the window began
	came    int64         // bytes since
	waiting time.Duration // since, because of us
}

func newPaced(r *http.Request) *paced {
	p, ok := r.Context().Value(paceKey{}).(Pace)
	if !ok || p.Least == 0 && p.Most == nil {
		return nil
	}
	return &paced{Pace: p, ended: make(chan struct{}), began: time.Now()}
}

// slow is the error of a body that came slower than so many bytes a second.
type slow int64

func (s slow) Error() string { return fmt.Sprintf("less than %d bytes a second came", int64(s)) }
func (s slow) Unwrap() error { return os.ErrDeadlineExceeded }

// passed notes n bytes, waits as they demand, and tells whether they came too
// slowly.
func (p *paced) passed(n int) error {
	if p.Most != nil && n > 0 {
		if wait := p.Most(n); wait > 0 {
			timer := time.NewTimer(wait)
			defer timer.Stop()
			select {
			case <-timer.C:
			case <-p.ended:
			}
			p.waiting += wait
		}
	}
	p.came += int64(n)
	took := time.Since(p.began) - p.waiting
	if took < PaceWindow {
		return nil
	}
	if p.Least > 0 && p.came < p.Least*int64(took/time.Second) {
		return slow(p.Least)
	}
	p.began, p.came, p.waiting = time.Now(), 0, 0
	return nil
}
