package web_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// Files of all sizes, in folders, with names of all kinds, and a stream.
func TestSizes(t *testing.T) {
	t.Parallel()
	s := serve(t)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	var files []*file
	for i, size := range []int{0, 1, 7, chunk - 1, chunk, chunk + 1, 5*chunk + 3, rng.IntN(3 * chunk), rng.IntN(12 * chunk)} {
		f := newFile(t, fmt.Sprintf("%d Grüße #?%%&+ 日本 😀 %d.txt", i, size), size, rng.Uint64())
		if i%2 == 0 {
			f.Rel = "Ordner ü/b/" + f.Name
		}
		f.Stream = i > 6
		files = append(files, f)
	}
	empty := newFile(t, "empty stream", 0, 1)
	empty.Stream = true
	files = append(files, empty)
	c := send(t, "http://"+s.address, job{Options: quick(), Files: files})
	ends := map[string]map[string]any{}
	for len(ends) < len(files) {
		e := c.until("file", func(e event) bool { return e.Event == "fileSuccess" || e.Event == "fileError" })
		if e.Event == "fileError" {
			t.Fatalf("%s: %+v", e.Item.Name, e.Item.Error)
		}
		ends[e.Item.Name] = e.Item.Result
	}
	for _, f := range files {
		if s.sum(ends[f.Name]) != f.sum {
			t.Errorf("%q arrived as another file", f.Name)
		}
	}
	c.event("complete")
}

// A client that is killed continues on another day; what is sent twice is at
// most a chunk per connection.
func TestKilledClient(t *testing.T) {
	t.Parallel()
	s := serve(t)
	l := newLine(t, s)
	l.rate = 2 << 20
	f := newFile(t, "big", 16*chunk+5, 2)
	for round := range 3 {
		c := send(t, l.URL, job{Options: quick(), Files: []*file{f}})
		c.acknowledged(int64(round+1) * 4 * chunk)
		c.kill()
	}
	c := send(t, l.URL, job{Options: quick(), Files: []*file{f}})
	e := c.arrives(s, f)
	if e.Item.ResumedAt < 8*chunk {
		t.Errorf("it resumed at %d", e.Item.ResumedAt)
	}
	if n := l.carried() - int64(len(f.bytes)); n > 3*4*chunk {
		t.Errorf("%d bytes were sent twice", n)
	}
	// Another day: it is all there.
	for end := time.Now().Add(patience); l.look(&l.now) > 0 && time.Now().Before(end); time.Sleep(5 * time.Millisecond) { // until the line knows who was killed
	}
	before := l.carried()
	c = send(t, l.URL, job{Options: quick(), Files: []*file{f}})
	if e := c.arrives(s, f); !e.Item.Already {
		t.Error("it was not noticed that all is there")
	}
	if l.carried() != before {
		t.Error("bytes were sent that were there")
	}
}

func TestKilledServer(t *testing.T) {
	t.Parallel()
	s := serve(t)
	l := newLine(t, s)
	l.rate = 2 << 20
	f := newFile(t, "big", 16*chunk+5, 3)
	c := send(t, l.URL, job{Options: quick(), Files: []*file{f}})
	for round := range 3 {
		c.acknowledged(int64(round+1) * 4 * chunk)
		l.lead("")
		s.kill()
		l.CloseClientConnections()
		e := c.state("waiting")
		if e.Item.Error == nil || e.Item.Error.Code != "network" || e.Item.WaitingFor != "retry" || e.Item.RetryIn == nil {
			t.Errorf("it waits with %+v", e.Item)
		}
		s.start()
		l.lead(s.address)
	}
	c.arrives(s, f)
	if n := l.carried() - int64(len(f.bytes)); n > 3*4*chunk {
		t.Errorf("%d bytes were sent twice", n)
	}
}

// A proxy that refuses large bodies gets smaller ones.
func TestTooLargeForProxy(t *testing.T) {
	t.Parallel()
	s := serve(t)
	l := newLine(t, s)
	const limit = 300_000
	l.refusing(func(w http.ResponseWriter, r *http.Request) bool {
		if r.ContentLength <= limit {
			return false
		}
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		fmt.Fprint(w, "<html>413</html>")
		return true
	})
	for i, stream := range []bool{false, true} {
		f := newFile(t, fmt.Sprint("f", i), 5*chunk+1, 4)
		f.Stream = stream
		send(t, l.URL, job{Options: quick(), Files: []*file{f}}).arrives(s, f)
	}
	if n := l.look(&l.largest); n > limit {
		t.Errorf("%d bytes in one body", n)
	}
	// One that takes nothing at all is named.
	l.refusing(func(w http.ResponseWriter, r *http.Request) bool {
		if r.ContentLength <= 0 {
			return false
		}
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return true
	})
	c := send(t, l.URL, job{Options: quick(), Files: []*file{newFile(t, "none", 2*chunk, 5)}})
	if e := c.event("fileError"); e.Item.Error.Code != "too-large-chunk" {
		t.Errorf("%+v", e.Item.Error)
	}
}

// Each kind of bad answer has its sentence, keeps what was sent, and goes on by
// itself.
func TestBadAnswers(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for _, test := range []struct {
		name, code string
		least      time.Duration // the wait that Retry-After asks for
		answer     func(w http.ResponseWriter)
	}{
		{"503", "busy", time.Second, func(w http.ResponseWriter) { w.Header().Set("Retry-After", "1"); w.WriteHeader(503) }},
		{"502 html", "busy", 0, func(w http.ResponseWriter) { w.WriteHeader(502); fmt.Fprint(w, "<html>bad gateway</html>") }},
		{"429", "slow-down", time.Second, func(w http.ResponseWriter) { w.Header().Set("Retry-After", "1"); w.WriteHeader(429) }},
		{"429 date", "slow-down", 900 * time.Millisecond, func(w http.ResponseWriter) {
			w.Header().Set("Retry-After", time.Now().Add(2*time.Second).UTC().Format(http.TimeFormat))
			w.WriteHeader(429)
		}},
		{"507", "full", time.Second, func(w http.ResponseWriter) { w.Header().Set("Retry-After", "1"); w.WriteHeader(507) }},
		{"html", "foreign", 0, func(w http.ResponseWriter) { fmt.Fprint(w, "<html>sign in</html>") }},
		{"json", "foreign", 0, func(w http.ResponseWriter) { w.Header().Set("Content-Type", "application/json"); fmt.Fprint(w, "{}") }},
		{"empty", "foreign", 0, func(w http.ResponseWriter) { w.WriteHeader(204) }},
		{"redirect", "foreign", 0, func(w http.ResponseWriter) { w.WriteHeader(304) }},
		{"nothing", "network", 0, cut},
		{"404 html", "not-found", 0, func(w http.ResponseWriter) { w.WriteHeader(404); fmt.Fprint(w, "<html>") }},
		{"damaged", "damaged", 0, func(w http.ResponseWriter) { w.WriteHeader(460) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			l := newLine(t, s)
			var refusals atomic.Int64
			f := newFile(t, test.name, 6*chunk, uint64(len(test.name)))
			f.Fingerprint = test.name
			l.refusing(func(w http.ResponseWriter, r *http.Request) bool {
				// After a piece has arrived, the next two are refused.
				if l.carried() < chunk || refusals.Add(1) > 2 {
					return false
				}
				_, _ = io.Copy(io.Discard, r.Body)
				test.answer(w)
				return true
			})
			o := quick()
			o["workers"] = 1
			c := send(t, l.URL, job{Options: o, Files: []*file{f}})
			e := c.event("fileRetry")
			if e.Item.Error.Code != test.code || e.Item.Error.What == "" || e.Item.Error.Todo == "" || strings.Contains(e.Item.Error.Message, "{") {
				t.Errorf("%+v", e.Item.Error)
			}
			if e.Item.Acknowledged < chunk {
				t.Errorf("what was sent is lost: %d", e.Item.Acknowledged)
			}
			if e.Item.State != "waiting" || e.Item.RetryIn == nil || *e.Item.RetryIn < float64(test.least.Milliseconds()-100) {
				t.Errorf("retry in %v, want %v", e.Item.RetryIn, test.least)
			}
			c.arrives(s, f)
			if n := l.carried() - int64(len(f.bytes)); n > chunk {
				t.Errorf("%d bytes were sent twice", n)
			}
		})
	}
}

// What does not pass by itself is said, and goes on when somebody says so.
func TestRefusals(t *testing.T) {
	t.Parallel()
	s := serve(t, "--max-size", "4MiB")
	for _, test := range []struct {
		name, code, whose string
		answer            func(w http.ResponseWriter)
	}{
		{"401", "unauthorised", "you", func(w http.ResponseWriter) { w.WriteHeader(401) }},
		{"403", "forbidden", "you", func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(403)
			fmt.Fprint(w, `{"title":"Forbidden","detail":"no films, please"}`)
		}},
		{"422", "refused", "server", func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(422)
			fmt.Fprint(w, `{"title":"x","detail":"why"}`)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			l := newLine(t, s)
			var open atomic.Bool
			l.refusing(func(w http.ResponseWriter, r *http.Request) bool {
				if open.Load() || l.carried() < chunk {
					return false
				}
				_, _ = io.Copy(io.Discard, r.Body)
				test.answer(w)
				return true
			})
			f := newFile(t, test.name, 3*chunk, 9)
			c := send(t, l.URL, job{Options: quick(), Files: []*file{f}})
			e := c.event("fileError")
			if e.Item.Error.Code != test.code || e.Item.Error.Whose != test.whose || e.Item.State != "failed" {
				t.Errorf("%+v", e.Item.Error)
			}
			if test.name == "403" && !strings.Contains(e.Item.Error.Message, "no films, please") {
				t.Errorf("the server's reason is not told: %+v", e.Item.Error)
			}
			open.Store(true)
			if test.name == "401" {
				c.do("setToken", "new")
			} else {
				c.do("retry")
			}
			c.arrives(s, f)
		})
	}
	t.Run("too large", func(t *testing.T) {
		t.Parallel()
		c := send(t, "http://"+s.address, job{Options: quick(), Files: []*file{newFile(t, "large", 5*chunk, 1)}})
		if e := c.event("fileError"); e.Item.Error.Code != "too-large" || e.Item.Error.Whose != "file" {
			t.Errorf("%+v", e.Item.Error)
		}
	})
}

// What usually passes and never does is given up after so many attempts as were
// asked for, or where no attempt can help.
func TestGivenUp(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for code, status := range map[string]int{"damaged": 460, "busy": 500, "not-found": 404} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			l := newLine(t, s)
			l.refusing(func(w http.ResponseWriter, r *http.Request) bool {
				_, _ = io.Copy(io.Discard, r.Body)
				w.WriteHeader(status)
				return true
			})
			o := quick()
			o["maxRetries"], o["maxRetryInterval"] = 3, 20
			c := send(t, l.URL, job{Options: o, Files: []*file{newFile(t, code, 1000, 3)}})
			if e := c.event("fileError"); e.Item.Error.Code != code || e.Item.Error.Passing || strings.Contains(e.Item.Error.Message, "by itself") {
				t.Errorf("%+v", e.Item.Error)
			}
		})
	}
}

// A token that runs out is renewed without a loss.
func TestToken(t *testing.T) {
	t.Parallel()
	s := serve(t)
	l := newLine(t, s)
	l.rate = 8 << 20
	l.refusing(func(w http.ResponseWriter, r *http.Request) bool {
		want := "Bearer one"
		if l.carried() >= 4*chunk {
			want = "Bearer two"
		}
		if r.Header.Get("Authorization") == want {
			return false
		}
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(401)
		return true
	})
	o := quick()
	o["token"] = "one"
	f := newFile(t, "f", 8*chunk, 10)
	c := send(t, l.URL, job{Options: o, Files: []*file{f}, Refresh: []string{"two"}})
	c.event("refresh")
	c.arrives(s, f)
	for _, e := range c.seen {
		if e.Event == "fileError" {
			t.Errorf("%+v", e)
		}
	}
}

// A changed file of the same name, size and date is noticed and said; sending
// it anew gives the new one.
func TestChanged(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for _, test := range []struct {
		name     string
		size     int
		remember bool
	}{
		{"by its head", 8*chunk + 1, true},
		{"by the server", 5000, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			l := newLine(t, s)
			l.rate = 2 << 20
			f := newFile(t, test.name, test.size, 11)
			j := job{Options: quick(), Files: []*file{f}}
			if test.remember {
				j.Memory = filepath.Join(t.TempDir(), "memory")
			}
			c := send(t, l.URL, j)
			if test.remember {
				c.acknowledged(2 * chunk)
				c.kill()
			} else {
				c.arrives(s, f)
			}
			f.write(t, newFile(t, "other", test.size, 12).bytes)
			c = send(t, l.URL, j)
			if e := c.event("fileError"); e.Item.Error.Code != "changed" || e.Item.Error.Whose != "file" {
				t.Errorf("%+v", e.Item.Error)
			}
			c.do("retry")
			if test.remember { // the second beginning is found again, too
				c.acknowledged(chunk)
				c.kill()
				c = send(t, l.URL, j)
			}
			c.arrives(s, f)
		})
	}
}

// Two clients with the same file end with one upload.
func TestTwoClients(t *testing.T) {
	t.Parallel()
	s := serve(t)
	l := newLine(t, s)
	l.rate = 2 << 20
	f := newFile(t, "shared", 12*chunk, 13)
	a := send(t, l.URL, job{Options: quick(), Files: []*file{f}})
	b := send(t, l.URL, job{Options: quick(), Files: []*file{f}})
	x, y := a.arrives(s, f), b.arrives(s, f)
	if x.Item.Result["id"] != y.Item.Result["id"] {
		t.Errorf("there are two uploads: %v and %v", x.Item.Result["id"], y.Item.Result["id"])
	}
}

// A file that cannot be read in the middle is said, and goes on when it can be
// read again.
func TestVanished(t *testing.T) {
	t.Parallel()
	s := serve(t)
	l := newLine(t, s)
	f := newFile(t, "f", 8*chunk, 14)
	f.Vanish = 4 * chunk
	c := send(t, l.URL, job{Options: quick(), Files: []*file{f}})
	if e := c.event("fileError"); e.Item.Error.Code != "unreadable" || e.Item.Error.Whose != "file" {
		t.Errorf("%+v", e.Item.Error)
	}
	f.Vanish = 0
	c.do("add", f)
	c.arrives(s, f)
	if n := l.carried() - int64(len(f.bytes)); n > 4*chunk {
		t.Errorf("%d bytes were sent twice", n)
	}
}

// A pause means that nothing is sent; the rest goes afterwards.
func TestPause(t *testing.T) {
	t.Parallel()
	s := serve(t)
	l := newLine(t, s)
	l.rate = 2 << 20
	f := newFile(t, "f", 12*chunk, 15)
	c := send(t, l.URL, job{Options: quick(), Files: []*file{f}})
	for round, pair := range [][2][]any{{{"pause"}, {"upload"}}, {{"item", 0, "pause"}, {"item", 0, "resume"}}} {
		c.acknowledged(int64(round+1) * 3 * chunk)
		c.do(pair[0]...)
		c.state("paused")
		c.event("did")
		for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) { // until the line knows
			if l.look(&l.now) == 0 {
				break
			}
			if time.Now().After(end) {
				t.Fatal("requests go on in a pause")
			}
		}
		before, asked := l.carried(), l.look(&l.asked)
		time.Sleep(300 * time.Millisecond) // in which nothing may happen
		if l.carried() != before || l.look(&l.asked) != asked {
			t.Error("something was sent in a pause")
		}
		c.do(pair[1]...)
	}
	c.arrives(s, f)
	if n := l.carried() - int64(len(f.bytes)); n > 2*4*chunk {
		t.Errorf("%d bytes were sent twice", n)
	}
}

// What is cancelled is gone on the server too.
func TestCancel(t *testing.T) {
	t.Parallel()
	s := serve(t)
	l := newLine(t, s)
	l.rate = 1 << 20
	f := newFile(t, "f", 8*chunk, 16)
	f.Fingerprint = "cancelled"
	c := send(t, l.URL, job{Options: quick(), Files: []*file{f}})
	c.acknowledged(2 * chunk)
	c.do("cancel")
	c.event("fileRemoved")
	c.event("did")
	req, _ := http.NewRequest(http.MethodGet, "http://"+s.address+"/upload/f", nil)
	req.Header.Set("X-Upload-Fingerprint", "cancelled")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusNotFound {
		t.Errorf("the server still has it: %d", resp.StatusCode)
	}
}

// Only what is missing is sent, also where a header cannot say what that is.
func TestManyGaps(t *testing.T) {
	t.Parallel()
	s := serve(t)
	l := newLine(t, s)
	f := newFile(t, "f", 2*chunk, 17)
	f.Fingerprint = "gaps"
	here := 0
	for at := 0; at < len(f.bytes); at += 4096 {
		req, _ := http.NewRequest(http.MethodPut, "http://"+s.address+"/upload/f", strings.NewReader(string(f.bytes[at:at+1000])))
		req.Header.Set("X-Upload-Fingerprint", "gaps")
		req.Header.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", at, at+999, len(f.bytes)))
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		here += 1000
	}
	c := send(t, l.URL, job{Options: quick(), Files: []*file{f}})
	e := c.arrives(s, f)
	if got, want := l.carried(), int64(len(f.bytes)-here); got != want || e.Item.ResumedAt != int64(here) {
		t.Errorf("%d bytes were sent and %d were there, want %d and %d", got, e.Item.ResumedAt, want, here)
	}
}

// Many small files share the workers; a memory that is full breaks nothing.
func TestManySmallFiles(t *testing.T) {
	t.Parallel()
	s := serve(t)
	l := newLine(t, s)
	var files []*file
	for i := range 300 {
		files = append(files, newFile(t, fmt.Sprintf("%d.txt", i), i, uint64(i)))
	}
	c := send(t, l.URL, job{Options: quick(), Files: files, BrokenMemory: true})
	ends := map[string]map[string]any{}
	for len(ends) < len(files) {
		e := c.until("file", func(e event) bool { return e.Event == "fileSuccess" || e.Event == "fileError" })
		if e.Event == "fileError" {
			t.Fatalf("%+v", e.Item.Error)
		}
		ends[e.Item.Name] = e.Item.Result
	}
	for _, f := range files {
		if s.sum(ends[f.Name]) != f.sum {
			t.Errorf("%s arrived as another file", f.Name)
		}
	}
	if n := l.look(&l.asked); n > 1 { // the empty one has no body
		t.Errorf("%d questions for files that go in one request", n)
	}
	if n := l.look(&l.most); n < 2 || n > 4 {
		t.Errorf("%d requests at once", n)
	}
}

// A clock that is wrong is named when requests fail, and harms nothing else.
func TestClock(t *testing.T) {
	t.Parallel()
	s := serve(t)
	l := newLine(t, s)
	var refusals atomic.Int64
	l.refusing(func(w http.ResponseWriter, _ *http.Request) bool {
		if l.carried() < chunk || refusals.Add(1) > 2 {
			return false
		}
		cut(w)
		return true
	})
	f := newFile(t, "f", 4*chunk, 18)
	o := quick()
	o["workers"] = 1
	c := send(t, l.URL, job{Options: o, Files: []*file{f}, Clock: -24 * 3600_000})
	if e := c.event("fileRetry"); e.Item.Error.Code != "clock" || e.Item.Error.Whose != "device" {
		t.Errorf("%+v", e.Item.Error)
	}
	c.arrives(s, f)
}

// What may not be added is left out with a reason.
func TestLimits(t *testing.T) {
	t.Parallel()
	o := quick()
	o["maxFiles"], o["maxFileSize"], o["minFileSize"], o["fileType"] = 2, 100, 2, ".txt, image/*"
	files := []*file{
		newFile(t, "a.txt", 10, 1), newFile(t, "a.txt", 10, 1), newFile(t, "b.exe", 10, 1), newFile(t, "c.TXT", 101, 1),
		newFile(t, "d.txt", 1, 1), newFile(t, "e.txt", 3, 1), newFile(t, "f.txt", 4, 1),
	}
	c := send(t, "http://127.0.0.1:1", job{Options: o, Files: files, Wait: true})
	got := fmt.Sprint(c.event("filesAdded").Skipped)
	if want := "[duplicate file-type too-large too-small too-many]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// A file that becomes shorter while it is sent is not sent as another one.
func TestTruncated(t *testing.T) {
	t.Parallel()
	s := serve(t)
	l := newLine(t, s)
	l.rate = 1 << 20
	f := newFile(t, "f", 16*chunk, 19)
	c := send(t, l.URL, job{Options: quick(), Files: []*file{f}})
	c.acknowledged(chunk)
	if err := os.Truncate(f.Path, 4*chunk); err != nil {
		t.Fatal(err)
	}
	if e := c.event("fileError"); e.Item.Error.Code != "unreadable" {
		t.Errorf("%+v", e.Item.Error)
	}
}
