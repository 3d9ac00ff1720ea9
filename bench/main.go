//go:build linux

// Bench measures the server against its targets.
//
// Both sides of a comparison are separate processes on this machine, run in
// turn, several times over; what counts are the ratios of one run, and of
// these the medians. It is no test: slow figures are printed, and that is all.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	if len(os.Args) > 1 && (os.Args[1] == "discard" || os.Args[1] == "copy" || os.Args[1] == "direct") {
		err = bare(os.Args[1:])
	} else {
		err = bench(ctx, os.Args[1:])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

// plan is what is to be measured.
type plan struct {
	muleteer, peer string // programs
	page           string // what drives the page in Chromium
	dir            string // where all sides keep their files
	pairs          int    // how often each side runs
	quick          bool   // less of everything, to see whether it works
	only           string // P1,P3: these alone
	json           string // a file for the results
}

func bench(ctx context.Context, args []string) error {
	var p plan
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.StringVar(&p.muleteer, "muleteer", "build/muleteer", "the program")
	flags.StringVar(&p.peer, "peer", "build/tusd", "the program to compare it with, from bench/peers")
	flags.StringVar(&p.page, "page", "bench/page.mjs", "what drives the page in Chromium")
	flags.StringVar(&p.dir, "dir", os.TempDir(), "a directory on the disk that is to be measured")
	flags.IntVar(&p.pairs, "pairs", 5, "how often each side is run")
	flags.BoolVar(&p.quick, "quick", false, "less of everything, once: it shows that it works, its figures say little")
	flags.StringVar(&p.only, "only", "", "only these, as in P1,P4")
	flags.StringVar(&p.json, "json", "", "a file for the results as JSON")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	if p.quick {
		p.pairs = 1
	}
	machine, err := describe(p.dir)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(p.dir, "muleteer-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	spread(dir)
	p.dir = dir
	for _, program := range []*string{&p.muleteer, &p.peer, &p.page} {
		if *program, err = filepath.Abs(*program); err != nil {
			return err
		}
	}

	r := &report{Machine: machine, Pairs: p.pairs, Quick: p.quick}
	fmt.Println(machine)
	for _, m := range measures(&p) {
		if p.only != "" && !slices.Contains(strings.Split(p.only, ","), m.id) {
			continue
		}
		fmt.Printf("\n%s  %s\n", m.id, m.what)
		rows, err := m.run(ctx, r)
		if err != nil {
			return fmt.Errorf("%s: %w", m.id, err)
		}
		r.Rows = append(r.Rows, rows...)
	}
	r.print(os.Stdout)
	if p.json == "" {
		return nil
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(p.json, append(text, '\n'), 0o644)
}

// measure is one line of the list of targets.
type measure struct {
	id, what string
	run      func(context.Context, *report) ([]row, error)
}

func measures(p *plan) []measure {
	size, small, heads := int64(1<<30), 20_000, 10_000
	parts, samples := []int{10, 1_000, 100_000}, 300
	cargo, files := int64(48<<20), 200
	if p.quick {
		size, small, heads = 128<<20, 2_000, 1_000
		parts, samples = []int{10, 100, 1_000}, 50
		cargo, files = 24<<20, 100
	}
	return []measure{
		{"P1", fmt.Sprintf("one file of %d MiB in one body", size>>20), func(ctx context.Context, r *report) ([]row, error) {
			return p.single(ctx, r, size)
		}},
		{"P2", fmt.Sprintf("one file of %d MiB in PATCHes of 8 MiB", size>>20), func(ctx context.Context, r *report) ([]row, error) {
			return p.chunks(ctx, r, size)
		}},
		{"P3", fmt.Sprintf("%d files of 16 KiB, each in one request, over 64 connections", small), func(ctx context.Context, r *report) ([]row, error) {
			return p.small(ctx, r, small)
		}},
		{"P4", fmt.Sprintf("HEAD of %d different uploads", heads), func(ctx context.Context, r *report) ([]row, error) {
			return p.heads(ctx, r, heads)
		}},
		{"P5", fmt.Sprintf("one file of %d MiB into S3", size>>20), func(ctx context.Context, r *report) ([]row, error) {
			return p.cloud(ctx, r, size)
		}},
		{"P6", fmt.Sprintf("one file of %d MiB as Resumable.js' chunks of 1 MiB, 3 at a time, in any order", size>>20), func(ctx context.Context, r *report) ([]row, error) {
			return p.pieces(ctx, r, size)
		}},
		{"P7", fmt.Sprintf("one more chunk for an upload of %s parts", strings.Trim(fmt.Sprint(parts), "[]")), func(ctx context.Context, r *report) ([]row, error) {
			return p.swarm(ctx, r, parts, samples)
		}},
		{"P9", fmt.Sprintf("one file of %d MiB over a line of 100 ms and 2 MB/s per connection", cargo>>20), func(ctx context.Context, r *report) ([]row, error) {
			return p.far(ctx, r, cargo, files)
		}},
		{"P10", fmt.Sprintf("one file of %d MiB over TLS and a line of 50 ms", size>>20), func(ctx context.Context, r *report) ([]row, error) {
			return p.long(ctx, r, size)
		}},
		{"P11", fmt.Sprintf("one file of %d MiB from the page, over Socket.IO and over HTTP", size>>20), func(ctx context.Context, r *report) ([]row, error) {
			return p.socket(ctx, r, size)
		}},
		{"P12", fmt.Sprintf("one file of %d MiB from the page straight into a bucket, over lines as those of P9", cargo>>20), func(ctx context.Context, r *report) ([]row, error) {
			return p.straight(ctx, r, cargo)
		}},
	}
}
