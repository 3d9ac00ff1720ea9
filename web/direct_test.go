package web_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"
)

// All bytes go into the bucket, over all connections, and count as they leave.
func TestDirect(t *testing.T) {
	t.Parallel()
	c := serveCloud(t)
	f := newFile(t, "film.bin", 5*cell+12345, 201)
	x := c.into(f, func(j *job) { j.Options["workers"] = 4 })
	e := x.arrives(c.server, f)
	c.counts(6, 0)
	if n := c.tells.Load(); n != 6 {
		t.Errorf("the server was told of %d parts", n)
	}
	if e.Item.Acknowledged != int64(len(f.bytes)) || c.bucket.look(&c.bucket.most) < 2 {
		t.Errorf("%+v, %d at once", e.Item, c.bucket.look(&c.bucket.most))
	}
	partly := false
	for _, e := range x.seen {
		partly = partly || e.Event == "fileProgress" && e.Item.Sent > e.Item.Acknowledged
	}
	if !partly {
		t.Error("nothing was told of pieces under way")
	}
	// What is small, or in small pieces, or who knows how large, is not for a bucket.
	small := newFile(t, "small.bin", cell-1, 202)
	c.into(small).arrives(c.server, small)
	pieces := newFile(t, "pieces.bin", 2*cell, 203)
	c.into(pieces, func(j *job) { j.Options["chunkSize"] = chunk }).arrives(c.server, pieces)
	stream := newFile(t, "stream.bin", 2*cell, 218)
	stream.Stream = true
	y := c.into(stream)
	y.arrives(c.server, stream)
	c.said(y, 0)
	c.counts(6, int64(len(small.bytes)+len(pieces.bytes)+len(stream.bytes)))
	if n := c.signs.Load(); n != 7 { // also for the end of the stream, when it is known
		t.Errorf("%d addresses were asked for", n)
	}
	c.said(x, 0)
}

// A bucket that refuses is left alone after three pieces, and after a while it
// is tried again; the upload is one and goes on.
func TestDirectRefused(t *testing.T) {
	t.Parallel()
	c := serveCloud(t)
	c.put(func(w http.ResponseWriter, r *http.Request, _ int64) bool {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusForbidden)
		return true
	})
	f := newFile(t, "film.bin", 6*cell, 204)
	x := c.into(f)
	x.arrives(c.server, f)
	c.counts(3, 6*cell)
	if n := c.signs.Load(); n != 3 {
		t.Errorf("%d addresses were asked for", n)
	}
	c.said(x, 1)

	var refused atomic.Bool
	c.put(func(w http.ResponseWriter, r *http.Request, n int64) bool {
		if n > 6 {
			return false
		}
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusForbidden)
		refused.Store(true)
		return true
	})
	again := newFile(t, "again.bin", 12*cell, 205)
	c.into(again, func(j *job) { j.Direct["rest"] = 1 }).arrives(c.server, again)
	if n := c.parts.Load(); n <= 7 || !refused.Load() {
		t.Errorf("%d parts were tried", n)
	}
}

// A bucket that cannot be reached, say because of CORS, costs nothing, and is
// left alone at once.
func TestDirectUnreachable(t *testing.T) {
	t.Parallel()
	c := serveCloud(t)
	f := newFile(t, "film.bin", 4*cell, 206)
	c.bucket.Close()
	x := c.into(f)
	x.arrives(c.server, f)
	c.counts(0, 4*cell)
	if n := c.signs.Load(); n != 1 {
		t.Errorf("%d addresses were asked for", n)
	}
	c.said(x, 1)
}

// A bucket that hangs in the middle of a piece loses that piece and no other.
func TestDirectHangs(t *testing.T) {
	t.Parallel()
	c := serveCloud(t)
	over := make(chan struct{})
	t.Cleanup(func() { close(over) })
	c.put(func(_ http.ResponseWriter, r *http.Request, n int64) bool {
		if n != 2 {
			return false
		}
		_, _ = io.CopyN(io.Discard, r.Body, cell/2)
		<-over
		return true
	})
	f := newFile(t, "film.bin", 5*cell, 207)
	x := c.into(f, func(j *job) { j.Options["timeout"] = 2000 })
	x.arrives(c.server, f)
	c.counts(5, cell)
	c.said(x, 1)
}

// What arrives in the bucket as something else is refused by it, and sent again.
func TestDirectCorruption(t *testing.T) {
	t.Parallel()
	c := serveCloud(t)
	c.put(func(_ http.ResponseWriter, r *http.Request, n int64) bool {
		if n == 2 {
			corrupt(r)
		}
		return false
	})
	f := newFile(t, "film.bin", 3*cell, 208)
	c.into(f).arrives(c.server, f)
	c.counts(3, cell)
}

// If nobody heard that a piece is there, it is not sent again.
func TestDirectAnswerLost(t *testing.T) {
	t.Parallel()
	for _, deed := range []string{"after", "before"} {
		t.Run(deed+" the server has heard of it", func(t *testing.T) {
			t.Parallel()
			c := serveCloud(t)
			c.ask(func(w http.ResponseWriter, r *http.Request, what string) bool {
				if what != "sent" || c.tells.Load() != 2 {
					return false
				}
				if deed == "after" {
					(&weather{l: c.front}).forward(r)
				}
				cut(w)
				return true
			})
			f := newFile(t, "film.bin", 4*cell, 209)
			x := c.into(f)
			if e := x.event("fileRetry"); e.Item.Error.Code != "network" {
				t.Errorf("%+v", e.Item.Error)
			}
			x.arrives(c.server, f)
			// What follows a break goes in smaller pieces, for some time.
			if n, m := c.parts.Load(), c.front.carried(); n*cell+m != 4*cell {
				t.Errorf("%d parts and %d bytes through the server are not a file of four cells", n, m)
			}
			c.said(x, 0)
		})
	}
}

// A token that runs out is renewed, and costs no byte.
func TestDirectToken(t *testing.T) {
	t.Parallel()
	c := serveCloud(t)
	var valid atomic.Value
	valid.Store("Bearer first")
	c.ask(func(w http.ResponseWriter, r *http.Request, what string) bool {
		if what == "sent" && c.tells.Load() == 2 {
			valid.Store("Bearer second")
		}
		if r.Header.Get("Authorization") == valid.Load() {
			return false
		}
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, `{"title":"Unauthorized","status":401}`)
		return true
	})
	c.put(func(w http.ResponseWriter, r *http.Request, _ int64) bool {
		if r.Header.Get("Authorization") != "" {
			t.Error("the bucket was given the token")
		}
		return false
	})
	f := newFile(t, "film.bin", 4*cell, 210)
	x := c.into(f, func(j *job) { j.Refresh = []string{"first", "second"} })
	x.event("refresh")
	x.event("refresh")
	x.arrives(c.server, f)
	c.counts(4, 0)
	c.said(x, 0)
}

// An upload that was begun in larger pieces, or that has more than a bucket can
// take, gets pieces as large as its own.
func TestDirectCell(t *testing.T) {
	t.Parallel()
	c := serveCloud(t)
	f := newFile(t, "film.bin", 20*cell, 214)
	f.Fingerprint = "begun elsewhere"
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, c.URL("/upload/film.bin"), bytes.NewReader(f.bytes[:2*cell]))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Upload-Fingerprint", f.Fingerprint)
	r.Header.Set("Content-Range", fmt.Sprintf("bytes 0-%d/%d", 2*cell-1, len(f.bytes)))
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusPermanentRedirect {
		t.Fatal(resp.Status)
	}
	x := c.into(f)
	x.arrives(c.server, f)
	c.counts(7, 4*cell) // four pieces until it has got used to it
	c.said(x, 0)
}

// Pieces for a bucket become smaller only where even one takes very long.
func TestDirectPatience(t *testing.T) {
	t.Parallel()
	c := serveCloud(t)
	c.bucket.rate = 40 << 20
	f := newFile(t, "film.bin", 6*cell, 215)
	c.into(f).arrives(c.server, f)
	c.counts(6, 0)
	f = newFile(t, "other.bin", 6*cell, 216)
	c.into(f, func(j *job) { j.Patience = 20 }).arrives(c.server, f)
	if n := c.front.carried(); n == 0 {
		t.Error("all pieces were of one size on a line that is too slow for them")
	}
}

// A pause ends what is under way to the bucket, and is no failure of it.
func TestDirectPause(t *testing.T) {
	t.Parallel()
	c := serveCloud(t)
	c.bucket.rate = 4 << 20
	f := newFile(t, "film.bin", 5*cell, 211)
	x := c.into(f, func(j *job) { j.Options["workers"] = 2 })
	for range 4 {
		x.until("a piece under way", func(e event) bool {
			return e.Event == "fileProgress" && e.Item.Sent > e.Item.Acknowledged
		})
		x.do("pause")
		x.state("paused")
		for end := time.Now().Add(patience); c.bucket.look(&c.bucket.now) > 0; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("requests go on in a pause")
			}
		}
		x.do("upload")
	}
	x.arrives(c.server, f)
	if n := c.front.carried(); n != 0 {
		t.Errorf("%d bytes went through the server", n)
	}
	c.said(x, 0)
}

// A server whose store takes no parts is asked once, and one that does not know
// the question is not asked for ever.
func TestDirectUnknown(t *testing.T) {
	t.Parallel()
	for _, old := range []bool{false, true} {
		s := serve(t)
		l := newLine(t, s)
		var asked atomic.Int64
		l.refusing(func(_ http.ResponseWriter, r *http.Request) bool {
			if r.Header.Get("X-Upload-Direct") != "" {
				asked.Add(1)
				if old {
					r.Header.Del("X-Upload-Direct")
				}
			}
			return false
		})
		f := newFile(t, "film.bin", 6*cell, 212)
		j := job{Options: quick(), Files: []*file{f}, Direct: map[string]any{"rest": 3_600_000}}
		j.Options["chunkSize"], j.Options["workers"] = cell, 1
		send(t, l.URL, j).arrives(s, f)
		want := int64(1)
		if old {
			want = 3
		}
		if n := asked.Load(); n != want {
			t.Errorf("it asked %d times", n)
		}
	}
}

// Connections that break together are one failure, and where the server cannot
// be reached either, it is none.
func TestDirectBreaks(t *testing.T) {
	t.Parallel()
	c := serveCloud(t)
	c.bucket.rate = 8 << 20
	f := newFile(t, "film.bin", 16*cell, 213)
	x := c.into(f, func(j *job) { j.Options["workers"] = 4 })
	for i := range 2 {
		x.acknowledged(int64(4+4*i) * cell)
		c.bucket.CloseClientConnections()
	}
	x.arrives(c.server, f)
	if n := c.front.carried(); n == 0 || n > 8*cell {
		t.Errorf("%d bytes went through the server", n)
	}
}
