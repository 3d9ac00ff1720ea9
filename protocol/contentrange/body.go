package contentrange

import (
	"io"

	"github.com/muleteer/muleteer/store"
)

// body sums up what is read of a request's body.
type body struct {
	io.Reader
	sum store.CRC // of what was read
	n   int64     // bytes that were read
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	b.sum = b.sum.Update(p[:n])
	b.n += int64(n)
	return n, err
}

// Interrupt ends a Read in another goroutine, as upload.Chunk wants it.
func (b *body) Interrupt() {
	if i, ok := b.Reader.(interface{ Interrupt() }); ok {
		i.Interrupt()
	}
}
