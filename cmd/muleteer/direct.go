package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
)

// direct is the way of pieces straight into the server's bucket. It is left
// where it leads nowhere: what cannot go by it goes through the server, into the
// same upload.
type direct struct {
	mu     sync.Mutex
	closed bool  // for good
	failed int   // pieces in a row that the bucket did not take
	cell   int64 // bytes of a piece that the bucket wants, 0 until it says so
	sent   int64 // bytes that went by it
}

// mostRefused is how many pieces in a row the bucket may refuse: each costs its bytes.
const mostRefused = 3

// open tells whether a piece may be tried.
func (d *direct) open() bool {
	if d == nil {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.closed
}

// size is how large pieces have to be that go by it, if others are as large as n.
func (d *direct) size(n int64) int64 {
	if !d.open() {
		return n
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.cell > 0 {
		return d.cell
	}
	return n
}

// errRound says that a piece has to go through the server.
var errRound = errors.New("it goes through the server")

// send sends a piece. Of errRound nothing has come; after any other error the
// piece is to be sent again.
func (d *direct) send(ctx context.Context, r *remote, s *source, p piece, note func(string)) (standing, error) {
	stands, put, err := d.ask(ctx, r, s, p, "sign")
	if err != nil || put == nil {
		return stands, err
	}
	if err := r.deliver(ctx, p, put); err != nil {
		if ctx.Err() != nil {
			return standing{}, ctx.Err()
		}
		if d.failure() {
			note("the bucket takes nothing from here: " + reason(err).Error())
		}
		return standing{}, errRound
	}
	d.mu.Lock()
	d.failed, d.sent = 0, d.sent+p.Len()
	d.mu.Unlock()
	stands, _, err = d.ask(ctx, r, s, p, "sent")
	return stands, err
}

// failure counts a piece that the bucket did not take, and tells whether that
// was the last one.
func (d *direct) failure() (last bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.failed++
	last = d.failed >= mostRefused && !d.closed
	d.closed = d.closed || last
	return last
}

// delivery is how a piece gets into the bucket.
type delivery struct {
	URL     string
	Headers map[string]string
}

// ask asks the server for something about a piece, as the PUT of it would, but
// without its bytes.
func (d *direct) ask(ctx context.Context, r *remote, s *source, p piece, deed string) (standing, *delivery, error) {
	ctx, cancel := context.WithTimeout(ctx, stall)
	defer cancel()
	req, err := r.request(ctx, s, http.NoBody)
	if err != nil {
		return standing{}, nil, err
	}
	req.Method = http.MethodPost
	req.Header.Set("Content-Range", fmt.Sprintf("bytes %v/%s", p.Extent, count(p.total)))
	req.Header.Set("X-Upload-Checksum", "crc64nvme "+p.crc.String())
	req.Header.Set("X-Upload-Direct", deed)
	resp, err := r.do(req)
	if e := (*refused)(nil); errors.As(err, &e) && (e.status == http.StatusNotImplemented || e.status == http.StatusUnprocessableEntity) {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.closed = d.closed || e.status == http.StatusNotImplemented
		if e.cell > 0 && e.cell <= mostChunk {
			d.cell = e.cell
		}
		return standing{}, nil, errRound
	}
	if err != nil {
		return standing{}, nil, err
	}
	if resp.StatusCode != http.StatusOK || deed == "sent" {
		stands, err := stands(resp)
		return stands, nil, err
	}
	defer resp.Body.Close()
	var said struct {
		view
		Put *delivery
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&said); err != nil {
		return standing{}, nil, errRound // an older server has taken it for something else
	}
	if said.Put == nil && said.ID != "" {
		return standing{file: &said.view}, nil, nil
	}
	return standing{}, said.Put, nil
}

// deliver puts a piece where the server has said.
func (r *remote) deliver(ctx context.Context, p piece, put *delivery) error {
	w := watch(ctx, p.body)
	defer w.stop()
	req, err := http.NewRequestWithContext(w.ctx, http.MethodPut, put.URL, w)
	if err != nil {
		return errors.New("the server has told an address that is none")
	}
	req.ContentLength = p.Len()
	for name, value := range put.Headers {
		req.Header.Set(name, value)
	}
	resp, err := r.client.Do(req)
	if err != nil {
		if cause := context.Cause(w.ctx); cause != nil {
			return cause
		}
		return err // reason leaves out the address, which is a secret
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("it answered %s", resp.Status)
	}
	return nil
}
