package s3

// crumb is one that has gone to the server and is still here.
type crumb struct {
	key        string
	bytes      *buffer
	prev, next *crumb
}

// keep takes over a buffer that is durable under key.
func (m *memory) keep(key string, b *buffer) {
	b.shrink()
	n := b.room
	m.mu.Lock()
	c := &crumb{key: key, bytes: b}
	m.crumbs[key] = c
	if m.oldest == nil {
		m.oldest, c.prev, c.next = c, c, c
	} else {
		c.prev, c.next = m.oldest.prev, m.oldest
		c.prev.next, c.next.prev = c, c
	}
	m.mu.Unlock()
	if m.budget.Waiting() {
		m.spare(n)
	}
}

// lift takes a crumb out, nil if it is not here any more.
func (m *memory) lift(key string) *buffer {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.unlink(m.crumbs[key])
}

// unlink must be called with the lock held.
func (m *memory) unlink(c *crumb) *buffer {
	if c == nil {
		return nil
	}
	delete(m.crumbs, c.key)
	c.prev.next, c.next.prev = c.next, c.prev
	if m.oldest == c {
		if m.oldest = c.next; c.next == c {
			m.oldest = nil
		}
	}
	return c.bytes
}

// spare gives back n bytes, if there are so many crumbs, the oldest first.
func (m *memory) spare(n int64) {
	for n > 0 {
		m.mu.Lock()
		b := m.unlink(m.oldest)
		m.mu.Unlock()
		if b == nil {
			return
		}
		n -= b.room
		b.free()
	}
}

func (m *memory) forget(key string) {
	if b := m.lift(key); b != nil {
		b.free()
	}
}
