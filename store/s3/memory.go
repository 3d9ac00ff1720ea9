package s3

import (
	"context"
	"io"
	"math"
	"sync"
	"time"

	"github.com/muleteer/muleteer/store"
)

// memory gives out the blocks in which bodies wait for their way to the
// server, and keeps crumbs that have gone there, as long as nobody else needs
// the room, so that folding them reads nothing.
type memory struct {
	budget *store.Budget

	mu     sync.Mutex
	idle   map[int][][]byte  // blocks that nobody uses, by their size
	crumbs map[string]*crumb // by key
	oldest *crumb            // of a ring, which the newest one closes
}

// A body begins with a small block, so that many slow ones fit in, and goes on
// with large ones. In bytes.
const (
	smallBlock = 32 << 10
	largeBlock = 256 << 10
)

func newMemory(b *store.Budget) *memory {
	m := &memory{budget: b, idle: map[int][][]byte{}, crumbs: map[string]*crumb{}}
	b.Reclaim(m.spare)
	return m
}

// block returns one that is in the budget already.
func (m *memory) block(size int) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	if idle := m.idle[size]; len(idle) > 0 {
		m.idle[size] = idle[:len(idle)-1]
		return idle[len(idle)-1]
	}
	// A block of the other size is one too many now, as the budget has it.
	for other, idle := range m.idle {
		for n := 0; other != size && n < size && len(idle) > 0; n += other {
			endBlock(idle[len(idle)-1])
			idle = idle[:len(idle)-1]
		}
		m.idle[other] = idle
	}
	return newBlock(size)
}

func (m *memory) recycle(b []byte) {
	if len(b) != smallBlock && len(b) != largeBlock {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.idle[len(b)] = append(m.idle[len(b)], b)
}

// close gives all back that nobody uses.
func (m *memory) close() {
	m.spare(math.MaxInt64)
	m.mu.Lock()
	defer m.mu.Unlock()
	for size, idle := range m.idle {
		for _, b := range idle {
			endBlock(b)
		}
		delete(m.idle, size)
	}
}

// buffer is a run of bytes in blocks.
type buffer struct {
	memory *memory
	blocks [][]byte
	n      int64 // bytes that are there
	room   int64 // bytes that the blocks take
}

// moment is how long somebody who holds memory waits for more of it.
const moment = 100 * time.Millisecond

// grow adds a block, and tells whether it could. Who holds nothing waits as
// long as it takes; who holds something only for a moment, and then has to
// make it durable.
func (b *buffer) grow(ctx context.Context) (bool, error) {
	size := int64(largeBlock)
	if b.room == 0 {
		size = smallBlock
	}
	if !b.memory.budget.Try(size) {
		wait, cancel := ctx, context.CancelFunc(func() {})
		if b.room > 0 {
			wait, cancel = context.WithTimeout(ctx, moment)
		}
		err := b.memory.budget.Take(wait, size)
		cancel()
		if err != nil {
			return false, ctx.Err()
		}
	}
	b.blocks, b.room = append(b.blocks, b.memory.block(int(size))), b.room+size
	return true, nil
}

// space is where the next bytes go; empty if a block is needed.
func (b *buffer) space() []byte {
	if b.n == b.room {
		return nil
	}
	last := b.blocks[len(b.blocks)-1]
	return last[int64(len(last))-(b.room-b.n):]
}

// free gives the blocks back.
func (b *buffer) free() {
	for _, k := range b.blocks {
		b.memory.recycle(k)
	}
	b.memory.budget.Give(b.room)
	b.blocks, b.n, b.room = nil, 0, 0
}

// shrink keeps no more than the bytes need, if that is worth a copy.
func (b *buffer) shrink() {
	if b.n > b.room/2 || b.n > largeBlock/2 {
		return
	}
	exact := make([]byte, 0, b.n)
	for _, k := range b.blocks {
		exact = append(exact, k[:min(int64(len(k)), b.n-int64(len(exact)))]...)
	}
	n := b.n
	b.memory.budget.Give(b.room - n)
	b.room = n
	for _, k := range b.blocks {
		b.memory.recycle(k)
	}
	b.blocks = [][]byte{exact}
}

// reader reads a buffer, any number of times: it is what a request sends.
func (b *buffer) reader() *bufferReader { return &bufferReader{b: b} }

type bufferReader struct {
	b   *buffer
	pos int64
}

func (r *bufferReader) Read(p []byte) (int, error) {
	if r.pos >= r.b.n {
		return 0, io.EOF
	}
	at := r.pos
	for _, k := range r.b.blocks {
		if size := int64(len(k)); at >= size {
			at -= size
			continue
		}
		n := copy(p, k[at:min(int64(len(k)), at+r.b.n-r.pos)])
		r.pos += int64(n)
		return n, nil
	}
	return 0, io.ErrUnexpectedEOF
}

func (r *bufferReader) Seek(offset int64, whence int) (int64, error) {
	return seek(&r.pos, r.b.n, offset, whence)
}

// seek moves a position within n bytes.
func seek(pos *int64, n, offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += *pos
	case io.SeekEnd:
		offset += n
	}
	if offset < 0 || offset > n {
		return 0, io.ErrUnexpectedEOF
	}
	*pos = offset
	return offset, nil
}
