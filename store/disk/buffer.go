package disk

import (
	"sync"
	"sync/atomic"
	"unsafe"
)

const (
	align       = 4096     // of memory, offset and length of direct writes
	tinyBuffer  = 8 << 10  // for a body that is slow or has not begun
	smallBuffer = 64 << 10 // for one that fills a tiny one at once
)

// pool hands out buffers of one size that begin at a page.
type pool struct {
	size  int64
	left  atomic.Int64 // how many may be taken yet; negative from the start: any number
	bound bool
	free  sync.Pool
}

func newPool(size, most int64) *pool {
	p := &pool{size: size, bound: most >= 0}
	p.left.Store(most)
	return p
}

// take returns n buffers, or nil if there are not so many.
func (p *pool) take(n int64) [][]byte {
	if p.bound && p.left.Add(-n) < 0 {
		p.left.Add(n)
		return nil
	}
	bufs := make([][]byte, n)
	for i := range bufs {
		if b, ok := p.free.Get().(*byte); ok {
			bufs[i] = unsafe.Slice(b, p.size)
		} else {
			bufs[i] = aligned(p.size)
		}
	}
	return bufs
}

func (p *pool) give(bufs ...[]byte) {
	for _, b := range bufs {
		p.free.Put(unsafe.SliceData(b))
	}
	if p.bound {
		p.left.Add(int64(len(bufs)))
	}
}

// aligned returns n bytes that begin at a page.
func aligned(n int64) []byte {
	b := make([]byte, n+align)
	skip := -int64(uintptr(unsafe.Pointer(&b[0]))) & (align - 1)
	return b[skip : skip+n : skip+n]
}
