package disk

import "sync"

// group lets those who want one thing synced share the work: a sync serves all
// who asked for it before it began, and nobody who asked later.
type group struct {
	users int // of its owner

	mu            sync.Mutex
	running, next *round
}

type round struct {
	over chan struct{}
	err  error
}

// sync calls the function, or waits for a call by another that begins only now.
func (g *group) sync(do func() error) error {
	g.mu.Lock()
	if r := g.next; r != nil { // it has not begun yet
		g.mu.Unlock()
		<-r.over
		return r.err
	}
	r := &round{over: make(chan struct{})}
	if before := g.running; before != nil {
		g.next = r
		g.mu.Unlock()
		<-before.over
		g.mu.Lock()
		g.next = nil
	}
	g.running = r
	g.mu.Unlock()

	r.err = do()
	close(r.over)

	g.mu.Lock()
	defer g.mu.Unlock()
	if g.running == r {
		g.running = nil
	}
	return r.err
}
