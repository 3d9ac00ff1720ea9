package s3

import "sync"

// locks are mutexes by name, which exist while somebody wants them. The zero
// value is ready.
type locks struct {
	mu    sync.Mutex
	named map[string]*named
}

type named struct {
	mu   sync.Mutex
	refs int
}

// lock locks the name and returns what unlocks it.
func (l *locks) lock(name string) (unlock func()) {
	l.mu.Lock()
	if l.named == nil {
		l.named = map[string]*named{}
	}
	n := l.named[name]
	if n == nil {
		n = &named{}
		l.named[name] = n
	}
	n.refs++
	l.mu.Unlock()
	n.mu.Lock()
	return func() {
		n.mu.Unlock()
		l.mu.Lock()
		defer l.mu.Unlock()
		if n.refs--; n.refs == 0 {
			delete(l.named, name)
		}
	}
}
