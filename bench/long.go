//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// leg is one side of P10: a protocol, over a line of 50 ms without a rate.
type leg struct {
	side
	http2  bool
	window int // of TCP; 0: endless, as no line has it
}

// tcpWindow is generous: TCP on Linux sends at most 4 MiB that are not
// acknowledged, if nobody has changed it.
const tcpWindow = 16 << 20

// long is P10: over TLS and a long line, HTTP/2 with its windows is nearly as
// fast as HTTP/1.1, which has those of TCP only.
func (p *plan) long(ctx context.Context, r *report, size int64) ([]row, error) {
	cert, err := certify(p.dir)
	if err != nil {
		return nil, err
	}
	f := newFile(size)
	var sides []side
	legs := map[string]leg{}
	for _, l := range []leg{
		{side{name: "HTTP/2"}, true, tcpWindow},
		{side{name: "HTTP/1.1"}, false, tcpWindow},
		{side{name: "HTTP/2, endless"}, true, 0},
		{side{name: "HTTP/1.1, endless"}, false, 0},
	} {
		l.side = p.secure(cert, l.name, true)
		legs[l.name] = l
		sides = append(sides, l.side)
	}
	runs, err := p.turns(sides, func(sd side) (run, error) { return p.distance(ctx, legs[sd.name], f, cert) })
	if err != nil {
		return nil, err
	}
	r.add("P10", runs)
	return []row{
		compare("P10", "MiB/s over TLS at 50 ms, HTTP/2 against HTTP/1.1", runs, "HTTP/2", "HTTP/1.1", mibs).atLeast(0.9),
		compare("P10", "CPU s/GiB of the server, HTTP/2 against HTTP/1.1", runs, "HTTP/2", "HTTP/1.1", run.cost),
		compare("P10", "MiB/s, likewise, if TCP had no windows", runs, "HTTP/2, endless", "HTTP/1.1, endless", mibs),
	}, nil
}

// distance sends a file in one body.
func (p *plan) distance(ctx context.Context, g leg, f *file, cert *certificate) (run, error) {
	s, err := p.start(ctx, g.side)
	if err != nil {
		return run{}, err
	}
	defer s.stop()
	l, err := newLine(ctx, s.addr, shape{delay: 25 * time.Millisecond, window: g.window})
	if err != nil {
		return run{}, err
	}
	defer l.close()
	speaks := new(http.Protocols)
	speaks.SetHTTP1(!g.http2)
	speaks.SetHTTP2(g.http2)
	transport := &http.Transport{TLSClientConfig: cert.trusted.Clone(), Protocols: speaks}
	defer transport.CloseIdleConnections()
	var slices []io.Reader
	for _, b := range f.bytes(0, f.size) {
		slices = append(slices, bytes.NewReader(b))
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, "https://"+l.addr+"/upload/long.bin", io.MultiReader(slices...))
	if err != nil {
		return run{}, err
	}
	req.ContentLength = f.size
	r, err := s.timed(gibs(f.size), func() error {
		resp, err := transport.RoundTrip(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if want := map[bool]int{true: 2, false: 1}[g.http2]; resp.StatusCode/100 != 2 || resp.ProtoMajor != want {
			return fmt.Errorf("%s over %s: %.300s", resp.Status, resp.Proto, text)
		}
		return err
	})
	if err != nil {
		return r, err
	}
	s.stop()
	return r, errors.Join(s.holds(1, f.sum), s.forget())
}
