package test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/internal/trial"
	"github.com/muleteer/muleteer/store"
	"github.com/muleteer/muleteer/store/s3/s3test"
)

// What clients put into the bucket themselves.

// cell is how large pieces are here; the bucket takes them as they are.
const cell = 5 << 20

// errRound says that a piece has to go through the server.
var errRound = errors.New("not straight into the bucket")

// direct puts a piece straight into the bucket, once; whether the server is told
// is up to tell. What the bucket has answered well counts as acknowledged.
func (u *sender) direct(ctx context.Context, e extent.Extent, tell bool) error {
	ask := func(deed string) (*http.Response, []byte, error) {
		resp, said, err := u.request(ctx, "POST", u.server.URL("/upload/"+u.name), nil,
			"Content-Range", fmt.Sprintf("bytes %v/%d", e, u.size), "X-Upload-Fingerprint", "f-"+u.name,
			"X-Upload-Checksum", "crc64nvme "+store.CRC(0).Update(u.data[e.Start:e.End]).String(), "X-Upload-Direct", deed)
		if resp != nil && (resp.StatusCode == http.StatusUnprocessableEntity || resp.StatusCode == http.StatusNotImplemented) {
			err = errRound
		}
		return resp, said, err
	}
	resp, said, err := ask("sign")
	if err != nil {
		return err
	}
	if resp.StatusCode == http.StatusOK && !strings.Contains(string(said), `"put"`) || resp.StatusCode == http.StatusPermanentRedirect {
		u.acknowledged(e) // it is here already
		return nil
	}
	var answer struct {
		Put struct {
			URL     string
			Headers map[string]string
		}
	}
	if err := json.Unmarshal(said, &answer); err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, answer.Put.URL, bytes.NewReader(u.data[e.Start:e.End]))
	if err != nil {
		return err
	}
	for name, value := range answer.Put.Headers {
		req.Header.Set(name, value)
	}
	got, err := u.http.Do(req)
	if err != nil {
		return errors.Join(errRound, ctx.Err())
	}
	got.Body.Close()
	if got.StatusCode != http.StatusOK {
		return fmt.Errorf("%w: %s", errRound, got.Status)
	}
	u.acknowledged(e)
	if !tell {
		return nil
	}
	if resp, said, err = ask("sent"); err != nil || resp.StatusCode == http.StatusPermanentRedirect {
		return err
	}
	return u.whole(said)
}

// TestDirectKilled: some pieces go straight into the bucket, of some of these
// the server is not told, others go through it; the bucket fails now and then,
// and the server is killed again and again. Whatever was acknowledged, by the
// bucket or by the server, is there at every query.
func TestDirectKilled(t *testing.T) {
	t.Parallel()
	c := inBucketWith(t, s3test.Start(t), "&direct=1")
	s := seed(t)
	ctx := patience(t, 4*time.Minute)
	c.proxy.RandomOn([]s3test.Op{s3test.UploadPart}, s, 0.1, s3test.Reset, s3test.ResetMidway, s3test.CommitReset, s3test.ServerError)
	var files []*truth
	var group sync.WaitGroup
	for n := range uint64(3) {
		u := &sender{cloud: c, truth: newTruth(fmt.Sprintf("file-%d.bin", n), trial.Noise(12*cell+int(n)*4097, s+n))}
		files = append(files, u.truth)
		group.Go(func() {
			rng := random(s, n)
			var missing extent.Set
			for ctx.Err() == nil && !u.now().done {
				if len(missing) == 0 || rng.IntN(3) == 0 {
					whole, err := u.query(ctx)
					if errors.Is(err, errAgain) || errors.Is(err, errDown) || err != nil && strings.Contains(err.Error(), "404") && len(u.now().safe) == 0 {
						missing = extent.Of(extent.Extent{End: u.size})
					} else if err != nil {
						t.Error(err)
						return
					} else if missing = u.now().safe.Missing(extent.Extent{End: u.size}); whole {
						return
					}
					if len(missing) == 0 {
						continue
					}
				}
				at := missing[rng.IntN(len(missing))]
				e := extent.At((at.Start+rng.Int64N(at.Len()))/cell*cell, cell)
				e.End = min(e.End, u.size)
				var err error
				if rng.IntN(4) == 0 {
					err = u.put(ctx, e)
				} else {
					err = u.direct(ctx, e, rng.IntN(3) > 0)
				}
				if err != nil && !errors.Is(err, errAgain) && !errors.Is(err, errDown) && !errors.Is(err, errRound) && ctx.Err() == nil {
					t.Error(err)
					return
				}
			}
		})
	}
	ended := make(chan struct{})
	go func() { group.Wait(); close(ended) }()
	for rng := random(s, 99); ; {
		select {
		case <-ended:
		case <-time.After(time.Duration(200+rng.IntN(1500)) * time.Millisecond): // when to kill
			c.Kill()
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			continue
		}
		break
	}
	for _, u := range files {
		if !u.now().done {
			t.Errorf("%s is not whole: %v", u.name, u.now().safe)
		}
	}
	direct := 0
	for _, call := range c.proxy.Journal() {
		if call.Op == s3test.UploadPart && call.Signed && call.Server == http.StatusOK {
			direct++
		}
	}
	if direct < 10 {
		t.Errorf("only %d pieces went straight into the bucket", direct)
	}
	c.onlyFinished(t, files...)
}

// TestPutDirect: all of a file but the words about it goes past the server.
func TestPutDirect(t *testing.T) {
	t.Parallel()
	c := inBucketWith(t, s3test.Start(t), "&direct=1")
	u := newTruth("large.bin", trial.Noise(70<<20+4097, seed(t)))
	file := filepath.Join(t.TempDir(), u.name)
	if err := os.WriteFile(file, u.data, 0o600); err != nil {
		t.Fatal(err)
	}
	// It is killed when a third is there, and begun again.
	p := put(t, c.server, nil, "--direct", "--workers", "2", file)
	within(t, time.Minute, "some pieces are there", func() bool { return c.proxy.Count(s3test.UploadPart) >= 4 || p.Ended() })
	p.Kill()
	before := c.proxy.Count(s3test.UploadPart)
	put(t, c.server, nil, "--direct", file).ends(t, time.Minute)
	c.arrivedOnce(t, u)
	twice := int64(-u.size)
	for _, call := range c.proxy.Journal() {
		if call.Op == s3test.UploadPart && call.Part > 0 && call.Key != "" && strings.HasSuffix(call.Key, u.name) {
			if !call.Signed {
				t.Errorf("part %d went through the server", call.Part)
			}
			twice += call.Length
		}
	}
	if most := int64(2 * 6 << 20); twice > most { // what was on its way when it was killed
		t.Errorf("%d bytes were sent twice; %d pieces were on their way", twice, before)
	}
	c.onlyFinished(t, u)
}

// arrivedOnce names the one upload that is there, and compares its object.
func (c *cloud) arrivedOnce(t *testing.T, u *truth) {
	t.Helper()
	done := list(t, http.DefaultClient, c.server, "done")
	if len(done) != 1 || len(list(t, http.DefaultClient, c.server, "open")) != 0 {
		t.Fatalf("there are the uploads %+v", done)
	}
	u.named(done[0].ID)
	if err := c.object(u); err != nil {
		t.Error(err)
	}
}

// TestPutDirectRound: where the bucket cannot be reached by the client, the file
// goes through the server, in the same upload: from the start, or from its middle
// on.
func TestPutDirectRound(t *testing.T) {
	t.Parallel()
	gateway := s3test.Start(t)
	for name, first := range map[string]int{"never": 0, "at first": 4} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := inBucketWith(t, gateway, "&direct=1")
			signed := func(call s3test.Call) bool { return call.Signed }
			c.proxy.On(s3test.UploadPart).Where(signed).Nth(first + 1).Always().Do(s3test.Reset)
			u := newTruth("large.bin", trial.Noise(60<<20, seed(t)))
			file := filepath.Join(t.TempDir(), u.name)
			if err := os.WriteFile(file, u.data, 0o600); err != nil {
				t.Fatal(err)
			}
			put(t, c.server, nil, "--direct", file).ends(t, time.Minute)
			c.arrivedOnce(t, u)
			var straight, tries atomic.Int64
			for _, call := range c.proxy.Journal() {
				if call.Signed && call.Op == s3test.UploadPart {
					tries.Add(1)
					if call.Server == http.StatusOK {
						straight.Add(1)
					}
				}
			}
			if straight.Load() != int64(first) || tries.Load() > int64(first)+8 {
				t.Errorf("%d pieces went straight, in %d attempts", straight.Load(), tries.Load())
			}
			c.onlyFinished(t, u)
		})
	}
	t.Run("a store on a disk", func(t *testing.T) {
		t.Parallel()
		s := serve(t)
		body := trial.Noise(20<<20, seed(t))
		file := filepath.Join(t.TempDir(), "large.bin")
		if err := os.WriteFile(file, body, 0o600); err != nil {
			t.Fatal(err)
		}
		put(t, s, nil, "--direct", file).ends(t, time.Minute)
		arrived(t, s, map[string]int{"large.bin " + sumOf(body): 1})
	})
}
