package test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/muleteer/muleteer/internal/trial"
	"github.com/muleteer/muleteer/protocol/tus"
	"github.com/muleteer/muleteer/state"
	"github.com/muleteer/muleteer/store/s3"
	"github.com/muleteer/muleteer/store/s3/s3test"
	"github.com/muleteer/muleteer/upload"
)

// What the reference server gets wrong in S3, and what must not happen here.

// patience is how long a client of these tests goes on.
func patience(t *testing.T, limit time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	return ctx
}

// begin makes a sender with a tus upload of so many bytes.
func (c *cloud) begin(t *testing.T, size int, seed uint64) *sender {
	t.Helper()
	u := &sender{cloud: c, truth: newTruth("file.bin", trial.Noise(size, seed))}
	if err := u.create(patience(t, 30*time.Second)); err != nil {
		t.Fatal(err)
	}
	return u
}

// offset asks until there is an answer.
func (u *sender) offset(t *testing.T) (at int64) {
	t.Helper()
	ctx := patience(t, 60*time.Second)
	if err := retry(ctx, func() (err error) { at, err = u.head(ctx); return err }); err != nil {
		t.Fatal(err)
	}
	return at
}

// D1: parts of one body are uploaded at the same time; one of them fails for
// good while later ones succeed. What is told must not count the later ones,
// and what is sent after it must end where it belongs.
func TestD1APartFailsAndLaterOnesDoNot(t *testing.T) {
	t.Parallel()
	c := inBucket(t, s3test.Start(t))
	u := c.begin(t, 40<<20, seed(t))
	// Whatever the store makes of the second cell, and of the first crumb.
	var mu sync.Mutex
	var order []int
	second := func(call s3test.Call) bool {
		mu.Lock()
		defer mu.Unlock()
		for i, n := range order {
			if n == call.Part {
				return i == 1
			}
		}
		order = append(order, call.Part)
		return len(order) == 2
	}
	parts := c.proxy.On(s3test.UploadPart).Where(second).Always().Do(s3test.ServerError)
	c.proxy.On(s3test.PutObject).Always().Do(s3test.ServerError)
	ctx := patience(t, 60*time.Second)
	if at, err := u.patch(ctx, 0, u.size); err == nil {
		t.Errorf("the PATCH of which a part failed was answered with offset %d", at)
	} else if !errors.Is(err, errAgain) && !errors.Is(err, errDown) {
		t.Errorf("the PATCH of which a part failed: %v", err)
	}
	if parts.Hits() == 0 {
		t.Fatal("no part failed")
	}
	if at := u.offset(t); at >= u.size {
		t.Errorf("the offset is %d of %d", at, u.size)
	}
	c.proxy.Calm()
	if err := u.tus(ctx, 8<<20); err != nil {
		t.Fatal(err)
	}
	if err := u.object(u.truth); err != nil {
		t.Error(err)
	}
	c.onlyFinished(t, u.truth)
}

// D2: a remainder that is smaller than a part waits for the next bytes, and the
// part that is made of both cannot be stored. What was acknowledged is still
// there, also after a crash.
func TestD2AFailedMergeLosesNothing(t *testing.T) {
	t.Parallel()
	c := inBucket(t, s3test.Start(t))
	u := c.begin(t, 20<<20, seed(t))
	ctx := patience(t, 60*time.Second)
	at, err := u.patch(ctx, 0, 3<<20)
	if err != nil || at != 3<<20 {
		t.Fatalf("3 MiB are at %d, %v", at, err)
	}
	for i, fault := range []s3test.Fault{s3test.ServerError, s3test.CommitReset, s3test.CommitSum} {
		parts := c.proxy.On(s3test.UploadPart).Always().Do(fault)
		puts := c.proxy.On(s3test.PutObject).Always().Do(fault)
		_, _ = u.patch(ctx, u.now().offset, 9<<20) // the truth judges it by what HEAD says
		if parts.Hits()+puts.Hits() == 0 {
			t.Errorf("%q struck nothing", fault)
		}
		if at := u.offset(t); at < 3<<20 {
			t.Errorf("after %q the offset is %d", fault, at)
		}
		parts.End()
		puts.End()
		if i%2 == 1 {
			c.Kill()
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			u.offset(t)
		}
	}
	c.proxy.Calm()
	for at := u.offset(t); at < u.size; { // with remainders, all the way
		if at, err = u.patch(ctx, at, 1<<20+1); err != nil {
			t.Fatal(err)
		}
	}
	if err := u.object(u.truth); err != nil {
		t.Error(err)
	}
	c.onlyFinished(t, u.truth)
}

// D3: the object cannot be completed. Nobody is told that it is whole until it
// is, and when S3 works again it becomes so, without the client's help.
func TestD3AFailedJoinIsNoSuccess(t *testing.T) {
	t.Parallel()
	gateway := s3test.Start(t)
	faults := []s3test.Fault{s3test.ServerError, s3test.ErrorBody, s3test.Denied, s3test.CommitReset}
	together(t, len(faults), len(faults), func(i int) string { return string(faults[i]) },
		func(t *testing.T, i int) {
			c := inBucket(t, gateway)
			u := c.begin(t, 12<<20, seed(t))
			rule := c.proxy.On(s3test.CompleteMultipartUpload).Always().Do(faults[i])
			ctx := patience(t, 60*time.Second)
			for round := range 2 {
				// Whoever is told that it is whole looks into the bucket at once.
				_, err := u.patch(ctx, u.now().offset, u.size)
				_, err2 := u.head(ctx)
				for _, err := range []error{err, err2} {
					if err != nil && !errors.Is(err, errAgain) && !errors.Is(err, errDown) {
						t.Error(err)
					}
				}
				if status, err := c.get("/files/" + u.now().id); err == nil && status == http.StatusOK {
					if err := u.object(u.truth); err != nil {
						t.Errorf("it can be read, but %v", err)
					}
				}
				if round == 0 {
					c.Kill()
					if err := c.Start(); err != nil {
						t.Fatal(err)
					}
				}
			}
			if rule.Hits() == 0 {
				t.Fatal("nothing was completed")
			}
			c.proxy.Calm()
			within(t, 30*time.Second, "the object", func() bool { return u.object(u.truth) == nil })
			if at := u.offset(t); at != u.size {
				t.Errorf("the offset is %d", at)
			}
			c.onlyFinished(t, u.truth)
		})
}

// D3b: the same when it is a hook that does not accept the file: it is asked
// again, and until then the upload is not complete.
func TestD3bAFailedHookIsNoSuccess(t *testing.T) {
	t.Parallel()
	gateway := s3test.Start(t)
	bucket := gateway.Bucket(t)
	files, err := s3.Open(t.Context(), gateway.URL(bucket, "kept"), s3.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer files.Close()
	var failing atomic.Bool
	var asked atomic.Int64
	failing.Store(true)
	hook := func(_ context.Context, turn upload.Turn) (upload.Verdict, error) {
		if turn.Kind == upload.Completing {
			asked.Add(1)
			if failing.Load() {
				return upload.Verdict{}, errors.New("the hook does not work")
			}
		}
		return upload.Verdict{}, nil
	}
	s := &upload.Service{Store: files, State: state.Memory(time.Now), Hook: hook, Key: "{id}/{name}"}
	web := httptest.NewServer(tus.Handler(s, tus.Options{Base: "/tus/"}))
	defer web.Close()
	c := &cloud{server: &server{&trial.Server{Address: web.Listener.Addr().String()}}, gateway: gateway, bucket: bucket, http: web.Client(),
		key: func(u *truth) string { return "kept/" + u.now().id + "/" + u.name }}
	u := c.begin(t, 6<<20, seed(t))
	u.url = web.URL + "/tus/" + u.now().id
	ctx := patience(t, 60*time.Second)
	for range 3 {
		if at, err := u.patch(ctx, u.now().offset, u.size); err == nil {
			t.Errorf("PATCH was answered with offset %d while the hook fails", at)
		}
		if at, err := u.head(ctx); err == nil {
			t.Errorf("HEAD tells %d of %d while the hook fails", at, u.size)
		}
	}
	before := asked.Load()
	failing.Store(false)
	if at := u.offset(t); at != u.size || asked.Load() == before || before < 2 {
		t.Errorf("in the end the offset is %d, and the hook was asked %d times, before %d", at, asked.Load(), before)
	}
}

// D4: a lifecycle rule of the bucket aborts the multipart upload. That is never
// taken for its end: the owner is told that it is gone, and no smaller offset.
func TestD4AnAbortedUploadIsNotComplete(t *testing.T) {
	t.Parallel()
	gateway := s3test.Start(t)
	for _, c := range []struct {
		name string
		sent int64 // bytes before the rule strikes
	}{{"in the middle", 16 << 20}, {"before the join", 24 << 20}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := inBucket(t, gateway)
			u := d.begin(t, 24<<20, seed(t))
			ctx := patience(t, 120*time.Second)
			d.proxy.On(s3test.CompleteMultipartUpload).Always().Do(s3test.ServerError)
			if _, err := u.patch(ctx, 0, c.sent); (err != nil) != (c.sent == u.size) {
				t.Fatalf("PATCH: %v", err)
			}
			gateway.AbortAll(t, d.bucket)
			d.proxy.Calm()
			gone := func() bool {
				for _, method := range []string{"HEAD", "PATCH"} {
					b, headers := []byte(nil), []string{"Tus-Resumable", "1.0.0"}
					if method == "PATCH" {
						b = u.data[c.sent:]
						headers = append(headers, "Content-Type", "application/offset+octet-stream", "Upload-Offset", strconv.FormatInt(c.sent, 10))
					}
					before := u.now()
					resp, _, err := u.request(ctx, method, u.url, b, headers...)
					switch {
					case resp == nil:
						return false
					case resp.StatusCode == http.StatusGone || resp.StatusCode == http.StatusNotFound:
						return true
					case err == nil: // this fails if it is told to be whole, or to have less
						if _, err := u.at(before, resp); err != nil {
							t.Fatalf("%s: %v", method, err)
						}
					case !errors.Is(err, errAgain):
						t.Fatal(err)
					}
				}
				return false
			}
			within(t, 60*time.Second, "410", gone)
			d.Kill()
			if err := d.Start(); err != nil {
				t.Fatal(err)
			}
			before := u.now()
			if resp, _, err := u.request(ctx, "HEAD", u.url, nil, "Tus-Resumable", "1.0.0"); resp == nil || resp.StatusCode != http.StatusGone {
				t.Errorf("it was gone for a PATCH, and after a restart HEAD says %v, %v; before %+v", resp, err, before)
			}
			if status, err := d.get("/files/" + u.now().id); err != nil || status == http.StatusOK {
				t.Errorf("GET of what is gone: %d, %v", status, err)
			}
			d.onlyFinished(t)
		})
	}
}

// One answer on the way back is garbled. What the bucket has counts, not what it
// was understood to say: nothing that was acknowledged is given up for it.
func TestS3AGarbledAnswerLosesNothing(t *testing.T) {
	t.Parallel()
	gateway := s3test.Start(t)
	ops := []s3test.Op{s3test.UploadPart, s3test.CompleteMultipartUpload, s3test.PutObject}
	keys := []string{"{id}/{name}", "{name}"}
	together(t, len(ops)*len(keys), 6, func(i int) string { return string(ops[i/2]) + " " + keys[i%2] },
		func(t *testing.T, i int) {
			c := inBucket(t, gateway, "--key", keys[i%2])
			if i%2 == 1 {
				c.key = func(u *truth) string { return "kept/" + u.name }
			}
			u := c.begin(t, 13<<20, seed(t))
			for _, fault := range []s3test.Fault{s3test.CommitSum, s3test.CommitTruncate} {
				c.proxy.On(ops[i/2]).Times(2).Do(fault)
			}
			if err := u.tus(patience(t, 60*time.Second), 3<<20); err != nil {
				t.Fatal(err)
			}
			c.onlyFinished(t, u.truth)
		})
}

// A range that was acknowledged and cannot be read any more, because somebody
// deleted its crumbs, is told as gone and not made up.
func TestS3ADeletedCrumbIsNotComplete(t *testing.T) {
	t.Parallel()
	gateway := s3test.Start(t)
	c := inBucket(t, gateway)
	u := c.begin(t, 12<<20, seed(t))
	ctx := patience(t, 60*time.Second)
	if _, err := u.patch(ctx, 0, 1<<20); err != nil {
		t.Fatal(err)
	}
	crumbs := gateway.Objects(t, c.bucket)
	if len(crumbs) == 0 {
		t.Fatal("1 MiB of 12 is no object")
	}
	for key := range crumbs {
		gateway.Delete(t, c.bucket, key)
	}
	c.Kill()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	within(t, 30*time.Second, "410", func() bool {
		before := u.now()
		resp, _, err := u.request(ctx, "HEAD", u.url, nil, "Tus-Resumable", "1.0.0")
		if resp != nil && resp.StatusCode == http.StatusGone {
			return true
		}
		if err == nil {
			at, err := u.at(before, resp)
			if err != nil {
				t.Fatal(err)
			}
			_, err = u.patch(ctx, at, u.size)
			if err == nil {
				t.Fatal("it was completed")
			}
		}
		return false
	})
}
