//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
)

// small is P3.
func (p *plan) small(ctx context.Context, r *report, n int) ([]row, error) {
	sides := []side{p.ours("power"), p.tusd(), p.ours("process"), bareSide("copy"), bareSide("discard")}
	runs, err := p.turns(sides, func(sd side) (run, error) { return p.creates(ctx, sd, n) })
	if err != nil {
		return nil, err
	}
	r.add("P3", runs)
	return []row{
		compare("P3", "uploads/s, power", runs, "muleteer power", "tusd", run.rate).atLeast(2),
		compare("P3", "uploads/s, process", runs, "muleteer process", "tusd", run.rate).atLeast(4),
		compare("P3", "CPU µs per upload, power", runs, "muleteer power", "tusd", micros).atMost(0.35),
		compare("P3", "CPU µs per upload, process", runs, "muleteer process", "tusd", micros).atMost(0.35),
		compare("P3", "CPU µs per upload, power, against a bare copy", runs, "muleteer power", "bare copy", micros),
	}, nil
}

func micros(r run) float64 { return r.cost() * 1e6 }

// creates uploads n small files and reads a sample of them back.
func (p *plan) creates(ctx context.Context, sd side, n int) (run, error) {
	s, err := p.start(ctx, sd)
	if err != nil {
		return run{}, err
	}
	defer s.stop()
	noise := noise(64 << 10)
	paths := make([]string, n)
	r, err := s.timed(float64(n), func() error {
		return s.parallel(64, n, func(c *client, i int) error {
			b := small(noise, i)
			paths[i], err = c.create(b.len(), b)
			return err
		})
	})
	if err != nil || sd.name == "bare discard" {
		return r, err
	}
	c, err := s.dial()
	if err != nil {
		return r, err
	}
	defer c.close()
	for i := 0; i < n; i += max(1, n/200) {
		sum, err := c.sum(paths[i])
		if err != nil {
			return r, err
		}
		if sum != sumOf(small(noise, i)) {
			return r, fmt.Errorf("file %d came back as another one", i)
		}
	}
	return r, settle()
}

// heads is P4.
func (p *plan) heads(ctx context.Context, r *report, n int) ([]row, error) {
	sides := []side{p.ours("power"), p.tusd(), bareSide("discard")}
	runs, err := p.turns(sides, func(sd side) (run, error) { return p.probes(ctx, sd, n) })
	if err != nil {
		return nil, err
	}
	r.add("P4", runs)
	return []row{
		compare("P4", "CPU µs per HEAD", runs, "muleteer power", "tusd", micros).atMost(0.25),
		compare("P4", "HEADs/s", runs, "muleteer power", "tusd", run.rate),
		compare("P4", "CPU µs per HEAD, against bare net/http", runs, "muleteer power", "bare discard", micros),
	}, nil
}

// probes begins n uploads, half of each, and asks each how far it is.
func (p *plan) probes(ctx context.Context, sd side, n int) (run, error) {
	s, err := p.start(ctx, sd)
	if err != nil {
		return run{}, err
	}
	defer s.stop()
	noise := noise(64 << 10)
	paths := make([]string, n)
	err = s.parallel(64, n, func(c *client, i int) (err error) {
		b := small(noise, i)
		paths[i], err = c.create(2*b.len(), b)
		return err
	})
	if err != nil {
		return run{}, err
	}
	if err := settle(); err != nil {
		return run{}, err
	}
	return s.timed(float64(n), func() error {
		return s.parallel(8, n, func(c *client, i int) error {
			res, err := c.do(http.MethodHead, paths[i], nil, resumable)
			if err != nil {
				return err
			}
			got := res.Header.Get("Upload-Offset")
			if want := fmt.Sprint(16 << 10); res.StatusCode/100 != 2 || got != want && sd.name != "bare discard" {
				return fmt.Errorf("HEAD %s: %s, offset %q, not %s", paths[i], res.Status, got, want)
			}
			return nil
		})
	})
}

// parallel does work for each of n, on several connections, and ends at the
// first error.
func (s *server) parallel(connections, n int, work func(c *client, i int) error) error {
	var next atomic.Int64
	var failed atomic.Bool
	errs := make([]error, connections)
	var wg sync.WaitGroup
	for k := range connections {
		wg.Go(func() {
			c, err := s.dial()
			if err != nil {
				errs[k] = err
				failed.Store(true)
				return
			}
			defer c.close()
			for i := int(next.Add(1)) - 1; i < n && !failed.Load(); i = int(next.Add(1)) - 1 {
				if err := work(c, i); err != nil {
					errs[k] = err
					failed.Store(true)
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}
