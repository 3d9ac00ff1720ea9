package s3

import (
	"context"
	"io"
	"sync"
	"time"

	"github.com/muleteer/muleteer/store"
)

// memory gives out the blocks in which bodies wait for their way to the
// server, and keeps crumbs that have gone there, as long as nobody else needs
// the room, so that folding them reads nothing.
type memory struct {
	budget *store.Budget
	small  sync.Pool // of *block
	large  sync.Pool

	mu     sync.Mutex
	crumbs map[string]*crumb // by key
	oldest *crumb            // of a ring, which the newest one closes
}

// A body begins with a small block, so that many slow ones fit in, and goes on
// with large ones. In bytes.
const (
	smallBlock = 32 << 10
	largeBlock = 256 << 10
)

type block struct{ bytes []byte }

func newMemory(b *store.Budget) *memory {
	m := &memory{budget: b, crumbs: map[string]*crumb{}}
	m.small.New = func() any { return &block{make([]byte, smallBlock)} }
	m.large.New = func() any { return &block{make([]byte, largeBlock)} }
	b.Reclaim(m.spare)
	return m
}

// buffer is a run of bytes in blocks.
type buffer struct {
	memory *memory
	blocks []*block
	n      int64 // bytes that are there
	room   int64 // bytes that the blocks take
}

// moment is how long somebody who holds memory waits for more of it.
const moment = 100 * time.Millisecond

// grow adds a block, and tells whether it could. Who holds nothing waits as
// long as it takes; who holds something only for a moment, and then has to
// make it durable.
func (b *buffer) grow(ctx context.Context) (bool, error) {
	size, pool := int64(largeBlock), &b.memory.large
	if b.room == 0 {
		size, pool = smallBlock, &b.memory.small
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
	b.blocks, b.room = append(b.blocks, pool.Get().(*block)), b.room+size
	return true, nil
}

// space is where the next bytes go; empty if a block is needed.
func (b *buffer) space() []byte {
	if b.n == b.room {
		return nil
	}
	last := b.blocks[len(b.blocks)-1].bytes
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

func (m *memory) recycle(k *block) {
	switch len(k.bytes) {
	case smallBlock:
		m.small.Put(k)
	case largeBlock:
		m.large.Put(k)
	}
}

// shrink keeps no more than the bytes need, if that is worth a copy.
func (b *buffer) shrink() {
	if b.n > b.room/2 || b.n > largeBlock/2 {
		return
	}
	exact := make([]byte, 0, b.n)
	for _, k := range b.blocks {
		exact = append(exact, k.bytes[:min(int64(len(k.bytes)), b.n-int64(len(exact)))]...)
	}
	n := b.n
	b.memory.budget.Give(b.room - n)
	b.room = n
	for _, k := range b.blocks {
		b.memory.recycle(k)
	}
	b.blocks = []*block{{exact}}
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
		if size := int64(len(k.bytes)); at >= size {
			at -= size
			continue
		}
		n := copy(p, k.bytes[at:min(int64(len(k.bytes)), at+r.b.n-r.pos)])
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
