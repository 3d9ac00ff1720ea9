package mem

import (
	"io"

	"github.com/muleteer/muleteer/extent"
)

const page = 64 << 10

// file is a sparse file: its pages by their numbers.
type file map[int64][]byte

func (f file) write(off int64, b []byte) {
	for len(b) > 0 {
		p := f[off/page]
		if p == nil {
			p = make([]byte, page)
			f[off/page] = p
		}
		n := copy(p[off%page:], b)
		off, b = off+int64(n), b[n:]
	}
}

// reader reads the bytes e of f.
type reader struct {
	s *Store
	f file
	e extent.Extent
}

func (r *reader) Read(b []byte) (int, error) {
	if r.e.Empty() {
		return 0, io.EOF
	}
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	p := r.f[r.e.Start/page]
	n := copy(b[:min(int64(len(b)), r.e.Len())], p[r.e.Start%page:])
	r.e.Start += int64(n)
	return n, nil
}
