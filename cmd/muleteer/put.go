package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"
)

type putCommand struct {
	What      []string `arg:"" optional:"" name:"file" help:"Files, directories, or - for standard input; and at last the server's URL."`
	Server    string   `hidden:"" env:"MULETEER_URL"`
	Name      string   `help:"The name at the server, of a single file or of standard input."`
	Workers   int      `short:"w" default:"4" help:"How many requests at once (default: 4)."`
	ChunkSize size     `env:"MULETEER_CHUNK_SIZE,CHUNK_SIZE" default:"6291456" placeholder:"SIZE" help:"In what pieces to send, up to 95MiB (default: 6MiB)."`
	Direct    bool     `help:"Send pieces straight into the server's bucket, where it has one that takes them; what cannot go there goes through the server."`
	Timeout   span     `placeholder:"TIME" help:"Give up after so long without success (default: try for ever)."`
	Trust     trust    `embed:""`
	Quiet     bool     `short:"q" help:"Show no progress."`
	JSON      bool     `name:"json" help:"Tell of each file in a line of JSON."`
}

// Run sends all files, some at a time, and tells where they are.
func (p putCommand) Run(ctx context.Context, c console) error {
	what, address := p.What, p.Server
	if last := len(what) - 1; last >= 0 && isURL(what[last]) {
		what, address = what[:last], what[last]
	}
	if err := p.check(what); err != nil {
		return &failure{exitUsage, err}
	}
	r, err := newRemote(cmp.Or(address, "http://"+defaultAddress), p.Workers, p.Trust)
	if err != nil {
		return err
	}
	if address == "" { // nobody named a server, so it may be that none is meant
		if err := r.get(ctx, "/healthz", new(any)); err != nil {
			return err
		}
	}
	t := &tally{console: c, json: p.JSON}
	sources := expand(what, p.Name, t.failed)
	t.progress = newProgress(c.err, sources, int64(p.ChunkSize), p.Quiet)
	d := p.sender(r, c.in)
	queue := make(chan *source)
	var group sync.WaitGroup
	for range min(p.Workers, len(sources)) {
		group.Go(func() {
			for s := range queue {
				t.send(ctx, d, s)
			}
		})
	}
	for _, s := range sources {
		if ctx.Err() != nil {
			break
		}
		queue <- s
	}
	close(queue)
	group.Wait()
	t.progress.end()
	return t.result(ctx, what)
}

func (p putCommand) check(what []string) error {
	switch {
	case len(what) == 0:
		return errors.New("what shall be sent? Write: muleteer put FILE… URL")
	case p.Workers < 1 || p.Workers > 64:
		return errors.New("--workers is a number from 1 to 64")
	case p.ChunkSize < 1:
		return errors.New("--chunk-size has to be at least 1 byte")
	case p.Direct && p.ChunkSize < leastDirect:
		return errors.New("--direct needs a --chunk-size of at least 5MiB: buckets take no smaller pieces")
	case p.Name != "" && len(what) > 1:
		return errors.New("--name names one file, and there are several")
	}
	inputs := 0
	for _, w := range what {
		if w == "-" {
			inputs++
		}
		if isURL(w) {
			return fmt.Errorf("%s stands among the files; the URL comes last", w)
		}
		if _, err := os.Stat(w); err != nil && strings.Contains(w, ":") && !strings.Contains(w, "/") {
			return fmt.Errorf("%s is neither a file nor a URL: write http://%s", w, w)
		}
	}
	if inputs > 1 {
		return errors.New("standard input can be sent once only")
	}
	return nil
}

func (p putCommand) sender(r *remote, in io.Reader) *sender {
	var d *direct
	if p.Direct {
		d = &direct{}
	}
	return &sender{
		direct:  d,
		remote:  r,
		in:      in,
		chunk:   newChunk(int64(p.ChunkSize)),
		workers: p.Workers,
		slots:   make(chan struct{}, p.Workers),
		limit:   func() *patience { return &patience{limit: time.Duration(p.Timeout)} },
		buffers: sync.Pool{New: func() any { b := make([]byte, 256<<10); return &b }},
	}
}

// tally tells how the sending of each file ended, and counts.
type tally struct {
	console
	json     bool
	progress *progress

	mu         sync.Mutex
	good, bad  int
	unfinished int // ended by an interrupt
}

func (t *tally) send(ctx context.Context, d *sender, s *source) {
	began := time.Now()
	m, end := t.progress.begin(s)
	v, err := d.send(ctx, s, m)
	end(err)
	switch {
	case err == nil:
		t.arrived(d.remote, s, v, time.Since(began))
	case ctx.Err() != nil:
		t.mu.Lock()
		t.unfinished++
		t.mu.Unlock()
	default:
		t.failed(s.title(), err)
	}
}

// report is a line of --json.
type report struct {
	File    string  `json:"file"`
	Error   string  `json:"error,omitempty"`
	ID      string  `json:"id,omitempty"`
	Name    string  `json:"name,omitempty"`
	Size    int64   `json:"size"`
	CRC     string  `json:"crc64nvme,omitempty"`
	URL     string  `json:"url,omitempty"`
	Seconds float64 `json:"seconds,omitempty"`
}

func (t *tally) arrived(r *remote, s *source, v *view, took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.good++
	if t.json {
		t.line(report{File: s.title(), ID: v.ID, Name: v.Name, Size: *v.Size, CRC: v.CRC, URL: r.absolute(v), Seconds: took.Seconds()})
		return
	}
	t.progress.say(t.out, r.absolute(v))
}

func (t *tally) failed(title string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.bad++
	if t.json {
		t.line(report{File: title, Error: err.Error()})
		return
	}
	t.say(t.err, fmt.Sprintf("muleteer: %s: %v", printable(title), err))
}

func (t *tally) line(r report) {
	b, err := json.Marshal(r)
	if err != nil {
		b = []byte(`{"error":"this cannot be said in JSON"}`)
	}
	t.say(t.out, string(b))
}

func (t *tally) say(w io.Writer, line string) {
	if t.progress == nil {
		fmt.Fprintln(w, line)
		return
	}
	t.progress.say(w, line)
}

// result is how the program ends.
func (t *tally) result(ctx context.Context, what []string) error {
	switch {
	case ctx.Err() != nil:
		for _, w := range what {
			if w == "-" {
				return &failure{exitInterrupted, errors.New("interrupted; what was read from standard input cannot be resumed")}
			}
		}
		return &failure{exitInterrupted, fmt.Errorf("interrupted; this goes on from where it stands:\n  %s", quoted(t.args))}
	case t.bad > 0 && t.good > 0:
		return &failure{exitPartly, fmt.Errorf("%d of %d files did not arrive", t.bad, t.bad+t.good)}
	case t.bad > 0:
		return &failure{exitError, nil} // each has been told
	}
	return nil
}

// absolute is where the file can be read.
func (r *remote) absolute(v *view) string {
	place := printable(cmp.Or(v.URL, "files/"+v.ID))
	base, err1 := url.Parse(r.base + "/")
	target, err2 := url.Parse(place)
	if err1 != nil || err2 != nil {
		return place
	}
	base.User = nil
	return base.ResolveReference(target).String()
}
