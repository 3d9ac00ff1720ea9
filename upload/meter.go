package upload

import (
	"io"

	"github.com/muleteer/muleteer/store"
)

// meter is a body on its way into the store.
type meter struct {
	r       io.Reader
	n       int64           // bytes read
	err     error           // why there are no more
	stopped <-chan struct{} // a later request took over
	ahead   [1]byte         // read by more, not yet given on
	has     bool
}

func (m *meter) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if m.has {
		p[0], m.has = m.ahead[0], false
		m.n++
		return 1, nil
	}
	if m.err != nil {
		return 0, m.err
	}
	if m.r == nil {
		m.err = io.EOF
		return 0, m.err
	}
	n, err := m.r.Read(p)
	m.n += int64(n)
	if m.err = err; err != io.EOF {
		select {
		case <-m.stopped:
			m.err = ErrInterrupted
		default:
		}
	}
	return n, m.err
}

// more tells whether there is another byte, and keeps it for the next Read.
func (m *meter) more() bool {
	for !m.has && m.err == nil {
		n, _ := m.Read(m.ahead[:])
		m.n -= int64(n)
		m.has = n == 1
	}
	return m.has
}

// discard reads up to n bytes and tells their checksum and number.
func (m *meter) discard(n int64) (store.CRC, int64) {
	if n <= 0 || m.err != nil && !m.has {
		return 0, 0
	}
	var crc store.CRC
	var got int64
	buf := make([]byte, min(n, 64<<10))
	for got < n {
		k, err := m.Read(buf[:min(n-got, int64(len(buf)))])
		crc, got = crc.Update(buf[:k]), got+int64(k)
		if err != nil {
			break
		}
	}
	return crc, got
}
