//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
)

// pieces is P6: what a file costs that comes as Resumable.js sends it, against
// one that comes in one body.
func (p *plan) pieces(ctx context.Context, r *report, size int64) ([]row, error) {
	one, many, unsynced := p.ours("power"), p.ours("power"), p.ours("process")
	one.name, many.name, unsynced.name = "one body", "chunks", "chunks, process"
	f := newFile(size)
	runs, err := p.turns([]side{one, many, unsynced}, func(sd side) (run, error) {
		if sd.name == one.name {
			return p.large(ctx, sd, f, size)
		}
		return p.chunked(ctx, sd, f)
	})
	if err != nil {
		return nil, err
	}
	r.add("P6", runs)
	return []row{
		compare("P6", "MiB/s, chunks of 1 MiB against one body", runs, many.name, one.name, mibs).atLeast(0.6),
		compare("P6", "CPU s/GiB, chunks of 1 MiB against one body", runs, many.name, one.name, run.cost),
		compare("P6", "MiB/s, the same with durability process", runs, unsynced.name, one.name, mibs),
	}, nil
}

// chunked uploads a file as chunks of a slice, over three connections, in an
// order that is always the same and none, and asks for each before.
func (p *plan) chunked(ctx context.Context, sd side, f *file) (run, error) {
	s, err := p.start(ctx, sd)
	if err != nil {
		return run{}, err
	}
	defer s.stop()
	n := int(f.size / slice)
	order := rand.New(rand.NewPCG(6, 6)).Perm(n)
	ends := make(chan string, n)
	r, err := s.timed(gibs(f.size), func() error {
		return s.parallel(3, n, func(c *client, i int) error {
			path, err := c.chunk(f, order[i], n)
			if path != "" {
				ends <- path
			}
			return err
		})
	})
	if err != nil {
		return r, err
	}
	if len(ends) == 0 {
		return r, fmt.Errorf("all chunks are sent, and no answer says that the file is complete")
	}
	c, err := s.dial()
	if err != nil {
		return r, err
	}
	defer c.close()
	sum, err := c.sum(<-ends)
	if err != nil {
		return r, err
	}
	if sum != f.sum {
		return r, fmt.Errorf("the file that was read back is another one: SHA-256 %s, sent was %s", sum, f.sum)
	}
	s.stop()
	return r, s.forget()
}

// chunk asks for a chunk of a file, by its number from 0 of n, and sends it. It
// returns the path of the file if that was the last that was missing.
func (c *client) chunk(f *file, number, n int) (string, error) {
	const boundary = "chunk-of-the-load-generator"
	fields := [][2]string{
		{"resumableChunkNumber", strconv.Itoa(number + 1)}, {"resumableChunkSize", strconv.Itoa(slice)},
		{"resumableCurrentChunkSize", strconv.Itoa(slice)}, {"resumableTotalSize", strconv.FormatInt(f.size, 10)},
		{"resumableType", "application/octet-stream"}, {"resumableIdentifier", fmt.Sprintf("%d-largebin", f.size)},
		{"resumableFilename", "large.bin"}, {"resumableRelativePath", "large.bin"}, {"resumableTotalChunks", strconv.Itoa(n)},
	}
	query, form := url.Values{}, []byte{}
	for _, field := range fields {
		query.Set(field[0], field[1])
		form = fmt.Appendf(form, "--%s\r\nContent-Disposition: form-data; name=%q\r\n\r\n%s\r\n", boundary, field[0], field[1])
	}
	form = fmt.Appendf(form, "--%s\r\nContent-Disposition: form-data; name=\"file\"; filename=\"large.bin\"\r\n"+
		"Content-Type: application/octet-stream\r\n\r\n", boundary)
	target := "/upload?" + query.Encode()
	if _, err := c.expect(http.StatusNoContent, http.MethodGet, target, nil); err != nil {
		return "", err
	}
	b := append(append(body{form}, f.bytes(int64(number)*slice, slice)...), []byte("\r\n--"+boundary+"--\r\n"))
	res, err := c.do(http.MethodPost, target, b, "Content-Type: multipart/form-data; boundary="+boundary)
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return "", err
	}
	var told struct {
		ID       string
		Complete bool
	}
	if err := json.Unmarshal(text, &told); err != nil || res.StatusCode != http.StatusOK {
		return "", fmt.Errorf("chunk %d: %s: %.300s", number, res.Status, text)
	}
	if !told.Complete {
		return "", nil
	}
	return "/files/" + told.ID, nil
}
