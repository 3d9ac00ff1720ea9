package web_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// Bytes that have left count as sent, and as acknowledged only when they are.
func TestProgress(t *testing.T) {
	t.Parallel()
	s := serve(t)
	l := newLine(t, s)
	answered := make(chan struct{})
	l.refusing(func(_ http.ResponseWriter, r *http.Request) bool {
		b, err := io.ReadAll(r.Body) // the line takes all, and is slow to give it to the server
		r.Body = io.NopCloser(bytes.NewReader(b))
		if err == nil && len(b) > 0 {
			<-answered
		}
		return false
	})
	f := newFile(t, "f", 6*chunk, 61)
	c := send(t, l.URL, job{Options: quick(), Files: []*file{f}, XHR: true})
	e := c.until("all that may leave", func(e event) bool { return e.Event == "progress" && e.Stats.Sent >= 4*chunk })
	if e.Stats.Acknowledged != 0 || e.Stats.Sent > 4*chunk || e.Stats.Progress < 0.6 || e.Stats.Progress > 0.7 {
		t.Errorf("%+v", e.Stats)
	}
	for _, e := range c.seen {
		if e.Item != nil && e.Item.Acknowledged != 0 {
			t.Errorf("%s: %d bytes are called acknowledged", e.Event, e.Item.Acknowledged)
		}
	}
	close(answered)
	if e := c.arrives(s, f); e.Item.Acknowledged != 6*chunk || e.Item.Sent != 6*chunk {
		t.Errorf("%+v", e.Item)
	}
}

// corrupt flips a bit of a body.
func corrupt(r *http.Request) {
	b, _ := io.ReadAll(r.Body)
	if len(b) > 0 {
		b[len(b)/2] ^= 4
	}
	r.Body = io.NopCloser(bytes.NewReader(b))
}

// What arrives as something else is sent again, and never called done.
func TestCorruption(t *testing.T) {
	t.Parallel()
	s := serve(t)
	t.Run("the server notices", func(t *testing.T) {
		t.Parallel()
		l := newLine(t, s)
		var times atomic.Int64
		l.refusing(func(_ http.ResponseWriter, r *http.Request) bool {
			if r.ContentLength > 0 && times.Add(1) == 2 {
				corrupt(r)
			}
			return false
		})
		f := newFile(t, "noticed", 4*chunk, 62)
		c := send(t, l.URL, job{Options: quick(), Files: []*file{f}})
		if e := c.event("fileRetry"); e.Item.Error.Code != "damaged" {
			t.Errorf("%+v", e.Item.Error)
		}
		c.arrives(s, f)
	})
	// The server does not, because the checksum was lost too: its answer tells.
	for _, size := range []int{1000, 4 * chunk} {
		t.Run("the client notices", func(t *testing.T) {
			t.Parallel()
			l := newLine(t, s)
			var well atomic.Bool
			l.refusing(func(_ http.ResponseWriter, r *http.Request) bool {
				if !well.Load() && r.ContentLength > 0 {
					r.Header.Del("X-Upload-Checksum")
					corrupt(r)
				}
				return false
			})
			f := newFile(t, "unnoticed", size, uint64(63+size))
			c := send(t, l.URL, job{Options: quick(), Files: []*file{f}})
			e := c.until("an error", func(e event) bool {
				return e.Event == "fileRetry" || e.Event == "fileError" || e.Event == "fileSuccess"
			})
			if e.Event == "fileSuccess" || !strings.Contains("damaged mismatch", e.Item.Error.Code) {
				t.Errorf("%s: %+v", e.Event, e.Item.Error)
			}
			well.Store(true)
			// The damaged bytes are at the server; who tries again begins anew.
			for {
				e := c.until("the end", func(e event) bool { return e.Event == "fileSuccess" || e.Event == "fileError" })
				if e.Event == "fileSuccess" {
					if s.sum(e.Item.Result) != f.sum {
						t.Error("it arrived as another file")
					}
					return
				}
				c.do("retry")
			}
		})
	}
	// All pieces were right and the file is not.
	t.Run("at the end", func(t *testing.T) {
		t.Parallel()
		l := newLine(t, s)
		f := newFile(t, "end", 3*chunk, 64)
		v := &weather{l: l}
		l.refusing(func(w http.ResponseWriter, r *http.Request) bool {
			if r.ContentLength <= 0 {
				return false
			}
			status, body := v.forward(r)
			if status != http.StatusOK {
				w.WriteHeader(status)
				return true
			}
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(bytes.Replace(body, []byte(`"crc64nvme":"`), []byte(`"crc64nvme":"A`), 1))
			return true
		})
		c := send(t, l.URL, job{Options: quick(), Files: []*file{f}})
		if e := c.until("the end", func(e event) bool { return e.Event == "fileSuccess" || e.Event == "fileError" }); e.Event != "fileError" || e.Item.Error.Code != "mismatch" {
			t.Errorf("%s: %+v", e.Event, e.Item.Error)
		}
	})
}

// A pause ends the requests that are under way: none comes to its end. The
// pieces are larger than what the kernel holds of a connection.
func TestPauseEndsRequests(t *testing.T) {
	t.Parallel()
	s := serve(t)
	l := newLine(t, s)
	l.rate = 4 << 20
	f := newFile(t, "f", 32*chunk, 65)
	o := quick()
	o["chunkSize"] = 16 * chunk
	c := send(t, l.URL, job{Options: o, Files: []*file{f}})
	for end := time.Now().Add(patience); l.carried() < chunk; time.Sleep(time.Millisecond) { // until they are under way
		if time.Now().After(end) {
			t.Fatal("nothing is sent")
		}
	}
	c.do("pause")
	c.state("paused")
	l.mu.Lock()
	l.rate = 0
	l.mu.Unlock()
	for end := time.Now().Add(patience); l.look(&l.now) > 0; time.Sleep(5 * time.Millisecond) { // until the line knows
		if time.Now().After(end) {
			t.Fatal("requests go on in a pause")
		}
	}
	if n := l.carried(); n >= 32*chunk {
		t.Errorf("all %d bytes were sent in a pause", n)
	}
	c.do("upload")
	e := c.until("the answer to the question", func(e event) bool { return e.Event == "fileState" && e.Before == "checking" })
	if e.Item.ResumedAt > 0 {
		t.Errorf("%d bytes arrived in a pause", e.Item.ResumedAt)
	}
	c.arrives(s, f)
}
