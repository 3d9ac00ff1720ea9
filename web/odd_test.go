package web_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// What never answers beside the line - a database, a function of the page, a
// worker - is left behind.
func TestNothingIsWaitedForWithoutEnd(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for _, odd := range []string{"memory hangs", "headers hang once", "worker is mute"} {
		t.Run(odd, func(t *testing.T) {
			t.Parallel()
			f := newFile(t, odd, 4*chunk, 31)
			o := quick()
			o["timeout"] = 500
			send(t, "http://"+s.address, job{Options: o, Files: []*file{f}, Odd: odd}).arrives(s, f)
		})
	}
}

// A request that cannot even begin gives its bytes back: they are sent when
// somebody says so.
func TestThrownHeaders(t *testing.T) {
	t.Parallel()
	s := serve(t)
	f := newFile(t, "f", 6*chunk, 32)
	c := send(t, "http://"+s.address, job{Options: quick(), Files: []*file{f}, Odd: "headers throw once"})
	if e := c.event("fileError"); e.Item.Error.Code != "page" || !strings.Contains(e.Item.Error.Message, "no headers") {
		t.Errorf("%+v", e.Item.Error)
	}
	c.do("retry")
	c.arrives(s, f)
}

// A new token that cannot be had now is asked for again; nobody has to sign in.
func TestNoTokenNow(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for _, odd := range []string{"refresh hangs once", "refresh fails once"} {
		t.Run(odd, func(t *testing.T) {
			t.Parallel()
			l := newLine(t, s)
			l.refusing(func(w http.ResponseWriter, r *http.Request) bool {
				if l.carried() < chunk || r.Header.Get("Authorization") == "Bearer new" {
					return false
				}
				_, _ = io.Copy(io.Discard, r.Body)
				w.WriteHeader(http.StatusUnauthorized)
				return true
			})
			o := quick()
			o["timeout"] = 500
			f := newFile(t, odd, 4*chunk, 33)
			send(t, l.URL, job{Options: o, Files: []*file{f}, Odd: odd}).arrives(s, f)
		})
	}
}

// A token that is invalid because the clock is wrong: the clock is named, and
// when it was set, the upload goes on.
func TestTokenByAWrongClock(t *testing.T) {
	t.Parallel()
	s := serve(t)
	l := newLine(t, s)
	var open atomic.Bool
	l.refusing(func(w http.ResponseWriter, r *http.Request) bool {
		if open.Load() || l.carried() < chunk {
			return false
		}
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"title":"Unauthorized","detail":"the token is not yet valid"}`)
		return true
	})
	o := quick()
	o["token"], o["workers"] = "early", 1
	f := newFile(t, "f", 4*chunk, 34)
	c := send(t, l.URL, job{Options: o, Files: []*file{f}, Clock: -3600_000})
	if e := c.event("fileRetry"); e.Item.Error.Code != "clock" || e.Item.Error.Whose != "device" || e.Item.State != "waiting" {
		t.Errorf("%s: %+v", e.Item.State, e.Item.Error)
	}
	open.Store(true)
	c.arrives(s, f)
}

// A file that can be read at last was never unreadable.
func TestStutteringFile(t *testing.T) {
	t.Parallel()
	s := serve(t)
	f := newFile(t, "f", 3*chunk, 35)
	f.Stutters = true
	c := send(t, "http://"+s.address, job{Options: quick(), Files: []*file{f}})
	c.arrives(s, f)
}

// A disk that does not answer holds nothing after a pause.
func TestSleepingDisk(t *testing.T) {
	t.Parallel()
	s := serve(t)
	f := newFile(t, "f", 6*chunk, 36)
	f.Sleeps = 2 * chunk
	c := send(t, "http://"+s.address, job{Options: quick(), Files: []*file{f}})
	c.event("asleep")
	c.do("pause")
	c.do("upload")
	c.arrives(s, f)
}

// Streams of which nothing comes do not hold the connections of other files.
func TestStillStreams(t *testing.T) {
	t.Parallel()
	s := serve(t)
	var files []*file
	for i := range 5 {
		f := newFile(t, fmt.Sprint("still ", i), 0, 1)
		f.Still = true
		files = append(files, f)
	}
	f := newFile(t, "f", 2*chunk, 37)
	send(t, "http://"+s.address, job{Options: quick(), Files: append(files, f)}).arrives(s, f)
}

// Who needs a token and is taken out does not keep the others waiting.
func TestCancelledForWantOfAToken(t *testing.T) {
	t.Parallel()
	s := serve(t)
	l := newLine(t, s)
	l.refusing(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/secret") {
			return false
		}
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusUnauthorized)
		return true
	})
	o := quick()
	o["workers"] = 1
	secret, f := newFile(t, "secret", 10, 38), newFile(t, "f", 4*chunk, 39)
	c := send(t, l.URL, job{Options: o, Files: []*file{secret, f}})
	c.event("fileError")
	c.do("item", 0, "cancel")
	c.event("fileRemoved") // also what has failed
	c.arrives(s, f)
}

// Pieces that became small on a bad line are large again on a good one.
func TestPiecesGrowAgain(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for _, test := range []struct {
		name   string
		size   int
		refuse func(w http.ResponseWriter, r *http.Request) bool
	}{
		{"resets", 24 * chunk, func(w http.ResponseWriter, r *http.Request) bool {
			if r.ContentLength < 100_000 {
				return false
			}
			reset(w)
			return true
		}},
		{"413", 48 * chunk, func(w http.ResponseWriter, r *http.Request) bool {
			return r.ContentLength > 100_000 && says(413, "text/html", "<html>", "")(nil, w, r, 0)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			l := newLine(t, s)
			l.refusing(test.refuse)
			f := newFile(t, test.name, test.size, 40)
			o := quick()
			o["maxRetryInterval"] = 20
			c := send(t, l.URL, job{Options: o, Files: []*file{f}})
			c.acknowledged(200_000)
			if n := l.look(&l.largest); n > 100_000 {
				t.Fatalf("%d bytes came through at once", n)
			}
			l.refusing(nil)
			c.arrives(s, f)
			if n := l.look(&l.largest); n < 2*64<<10 {
				t.Errorf("no piece had more than %d bytes", n)
			}
			if test.name == "resets" && l.look(&l.largest) != chunk {
				t.Errorf("no piece had more than %d bytes", l.look(&l.largest))
			}
		})
	}
}

// What is cancelled is removed on the server although it cannot be reached at
// first; but not what was added anew.
func TestCancelTriesAgain(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for _, anew := range []bool{false, true} {
		t.Run(fmt.Sprint("anew ", anew), func(t *testing.T) {
			t.Parallel()
			l := newLine(t, s)
			l.rate = 4 << 20
			var deletes atomic.Int64
			l.refusing(func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method != http.MethodDelete || deletes.Add(1) > 3 {
					return false
				}
				reset(w)
				return true
			})
			f := newFile(t, "f", 8*chunk, 41)
			f.Fingerprint = fmt.Sprint("cancelled", anew)
			c := send(t, l.URL, job{Options: quick(), Files: []*file{f}})
			c.acknowledged(2 * chunk)
			c.do("cancel")
			c.event("fileRemoved")
			if anew {
				c.do("add", f)
				c.arrives(s, f)
				if n := deletes.Load(); n > 2 {
					t.Errorf("%d attempts to remove what was added anew", n)
				}
				return
			}
			for end := time.Now().Add(patience); deletes.Load() < 4; time.Sleep(5 * time.Millisecond) { // until it was reached
				if time.Now().After(end) {
					t.Fatalf("only %d attempts", deletes.Load())
				}
			}
			c.event("did")
			req, _ := http.NewRequest(http.MethodGet, "http://"+s.address+"/upload/f", nil)
			req.Header.Set("X-Upload-Fingerprint", f.Fingerprint)
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusNotFound {
				t.Errorf("the server still has it: %d", resp.StatusCode)
			}
		})
	}
}

// A failed file is not waited for, and small files take time although they have
// few bytes.
func TestTimeLeft(t *testing.T) {
	t.Parallel()
	s := serve(t)
	t.Run("failed files", func(t *testing.T) {
		t.Parallel()
		l := newLine(t, s)
		l.rate = 1 << 20
		bad, f := newFile(t, "bad", 64*chunk, 42), newFile(t, "f", 6*chunk, 43)
		bad.Vanish = 1
		o := quick()
		o["workers"], o["chunkSize"] = 1, 256<<10
		c := send(t, l.URL, job{Options: o, Files: []*file{bad, f}, XHR: true})
		c.event("fileError")
		e := c.until("half", func(e event) bool { return e.Event == "progress" && e.Stats.Acknowledged >= 3*chunk })
		// Three seconds are left; with the bad file it would be over a minute.
		if e.Stats.ETA == nil || *e.Stats.ETA > 15_000 {
			t.Errorf("left: %v", e.Stats.ETA)
		}
	})
	t.Run("small files", func(t *testing.T) {
		t.Parallel()
		l := newLine(t, s)
		const each = 50 * time.Millisecond
		l.refusing(func(_ http.ResponseWriter, _ *http.Request) bool {
			time.Sleep(each) // the way to the server
			return false
		})
		files := []*file{newFile(t, "large", 8*chunk, 44)}
		for i := range 100 {
			files = append(files, newFile(t, fmt.Sprint(i), 10, uint64(i)))
		}
		o := quick()
		o["workers"] = 1
		c := send(t, l.URL, job{Options: o, Files: files})
		e := c.until("half", func(e event) bool { return e.Event == "progress" && e.Stats.Done >= 50 })
		least := float64(each.Milliseconds()) * 50 / 4
		if e.Stats.ETA == nil || *e.Stats.ETA < least || *e.Stats.ETA > 100*least {
			t.Errorf("left: %v, want more than %v", *e.Stats.ETA, least)
		}
	})
}

// Several addresses of one server share the requests.
func TestAddresses(t *testing.T) {
	t.Parallel()
	s := serve(t)
	t.Run("both", func(t *testing.T) {
		t.Parallel()
		a, b := newLine(t, s), newLine(t, s)
		a.rate, b.rate = 4<<20, 4<<20
		f := newFile(t, "both", 16*chunk, 51)
		o := quick()
		o["targets"] = []string{a.URL, b.URL}
		send(t, a.URL, job{Options: o, Files: []*file{f}}).arrives(s, f)
		if a.carried() < 4*chunk || b.carried() < 4*chunk {
			t.Errorf("one carried %d bytes and the other %d", a.carried(), b.carried())
		}
	})
	for name, dead := range map[string]func(w http.ResponseWriter, r *http.Request) bool{
		"refuses": func(w http.ResponseWriter, _ *http.Request) bool { reset(w); return true },
		"502": func(w http.ResponseWriter, r *http.Request) bool {
			return says(502, "text/html", "<html>bad gateway", "")(nil, w, r, 0)
		},
		"sign in": func(w http.ResponseWriter, r *http.Request) bool {
			return says(200, "text/html", "<html>sign in", "")(nil, w, r, 0)
		},
	} {
		t.Run("one "+name, func(t *testing.T) {
			t.Parallel()
			a, b := newLine(t, s), newLine(t, s)
			a.rate, b.rate = 1<<20, 1<<20
			f := newFile(t, name, 24*chunk, 52)
			f.Fingerprint = name
			o := quick()
			o["targets"] = []string{a.URL, b.URL}
			c := send(t, a.URL, job{Options: o, Files: []*file{f}})
			c.acknowledged(4 * chunk)
			var asked atomic.Int64
			a.refusing(func(w http.ResponseWriter, r *http.Request) bool { asked.Add(1); return dead(w, r) })
			c.acknowledged(12 * chunk)
			// 8 MiB in pieces of 1 MiB: every second one was tried there at most, and
			// most were not.
			if n := asked.Load(); n == 0 || n > 10 {
				t.Errorf("the dead address was asked %d times", n)
			}
			for _, e := range c.seen {
				if e.Event == "fileState" && e.Item.State == "waiting" {
					t.Errorf("it waited: %+v", e.Item.Error)
				}
			}
			// It is tried again when it is well.
			a.refusing(nil)
			before := a.carried()
			c.arrives(s, f)
			if a.carried() == before {
				t.Error("the address was not used again")
			}
		})
	}
	// An upload goes on over another address, because the first of the list names it.
	t.Run("another day", func(t *testing.T) {
		t.Parallel()
		a, b := newLine(t, s), newLine(t, s)
		a.rate, b.rate = 2<<20, 2<<20
		f := newFile(t, "day", 12*chunk, 53)
		o := quick()
		o["targets"] = []string{a.URL, b.URL}
		c := send(t, a.URL, job{Options: o, Files: []*file{f}})
		c.acknowledged(6 * chunk)
		c.kill()
		a.refusing(func(w http.ResponseWriter, _ *http.Request) bool { reset(w); return true })
		c = send(t, a.URL, job{Options: o, Files: []*file{f}})
		if e := c.arrives(s, f); e.Item.ResumedAt < 5*chunk {
			t.Errorf("it resumed at %d", e.Item.ResumedAt)
		}
	})
}
