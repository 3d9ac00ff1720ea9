package test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/store"
)

// TestKillRanges kills the server while swarms send ranges in any order, and
// while clients send whole files and go on after each break.
func TestKillRanges(t *testing.T) {
	t.Parallel()
	seed := seed(t)
	w := newStorm(t, seed)
	var clients []func(context.Context) error
	for i := range 4 {
		c := &rangeClient{storm: w, rng: random(seed, uint64(i)), number: i}
		if i < 2 {
			clients = append(clients, c.swarm)
		} else {
			clients = append(clients, c.naive)
		}
	}
	w.rage(t, random(seed, 100), kills(), clients...)
	w.settle(t)
}

// rangeClient sends one file after another by Content-Range.
type rangeClient struct {
	*storm
	rng    *rand.Rand
	number int
}

// rangeUpload is one file of it. The rng is of one goroutine.
type rangeUpload struct {
	*storm
	*truth
	fingerprint string // "" if the client does not know of it
}

// answer is what the server says of the upload after any request.
type answer struct {
	status int
	here   extent.Set // as far as it is told
	prefix int64
}

// put makes one request; errDown when there is no answer.
func (u *rangeUpload) put(ctx context.Context, contentRange string, b io.Reader, n int64, sum string) (answer, error) {
	if n == 0 {
		b = http.NoBody
	}
	req, err := http.NewRequestWithContext(ctx, "PUT", u.server.URL("/upload/"+u.name), b)
	if err != nil {
		return answer{}, err
	}
	req.ContentLength = n
	for name, v := range map[string]string{"Content-Range": contentRange, "X-Upload-Fingerprint": u.fingerprint, "X-Upload-Checksum": sum} {
		if v != "" {
			req.Header.Set(name, v)
		}
	}
	resp, err := u.http.Do(req)
	if err != nil {
		return answer{}, errors.Join(errDown, ctx.Err())
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{}, errors.Join(errDown, ctx.Err())
	}
	u.answered()
	a := answer{status: resp.StatusCode}
	if at := resp.Header.Get("X-Upload-Location"); at != "" {
		u.named(path.Base(at))
	}
	if a.status == http.StatusOK {
		var v view
		if err := json.Unmarshal(body, &v); err != nil || v.State != "done" {
			return a, fmt.Errorf("%s: 200 says %s, %v", u.name, body, err)
		}
		u.named(v.ID)
		a.prefix = int64(len(u.data))
		a.here = extent.Of(extent.Extent{End: a.prefix})
		return a, nil
	}
	if last, ok := strings.CutPrefix(resp.Header.Get("Range"), "bytes=0-"); ok {
		if a.prefix, err = strconv.ParseInt(last, 10, 64); err != nil {
			return a, err
		}
		a.prefix++
	}
	a.here, err = parseRanges(resp.Header.Get("X-Upload-Ranges"))
	return a, err
}

// standing is what a query finds.
type standing int

const (
	unknown standing = iota
	begun
	whole
)

// query asks how the upload stands and what of it is here.
func (u *rangeUpload) query(ctx context.Context) (standing, extent.Set, error) {
	for end := time.Now().Add(30 * time.Second); ; {
		before := u.now()
		a, err := u.put(ctx, "bytes */*", nil, 0, "")
		switch {
		case err != nil:
			if err := again(ctx, err); err != nil {
				return unknown, nil, err
			}
		case a.status == http.StatusOK:
			u.finished()
			return whole, a.here, u.told(before, a.here, a.prefix)
		case a.status == http.StatusPermanentRedirect:
			return begun, a.here, u.told(before, a.here, a.prefix)
		case a.status == http.StatusNotFound && len(before.safe) == 0:
			return unknown, nil, nil
		case a.status == http.StatusServiceUnavailable: // it is being finished
			time.Sleep(5 * time.Millisecond)
		default:
			return unknown, nil, fmt.Errorf("%s (%s): query: status %d, and %v were acknowledged", u.name, before.id, a.status, before.safe)
		}
		if time.Now().After(end) {
			return unknown, nil, fmt.Errorf("%s: the query had no answer for 30 s", u.name)
		}
	}
}

// taken judges the answer to a body that was e of the file.
func (u *rangeUpload) taken(a answer, e extent.Extent) error {
	switch {
	case a.status == http.StatusOK:
		u.acknowledged(extent.Extent{End: int64(len(u.data))})
		u.finished()
	case a.status == http.StatusPermanentRedirect:
		u.acknowledged(e)
	default:
		return fmt.Errorf("%s (%s): PUT of %v: status %d", u.name, u.now().id, e, a.status)
	}
	return nil
}

// read compares the finished file.
func (u *rangeUpload) read(ctx context.Context) error {
	for {
		if err := u.download(u.http, u.server); err == nil || !errors.Is(err, errDown) {
			return err
		}
		if err := again(ctx, errDown); err != nil {
			return err
		}
	}
}

// naive sends the whole file, and knows how to go on.
func (c *rangeClient) naive(ctx context.Context) error {
	for n := 0; !c.isOver(); n++ {
		u := &rangeUpload{storm: c.storm, truth: c.file(c.rng, fmt.Sprintf("naive-%d-%d", c.number, n))}
		size := int64(len(u.data))
		for done := false; !done; {
			stands, here, err := u.query(ctx)
			if err != nil {
				return err
			}
			if stands == whole {
				break
			}
			e, contentRange := extent.Extent{Start: here.Prefix(), End: size}, ""
			if stands == begun { // without a Content-Range it would begin anew
				contentRange = fmt.Sprintf("bytes %v/%d", e, size)
			}
			b := c.body(c.rng, bytes.NewReader(u.data[e.Start:]), int(e.Len()), c.number == 3 && c.rng.IntN(2) == 0)
			a, err := u.put(ctx, contentRange, b, e.Len(), "")
			if err == nil {
				done, err = a.status == http.StatusOK, u.taken(a, e)
			} else {
				u.creationLost()
				err = again(ctx, err)
			}
			if err != nil {
				return err
			}
		}
		if err := u.read(ctx); err != nil {
			return err
		}
	}
	return nil
}

// swarm sends the ranges of a file over three connections.
func (c *rangeClient) swarm(ctx context.Context) error {
	for n := 0; !c.isOver(); n++ {
		name := fmt.Sprintf("swarm-%d-%d", c.number, n)
		u := &rangeUpload{storm: c.storm, truth: c.file(c.rng, name), fingerprint: "f-" + name}
		todo := make(chan extent.Extent, 2000)
		for _, e := range c.cut(int64(len(u.data))) {
			todo <- e
		}
		close(todo)
		errs := make([]error, 3)
		var group sync.WaitGroup
		for i := range errs {
			w := &worker{rangeUpload: u, rng: random(c.rng.Uint64(), uint64(i)), patient: i == 0 && c.number == 0}
			group.Go(func() { errs[i] = w.work(ctx, todo) })
		}
		group.Wait()
		if err := errors.Join(errs...); err != nil {
			return err
		}
		stands, here, err := u.query(ctx)
		if err == nil && stands != whole {
			err = fmt.Errorf("%s: all was acknowledged, and only %v are here", u.name, here)
		}
		if err != nil {
			return err
		}
		if err := u.read(ctx); err != nil {
			return err
		}
	}
	return nil
}

// cut makes ranges of a file, in any order, some of them twice or overlapping.
func (c *rangeClient) cut(size int64) (all []extent.Extent) {
	if size == 0 {
		return []extent.Extent{{}}
	}
	most := max(1, size/int64(1+c.rng.IntN(40)))
	for at := int64(0); at < size; {
		e := extent.Extent{Start: at, End: min(size, at+1+c.rng.Int64N(most))}
		at = e.End
		all = append(all, e)
		switch c.rng.IntN(12) {
		case 0:
			all = append(all, e)
		case 1:
			all = append(all, extent.Extent{Start: max(0, e.Start-c.rng.Int64N(9000)), End: min(size, e.End+c.rng.Int64N(9000))})
		}
	}
	c.rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

// worker is one connection of a swarm.
type worker struct {
	*rangeUpload
	rng     *rand.Rand
	patient bool
}

func (w *worker) work(ctx context.Context, todo <-chan extent.Extent) error {
	for e := range todo {
		for sent := false; !sent; {
			if w.now().done {
				return nil // by bytes that were sent twice
			}
			var err error
			if sent, err = w.one(ctx, e); err != nil {
				return err
			}
			if !sent || w.rng.IntN(8) == 0 {
				if _, _, err := w.query(ctx); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// one sends a range once.
func (w *worker) one(ctx context.Context, e extent.Extent) (bool, error) {
	sum := ""
	if w.rng.IntN(3) == 0 {
		sum = "crc64nvme " + store.CRC(0).Update(w.data[e.Start:e.End]).String()
	}
	contentRange := fmt.Sprintf("bytes %v/%d", e, len(w.data))
	if e.Empty() {
		contentRange = "" // of an empty file there is no range
	}
	b := w.body(w.rng, bytes.NewReader(w.data[e.Start:e.End]), int(e.Len()), w.patient && w.rng.IntN(4) == 0)
	a, err := w.put(ctx, contentRange, b, e.Len(), sum)
	switch {
	case err != nil:
		w.creationLost()
		return false, again(ctx, err)
	case a.status == http.StatusConflict || a.status == http.StatusServiceUnavailable:
		return false, nil // another connection took the same bytes over, or the file is being finished
	}
	return true, w.taken(a, e)
}
