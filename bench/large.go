//go:build linux

package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// single is P1.
func (p *plan) single(ctx context.Context, r *report, size int64) ([]row, error) {
	sides := []side{p.ours("power"), p.tusd(), p.ours("process"), bareSide("copy"), bareSide("discard")}
	f := newFile(size)
	runs, err := p.turns(sides, func(sd side) (run, error) { return p.large(ctx, sd, f, size) })
	if err != nil {
		return nil, err
	}
	floor := make([]float64, p.pairs)
	for i := range floor {
		direct, err := p.direct(ctx, size)
		if err != nil {
			return nil, err
		}
		runs = append(runs, run{Side: "bare direct", Pair: i, Units: gibs(size), CPU: direct})
	}
	r.add("P1", runs)
	for i := range floor {
		floor[i] = of(runs, "bare discard", i).cost() + of(runs, "bare direct", i).cost()
	}
	return []row{
		compare("P1", "MiB/s, power against tusd", runs, "muleteer power", "tusd", mibs).atLeast(2.0),
		compare("P1", "CPU s/GiB, power", runs, "muleteer power", "tusd", run.cost).atMost(0.35),
		against("P1", "CPU s/GiB, power against the floor", runs, "muleteer power", floor, run.cost).atMost(1.6),
		compare("P1", "MiB/s, process against tusd", runs, "muleteer process", "tusd", mibs),
		compare("P1", "MiB/s, power against a bare copy", runs, "muleteer power", "bare copy", mibs),
		compare("P1", "CPU s/GiB, power against a bare copy", runs, "muleteer power", "bare copy", run.cost),
	}, nil
}

// chunks is P2.
func (p *plan) chunks(ctx context.Context, r *report, size int64) ([]row, error) {
	sides := []side{p.ours("power"), p.tusd(), p.ours("process"), bareSide("copy")}
	f := newFile(size)
	runs, err := p.turns(sides, func(sd side) (run, error) { return p.large(ctx, sd, f, 8<<20) })
	if err != nil {
		return nil, err
	}
	r.add("P2", runs)
	return []row{
		compare("P2", "MiB/s, power against tusd", runs, "muleteer power", "tusd", mibs).atLeast(1.3),
		compare("P2", "CPU s/GiB, power", runs, "muleteer power", "tusd", run.cost).atMost(0.45),
		compare("P2", "MiB/s, process against tusd", runs, "muleteer process", "tusd", mibs),
		compare("P2", "MiB/s, power against a bare copy", runs, "muleteer power", "bare copy", mibs),
	}, nil
}

func gibs(size int64) float64 { return float64(size) / (1 << 30) }

// mibs is the throughput of a run that is counted in GiB.
func mibs(r run) float64 { return r.rate() * 1024 }

// turns runs each side once per pair, beginning with another one each time.
func (p *plan) turns(sides []side, once func(side) (run, error)) ([]run, error) {
	var runs []run
	for pair := range p.pairs {
		for i := range sides {
			sd := sides[(pair+i)%len(sides)]
			r, err := once(sd)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", sd.name, err)
			}
			r.Side, r.Pair = sd.name, pair
			runs = append(runs, r)
			fmt.Printf("  pair %d  %-20s %8.2f s  %8.2f s of CPU", pair+1, sd.name, r.Seconds, r.CPU)
			if r.Connections > 0 {
				fmt.Printf("  over %d connections", r.Connections)
			}
			fmt.Println()
		}
	}
	return runs, nil
}

// large uploads one file in PATCHes of chunk bytes on one connection, reads it
// back, and compares.
func (p *plan) large(ctx context.Context, sd side, f *file, chunk int64) (run, error) {
	s, err := p.start(ctx, sd)
	if err != nil {
		return run{}, err
	}
	defer s.stop()
	var path string
	r, err := s.timed(gibs(f.size), func() error {
		path, err = s.patches(f, chunk)
		return err
	})
	if err != nil {
		return r, err
	}
	if sd.name != "bare discard" {
		c, err := s.dial()
		if err != nil {
			return r, err
		}
		defer c.close()
		sum, err := c.sum(path)
		if err != nil {
			return r, err
		}
		if sum != f.sum {
			return r, fmt.Errorf("the file that was read back is another one: SHA-256 %s, sent was %s", sum, f.sum)
		}
	}
	s.stop()
	return r, s.forget()
}

// timed measures what a server does meanwhile.
func (s *server) timed(units float64, work func() error) (run, error) {
	before, err := s.cpu()
	if err != nil {
		return run{}, err
	}
	start := time.Now()
	if err := work(); err != nil {
		return run{}, err
	}
	took := time.Since(start)
	after, err := s.cpu()
	if err != nil {
		return run{}, err
	}
	return run{Units: units, Seconds: took.Seconds(), CPU: (after - before).Seconds()}, nil
}

// direct returns the CPU seconds of writing a file past the page cache.
func (p *plan) direct(ctx context.Context, size int64) (float64, error) {
	s := &server{dir: filepath.Join(p.dir, "direct")}
	out, err := exec.CommandContext(ctx, "/proc/self/exe", "direct", s.dir, fmt.Sprint(size)).Output()
	if err != nil {
		return 0, fmt.Errorf("writing past the page cache: %w", err)
	}
	seconds, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
	if err != nil {
		return 0, err
	}
	return seconds, s.forget()
}
