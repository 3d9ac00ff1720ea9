package disk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/store"
)

// Put is store.Store's. It ignores the context: a body ends by its reader, and
// what arrived is kept all the same.
func (s *Store) Put(_ context.Context, o store.Object, e extent.Extent, r io.Reader, done func(store.Part) error) error {
	if err := errors.Join(checkID(o.ID), checkExtent(o, e)); err != nil {
		return err
	}
	if e.Empty() {
		return nil
	}
	h, err := s.handles.take(o.ID)
	if err != nil {
		return wrap(err)
	}
	defer h.give()
	p := &put{s: s, h: h, r: r, whole: e, e: e, done: done, from: e.Start, at: e.Start, last: time.Now(), tiny: s.tiny.take(1)}
	defer func() { s.tiny.give(p.tiny...); s.small.give(p.small...) }()
	for !p.ended && err == nil {
		if err = p.slowly(); err == nil && !p.ended {
			err = p.quickly()
		}
	}
	return wrap(err)
}

// create opens the file of id on its way, and makes it if need be.
func (s *Store) create(id string) (file, error) {
	f, err := s.sys.open(onWay(id), os.O_RDWR)
	if errors.Is(err, fs.ErrNotExist) {
		s.tree.making(id)
		f, err = s.sys.open(onWay(id), os.O_RDWR|os.O_CREATE)
	}
	return f, err
}

// put is one Put at work. The body is taken in one of two ways, and the way
// changes whenever the body does: slowly holds one small buffer and no
// goroutine, quickly holds large buffers and reads, writes and syncs at the
// same time.
type put struct {
	s    *Store
	h    *handle
	r    io.Reader
	done func(store.Part) error

	whole    extent.Extent // what the request brings
	e        extent.Extent // what of it has not been read yet
	ended    bool          // the body has
	tries    int           // reads in a row that brought nothing
	from, at int64         // the bytes [from, at) are written and not acknowledged
	crc      store.CRC     // of them
	last     time.Time     // when bytes were acknowledged last
	tiny     [][]byte      // a tiny buffer,
	small    [][]byte      // and a small one, once that was full
	carry    []byte        // what slowly has read and leaves to quickly to write
}

// read reads into b, which is not longer than e, and notes the end.
func (p *put) read(b []byte) int {
	n, err := p.r.Read(b[:min(int64(len(b)), p.e.Len())])
	p.e.Start += int64(n)
	if p.tries++; n > 0 {
		p.tries = 0
	}
	if err != nil || p.e.Empty() || p.tries >= 100 {
		p.ended = true
	}
	return n
}

// write writes b behind what is written, through the page cache.
func (p *put) write(b []byte) error {
	if _, err := p.h.f.WriteAt(b, p.at); err != nil {
		return err
	}
	p.wrote(b)
	return nil
}

func (p *put) wrote(b []byte) {
	p.crc = p.crc.Update(b)
	p.at += int64(len(b))
}

// cut returns the run that is written, and begins a new one.
func (p *put) cut() store.Part {
	run := store.Part{Extent: extent.Extent{Start: p.from, End: p.at}, CRC: p.crc}
	p.from, p.crc, p.last = p.at, 0, time.Now()
	return run
}

// settle makes a run durable and acknowledges it. After a failed sync nobody
// knows which bytes are on the disk, and a later one would not tell: then
// nothing of the run counts, and Put ends.
func (p *put) settle(run store.Part) error {
	if run.Empty() {
		return nil
	}
	if p.s.power {
		if err := p.h.sync(); err != nil {
			return fmt.Errorf("sync of %s: %w", p.h.id, err)
		}
		if err := p.s.tree.entered(p.h.id); err != nil {
			return err
		}
	}
	return p.done(run)
}

// slow is what the reader of a slow body and its clock share: while the one is
// blocked in Read, the other writes what has come and acknowledges it.
type slow struct {
	*put
	mu    sync.Mutex
	buf   []byte
	fill  int // bytes of buf that have been read
	gone  int // and those of them that have been written
	clock *time.Timer
	armed bool // the clock runs
	err   error
	over  bool
}

// slowly takes the body until it ends or turns out to be fast.
func (p *put) slowly() error {
	l := &slow{put: p, buf: p.tiny[0]}
	l.clock = time.AfterFunc(time.Hour, l.strike)
	defer l.clock.Stop()

	mark, since := p.e.Start, time.Now()
	for {
		n := l.read(l.buf[l.fill:])
		fast := false
		if p.e.Start-mark >= p.s.pace.fast {
			now := time.Now()
			fast = now.Sub(since) < p.s.pace.per && p.e.Len() >= p.s.pace.fast
			mark, since = p.e.Start, now
		}
		if err := l.came(n, fast); err != nil || p.ended || fast {
			return err
		}
	}
}

// came is told that n bytes have been read, and whether they were the last for
// this way of reading. It does what is due.
func (l *slow) came(n int, last bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fill += n
	if l.err != nil {
		return l.err
	}
	switch {
	case last:
		l.carry = l.buf[l.gone:l.fill]
	case l.ended, l.fill == len(l.buf) && !l.grow():
		l.err = l.flush()
		l.fill, l.gone = 0, 0
	}
	if due := l.at-l.from >= l.s.pace.run || time.Since(l.last) >= l.s.pace.wait; l.err == nil && (l.ended || due && l.at > l.from) {
		l.armed = false
		l.clock.Stop()
		l.err = l.settle(l.cut())
	}
	l.over = l.ended || last || l.err != nil
	if waiting := l.at > l.from || l.fill > l.gone; waiting && !l.armed && !l.over {
		l.armed = true
		l.clock.Reset(l.s.pace.wait)
	}
	return l.err
}

// grow moves what is in the tiny buffer and not written into a small one, if
// there is one. The lock must be held.
func (l *slow) grow() bool {
	if len(l.buf) > tinyBuffer {
		return false
	}
	if l.small == nil {
		l.small = l.s.small.take(1)
	}
	if l.small == nil {
		return false
	}
	l.fill = copy(l.small[0], l.buf[l.gone:l.fill])
	l.buf, l.gone = l.small[0], 0
	return true
}

// flush writes what has been read. The lock must be held.
func (l *slow) flush() error {
	err := l.write(l.buf[l.gone:l.fill])
	l.gone = l.fill
	return err
}

// strike acknowledges what has waited long enough.
func (l *slow) strike() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over || l.err != nil {
		return
	}
	l.armed = false
	if l.err = l.flush(); l.err == nil {
		l.err = l.settle(l.cut())
	}
}
