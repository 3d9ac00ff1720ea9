package s3test

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"sync"
	"testing"
	"time"
)

// Proxy stands between a store and its S3 server, knows which operation each
// request is, keeps a journal of all, and lets some of them fail. It changes
// nothing of a request, so that its signature stays valid. Its methods may be
// called concurrently.
type Proxy struct {
	Endpoint string // http://127.0.0.1:PORT
	server   *url.URL
	front    *httptest.Server
	back     *http.Transport

	mu      sync.Mutex
	rules   []*Rule
	storm   *storm
	journal []*Call
	free    chan struct{} // closed by Free
	late    sync.WaitGroup
}

// Proxy puts a new proxy before the server; it ends with the test.
func (s *Server) Proxy(tb testing.TB) *Proxy {
	tb.Helper()
	server, err := url.Parse(s.Endpoint)
	if err != nil {
		tb.Fatal(err)
	}
	p := &Proxy{server: server, free: make(chan struct{}), back: &http.Transport{
		DisableCompression:  true, // it would add a header
		MaxIdleConnsPerHost: 64,
		ReadBufferSize:      256 << 10,
		WriteBufferSize:     256 << 10,
	}}
	p.front = httptest.NewServer(p)
	p.Endpoint = p.front.URL
	tb.Cleanup(func() {
		p.Calm()
		p.late.Wait()
		p.front.CloseClientConnections()
		p.front.Close()
		p.back.CloseIdleConnections()
	})
	return p
}

// URL is the address of a place in a bucket as `serve --store` takes it.
func (p *Proxy) URL(bucket, prefix string) string { return storeURL(p.Endpoint, bucket, prefix) }

// Calm ends all rules and what hangs.
func (p *Proxy) Calm() {
	p.mu.Lock()
	p.rules, p.storm = nil, nil
	p.mu.Unlock()
	p.Free()
}

// Free passes on what hangs, and what is to be late.
func (p *Proxy) Free() {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.free)
	p.free = make(chan struct{})
}

// note changes a call of the journal.
func (p *Proxy) note(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

// ServeHTTP passes a request on, or does what a rule wants.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := read(r)
	var limit time.Duration
	var free chan struct{}
	p.note(func() {
		c.Fault, limit = p.choose(c)
		p.journal = append(p.journal, &c)
		free = p.free
	})
	defer p.note(func() { c.Over = true })
	switch c.Fault {
	case None:
		p.pass(w, r, &c)
	case Reset:
		reset(w)
	case Hang:
		p.hang(w, r, &c, limit, free)
	case Late:
		p.delay(w, r, &c, free)
	case ResetMidway:
		half := io.LimitReader(r.Body, max(1, r.ContentLength/2))
		if resp, err := p.ask(r.Context(), r, io.MultiReader(half, broken{})); err == nil {
			resp.Body.Close()
		}
		reset(w)
	case CommitReset, CommitError, CommitTruncate, CommitSum:
		p.commit(w, r, &c)
	default:
		_, _ = io.Copy(io.Discard, r.Body) // an answer while the client sends may get lost
		status := refuse(w, c.Fault)
		p.note(func() { c.Client = status })
	}
}

// broken is a body that breaks.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// ask makes the same request of the server.
func (p *Proxy) ask(ctx context.Context, r *http.Request, body io.Reader) (*http.Response, error) {
	out := r.Clone(ctx)
	out.URL.Scheme, out.URL.Host = p.server.Scheme, p.server.Host
	out.RequestURI = ""
	out.Body = nil
	if r.ContentLength != 0 {
		out.Body = io.NopCloser(body)
	}
	out.Header.Del("Expect") // the body is here already
	return p.back.RoundTrip(out)
}

// pass makes a request and passes its answer on.
func (p *Proxy) pass(w http.ResponseWriter, r *http.Request, c *Call) {
	resp, err := p.ask(r.Context(), r, r.Body)
	if err != nil {
		reset(w)
		return
	}
	defer resp.Body.Close()
	p.note(func() { c.Server, c.Client = resp.StatusCode, resp.StatusCode })
	maps.Copy(w.Header(), resp.Header)
	w.WriteHeader(resp.StatusCode)
	if _, err := io.Copy(w, resp.Body); err != nil {
		panic(http.ErrAbortHandler) // one of them has left
	}
}

// hang waits until the client gives up, or until it is freed.
func (p *Proxy) hang(w http.ResponseWriter, r *http.Request, c *Call, limit time.Duration, free <-chan struct{}) {
	// A client that leaves is noticed only when its body was read.
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	select {
	case <-free:
		p.pass(w, r, c)
	case <-r.Context().Done():
	case <-time.After(limit):
		reset(w)
	}
}

// delay lets the client go, and makes its request when it is freed.
func (p *Proxy) delay(w http.ResponseWriter, r *http.Request, c *Call, free <-chan struct{}) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	late := r.Clone(context.WithoutCancel(r.Context()))
	p.late.Go(func() {
		<-free
		resp, err := p.ask(late.Context(), late, bytes.NewReader(body))
		if err != nil {
			return
		}
		defer resp.Body.Close()
		_, _ = io.Copy(io.Discard, resp.Body) // nobody waits for it
		p.note(func() { c.Server = resp.StatusCode })
	})
	reset(w)
}

// commit makes a request and spoils its answer.
func (p *Proxy) commit(w http.ResponseWriter, r *http.Request, c *Call) {
	// The client cannot take back what the server is to do.
	resp, err := p.ask(context.WithoutCancel(r.Context()), r, r.Body)
	if err != nil {
		reset(w)
		return
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		reset(w)
		return
	}
	p.note(func() { c.Server = resp.StatusCode })
	switch c.Fault {
	case CommitReset:
		reset(w)
	case CommitError:
		status := refuse(w, c.Fault)
		p.note(func() { c.Client = status })
	case CommitTruncate:
		truncate(w, resp, body)
	case CommitSum:
		body = missum(resp, body)
		p.note(func() { c.Client = resp.StatusCode })
		maps.Copy(w.Header(), resp.Header)
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.WriteHeader(resp.StatusCode)
		_, _ = w.Write(body) // the client may have left
	}
}
