package web_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"
)

// weather is what a line does to requests as long as it lasts.
type weather struct {
	l    *line
	over chan struct{} // closed when the line is well
	end  chan struct{} // closed when the test ends: then what hangs is let go

	mu     sync.Mutex
	rng    *rand.Rand
	now    []fault // those of these moments
	often  float64
	budget map[string]int // of faults that a client may rightly give up at
	met    map[string]int
}

// fault does something to a request. It tells whether that was all that happens
// to it.
type fault struct {
	name string
	do   func(v *weather, w http.ResponseWriter, r *http.Request, some int64) bool
}

// errTorn is what a body ends with that the line tears.
var errTorn = errors.New("torn")

var faults = []fault{
	{"reset at once", func(_ *weather, w http.ResponseWriter, _ *http.Request, _ int64) bool { reset(w); return true }},
	{"never read", func(v *weather, _ http.ResponseWriter, _ *http.Request, _ int64) bool { <-v.end; return true }},
	{"never answered", func(v *weather, _ http.ResponseWriter, r *http.Request, _ int64) bool {
		_, _ = io.Copy(io.Discard, r.Body)
		v.hang(r)
		return true
	}},
	{"read for a while", func(v *weather, _ http.ResponseWriter, r *http.Request, some int64) bool {
		_, _ = io.CopyN(io.Discard, r.Body, some)
		<-v.end
		return true
	}},
	{"reset after some bytes", func(_ *weather, w http.ResponseWriter, r *http.Request, some int64) bool {
		_, _ = io.CopyN(io.Discard, r.Body, some)
		reset(w)
		return true
	}},
	{"torn", func(_ *weather, _ http.ResponseWriter, r *http.Request, some int64) bool {
		r.Body = io.NopCloser(io.MultiReader(io.LimitReader(r.Body, some), broken{}))
		return false
	}},
	{"arrived, and the answer lost", func(v *weather, w http.ResponseWriter, r *http.Request, _ int64) bool {
		v.forward(r)
		reset(w)
		return true
	}},
	{"arrived, and never answered", func(v *weather, _ http.ResponseWriter, r *http.Request, _ int64) bool {
		v.forward(r)
		v.hang(r)
		return true
	}},
	{"half an answer", func(v *weather, w http.ResponseWriter, r *http.Request, _ int64) bool {
		status, body := v.forward(r)
		if status == 0 || len(body) < 2 {
			reset(w)
			return true
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.WriteHeader(status)
		_, _ = w.Write(body[:len(body)/2])
		reset(w)
		return true
	}},
	{"arrived twice", func(v *weather, _ http.ResponseWriter, r *http.Request, _ int64) bool {
		b, err := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(b))
		if err == nil {
			v.forward(r)
		}
		r.Body = io.NopCloser(bytes.NewReader(b))
		return false
	}},
	{"trickles", func(v *weather, _ http.ResponseWriter, r *http.Request, _ int64) bool {
		r.Body = &trickle{r.Body, v}
		return false
	}},
	{"503", says(503, "application/problem+json", `{"title":"busy"}`, "1")},
	{"503 of a proxy", says(503, "text/html", "<html>", "")},
	{"502", says(502, "text/html", "<html>bad gateway", "")},
	{"500", says(500, "", "", "")},
	{"429", says(429, "", "", "1")},
	{"507", says(507, "application/problem+json", `{"title":"full"}`, "0")},
	{"a page to sign in", says(200, "text/html", "<html>", "")},
	{"nothing in 200", says(200, "", "", "")},
	{"408", says(408, "", "", "")},
	{"413", func(v *weather, w http.ResponseWriter, r *http.Request, some int64) bool {
		return r.ContentLength > 100_000 && says(413, "text/html", "<html>", "")(v, w, r, some)
	}},
	{"404 of a proxy", says(404, "text/html", "<html>", "")},
	{"460", says(460, "application/problem+json", `{"title":"checksum"}`, "")},
}

// says answers in the server's place.
func says(status int, kind, body, retry string) func(*weather, http.ResponseWriter, *http.Request, int64) bool {
	return func(_ *weather, w http.ResponseWriter, r *http.Request, _ int64) bool {
		_, _ = io.Copy(io.Discard, r.Body)
		if kind != "" {
			w.Header().Set("Content-Type", kind)
		}
		if retry != "" {
			w.Header().Set("Retry-After", retry)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
		return true
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errTorn }

// trickle is a body that comes slowly until the weather is over.
type trickle struct {
	io.ReadCloser
	v *weather
}

func (b *trickle) Read(p []byte) (int, error) {
	select {
	case <-b.v.over:
	case <-time.After(50 * time.Millisecond): // the slowness itself
		p = p[:min(len(p), 2000)]
	}
	return b.ReadCloser.Read(p)
}

// reset ends a connection as a dying machine does.
func reset(w http.ResponseWriter) {
	if c, _, err := http.NewResponseController(w).Hijack(); err == nil {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		c.Close()
	}
}

func (v *weather) hang(r *http.Request) {
	select {
	case <-r.Context().Done():
	case <-v.end:
	}
}

// forward gives a request to the server and returns what that answered; 0 if
// nothing.
func (v *weather) forward(r *http.Request) (int, []byte) {
	v.l.mu.Lock()
	to := v.l.to
	v.l.mu.Unlock()
	out := r.Clone(context.WithoutCancel(r.Context()))
	out.RequestURI, out.URL.Scheme, out.URL.Host = "", "http", to
	resp, err := http.DefaultTransport.RoundTrip(out)
	if err != nil {
		return 0, nil
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, body
}

// strike does to a request what these moments are like.
func (v *weather) strike(w http.ResponseWriter, r *http.Request) bool {
	v.mu.Lock()
	var f *fault
	some := int64(0)
	if len(v.now) > 0 && v.rng.Float64() < v.often {
		f = &v.now[v.rng.IntN(len(v.now))]
		some = v.rng.Int64N(max(r.ContentLength, 1))
		left, limited := v.budget[f.name]
		if limited && left == 0 {
			f = nil
		} else if limited {
			v.budget[f.name]--
		}
	}
	if f != nil {
		v.met[f.name]++
	}
	v.mu.Unlock()
	return f != nil && f.do(v, w, r, some)
}

// turn changes what the line does.
func (v *weather) turn() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.often = []float64{0.3, 0.7, 1}[v.rng.IntN(3)]
	v.now = nil
	for range 1 + v.rng.IntN(3) {
		v.now = append(v.now, faults[v.rng.IntN(len(faults))])
	}
}

// clears ends the weather: from now on the line is well.
func (v *weather) clears() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.now = nil
	close(v.over)
}

func newWeather(t *testing.T, l *line, rng *rand.Rand) *weather {
	v := &weather{l: l, rng: rng, over: make(chan struct{}), end: make(chan struct{}), met: map[string]int{},
		budget: map[string]int{"404 of a proxy": 3, "460": 2}}
	t.Cleanup(func() { close(v.end) })
	l.refusing(v.strike)
	return v
}

// Whatever the line did, once it is well the upload ends soon, and the file is
// the one that was sent. MULETEER_SEED repeats one schedule, MULETEER_LONG=1
// tries many.
func TestWeather(t *testing.T) {
	t.Parallel()
	seeds := make([]uint64, 3)
	if os.Getenv("MULETEER_LONG") == "1" {
		seeds = make([]uint64, 100)
	}
	for i := range seeds {
		seeds[i] = uint64(time.Now().UnixNano()) + uint64(i)
	}
	if given, err := strconv.ParseUint(os.Getenv("MULETEER_SEED"), 10, 64); err == nil {
		seeds = []uint64{given}
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { storm(t, seed) })
	}
}

// soon is how long the rest of an upload may take on a line that is well:
// requests that still hang (half a second), the longest wait (one), and a machine
// that does other things.
const soon = 25 * time.Second

func storm(t *testing.T, seed uint64) {
	s := serve(t)
	rng := rand.New(rand.NewPCG(seed, 7))
	l := newLine(t, s)
	l.rate = 1 << 20
	v := newWeather(t, l, rand.New(rand.NewPCG(seed, 8)))
	files := []*file{
		newFile(t, "large", 1<<20+rng.IntN(3<<20), seed),
		newFile(t, "small", rng.IntN(200_000), seed+1),
		newFile(t, "stream", rng.IntN(1<<20), seed+2),
	}
	files[2].Stream = true
	o := map[string]any{"chunkSize": 256 << 10, "maxRetryInterval": 300, "timeout": 500, "workers": 1 + rng.IntN(4)}
	j := job{Options: o, Files: files, XHR: rng.IntN(2) == 0}
	v.turn()
	c := send(t, l.URL, j)
	c.event("filesAdded")
	for range 3 + rng.IntN(4) {
		time.Sleep(time.Duration(100+rng.IntN(400)) * time.Millisecond) // what the weather lasts
		v.turn()
		switch rng.IntN(6) {
		case 0:
			c.do("pause")
			c.do("upload")
		case 1:
			c.do("item", rng.IntN(3), "pause")
			time.Sleep(time.Duration(rng.IntN(50)) * time.Millisecond)
			c.do("upload")
			for i := range 3 {
				c.do("item", i, "resume")
			}
		case 2:
			l.lead("")
			s.kill()
			l.CloseClientConnections()
			s.start()
			l.lead(s.address)
		}
	}
	v.clears()
	well := time.Now()
	ends := map[string]event{}
	for len(ends) < len(files) {
		e := c.until("the end of all files", func(e event) bool { return e.Event == "fileSuccess" || e.Event == "fileError" })
		if e.Event == "fileError" {
			t.Fatalf("%s: %+v after %v\n%s", e.Item.Name, e.Item.Error, v.met, c.told())
		}
		ends[e.Item.Name] = e
	}
	if took := time.Since(well); took > soon {
		t.Errorf("it took %v to end after the line was well; there was %v\n%s", took, v.met, c.told())
	} else {
		t.Logf("%v after the line was well; there was %v", took, v.met)
	}
	for _, f := range files {
		if s.sum(ends[f.Name].Item.Result) != f.sum {
			t.Errorf("%s arrived as another file", f.Name)
		}
	}
}
