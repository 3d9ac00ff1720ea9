package disk

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/store"
)

// depth is how many large buffers a fast body has: one is read into, one is
// written, one waits.
const depth = 3

// fast is a body that is read, written and synced at the same time. Each of
// the three is one goroutine, and what passes between them is in order. One
// that fits in a buffer is done by its reader alone.
type fast struct {
	*put
	past  file  // the same file past the page cache, or nil
	space int64 // up to where it is reserved; 0: nothing is

	others   sync.WaitGroup // who write and sync
	segments chan segment
	runs     chan store.Part
	free     chan []byte
	failed   atomic.Pointer[error]

	mu      sync.Mutex // what the reader shares with its clock
	buf     []byte
	fill    int64 // buf[gone:fill] has been read and not been handed on
	gone    int64
	stalled bool
	helped  bool // by others
}

// help has others write and sync from now on. The lock must be held.
func (f *fast) help() {
	if !f.helped {
		f.helped = true
		f.others.Go(f.write)
		f.others.Go(f.sync)
	}
}

// segment is a piece of a buffer to be written.
type segment struct {
	bytes []byte
	whole []byte // the buffer, if this was its last piece
}

// quickly takes the body until it ends or turns out to be slow.
func (p *put) quickly() error {
	blocks := (p.e.End-1)/p.s.pace.block - p.at/p.s.pace.block + 1
	bufs := p.s.large.take(min(depth, blocks))
	if bufs == nil { // there is no memory for that: slowly goes on
		err := p.write(p.carry)
		p.carry = nil
		return err
	}
	defer p.s.large.give(bufs...)
	f := &fast{
		put:      p,
		segments: make(chan segment, depth), runs: make(chan store.Part, 1), free: make(chan []byte, depth),
	}
	for _, b := range bufs {
		f.free <- b
	}
	f.past = p.h.direct()
	f.read()
	if !f.helped { // there is one segment, and so one run
		f.write()
		f.sync()
	}
	f.others.Wait()
	if err := f.failed.Load(); err != nil {
		return *err
	}
	return nil
}

func (f *fast) fail(err error) { f.failed.CompareAndSwap(nil, &err) }

// read fills buffers. The place of a byte in its buffer is its place in the
// block of the file, so that what is aligned in the one is in the other.
func (f *fast) read() {
	defer close(f.segments)
	clock := time.AfterFunc(time.Hour, f.strike)
	clock.Stop()
	for !f.ended && f.failed.Load() == nil {
		buf := <-f.free
		f.mu.Lock()
		f.buf, f.stalled = buf, false
		f.gone = (f.e.Start - int64(len(f.carry))) % f.s.pace.block
		n := copy(buf[f.gone:], f.carry)
		f.fill, f.carry = f.gone+int64(n), f.carry[n:]
		f.mu.Unlock()
		clock.Reset(f.s.pace.wait)
		slow := false
		for fill := f.fill; fill < f.s.pace.block && !f.ended && !slow; {
			n := f.put.read(buf[fill:])
			f.mu.Lock()
			fill += int64(n)
			f.fill, slow = fill, f.stalled
			f.mu.Unlock()
			slow = slow || f.failed.Load() != nil
		}
		clock.Stop()
		f.mu.Lock()
		f.segments <- segment{buf[f.gone:f.fill], buf}
		f.buf = nil
		if !f.ended && !slow {
			f.help()
		}
		f.mu.Unlock()
		if slow {
			return
		}
	}
}

// strike hands on what has been read so far, because the reader is blocked.
func (f *fast) strike() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.buf == nil {
		return
	}
	f.stalled = true
	f.segments <- segment{bytes: f.buf[f.gone:f.fill]}
	f.gone = f.fill
	f.help()
}

// write writes the segments and cuts them into runs.
func (f *fast) write() {
	defer close(f.runs)
	for seg := range f.segments {
		if f.failed.Load() == nil {
			if err := f.place(seg.bytes); err != nil {
				f.fail(err)
			}
		}
		if seg.whole != nil {
			f.free <- seg.whole
		} // else the reader is blocked, and somebody may wait for these bytes
		due := seg.whole == nil || f.at-f.from >= f.s.pace.run || time.Since(f.last) >= f.s.pace.wait
		if f.failed.Load() == nil && due && f.at > f.from {
			f.runs <- f.cut()
		}
	}
	if f.failed.Load() == nil && f.at > f.from {
		f.runs <- f.cut()
	}
}

// place writes b behind what is written: past the page cache what fills its
// blocks, the rest through it.
func (f *fast) place(b []byte) error {
	f.reserve(int64(len(b)))
	if f.past != nil {
		head := min(-f.at&(align-1), int64(len(b)))
		body := (int64(len(b)) - head) &^ (align - 1)
		if err := f.put.write(b[:head]); err != nil {
			return err
		}
		b = b[head:]
		if body > 0 {
			_, err := f.past.WriteAt(b[:body], f.at)
			if err == nil {
				f.wrote(b[:body])
				b = b[body:]
			} else if isFull(err) {
				return err
			} else { // this file system cannot, or not here: the page cache can
				f.past = nil
			}
		}
	}
	return f.put.write(b)
}

// reserve allocates ahead of the writing, so that the file lies in few pieces:
// never beyond what this request says that it brings, nor more than it has
// brought already, because a client must not take space that it does not fill.
// The last write needs none.
func (f *fast) reserve(n int64) {
	if f.at+n <= f.space || f.at+n == f.whole.End {
		return
	}
	ahead := min(max(f.at-f.whole.Start, f.s.pace.run), 64<<20)
	e := extent.Extent{Start: f.at, End: min(extent.At(f.at, ahead).End, f.whole.End)}
	f.space = e.End
	if err := f.h.f.reserve(e); err != nil {
		f.space = extent.Max // it cannot, or there is no space: the write tells
	}
}

// sync acknowledges runs. Those that have come meanwhile share a sync.
func (f *fast) sync() {
	for run := range f.runs {
		for more := true; more; {
			select {
			case next, ok := <-f.runs:
				if more = ok; ok {
					run.CRC, run.End = run.CRC.Append(next.CRC, next.Len()), next.End
				}
			default:
				more = false
			}
		}
		if f.failed.Load() != nil {
			continue
		}
		if err := f.settle(run); err != nil {
			f.fail(err)
		}
	}
}
