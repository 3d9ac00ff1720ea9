package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/muleteer/muleteer/state"
	"github.com/muleteer/muleteer/store"
	"github.com/muleteer/muleteer/store/mem"
	"github.com/muleteer/muleteer/upload"
	"github.com/muleteer/muleteer/web"
)

// syncBuffer may be written and read at the same time.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// testHouse is a server that keeps everything in memory.
func testHouse(t *testing.T, change func(*settings)) (*house, *syncBuffer) {
	t.Helper()
	s := settings{Target: Target{Key: "{id}/{name}", MaxSize: 1 << 30, Expire: span(time.Hour), ChunkSize: 1 << 20, MimeType: "application/octet-stream"}}
	s.Storage.Durability = "power"
	if change != nil {
		change(&s)
	}
	if err := s.check(); err != nil {
		t.Fatal(err)
	}
	k := &kept{Store: mem.New(mem.Options{}), State: state.Memory(nil), closeStore: func() error { return nil }}
	t.Cleanup(func() { k.close() })
	log := new(syncBuffer)
	h, err := newHouse(s, k, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return h, log
}

// served is the house behind a listener.
func served(t *testing.T, h *house) string {
	t.Helper()
	server := httptest.NewServer(h.handler())
	t.Cleanup(server.Close)
	return server.URL
}

// do sends one request and returns the answer with its body.
func do(t *testing.T, method, url, body string, headers ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

func TestPaths(t *testing.T) {
	t.Parallel()
	h, _ := testHouse(t, nil)
	base := served(t, h)
	for _, test := range []struct {
		method, path string
		headers      []string
		status       int
		media        string
	}{
		{"GET", "/", nil, 200, "text/plain"},
		{"GET", "/", []string{"Accept", "text/html,*/*"}, 200, "text/html"},
		{"HEAD", "/", nil, 200, "text/plain"},
		{"POST", "/", nil, 405, "application/problem+json"},
		{"GET", "/healthz", nil, 200, "application/json"},
		{"GET", "/readyz", nil, 200, "application/json"},
		{"DELETE", "/readyz", nil, 405, "application/problem+json"},
		{"GET", "/metrics", nil, 200, "text/plain"},
		{"GET", "/nothing", nil, 404, "application/problem+json"},
		{"GET", "/nothing/at/all", nil, 404, "application/problem+json"},
		{"GET", "//", nil, 404, "application/problem+json"},
		{"GET", "//uploads", nil, 404, "application/problem+json"},
		{"GET", "/tus/../uploads", nil, 404, ""},
		{"GET", "/files/..%2fuploads", nil, 404, "application/problem+json"},
		{"GET", "/files/%2e%2e/uploads", nil, 404, "application/problem+json"},
		{"GET", "/healthz/", nil, 404, "application/problem+json"},
		{"GET", "/uploads", nil, 200, "application/json"},
		{"PUT", "/uploads", nil, 405, "application/problem+json"},
		{"GET", "/uploads/nosuchnosuchnosuchnosuch", nil, 404, "application/problem+json"},
		{"PATCH", "/upload/x", nil, 405, "application/problem+json"},
		{"OPTIONS", "/tus/", nil, 200, ""},
		{"OPTIONS", "/tus", nil, 200, ""},
		{"OPTIONS", "/files/", nil, 200, ""},
		{"OPTIONS", "/rufh", nil, 204, ""},
		{"GET", "/rufh/", nil, 405, "application/problem+json"},
		{"HEAD", "/rufh/nosuchnosuchnosuchnosuch", nil, 404, ""},
		{"POST", "/rufh/", []string{"Upload-Complete", "?0"}, 201, ""},
		{"PUT", "/rufh", []string{"Upload-Complete", "?1", "Upload-Draft-Interop-Version", "8"}, 201, "application/json"},
		{"POST", "/tus/", []string{"Tus-Resumable", "1.0.0", "Upload-Length", "3"}, 201, ""},
		{"POST", "/files/", []string{"Tus-Resumable", "1.0.0", "Upload-Length", "3"}, 201, ""},
		{"POST", "/files", []string{"Tus-Resumable", "1.0.0", "Upload-Length", "3"}, 201, ""},
	} {
		resp, body := do(t, test.method, base+test.path, "", test.headers...)
		media := resp.Header.Get("Content-Type")
		if resp.StatusCode != test.status || !strings.HasPrefix(media, test.media) {
			t.Errorf("%s %s: %d %s, want %d %s\n%s", test.method, test.path, resp.StatusCode, media, test.status, test.media, body)
		}
		if resp.Header.Get("X-Content-Type-Options") != "nosniff" || resp.Header.Get("Content-Security-Policy") == "" {
			t.Errorf("%s %s: security headers are missing", test.method, test.path)
		}
		place := resp.Header.Get("Location")
		if test.method == "POST" && strings.HasPrefix(test.path, "/files") && !strings.HasPrefix(place, base+"/files/") {
			t.Errorf("%s: the location is %s", test.path, place)
		}
	}
}

// The page's form works: what it posts is taken, from a browser without
// scripts, and nothing that the page's policy forbids is in it.
func TestPage(t *testing.T) {
	t.Parallel()
	h, _ := testHouse(t, nil)
	base := served(t, h)
	resp, page := do(t, "GET", base+"/", "", "Accept", "text/html")
	for _, want := range []string{`action="upload"`, `method="post"`, `enctype="multipart/form-data"`, `type="file"`, "up to 1 GiB"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %s", want)
		}
	}
	if policy := resp.Header.Get("Content-Security-Policy"); policy != web.Policy || strings.Contains(policy, "unsafe") {
		t.Errorf("the policy is %s", policy)
	}
	for _, inline := range []string{"<script>", "<style", "style=", " onclick=", "http://", "https://"} {
		if strings.Contains(page, inline) {
			t.Errorf("the page has %s, which its policy forbids", inline)
		}
	}
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	part, _ := w.CreateFormFile("file", "a.txt")
	fmt.Fprint(part, "hello")
	w.Close()
	for _, path := range []string{"/upload", "/upload/"} {
		resp, body := do(t, "POST", base+path, form.String(), "Content-Type", w.FormDataContentType(),
			"Origin", base, "Sec-Fetch-Site", "same-origin")
		if resp.StatusCode != http.StatusCreated || !strings.Contains(body, "a.txt") {
			t.Errorf("%s: %d %s", path, resp.StatusCode, body)
		}
	}
	if resp, body := do(t, "POST", base+"/upload", form.String(), "Content-Type", w.FormDataContentType(),
		"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"); resp.StatusCode != http.StatusForbidden {
		t.Errorf("a form of another site: %d %s", resp.StatusCode, body)
	}
}

func TestCors(t *testing.T) {
	t.Parallel()
	const friend, stranger = "https://friend.example", "https://stranger.example"
	some, _ := testHouse(t, func(s *settings) { s.Cors = list{friend} })
	all, _ := testHouse(t, func(s *settings) { s.Cors = list{"*"} })
	none, _ := testHouse(t, nil)
	for _, test := range []struct {
		name, base, method, path, origin string
		preflight                        bool
		status                           int
		allow                            string
	}{
		{"preflight", served(t, some), "OPTIONS", "/tus/", friend, true, 204, friend},
		{"preflight of a range", served(t, some), "OPTIONS", "/upload/x", friend, true, 204, friend},
		{"error", served(t, some), "GET", "/uploads/none", friend, false, 404, friend},
		{"refused method", served(t, some), "PUT", "/uploads", friend, false, 405, friend},
		{"creation", served(t, some), "POST", "/tus/", friend, false, 201, friend},
		{"stranger's preflight", served(t, some), "OPTIONS", "/tus/", stranger, true, 200, ""},
		{"stranger", served(t, some), "POST", "/tus/", stranger, false, 403, ""},
		{"suffix", served(t, some), "OPTIONS", "/tus/", friend + ".evil.example", true, 200, ""},
		{"everybody", served(t, all), "POST", "/tus/", stranger, false, 201, "*"},
		{"nobody", served(t, none), "POST", "/tus/", friend, false, 403, ""},
	} {
		headers := []string{"Origin", test.origin, "Sec-Fetch-Site", "cross-site", "Tus-Resumable", "1.0.0", "Upload-Length", "1"}
		if test.preflight {
			headers = []string{"Origin", test.origin, "Access-Control-Request-Method", "PATCH", "Access-Control-Request-Headers", "tus-resumable"}
		}
		resp, body := do(t, test.method, test.base+test.path, "", headers...)
		h := resp.Header
		if resp.StatusCode != test.status || h.Get("Access-Control-Allow-Origin") != test.allow {
			t.Errorf("%s: %d, allowed %q; want %d, %q\n%s", test.name, resp.StatusCode, h.Get("Access-Control-Allow-Origin"), test.status, test.allow, body)
		}
		if credentials := h.Get("Access-Control-Allow-Credentials"); (credentials == "true") != (test.allow == friend) {
			t.Errorf("%s: credentials %q", test.name, credentials)
		}
		if test.allow == friend && (h.Get("Access-Control-Expose-Headers") == "" || !strings.Contains(h.Get("Vary"), "Origin")) {
			t.Errorf("%s: %v", test.name, h)
		}
		if test.preflight && test.allow != "" && (h.Get("Access-Control-Allow-Headers") == "" || h.Get("Access-Control-Allow-Methods") == "") {
			t.Errorf("%s: %v", test.name, h)
		}
	}
}

// A panic ends its request only: once as 500, and as a broken answer where one
// had begun.
func TestPanic(t *testing.T) {
	t.Parallel()
	h, log := testHouse(t, nil)
	server := httptest.NewServer(h.recovered(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/late" {
			fmt.Fprint(w, "begun")
			_ = http.NewResponseController(w).Flush()
		}
		panic("a bug")
	})))
	defer server.Close()
	resp, body := do(t, "GET", server.URL+"/early", "")
	if resp.StatusCode != 500 || !strings.Contains(body, "fault of the server") || strings.Contains(body, "a bug") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	resp, err := http.Get(server.URL + "/late")
	if err == nil {
		_, err = io.ReadAll(resp.Body)
		resp.Body.Close()
	}
	if err == nil {
		t.Error("an answer that was broken off looks whole")
	}
	if !strings.Contains(log.String(), "a bug") || !strings.Contains(log.String(), "house_test.go") {
		t.Errorf("the log has no panic with its stack: %s", log)
	}
	if strings.Count(log.String(), "level=ERROR") != 2 {
		t.Errorf("each panic is logged once: %s", log)
	}
}

// Where chunks and a Content-Length disagree, what a proxy took for the next
// request never is one.
func TestSmuggling(t *testing.T) {
	t.Parallel()
	h, _ := testHouse(t, nil)
	address := strings.TrimPrefix(served(t, h), "http://")
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "PUT /upload/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"+
		"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
	r := bufio.NewReader(conn)
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	if !resp.Close {
		t.Error("the connection stays open")
	}
	if _, err := r.ReadByte(); err != io.EOF && !errors.Is(err, net.ErrClosed) && err == nil {
		t.Error("the smuggled request was answered")
	}
}

// Strangers see no list, and do not meet in one name.
func TestStrangers(t *testing.T) {
	t.Parallel()
	h, _ := testHouse(t, nil)
	base := served(t, h)
	do(t, "PUT", base+"/upload/mine", "x")
	if _, body := do(t, "GET", base+"/uploads", ""); !strings.Contains(body, "mine") {
		t.Errorf("who runs the server sees %s", body)
	}
	for _, header := range []string{"X-Forwarded-For", "Forwarded", "Via", "X-Real-Ip"} {
		if _, body := do(t, "GET", base+"/uploads", "", header, "for=192.0.2.1"); strings.TrimSpace(body) != "[]" {
			t.Errorf("a stranger by %s sees %s", header, body)
		}
	}
	from := func(remote string, forwarded ...string) string {
		r := httptest.NewRequest("PUT", "/upload/x", nil)
		r.RemoteAddr = remote
		for _, f := range forwarded {
			r.Header.Add("X-Forwarded-For", f)
		}
		return h.gate.Scope(h.proxies.Believe(r))
	}
	scopes := map[string]string{}
	for _, s := range []string{
		from("127.0.0.1:1"), from("192.0.2.1:1"), from("192.0.2.2:1"), from("[2001:db8::1]:1"),
		from("127.0.0.1:1", "192.0.2.3"), from("127.0.0.1:1", "192.0.2.3, 192.0.2.4"),
	} {
		if _, twice := scopes[s]; twice {
			t.Errorf("two meet in %q", s)
		}
		scopes[s] = s
	}
	if from("192.0.2.1:1") != from("192.0.2.1:2", "192.0.2.9") {
		t.Error("a client that is no proxy chooses its own scope")
	}
	if from("127.0.0.1:1", "192.0.2.3") != from("127.0.0.1:1", "192.0.2.9", "192.0.2.3") {
		t.Error("a client behind the proxy chooses its own scope")
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	h, log := testHouse(t, nil)
	base := served(t, h)
	do(t, "PUT", base+"/upload/secret-name", "hello")
	do(t, "GET", base+"/secret-path", "")
	_, body := do(t, "GET", base+"/metrics", "")
	for _, want := range []string{
		`muleteer_uploads_total{outcome="finished",protocol="contentrange"} 1`,
		`muleteer_requests_total{code="200",protocol="contentrange"} 1`,
		`muleteer_requests_total{code="404",protocol="none"} 1`,
		"muleteer_bytes_received_total 5", "muleteer_open_requests 1", "go_goroutines", "process_open_fds",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
	if strings.Contains(body, "secret") {
		t.Error("a label has a path or a name")
	}
	if n := strings.Count(log.String(), "msg=finished"); n != 1 {
		t.Errorf("%d lines of the finished upload: %s", n, log)
	}
}

// A request that was not answered is none that went well.
func TestMetricsOfBrokenRequests(t *testing.T) {
	t.Parallel()
	h, log := testHouse(t, func(s *settings) { s.Verbose = true })
	h.log = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	server := httptest.NewServer(h.logged(h.recovered(h.metrics.count("tried", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/late":
			w.WriteHeader(http.StatusAccepted)
			_ = http.NewResponseController(w).Flush()
			panic("a bug")
		case "/bug":
			panic("a bug")
		case "/abort":
			panic(http.ErrAbortHandler)
		}
	})))))
	defer server.Close()
	for _, path := range []string{"/late", "/bug", "/abort", "/"} {
		if resp, err := http.Get(server.URL + path); err == nil {
			resp.Body.Close()
		}
	}
	server.Close() // who sees a connection end does not know yet that its request is logged
	_, body := do(t, "GET", served(t, h)+"/metrics", "")
	for _, want := range []string{
		`muleteer_requests_total{code="200",protocol="tried"} 1`,
		`muleteer_requests_total{code="500",protocol="tried"} 1`,
		`muleteer_requests_total{code="aborted",protocol="tried"} 2`,
		"muleteer_panics_total 2", "muleteer_open_requests 1",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
	if n := strings.Count(log.String(), "status=aborted"); n != 2 {
		t.Errorf("%d requests are logged as aborted: %s", n, log)
	}
}

type deadState struct{ state.State }

func (deadState) Ping(context.Context) error { return errors.New("dead") }

type deadStore struct{ store.Store }

func (deadStore) Free(context.Context) (int64, error) { return 0, errors.New("dead") }

func TestReady(t *testing.T) {
	t.Parallel()
	for name, kill := range map[string]func(*house){
		"state":  func(h *house) { h.kept.State = deadState{h.kept.State} },
		"store":  func(h *house) { h.kept.Store = deadStore{h.kept.Store} },
		"ending": func(h *house) { h.drain.begin() },
	} {
		h, _ := testHouse(t, nil)
		base := served(t, h)
		if resp, _ := do(t, "GET", base+"/readyz", ""); resp.StatusCode != 200 {
			t.Errorf("%s: %d before", name, resp.StatusCode)
		}
		kill(h)
		if resp, _ := do(t, "GET", base+"/readyz", ""); resp.StatusCode != 503 {
			t.Errorf("%s: %d", name, resp.StatusCode)
		}
		if resp, _ := do(t, "GET", base+"/healthz", ""); resp.StatusCode != 200 {
			t.Errorf("%s: not healthy: %d", name, resp.StatusCode)
		}
	}
}

// A server that ends keeps what arrived of the bodies that are on their way,
// and tells their clients to come again.
func TestDrain(t *testing.T) {
	t.Parallel()
	h, _ := testHouse(t, nil)
	h.grace = 0
	listeners, err := listen([]string{"127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- h.serve(ctx, listeners) }()
	conn, err := net.Dial("tcp", listeners[0].Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	// The answer to "Expect" comes when the body is being read.
	fmt.Fprint(conn, "PUT /upload/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\nExpect: 100-continue\r\n\r\n")
	r := bufio.NewReader(conn)
	if line, err := r.ReadString('\n'); !strings.Contains(line, "100") {
		t.Fatal(line, err)
	}
	if _, err := r.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(make([]byte, 400_000)); err != nil {
		t.Fatal(err)
	}
	for metricsBytes(t, h) < 400_000 {
		runtime.Gosched() // the bytes are between two sockets
	}
	end()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" {
		t.Errorf("the client was told %d", resp.StatusCode)
	}
	var here int64
	for u, err := range h.kept.State.Find(t.Context(), upload.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		here += u.Here
	}
	if here != 400_000 {
		t.Errorf("%d bytes were kept", here)
	}
}

func metricsBytes(t *testing.T, h *house) float64 {
	t.Helper()
	families, err := h.metrics.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "muleteer_bytes_received_total" {
			return f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	return 0
}
