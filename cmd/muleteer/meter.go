package main

import (
	"fmt"
	"sync"
	"time"
)

// meter tells how far the sending of a file, or of all, has come. It counts
// bytes that the server acknowledged: what was only written to a socket can
// still be lost.
type meter struct {
	title string
	sum   *meter // of all files, nil if this is it

	mu      sync.Mutex
	total   int64 // bytes, -1 while it is not known
	acked   int64
	files   int // how many are meant, and how many have ended
	ended   int
	remark  string
	samples []sample // of the last while, the oldest first
	moved   func(acked int64)
}

// sample is how far it was when.
type sample struct {
	at    time.Time
	acked int64
}

// window is over how long the speed is measured.
const window = 15 * time.Second

// ack counts n bytes more, which were sent and acknowledged.
func (m *meter) ack(n int64) { m.move(n, true) }

// resume says that the server had n bytes of the file before. What was counted
// of them already is not counted again.
func (m *meter) resume(n int64) {
	m.mu.Lock()
	more := n - m.acked
	if n > 0 && n < m.total {
		m.remark = fmt.Sprintf("resuming at %d %%", 100*n/m.total)
	}
	m.mu.Unlock()
	m.move(more, false)
}

// move adds n bytes; only those that were sent say something of the speed.
func (m *meter) move(n int64, sent bool) {
	m.mu.Lock()
	m.acked += n
	if sent {
		m.remark = ""
	}
	now := time.Now()
	switch {
	case len(m.samples) == 0 || !sent:
		m.samples = []sample{{now, m.acked}}
	case now.Sub(m.samples[len(m.samples)-1].at) > window/30:
		m.samples = append(m.samples, sample{now, m.acked})
		for len(m.samples) > 2 && now.Sub(m.samples[1].at) > window {
			m.samples = m.samples[1:]
		}
	}
	moved, acked := m.moved, m.acked
	m.mu.Unlock()
	if moved != nil {
		moved(acked)
	}
	if m.sum != nil {
		m.sum.move(n, sent)
	}
}

// note says what is going on instead of bytes.
func (m *meter) note(remark string) {
	m.mu.Lock()
	m.remark = remark
	m.mu.Unlock()
	if m.sum != nil {
		m.sum.note(remark) // of many files not every one is shown
	}
}

// done counts a file that has ended.
func (m *meter) done() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ended++
}

// pace is in bytes per second; 0 if it is not known. The caller holds m.mu.
func (m *meter) pace(now time.Time) float64 {
	if len(m.samples) == 0 {
		return 0
	}
	first := m.samples[0]
	if passed := now.Sub(first.at); passed > window/30 {
		return float64(m.acked-first.acked) / passed.Seconds()
	}
	return 0
}

// String is all that can be said, in one line.
func (m *meter) String() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := size(m.acked).String()
	if m.total > 0 {
		s = fmt.Sprintf("%d %% of %v", 100*m.acked/m.total, size(m.total))
	}
	if m.files > 1 {
		s = fmt.Sprintf("%d of %d files, %s", m.ended, m.files, s)
	}
	if v := m.pace(time.Now()); v >= 1 {
		s += fmt.Sprintf(", %v/s", size(v))
		if m.total > 0 {
			s += fmt.Sprintf(", %v left", left(m.total-m.acked, v))
		}
	}
	if m.remark != "" {
		s += ", " + m.remark
	}
	return s
}

// left is how long n bytes take at a speed, as people say it.
func left(n int64, speed float64) string {
	if speed < 1 || float64(n)/speed > 100*3600 {
		return "?"
	}
	return span(time.Duration(float64(n) / speed * float64(time.Second)).Round(time.Second)).String()
}
