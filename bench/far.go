//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"time"
)

// slow is the line of P9.
func slow() shape { return shape{delay: 50 * time.Millisecond, rate: 2e6} }

// far is P9: where a connection is what is slow, four are nearly four times as
// fast. Behind it stands what HTTP/2 makes of it, which has one connection.
func (p *plan) far(ctx context.Context, r *report, size int64, files int) ([]row, error) {
	check, err := checkLine(ctx, slow())
	if err != nil {
		return nil, err
	}
	cert, err := certify(p.dir)
	if err != nil {
		return nil, err
	}
	cargo, err := p.load(size)
	if err != nil {
		return nil, err
	}
	trips := p.putTrips(cert)
	browser, missing := p.chromium()
	if missing == "" {
		trips = append(trips, p.pageTrips(cert, browser, files)...)
	} else {
		fmt.Println("  the page's rows are left out:", missing)
	}
	var sides []side
	byName := map[string]trip{}
	for _, t := range trips {
		sides = append(sides, t.side)
		byName[t.name] = t
	}
	runs, err := p.turns(sides, func(sd side) (run, error) { return p.travel(ctx, byName[sd.name], cargo) })
	if err != nil {
		return nil, err
	}
	r.add("P9", runs)
	rows := []row{check}
	for _, kind := range []string{"put http", "put https"} {
		rows = append(rows, compare("P9", "MB/s, "+kind+", 4 workers against 1", runs, kind+" 4", kind+" 1", run.rate).atLeast(3.5))
	}
	if missing != "" {
		return rows, nil
	}
	for _, kind := range []string{"page http", "page https"} {
		rows = append(rows, compare("P9", "MB/s, "+kind+", 4 workers against 1", runs, kind+" 4", kind+" 1", run.rate).atLeast(3.5))
	}
	return append(rows,
		compare("P9", "MB/s, page over HTTP/2 against HTTP/1.1, 4 workers", runs, "page h2 4", "page https 4", run.rate),
		compare("P9", "MB/s, page over HTTP/2 at 4 ports against HTTP/1.1, 4 workers", runs, "page h2 4, 4 ports", "page https 4", run.rate),
		compare("P9", "MB/s, page over HTTP/2 against HTTP/1.1, the limit is that of all connections", runs, "page h2 4, shared", "page https 4, shared", run.rate),
		compare("P9", "small files/s, page over HTTP/2 against HTTP/1.1, 4 workers", runs, "small h2 4", "small https 4", run.rate),
		compare("P9", "small files/s, page over HTTP/2 against HTTP/1.1, 16 workers", runs, "small h2 16", "small https 16", run.rate),
	), nil
}

// putTrips are those of muleteer put.
func (p *plan) putTrips(c *certificate) []trip {
	var trips []trip
	for _, workers := range []int{1, 4} {
		plain, secure := p.ours("power"), p.secure(c, fmt.Sprintf("put https %d", workers), true)
		plain.name = fmt.Sprintf("put http %d", workers)
		trips = append(trips, trip{side: plain, workers: workers, shape: slow()},
			trip{side: secure, cert: c, workers: workers, shape: slow()})
	}
	return trips
}

// called has a server answer by the name that the page has for it.
func called(sd side, url string) side {
	args := sd.args
	sd.args = func(addr, dir string) []string { return append(args(addr, dir), "--public-url", url) }
	return sd
}

// pageTrips are those of the page in Chromium.
func (p *plan) pageTrips(c *certificate, browser string, files int) []trip {
	var trips []trip
	for _, workers := range []int{1, 4} {
		plain := called(p.ours("power"), "http://page.line.test")
		plain.name = fmt.Sprintf("page http %d", workers)
		trips = append(trips, trip{side: plain, browser: browser, workers: workers, shape: slow()})
	}
	all := slow()
	all.rate, all.shared = 4*all.rate, true
	for _, t := range []struct {
		name  string
		http2 bool
		trip
	}{
		{"page https 1", false, trip{workers: 1}},
		{"page https 4", false, trip{workers: 4}},
		{"page h2 4", true, trip{workers: 4}},
		{"page h2 4, 4 ports", true, trip{workers: 4, ports: 4}},
		{"page https 4, shared", false, trip{workers: 4, shape: all}},
		{"page h2 4, shared", true, trip{workers: 4, shape: all}},
		{"small https 4", false, trip{workers: 4, files: files}},
		{"small h2 4", true, trip{workers: 4, files: files}},
		{"small https 16", false, trip{workers: 16, files: files}},
		{"small h2 16", true, trip{workers: 16, files: files}},
	} {
		t.side, t.cert, t.browser = called(p.secure(c, t.name, t.http2), "https://page.line.test"), c, browser
		if t.shape == (shape{}) {
			t.shape = slow()
		}
		trips = append(trips, t.trip)
	}
	return trips
}

// checkLine measures the line by itself: one connection, to somebody who takes
// everything and says so at the end.
func checkLine(ctx context.Context, s shape) (row, error) {
	sink, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return row{}, err
	}
	defer sink.Close()
	go func() {
		for {
			c, err := sink.Accept()
			if err != nil {
				return // it was closed
			}
			_, _ = io.Copy(io.Discard, c)
			c.Close()
		}
	}()
	l, err := newLine(ctx, sink.Addr().String(), s)
	if err != nil {
		return row{}, err
	}
	defer l.close()
	const mb = 6
	took := [2]time.Duration{}
	for i, n := range []int{1, mb * 1e6} {
		began := time.Now()
		c, err := net.Dial("tcp", l.addr)
		if err != nil {
			return row{}, err
		}
		_, _ = c.Write(make([]byte, n))
		end(c)
		if _, err := io.ReadAll(c); err != nil {
			return row{}, err
		}
		took[i] = time.Since(began)
	}
	// The first one has told how long nothing takes: a connection is opened in a
	// round trip, and the answer comes after another one.
	rate := mb * 1e6 / (took[1] - took[0]).Seconds()
	fmt.Printf("  the line by itself: %.3f MB/s, and %.0f ms for two round trips\n", rate/1e6, took[0].Seconds()*1e3)
	if math.Abs(rate/s.rate-1) > 0.05 || math.Abs(took[0].Seconds()/(4*s.delay.Seconds())-1) > 0.1 {
		return row{}, errors.New("the line is not as it should be; is the machine busy with something else?")
	}
	return row{Measure: "P9", What: "MB/s of one connection, the line by itself against 2 MB/s", Ours: rate / 1e6, Theirs: s.rate / 1e6, Ratio: rate / s.rate}, nil
}
