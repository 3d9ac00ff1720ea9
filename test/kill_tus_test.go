package test

import (
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"path"
	"strconv"
	"testing"
	"time"

	"github.com/muleteer/muleteer/extent"
)

// TestKillTus kills the server while tus clients send.
func TestKillTus(t *testing.T) {
	t.Parallel()
	seed := seed(t)
	w := newStorm(t, seed)
	var clients []func(context.Context) error
	for i := range 4 {
		c := &tusClient{storm: w, rng: random(seed, uint64(i)), number: i, base: "/tus/"}
		if i%2 == 1 {
			c.base = "/files/"
		}
		clients = append(clients, c.work)
	}
	w.rage(t, random(seed, 100), kills(), clients...)
	w.settle(t)
}

// tusClient sends one file after another.
type tusClient struct {
	*storm
	rng    *rand.Rand
	number int
	base   string // the endpoint's path
}

// tusUpload is one file of it.
type tusUpload struct {
	*tusClient
	*truth
	url      string
	deferred bool // the length is not told yet
	atomic   bool // the last PATCH had a checksum, so that it counts as a whole or not at all
	from, to int64
}

func (c *tusClient) work(ctx context.Context) error {
	for n := 0; !c.isOver(); n++ {
		u := &tusUpload{tusClient: c, truth: c.file(c.rng, fmt.Sprintf("tus-%d-%d", c.number, n))}
		run := u.run
		if c.rng.IntN(8) == 0 {
			run = u.concatenate
		}
		if err := run(ctx); err != nil {
			return err
		}
	}
	return nil
}

// request gets the answer to one request; errDown when there is none.
func (u *tusUpload) request(ctx context.Context, method, url string, b io.Reader, n int64, headers http.Header) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, b)
	if err != nil {
		return nil, err
	}
	for name, v := range headers {
		req.Header[name] = v
	}
	if b != nil {
		req.ContentLength = n
		req.Header.Set("Content-Type", "application/offset+octet-stream")
	}
	req.Header.Set("Tus-Resumable", "1.0.0")
	resp, err := u.http.Do(req)
	if err != nil {
		return nil, errors.Join(errDown, ctx.Err())
	}
	resp.Body.Close()
	u.answered()
	return resp, nil
}

// again waits a little after a request without an answer.
func again(ctx context.Context, err error) error {
	if !errors.Is(err, errDown) || ctx.Err() != nil {
		return errors.Join(err, ctx.Err())
	}
	time.Sleep(2 * time.Millisecond)
	return nil
}

func (u *tusUpload) run(ctx context.Context) error {
	doomed := u.rng.IntN(10) == 0 && !u.partial
	if u.url == "" {
		if err := u.create(ctx); err != nil {
			return err
		}
	}
	size := int64(len(u.data))
	for ask, at := true, int64(0); ; {
		var err error
		if ask {
			if at, err = u.head(ctx); err != nil {
				return err
			}
		}
		switch {
		case doomed && (u.rng.IntN(3) == 0 || at == size):
			return u.remove(ctx)
		case at == size && !u.deferred:
			return u.read(ctx)
		}
		at, err = u.patch(ctx, at)
		if ask = err != nil || u.rng.IntN(4) == 0; err != nil && !errors.Is(err, errDown) {
			return err
		}
	}
}

// create begins the upload, with its first bytes or without.
func (u *tusUpload) create(ctx context.Context) error {
	for {
		h := http.Header{"Upload-Metadata": {"filename " + base64.StdEncoding.EncodeToString([]byte(u.name))}}
		if u.deferred = u.rng.IntN(4) == 0; u.deferred {
			h.Set("Upload-Defer-Length", "1")
		} else {
			h.Set("Upload-Length", strconv.Itoa(len(u.data)))
		}
		if u.partial {
			h.Set("Upload-Concat", "partial")
		}
		var with io.Reader
		n := 0
		if u.rng.IntN(3) == 0 {
			n = u.some(len(u.data))
			with = u.body(u.rng, bytes.NewReader(u.data[:n]), n, false)
		}
		resp, err := u.request(ctx, "POST", u.server.URL(u.base), with, int64(n), h)
		if err != nil {
			u.creationLost()
			if err := again(ctx, err); err != nil {
				return err
			}
			continue
		}
		if resp.StatusCode != http.StatusCreated {
			return fmt.Errorf("%s: POST: %s", u.name, resp.Status)
		}
		u.url = resp.Header.Get("Location")
		u.named(path.Base(u.url))
		if with != nil {
			return u.accepted(resp, 0, int64(n))
		}
		return nil
	}
}

// accepted notes the acknowledgement of [from, to).
func (u *tusUpload) accepted(resp *http.Response, from, to int64) error {
	if got := resp.Header.Get("Upload-Offset"); got != strconv.FormatInt(to, 10) {
		return fmt.Errorf("%s: %s of bytes %d to %d says Upload-Offset %q", u.name, resp.Request.Method, from, to, got)
	}
	u.acknowledged(extent.Extent{Start: from, End: to})
	return nil
}

// head learns where to go on.
func (u *tusUpload) head(ctx context.Context) (int64, error) {
	for end := time.Now().Add(30 * time.Second); ; {
		before := u.now()
		resp, err := u.request(ctx, "HEAD", u.url, nil, 0, nil)
		switch {
		case err != nil:
			if err := again(ctx, err); err != nil {
				return 0, err
			}
		case resp.StatusCode == http.StatusOK:
			offset, err := strconv.ParseInt(resp.Header.Get("Upload-Offset"), 10, 64)
			if err != nil {
				return 0, fmt.Errorf("%s: HEAD: %w", u.name, err)
			}
			if u.atomic && offset != u.from && offset != u.to {
				return 0, fmt.Errorf("%s: of bytes %d to %d, which had a checksum, those to %d were kept", u.name, u.from, u.to, offset)
			}
			u.atomic = false
			return offset, u.told(before, extent.Of(extent.Extent{End: offset}), offset)
		case resp.StatusCode == http.StatusLocked:
			time.Sleep(5 * time.Millisecond)
		default:
			return 0, fmt.Errorf("%s (%s): HEAD: %s", u.name, before.id, resp.Status)
		}
		if time.Now().After(end) {
			return 0, fmt.Errorf("%s: HEAD had no answer for 30 s", u.name)
		}
	}
}

// some is how much to send next of what is left.
func (u *tusUpload) some(left int) int {
	switch {
	case left == 0 || u.rng.IntN(3) == 0:
		return left
	case u.rng.IntN(2) == 0:
		return min(left, 1+u.rng.IntN(200<<10))
	}
	return 1 + u.rng.IntN(left)
}

// patch sends bytes from at on, and tells to where they were acknowledged.
func (u *tusUpload) patch(ctx context.Context, at int64) (int64, error) {
	n := u.some(len(u.data) - int(at))
	to := at + int64(n)
	h := http.Header{"Upload-Offset": {strconv.FormatInt(at, 10)}}
	tellsLength := u.deferred && (to == int64(len(u.data)) || u.rng.IntN(4) == 0)
	if tellsLength {
		h.Set("Upload-Length", strconv.Itoa(len(u.data)))
	}
	piece := u.data[at:to]
	if u.rng.IntN(4) == 0 {
		sum := sha256.Sum256(piece)
		h.Set("Upload-Checksum", "sha256 "+base64.StdEncoding.EncodeToString(sum[:]))
		u.atomic, u.from, u.to = true, at, to
	} else if u.rng.IntN(6) == 0 {
		sum := sha1.Sum(piece)
		h.Set("Upload-Checksum", "sha1 "+base64.StdEncoding.EncodeToString(sum[:]))
		u.atomic, u.from, u.to = true, at, to
	}
	b := u.body(u.rng, bytes.NewReader(piece), n, u.number == 0 && u.rng.IntN(2) == 0)
	resp, err := u.request(ctx, "PATCH", u.url, b, int64(n), h)
	if err != nil {
		if err := again(ctx, err); err != nil {
			return at, err
		}
		return at, errDown
	}
	if resp.StatusCode != http.StatusNoContent {
		return at, fmt.Errorf("%s (%s): PATCH of bytes %d to %d: %s", u.name, u.now().id, at, to, resp.Status)
	}
	u.atomic = false
	if tellsLength {
		u.deferred = false
	}
	return to, u.accepted(resp, at, to)
}

// remove ends the upload; from then on it must not come back.
func (u *tusUpload) remove(ctx context.Context) error {
	u.doom()
	for sure := false; ; {
		resp, err := u.request(ctx, "DELETE", u.url, nil, 0, nil)
		switch {
		case err != nil:
			if err := again(ctx, err); err != nil {
				return err
			}
			continue
		case resp.StatusCode == http.StatusGone || resp.StatusCode == http.StatusNotFound:
			return nil
		case resp.StatusCode != http.StatusNoContent || sure:
			return fmt.Errorf("%s: DELETE: %s, after one was answered: %v", u.name, resp.Status, sure)
		}
		sure = true // the next one must find nothing
	}
}

// read compares the finished file.
func (u *tusUpload) read(ctx context.Context) error {
	u.finished()
	if u.partial {
		return nil // it is no file by itself
	}
	for {
		if err := u.download(u.http, u.server); err == nil || !errors.Is(err, errDown) {
			return err
		}
		if err := again(ctx, errDown); err != nil {
			return err
		}
	}
}
