//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// socket is P11: a page that sends over Socket.IO, against one that sends over
// HTTP, both with our own client.
func (p *plan) socket(ctx context.Context, r *report, size int64) ([]row, error) {
	browser, missing := p.chromium()
	if missing != "" {
		fmt.Println("  left out:", missing)
		return nil, nil
	}
	f := newFile(size)
	name := filepath.Join(p.dir, "socket.bin")
	if err := f.save(name); err != nil {
		return nil, err
	}
	defer os.Remove(name)
	http, stream := p.ours("power"), p.ours("power")
	http.name, stream.name = "HTTP", "Socket.IO"
	runs, err := p.turns([]side{http, stream}, func(sd side) (run, error) {
		s, err := p.start(ctx, sd)
		if err != nil {
			return run{}, err
		}
		defer s.stop()
		base := "http://" + s.addr
		job := errand{URL: base + "/", Targets: []string{base + "/upload/"}, Workers: 4, File: name, Chromium: browser, Streams: sd.name == stream.name}
		seconds := 0.0
		did, err := s.timed(gibs(size), func() error {
			var err error
			seconds, err = p.browse(ctx, job)
			return err
		})
		if did.Seconds = seconds; err != nil { // without the browser's start
			return did, err
		}
		s.stop()
		return did, errors.Join(s.holds(1, f.sum), s.forget())
	})
	if err != nil {
		return nil, err
	}
	r.add("P11", runs)
	return []row{
		compare("P11", "MiB/s of the page, Socket.IO against HTTP", runs, stream.name, http.name, mibs).atLeast(0.5),
		compare("P11", "CPU s/GiB of the server, Socket.IO against HTTP", runs, stream.name, http.name, run.cost),
	}, nil
}

// save writes a file for those who read one.
func (f *file) save(name string) error {
	out, err := os.Create(name)
	if err != nil {
		return err
	}
	for _, b := range f.bytes(0, f.size) {
		if _, err := out.Write(b); err != nil {
			return errors.Join(err, out.Close())
		}
	}
	return out.Close()
}
