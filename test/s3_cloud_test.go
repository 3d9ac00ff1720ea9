package test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/muleteer/muleteer/internal/trial"
	"github.com/muleteer/muleteer/state"
	"github.com/muleteer/muleteer/store"
	"github.com/muleteer/muleteer/store/s3"
	"github.com/muleteer/muleteer/store/s3/s3test"
	"github.com/muleteer/muleteer/upload"
)

// cloud is `muleteer serve` that keeps its files in a bucket of its own, with a
// proxy between that can make every call fail.
type cloud struct {
	*server
	gateway *s3test.Server
	proxy   *s3test.Proxy
	bucket  string
	key     func(u *truth) string // of a finished file
	http    *http.Client
	temp    string // where the server may keep temporary files; it must not
}

// inBucket starts one. An upload's name is the last word of its key.
func inBucket(t *testing.T, gateway *s3test.Server, args ...string) *cloud {
	t.Helper()
	return inBucketWith(t, gateway, "", args...)
}

// inBucketWith is inBucket with more in the store's address.
func inBucketWith(t *testing.T, gateway *s3test.Server, more string, args ...string) *cloud {
	t.Helper()
	c := &cloud{gateway: gateway, proxy: gateway.Proxy(t), bucket: gateway.Bucket(t), temp: t.TempDir(),
		http: &http.Client{
			Transport:     &http.Transport{MaxIdleConnsPerHost: 16},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		key: func(u *truth) string { return "kept/" + u.now().id + "/" + u.name },
	}
	t.Cleanup(c.http.CloseIdleConnections)
	c.server = &server{trial.ServeWith(t, []string{"TMPDIR=" + c.temp}, program, t.TempDir(),
		append([]string{"--store", c.proxy.URL(c.bucket, "kept") + more}, args...)...)}
	return c
}

// object reads a finished file from the bucket itself and compares it with what
// was sent.
func (c *cloud) object(u *truth) error {
	r, err := c.gateway.Read(c.bucket, c.key(u))
	if err != nil {
		return fmt.Errorf("%s is told to be whole: %w", u.name, err)
	}
	defer r.Close()
	return u.same(r)
}

// onlyFinished checks, after the server has ended, that a sweep leaves nothing
// in the bucket but these files. What no record names is swept when it is an
// hour old, and what was begun unknown to its client expires after a week and is
// forgotten a day later: it is swept after either.
func (c *cloud) onlyFinished(t *testing.T, files ...*truth) {
	t.Helper()
	c.proxy.Calm()
	c.End(t)
	c.sweep(t, 8*24*time.Hour)
	c.sweep(t, 10*24*time.Hour)
	want := map[string]bool{}
	for _, u := range files {
		want[c.key(u)] = true
	}
	here := c.gateway.Objects(t, c.bucket)
	for key, size := range here {
		if !want[key] {
			t.Errorf("%s, %d bytes, is left in the bucket", key, size)
		}
	}
	for key := range want {
		if _, ok := here[key]; !ok {
			t.Errorf("%s is not in the bucket any more", key)
		}
	}
	for _, u := range c.gateway.Unjoined(t, c.bucket) {
		t.Errorf("a multipart upload of %s is left in the bucket", u.Key)
	}
}

// sweep does what the server would do so much later. The first turn may put off
// what the next one does.
func (c *cloud) sweep(t *testing.T, later time.Duration) {
	t.Helper()
	ctx := context.Background()
	files, err := s3.Open(ctx, c.gateway.URL(c.bucket, "kept"), s3.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var records state.State
	within(t, time.Minute, "the records are to be had", func() bool { // who was killed may hold them a moment longer
		records, err = state.Open(ctx, "sqlite:"+filepath.Join(c.Dir, "muleteer-data", "state.db"), state.Options{})
		if err != nil && !errors.Is(err, store.ErrInUse) {
			t.Fatal(err)
		}
		return err == nil
	})
	s := &upload.Service{Store: files, State: records, Log: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return time.Now().Add(later) }}
	for range 3 {
		if _, err := s.Sweep(ctx); err != nil {
			t.Errorf("sweep: %v", err)
		}
		if _, err := s.SweepOrphans(ctx); err != nil {
			t.Errorf("sweep: %v", err)
		}
	}
	if err := errors.Join(records.Close(), files.Close()); err != nil {
		t.Error(err)
	}
}

// together runs n subtests, so many at a time. They mostly wait, for repetitions
// of what failed, and t.Parallel would run only as many as there are
// processors.
func together(t *testing.T, n, most int, name func(i int) string, f func(t *testing.T, i int)) {
	var group sync.WaitGroup
	turns := make(chan struct{}, most)
	for i := range n {
		turns <- struct{}{}
		group.Go(func() {
			defer func() { <-turns }()
			t.Run(name(i), func(t *testing.T) { f(t, i) })
		})
	}
	group.Wait()
}

// get is a GET of which the body is of no interest.
func (c *cloud) get(path string) (int, error) {
	resp, err := c.http.Get(c.URL(path))
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}
