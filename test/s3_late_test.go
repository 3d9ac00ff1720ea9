package test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/muleteer/muleteer/store/s3/s3test"
)

// While S3 does not answer, whoever asks how the upload stands does not wait
// for it (C4), and when it answers again all goes on.
func TestS3AHangDelaysNobody(t *testing.T) {
	t.Parallel()
	c := inBucket(t, s3test.Start(t), "--chunk-size", "8MiB")
	u := c.begin(t, 24<<20, seed(t))
	ctx := patience(t, 60*time.Second)
	if _, err := u.patch(ctx, 0, 8<<20); err != nil {
		t.Fatal(err)
	}
	rule := c.proxy.On().Always().Do(s3test.Hang)
	patched := make(chan error, 1)
	go func() {
		_, err := u.patch(ctx, 8<<20, 8<<20)
		patched <- err
	}()
	within(t, 10*time.Second, "a part that hangs", func() bool { return rule.Hits() > 0 })
	quickest := time.Hour
	for range 3 {
		began := time.Now()
		at, err := u.head(ctx)
		quickest = min(quickest, time.Since(began))
		if err != nil && !errors.Is(err, errAgain) || err == nil && at < 8<<20 {
			t.Errorf("HEAD tells %d, %v", at, err)
		}
	}
	if quickest > 1500*time.Millisecond { // a second, and what the machine needs; of three, because it may be busy
		t.Errorf("HEAD took %v and more", quickest)
	}
	c.proxy.Calm()
	if err := <-patched; err != nil && !errors.Is(err, errAgain) && !errors.Is(err, errDown) {
		t.Error(err)
	}
	u.offset(t)
	if err := u.tus(ctx, 8<<20); err != nil {
		t.Fatal(err)
	}
	if err := u.object(u.truth); err != nil {
		t.Error(err)
	}
	c.onlyFinished(t, u.truth)
}

// Parts and crumbs that were taken for lost come late, after they were sent
// again: what was made of the upload meanwhile stays what it is.
func TestS3LateRequestsChangeNothing(t *testing.T) {
	t.Parallel()
	gateway := s3test.Start(t)
	for _, c := range []struct {
		name  string
		chunk int64
		free  int64 // the late ones come when so many bytes are here
	}{{"parts, before the join", 8 << 20, 16 << 20}, {"parts, after it", 8 << 20, 24 << 20}, {"crumbs", 3 << 20, 15 << 20}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := inBucket(t, gateway, "--chunk-size", "8MiB")
			u := d.begin(t, 24<<20, seed(t))
			ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
			defer cancel()
			parts := d.proxy.On(s3test.UploadPart).Times(2).Do(s3test.Late)
			puts := d.proxy.On(s3test.PutObject).Times(2).Do(s3test.Late)
			late := false
			for at := int64(0); at < u.size; {
				next, err := u.patch(ctx, at, c.chunk)
				if err != nil && !errors.Is(err, errAgain) && !errors.Is(err, errDown) {
					t.Fatal(err)
				}
				if at = next; err != nil {
					at = u.offset(t)
				}
				if at >= c.free && !late {
					late = true
					d.proxy.Free()
				}
			}
			if parts.Hits()+puts.Hits() == 0 {
				t.Error("nothing was late")
			}
			if err := u.object(u.truth); err != nil {
				t.Error(err)
			}
			d.onlyFinished(t, u.truth)
		})
	}
}
