package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// progress shows meters: as bars on a terminal, else as a line now and then, or
// not at all.
type progress struct {
	out  io.Writer
	bars *mpb.Progress // nil without a terminal
	all  *meter
	many bool  // too many files for a bar each
	big  int64 // in bytes, from which on a file has a bar among many
	stop func()

	mu     sync.Mutex
	active map[*meter]struct{}
	total  *mpb.Bar
}

const (
	bars  = 8                // files that have a bar each
	often = 10 * time.Second // without a terminal
)

// newProgress shows the sending of files. The output is one that a terminal is
// at, or not; quiet shows nothing.
func newProgress(out io.Writer, sources []*source, big int64, quiet bool) *progress {
	p := &progress{out: out, many: len(sources) > bars, big: big, active: map[*meter]struct{}{}, stop: func() {}}
	p.all = &meter{title: "total", files: len(sources)}
	for _, s := range sources {
		if s.size < 0 {
			p.all.total = -1
			break
		}
		p.all.total += s.size
	}
	switch {
	case quiet:
	case terminal(out):
		p.bars = mpb.New(mpb.WithOutput(out))
		if p.many {
			p.total = p.bar(p.all, -1)
		}
	default:
		p.lines()
	}
	return p
}

// terminal tells whether a person looks at w.
func terminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && isatty.IsTerminal(f.Fd()) && os.Getenv("TERM") != "dumb"
}

// lines tells every now and then how far it is.
func (p *progress) lines() {
	tick, stopped := time.NewTicker(often), make(chan struct{})
	var once sync.Once
	p.stop = func() { once.Do(func() { tick.Stop(); close(stopped) }) }
	go func() {
		for {
			select {
			case <-stopped:
				return
			case <-tick.C:
				p.line()
			}
		}
	}()
}

func (p *progress) line() {
	if p.many {
		fmt.Fprintf(p.out, "total: %v\n", p.all)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for m := range p.active {
		if !p.many || m.total >= p.big {
			fmt.Fprintf(p.out, "%s: %v\n", m.title, m)
		}
	}
}

// begin shows a file; the function that it returns is called when its sending
// has ended.
func (p *progress) begin(s *source) (*meter, func(error)) {
	m := &meter{title: printable(s.title()), sum: p.all, total: s.size}
	p.mu.Lock()
	p.active[m] = struct{}{}
	p.mu.Unlock()
	var bar *mpb.Bar
	if p.bars != nil && (!p.many || s.size < 0 || s.size > p.big) {
		bar = p.bar(m, 0)
	}
	return m, func(err error) {
		p.mu.Lock()
		delete(p.active, m)
		p.mu.Unlock()
		p.all.done()
		switch {
		case bar == nil:
		case err != nil:
			bar.Abort(p.many)
		default:
			m.note("")
			bar.SetTotal(-1, true)
		}
	}
}

func (p *progress) bar(m *meter, priority int) *mpb.Bar {
	remark := decor.Any(func(decor.Statistics) string { return " " + m.String() })
	options := []mpb.BarOption{
		mpb.BarPriority(priority),
		mpb.PrependDecorators(decor.Name(shorten(m.title, 30), decor.WC{C: decor.DindentRight | decor.DextraSpace})),
		mpb.AppendDecorators(remark),
	}
	if p.many && m != p.all {
		options = append(options, mpb.BarRemoveOnComplete())
	}
	bar := p.bars.New(max(m.total, 0), mpb.BarStyle(), options...)
	m.mu.Lock()
	m.moved = bar.SetCurrent
	m.mu.Unlock()
	return bar
}

// shorten keeps the end of a name, which tells more.
func shorten(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return "…" + string(r[len(r)-n+1:])
	}
	return s
}

// say writes a line that stays.
func (p *progress) say(w io.Writer, line string) {
	if p.bars != nil && terminal(w) {
		w = p.bars // above the bars
	}
	fmt.Fprintln(w, line)
}

// end leaves what is shown as it is.
func (p *progress) end() {
	p.stop()
	if p.bars == nil {
		return
	}
	if p.total != nil {
		p.total.Abort(false)
	}
	p.bars.Shutdown()
}
