package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"io"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/store"
)

// standardInput describes what is read from standard input. Nobody can read it
// again, so its fingerprint is of this run only.
func standardInput(name string) *source {
	if name == "" {
		name = "stdin"
	}
	return &source{path: "-", name: sendable(name), size: -1, id: rand.Text()}
}

// errLost is what a stream ends with of which the server has lost bytes.
var errLost = errors.New("the upload was removed at the server, and standard input cannot be read again")

// block is a run of a stream; the last one tells so.
type block struct {
	bytes []byte
	last  bool
	err   error
}

// stream sends standard input in order, reading ahead while it sends.
func (d *sender) stream(ctx context.Context, s *source, m *meter) (*view, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	blocks := make(chan block, 1)
	go readAhead(ctx, bufio.NewReader(d.in), int(d.chunk.size()), blocks)
	var at int64
	var crc store.CRC
	for {
		var b block
		select {
		case b = <-blocks:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if b.err != nil {
			return nil, b.err
		}
		stands, err := d.block(ctx, s, m, at, b)
		if err != nil {
			return nil, err
		}
		at += int64(len(b.bytes))
		crc = crc.Append(store.CRC(0).Update(b.bytes), int64(len(b.bytes)))
		if !b.last {
			continue
		}
		if stands.file == nil {
			if stands.file, err = d.settle(ctx, s, m, at); err != nil {
				return nil, err
			}
		}
		return stands.file, stands.file.agrees(at, crc)
	}
}

// readAhead cuts r into blocks. A block is the last one if nothing follows.
func readAhead(ctx context.Context, r *bufio.Reader, size int, blocks chan<- block) {
	for last := false; !last; {
		b := block{bytes: make([]byte, size)}
		n, err := io.ReadFull(r, b.bytes)
		b.bytes = b.bytes[:n]
		if err == nil {
			_, err = r.Peek(1)
		}
		switch {
		case err == io.EOF || err == io.ErrUnexpectedEOF:
			b.last = true
		case err != nil:
			b.err = err
		}
		last = b.last || b.err != nil
		select {
		case blocks <- b:
		case <-ctx.Done():
			return
		}
	}
}

// block sends one block, in as small pieces as the way there wants.
func (d *sender) block(ctx context.Context, s *source, m *meter, at int64, b block) (standing, error) {
	end := at + int64(len(b.bytes))
	for p := d.limit(); ; {
		n := min(d.chunk.size(), int64(len(b.bytes)))
		total := int64(-1)
		if b.last && at+n == end {
			total = end
		}
		var stands standing
		err := d.slot(ctx, func() (err error) {
			stands, err = d.remote.send(ctx, s, inMemory(b.bytes[:n], at, total))
			return err
		})
		switch {
		case err == nil:
			p.success()
			d.chunk.ok()
			m.ack(n)
			b.bytes, at = b.bytes[n:], at+n
			if at == end {
				return stands, nil
			}
			continue
		case shrunk(err):
			err = d.chunk.failed(n, err)
		default:
			if final := d.chunk.failed(n, err); final != nil {
				return standing{}, final
			}
			err = p.wait(ctx, err, m.note)
		}
		if err != nil {
			return standing{}, err
		}
	}
}

// settle asks until a stream of which all bytes were acknowledged is a file.
func (d *sender) settle(ctx context.Context, s *source, m *meter, total int64) (*view, error) {
	m.note("finishing")
	for p := d.limit(); ; {
		stands, err := d.query(ctx, s, total)
		switch {
		case err == nil && stands.file != nil:
			return stands.file, nil
		case err == nil && !stands.here.Has(extent.Extent{End: total}):
			return nil, errLost
		case err == nil:
			err = errNotDone
		}
		if err := p.wait(ctx, err, m.note); err != nil {
			return nil, err
		}
	}
}
