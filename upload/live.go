package upload

import (
	"context"
	"errors"
	"time"

	"github.com/muleteer/muleteer/extent"
)

// live is what this process knows of an upload on which its requests are at
// work.
type live struct {
	refs    int
	writers []*writer     // at work, or waiting for older ones to end; the oldest first
	joining chan struct{} // holds one token while the upload is folded, joined or removed
}

// writer is a request that has claimed bytes of an upload.
type writer struct {
	extent.Extent
	id      string
	body    any           // may have Interrupt()
	stopped chan struct{} // closed when a later request wants its bytes
	done    chan struct{} // closed when it is out of the way
}

// stop asks w to end. The caller holds Service.working().mu.
func (w *writer) stop() {
	select {
	case <-w.stopped:
		return
	default:
	}
	close(w.stopped)
	if b, ok := w.body.(interface{ Interrupt() }); ok {
		b.Interrupt()
	}
}

// enter returns what is live of an upload, and counts the caller in. The caller
// holds working().mu.
func (s *Service) enter(id string) *live {
	l := s.working().live[id]
	if l == nil {
		l = &live{joining: make(chan struct{}, 1)}
		s.working().live[id] = l
	}
	l.refs++
	return l
}

// leave counts a caller of enter out. The caller holds working().mu.
func (s *Service) leave(id string) {
	if l := s.working().live[id]; l != nil {
		if l.refs--; l.refs == 0 {
			delete(s.working().live, id)
		}
	}
}

// busy tells whether a request of this process writes to an upload.
func (s *Service) busy(id string) bool {
	s.working().mu.Lock()
	defer s.working().mu.Unlock()
	l := s.working().live[id]
	return l != nil && len(l.writers) > 0
}

// courtesy is how long a writer of some bytes waits for an older writer of the
// same bytes before it ends it: two live senders of one chunk would otherwise
// end each other for ever.
const courtesy = 250 * time.Millisecond

// claim makes the caller the only writer of e. The later request wins: older
// writers of the same bytes are ended, at once if the caller wants everything,
// and the caller waits, at most for patience, until they have kept what they
// had. It gives up with ErrInterrupted when a still later one comes, with
// ErrBusy after patience.
//
// Only somebody who may see the upload can end its writers; the caller has to
// load the record, and thereby its owner, after the claim in any case.
func (s *Service) claim(ctx context.Context, id string, e extent.Extent, body any, patience time.Duration) (*writer, error) {
	w := &writer{Extent: e, id: id, body: body, stopped: make(chan struct{}), done: make(chan struct{})}
	s.working().mu.Lock()
	l := s.enter(id)
	if len(l.overlapping(e)) > 0 {
		s.working().mu.Unlock()
		_, err := s.load(ctx, id, extent.Extent{})
		s.working().mu.Lock()
		if err != nil {
			s.leave(id)
			s.working().mu.Unlock()
			return nil, err
		}
	}
	older := l.overlapping(e)
	l.writers = append(l.writers, w)
	s.working().mu.Unlock()
	if len(older) == 0 {
		return w, nil
	}
	if err := s.outlast(ctx, w, older, patience); err != nil {
		s.release(w)
		return nil, err
	}
	return w, nil
}

// outlast ends older writers and waits for them.
func (s *Service) outlast(ctx context.Context, w *writer, older []*writer, patience time.Duration) error {
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	grace := time.NewTimer(courtesy)
	defer grace.Stop()
	if w.Extent == everything {
		grace.Reset(0)
	}
	for i := 0; i < len(older); {
		select {
		case <-older[i].done:
			i++
		case <-grace.C:
			s.working().mu.Lock()
			for _, o := range older {
				o.stop()
			}
			s.working().mu.Unlock()
		case <-w.stopped:
			return ErrInterrupted
		case <-timeout.C:
			return ErrBusy
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (l *live) overlapping(e extent.Extent) []*writer {
	var r []*writer
	for _, w := range l.writers {
		if w.Overlaps(e) {
			r = append(r, w)
		}
	}
	return r
}

// release ends a claim.
func (s *Service) release(w *writer) {
	s.working().mu.Lock()
	defer s.working().mu.Unlock()
	l := s.working().live[w.id]
	for i, o := range l.writers {
		if o == w {
			l.writers = append(l.writers[:i:i], l.writers[i+1:]...)
			break
		}
	}
	close(w.done)
	s.leave(w.id)
}

// alone runs f while no other caller of alone works on the same upload. It
// answers ErrBusy if it cannot begin before ctx ends.
func (s *Service) alone(ctx context.Context, id string, f func() error) error {
	s.working().mu.Lock()
	l := s.enter(id)
	s.working().mu.Unlock()
	defer func() {
		s.working().mu.Lock()
		s.leave(id)
		s.working().mu.Unlock()
	}()
	select {
	case l.joining <- struct{}{}:
		defer func() { <-l.joining }()
		return f()
	case <-ctx.Done():
		return errors.Join(ErrBusy, ctx.Err())
	}
}
