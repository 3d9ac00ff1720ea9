package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/store"
)

// piece is a run of bytes of one file, on its way to the server.
type piece struct {
	extent.Extent
	total int64 // of the file, -1 while it is not known
	crc   store.CRC
	body  io.Reader
}

// standing is what the server says of an upload.
type standing struct {
	file *view      // it is whole
	here extent.Set // else this is there, as far as it was told
}

// request makes a PUT for a file.
func (r *remote) request(ctx context.Context, s *source, body io.Reader) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, r.base+"/upload/"+url.PathEscape(s.name), body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("X-Upload-Fingerprint", s.id)
	if s.rel != "" {
		req.Header.Set("X-Upload-Path", s.relHeader())
	}
	if kind := s.kind(); kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	return req, nil
}

// query asks how much of a file is there. Of one that the server does not know,
// nothing is.
func (r *remote) query(ctx context.Context, s *source, total int64) (standing, error) {
	ctx, cancel := context.WithTimeout(ctx, stall)
	defer cancel()
	req, err := r.request(ctx, s, http.NoBody)
	if err != nil {
		return standing{}, err
	}
	req.Header.Set("Content-Range", "bytes */"+count(total))
	resp, err := r.do(req)
	if e := (*refused)(nil); errors.As(err, &e) && e.status == http.StatusNotFound && e.own {
		return standing{}, nil
	}
	if err != nil {
		return standing{}, err
	}
	return stands(resp)
}

// send sends a piece. An answer that tells another checksum than ours is
// errDamaged.
func (r *remote) send(ctx context.Context, s *source, p piece) (standing, error) {
	w := watch(ctx, p.body)
	defer w.stop()
	var body io.Reader = w
	if p.Empty() {
		body = http.NoBody
	}
	req, err := r.request(w.ctx, s, body)
	if err != nil {
		return standing{}, err
	}
	req.ContentLength = p.Len()
	if !p.Empty() {
		req.Header.Set("Content-Range", fmt.Sprintf("bytes %v/%s", p.Extent, count(p.total)))
	}
	sum := "crc64nvme " + p.crc.String()
	req.Header.Set("X-Upload-Checksum", sum)
	resp, err := r.do(req)
	if err != nil {
		if cause := context.Cause(w.ctx); cause != nil && ctx.Err() == nil {
			err = cause
		}
		return standing{}, err
	}
	if theirs := resp.Header.Get("X-Upload-Checksum"); theirs != "" && theirs != sum {
		resp.Body.Close()
		return standing{}, errDamaged
	}
	return stands(resp)
}

// forget tells the server that the rest of a file will not come.
func (r *remote) forget(ctx context.Context, s *source) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	req, err := r.request(ctx, s, http.NoBody)
	if err != nil {
		return
	}
	req.Method = http.MethodDelete
	if resp, err := r.do(req); err == nil { // else it expires
		resp.Body.Close()
	}
}

// stands reads how an upload stands from an answer to any request for it.
func stands(resp *http.Response) (standing, error) {
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusPermanentRedirect {
		_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // so that the connection can be used again
		return standing{here: ranges(resp.Header)}, nil
	}
	v := new(view)
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(v); err != nil || v.ID == "" {
		return standing{}, &refused{status: http.StatusNotImplemented, title: "something that no muleteer says; is the URL right?"}
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
	return standing{file: v}, nil
}

// ranges reads which bytes are there. What cannot be read counts as missing: it
// is sent again, which harms nobody.
func ranges(h http.Header) extent.Set {
	value := h.Get("X-Upload-Ranges")
	if value == "" {
		value = strings.TrimPrefix(h.Get("Range"), "bytes=")
	}
	var all []extent.Extent
	for word := range strings.SplitSeq(value, ",") {
		first, last, _ := strings.Cut(strings.TrimSpace(word), "-")
		f, err1 := strconv.ParseInt(first, 10, 64)
		l, err2 := strconv.ParseInt(last, 10, 64)
		if err1 == nil && err2 == nil && f >= 0 && f <= l && l < extent.Max {
			all = append(all, extent.Extent{Start: f, End: l + 1})
		}
	}
	return extent.Of(all...)
}

// count is a number of bytes as Content-Range has it.
func count(n int64) string {
	if n < 0 {
		return "*"
	}
	return strconv.FormatInt(n, 10)
}

// watchedBody is a body that gives its request up when nothing moves any more.
type watchedBody struct {
	io.Reader
	ctx   context.Context
	timer *time.Timer
	stop  func()
}

var errStalled = fmt.Errorf("nothing moved for %v", stall)

func watch(ctx context.Context, body io.Reader) *watchedBody {
	ctx, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(stall, func() { cancel(errStalled) })
	return &watchedBody{body, ctx, timer, func() { timer.Stop(); cancel(nil) }}
}

func (w *watchedBody) Read(p []byte) (int, error) {
	w.timer.Reset(stall)
	return w.Reader.Read(p)
}

// sum reads n bytes from r and returns their checksum; fewer bytes are an
// error.
func sum(r io.Reader, n int64, buffer []byte) (crc store.CRC, err error) {
	for n > 0 {
		k, err := r.Read(buffer[:min(n, int64(len(buffer)))])
		crc, n = crc.Update(buffer[:k]), n-int64(k)
		if err == io.EOF && n > 0 {
			err = io.ErrUnexpectedEOF
		}
		if err != nil && n > 0 {
			return 0, err
		}
	}
	return crc, nil
}

// inMemory is the piece that consists of b.
func inMemory(b []byte, at, total int64) piece {
	return piece{extent.At(at, int64(len(b))), total, store.CRC(0).Update(b), bytes.NewReader(b)}
}
