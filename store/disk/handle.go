package disk

import (
	"os"
	"sync"
)

// handles are the files on their way that are open to be written. All Puts of
// an upload at once share one, so that they share its syncs too.
type handles struct {
	s    *Store
	mu   sync.Mutex
	open map[string]*handle // by id
}

// handle is a file on its way for those who write to it.
type handle struct {
	s     *Store
	id    string
	users int // guarded by handles.mu

	once sync.Once
	f    file
	err  error // why it is not open

	pastOnce sync.Once
	past     file // the same file past the page cache, or nil

	group  group
	broken error // of the first sync that failed; written and read within group.sync
}

// take opens the file of id on its way, which is made if need be. Who takes it
// must give it back.
func (s *handles) take(id string) (*handle, error) {
	s.mu.Lock()
	h := s.open[id]
	if h == nil {
		h = &handle{s: s.s, id: id}
		s.open[id] = h
	}
	h.users++
	s.mu.Unlock()
	h.once.Do(func() { h.f, h.err = s.s.create(id) })
	if h.err != nil {
		h.give()
		return nil, h.err
	}
	return h, nil
}

// give gives the handle back. The last one closes it.
func (h *handle) give() {
	s := &h.s.handles
	s.mu.Lock()
	h.users--
	last := h.users == 0
	if last && s.open[h.id] == h {
		delete(s.open, h.id)
	}
	s.mu.Unlock()
	if !last {
		return
	}
	for _, f := range []file{h.f, h.past} {
		if f != nil {
			f.Close()
		}
	}
}

// drop has who comes next open the file anew.
func (s *handles) drop(h *handle) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[h.id] == h {
		delete(s.open, h.id)
	}
}

// left has who comes next open the file of id anew: it was removed or has got
// its key, so that what is open is no longer what lies on its way.
func (s *handles) left(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, id)
}

// direct returns the file for writes past the page cache, nil if there is none.
func (h *handle) direct() file {
	h.pastOnce.Do(func() {
		if direct == 0 {
			return
		}
		if f, err := h.s.sys.open(onWay(h.id), os.O_WRONLY|direct); err == nil && f.same(h.f) {
			h.past = f
		} else if err == nil {
			f.Close()
		}
	})
	return h.past
}

// sync makes durable what was written before it was called. The kernel tells of
// bytes that it could not write once, to one sync, and calls them clean then:
// after that nobody knows whose they were, and no sync of this handle succeeds
// any more.
func (h *handle) sync() error {
	return h.group.sync(func() error {
		if h.broken == nil {
			if h.broken = h.f.sync(); h.broken != nil {
				h.s.handles.drop(h)
			}
		}
		return h.broken
	})
}
