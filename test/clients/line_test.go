package clients

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/muleteer/muleteer/internal/trial"
)

// trouble is what a file or the line is like.
type trouble string

// The troubles of the line. Each strikes once.
const (
	cut    trouble = "cut"    // a connection ends in the middle of a chunk
	busy   trouble = "busy"   // 503 for a chunk
	fault  trouble = "fault"  // 500 for a chunk
	lost   trouble = "lost"   // the answer by which the server has the whole file
	killed trouble = "killed" // the server, in the middle of a chunk; it is started again
	left   trouble = "left"   // two chunks pass, and no more until the page is loaded again
)

// third is the chunk that meets trouble, while there are two to come at least.
const third = 3

// line is what lies between pages and the server: a proxy that gives out the
// pages, and makes trouble for one of them at a time.
type line struct {
	server *trial.Server
	url    string
	proxy  *httputil.ReverseProxy
	end    chan struct{} // closed when the test is over
	see    string        // headers that pages of other origins may see; empty: those that the server lets them see

	mu    sync.Mutex
	storm *storm
	begun time.Time
	sent  int64    // bytes of all bodies so far
	story []string // what happened, for who has to find out why
}

// storm is the trouble that one file is to meet.
type storm struct {
	kind  trouble
	chunk int64    // bytes; shorter bodies have no chunk
	size  int64    // of the file
	sum   string   // of the file, SHA-256
	meet  *barrier // where two pages wait for each other before their first chunks; nil: nowhere

	chunks int
	struck bool
	here   int           // chunks that the server has acknowledged
	kept   int64         // bytes of all bodies that it has acknowledged
	sent   int64         // bytes of all bodies
	back   chan error    // the server after it was killed
	ebb    chan struct{} // closed when the trouble is over
}

// newLine is a line to a server, or to a bucket that nobody kills.
func newLine(t *testing.T, address string, scripts map[string][]byte) *line {
	t.Helper()
	l := &line{end: make(chan struct{}), begun: time.Now(), storm: &storm{}}
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}}
	l.proxy = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: address})
			r.Out.Host = r.In.Host
		},
		Transport:      transport,
		ModifyResponse: l.heard,
		// A server that is dead answers nothing, not even an error.
		ErrorHandler: func(_ http.ResponseWriter, r *http.Request, err error) {
			l.tell("%s: %v", r.Method, err)
			panic(http.ErrAbortHandler)
		},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /page", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, "page.html") })
	for path, script := range scripts {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
			http.ServeContent(w, r, path, time.Time{}, bytes.NewReader(script))
		})
	}
	mux.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("/", l.carry)
	server := httptest.NewUnstartedServer(mux)
	// On a connection that has carried a request before, a browser sends one
	// again by itself, and the client would not see the trouble.
	server.Config.SetKeepAlivesEnabled(false)
	server.Start()
	t.Cleanup(func() {
		close(l.end)
		server.CloseClientConnections()
		server.Close()
		if t.Failed() {
			l.mu.Lock()
			defer l.mu.Unlock()
			t.Logf("what happened on the line:\n%s", strings.Join(l.story[max(0, len(l.story)-60):], "\n"))
		}
	})
	l.url = server.URL
	return l
}

// tell adds to the story.
func (l *line) tell(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.story = append(l.story, fmt.Sprintf("%7.3f ", time.Since(l.begun).Seconds())+fmt.Sprintf(format, args...))
}

// brew lets the next file meet trouble.
func (l *line) brew(kind trouble, chunk int, content []byte, meet *barrier) *storm {
	sum := sha256.Sum256(content)
	s := &storm{kind: kind, chunk: int64(chunk), size: int64(len(content)), sum: hex.EncodeToString(sum[:]), meet: meet, ebb: make(chan struct{}), back: make(chan error, 1)}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.storm = s
	l.story = append(l.story, "-- "+string(kind))
	return s
}

// strikes tells whether a request is the one that meets the trouble.
func (l *line) strikes(r *http.Request) (*storm, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.storm
	s.sent += max(r.ContentLength, 0)
	l.sent += max(r.ContentLength, 0)
	if r.ContentLength < s.chunk || s.chunk == 0 {
		return s, false
	}
	s.chunks++
	switch s.kind {
	case left:
		return s, s.chunks >= third
	case cut, busy, fault, killed:
		if !s.struck && s.chunks >= third {
			s.struck = true
			return s, true
		}
	}
	return s, false
}

// carry takes a request to the server.
func (l *line) carry(w http.ResponseWriter, r *http.Request) {
	l.tell("%s %.200s, %d bytes", r.Method, r.URL, r.ContentLength)
	s, strikes := l.strikes(r)
	if s.meet != nil && r.ContentLength >= s.chunk {
		s.meet.wait(r.Referer())
	}
	switch {
	case strikes && s.kind == left:
		select {
		case <-s.ebb:
		case <-l.end:
		}
		panic(http.ErrAbortHandler)
	case strikes && s.kind == fault:
		_, _ = io.Copy(io.Discard, r.Body) // a browser reads the answer only when it got rid of the body
		close(s.ebb)
		w.Header().Set("Access-Control-Allow-Origin", r.Header.Get("Origin")) // as a bucket says also then
		http.Error(w, "This is a fault.", http.StatusInternalServerError)
		return
	case strikes && s.kind == busy:
		_, _ = io.Copy(io.Discard, r.Body)
		close(s.ebb)
		w.Header().Set("Retry-After", "1")
		http.Error(w, "The line is busy.", http.StatusServiceUnavailable)
		return
	case strikes:
		r.Body = &broken{r.Body, r.ContentLength / 2, func() { l.breaks(s) }}
	}
	l.proxy.ServeHTTP(w, r)
}

// acknowledged is how many chunks of this file the server has, and with how many
// bytes, those of other bodies among them.
func (l *line) acknowledged(s *storm) (chunks int, bytes int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return s.here, s.kept
}

// brought is how many bytes all bodies had.
func (l *line) brought() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sent
}

// breaks is what happens in the middle of a chunk.
func (l *line) breaks(s *storm) {
	if s.kind == killed {
		l.server.Kill()
		l.tell("the server is killed")
		go func() {
			err := l.server.Start()
			l.tell("the server is back: %v", err)
			s.back <- err
			close(s.ebb)
		}()
		return
	}
	close(s.ebb)
}

// heard sees what the server answers.
func (l *line) heard(r *http.Response) error {
	l.tell("%d for %s %.200s", r.StatusCode, r.Request.Method, r.Request.URL)
	if l.see != "" && r.Header.Get("Access-Control-Expose-Headers") != "" {
		r.Header.Set("Access-Control-Expose-Headers", l.see)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.storm
	if r.StatusCode < 300 {
		s.kept += max(r.Request.ContentLength, 0)
		if r.Request.ContentLength >= s.chunk {
			s.here++
		}
	}
	if s.kind != lost || s.struck || r.Request.Method == http.MethodGet || !has(l.server.Store(), s.size, s.sum) {
		return nil
	}
	s.struck = true
	close(s.ebb)
	return fmt.Errorf("the answer %d is lost", r.StatusCode)
}

// over tells whether the trouble has been, and has gone.
func (s *storm) over() bool {
	select {
	case <-s.ebb:
		return true
	default:
		return false
	}
}

// has tells whether a finished file of a store has this content.
func has(store string, size int64, sum string) bool {
	found := false
	_ = filepath.WalkDir(store, func(path string, d fs.DirEntry, err error) error { // what is not there yet has nothing
		switch {
		case err != nil:
			return nil
		case d.Name() == ".muleteer":
			return fs.SkipDir
		case d.IsDir():
			return nil
		}
		if info, err := d.Info(); err != nil || info.Size() != size {
			return nil
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return nil
		}
		h := sha256.Sum256(content)
		found = found || hex.EncodeToString(h[:]) == sum
		return nil
	})
	return found
}

// broken is a body that comes no further than its middle.
type broken struct {
	io.ReadCloser
	left   int64
	breaks func()
}

func (b *broken) Read(p []byte) (int, error) {
	if b.left <= 0 {
		if b.breaks != nil {
			b.breaks()
			b.breaks = nil
		}
		return 0, io.ErrUnexpectedEOF
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

// barrier is where two pages wait for each other.
type barrier struct {
	mu   sync.Mutex
	here map[string]bool
	all  chan struct{} // closed when both are here
}

func newBarrier() *barrier { return &barrier{here: map[string]bool{}, all: make(chan struct{})} }

func (b *barrier) wait(who string) {
	b.mu.Lock()
	if b.here[who] = true; len(b.here) == 2 && !b.met() {
		close(b.all)
	}
	b.mu.Unlock()
	select {
	case <-b.all:
	case <-time.After(patience): // met says that they did not
	}
}

// met tells whether both were here.
func (b *barrier) met() bool {
	select {
	case <-b.all:
		return true
	default:
		return false
	}
}
