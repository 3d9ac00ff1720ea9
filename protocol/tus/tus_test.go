package tus_test

import (
	"bytes"
	"context"
	"io"
	"iter"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/muleteer/muleteer/protocol/tus"
	"github.com/muleteer/muleteer/protocol/wiretest"
	"github.com/muleteer/muleteer/state"
	"github.com/muleteer/muleteer/upload"
)

// request makes one of tus; headers are name and value in turn.
func request(t *testing.T, method, url string, body io.Reader, headers ...string) *http.Request {
	t.Helper()
	r, err := http.NewRequest(method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Tus-Resumable", "1.0.0")
	if body != nil {
		r.Header.Set("Content-Type", "application/offset+octet-stream")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

// do makes a request and checks the status of the answer.
func (h *house) do(t *testing.T, want int, method, url string, body io.Reader, headers ...string) http.Header {
	t.Helper()
	res, err := h.http.Do(request(t, method, url, body, headers...))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != want {
		t.Fatalf("%s %s: %s %s, want %d", method, url, res.Status, b, want)
	}
	return res.Header
}

func TestX1ToX3Headers(t *testing.T) {
	t.Parallel()
	for _, name := range strings.Fields(`Upload-Offset Location Upload-Length Tus-Version Tus-Resumable Tus-Max-Size
		Tus-Extension Upload-Metadata Upload-Defer-Length Upload-Concat Upload-Expires Tus-Checksum-Algorithm
		Upload-Complete Upload-Limit Upload-Draft-Interop-Version`) {
		if !slices.Contains(tus.ResponseHeaders(), name) {
			t.Errorf("a client cannot read %s", name)
		}
	}
	for _, name := range strings.Fields(`Upload-Offset Upload-Length Upload-Defer-Length Upload-Metadata Upload-Concat
		Tus-Resumable Authorization X-Requested-With X-Request-ID X-HTTP-Method-Override Upload-Checksum Content-Type
		Idempotency-Key Repr-Digest Content-Digest`) {
		if !slices.Contains(tus.RequestHeaders(), name) {
			t.Errorf("a client cannot send %s", name)
		}
	}
	for _, method := range strings.Fields("POST HEAD PATCH OPTIONS GET DELETE") {
		if !slices.Contains(tus.Methods(), method) {
			t.Errorf("a client cannot use %s", method)
		}
	}
}

// TestW6CutCreation: the client is gone in the middle of a POST; what arrived
// is an upload all the same, for whoever knows its URL.
func TestW6CutCreation(t *testing.T) {
	t.Parallel()
	s, clock := wiretest.Grids()[1].Service(t)
	next := tus.Handler(s, tus.Options{})
	ended := make(chan struct{}, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r)
		if r.Method == "POST" {
			ended <- struct{}{}
		}
	}))
	defer server.Close()
	h := &house{Service: s, clock: clock, url: server.URL + "/tus/", http: server.Client()}
	want := wiretest.Rand(2500, 6, 0)
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	head := "POST /tus/ HTTP/1.1\r\nHost: here\r\nTus-Resumable: 1.0.0\r\nUpload-Length: 2500\r\n" +
		"Content-Type: application/offset+octet-stream\r\nContent-Length: 2500\r\n\r\n"
	if _, err := conn.Write(append([]byte(head), want[:1700]...)); err != nil {
		t.Fatal(err)
	}
	conn.Close()
	<-ended
	id := ""
	for u, err := range s.Find(context.Background(), upload.Query{}) {
		if err != nil || id != "" {
			t.Fatalf("more than one upload, or %v", err)
		}
		id = u.ID
	}
	if got := h.do(t, 200, "HEAD", h.url+id, nil); got.Get("Upload-Offset") != "1700" || got.Get("Upload-Length") != "2500" {
		t.Fatal(got)
	}
	h.do(t, 204, "PATCH", h.url+id, bytes.NewReader(want[1700:]), "Upload-Offset", "1700")
	if !bytes.Equal(h.content(t, h.url+id), want) {
		t.Error("other bytes arrived")
	}
}

// TestStrangers: somebody else's upload is one that never was.
func TestStrangers(t *testing.T) {
	t.Parallel()
	s, clock := wiretest.Grids()[1].Service(t)
	next := tus.Handler(s, tus.Options{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(upload.As(r.Context(), r.Header.Get("Authorization"))))
	}))
	defer server.Close()
	h := &house{Service: s, clock: clock, url: server.URL + "/tus/", http: server.Client()}
	mine := h.do(t, 201, "POST", h.url, strings.NewReader("hello"), "Upload-Length", "5", "Upload-Concat", "partial", "Authorization", "me").Get("Location")
	final := h.do(t, 201, "POST", h.url, nil, "Upload-Concat", "final;"+mine, "Authorization", "me").Get("Location")
	for _, loc := range []string{mine, final} {
		for _, who := range []string{"you", ""} {
			h.do(t, 404, "HEAD", loc, nil, "Authorization", who)
			h.do(t, 404, "GET", loc, nil, "Authorization", who)
			h.do(t, 404, "DELETE", loc, nil, "Authorization", who)
			h.do(t, 404, "PATCH", loc, http.NoBody, "Upload-Offset", "0", "Authorization", who)
			h.do(t, 404, "POST", h.url, nil, "Upload-Concat", "final;"+loc, "Authorization", who)
		}
	}
	h.do(t, 200, "HEAD", final, nil, "Authorization", "me")
	h.do(t, 204, "DELETE", final, nil, "Authorization", "me")
	h.do(t, 404, "HEAD", final, nil, "Authorization", "you")
	h.do(t, 410, "HEAD", final, nil, "Authorization", "me")
}

// TestPublicURL: behind a proxy URLs are as the world sees them, and parts are
// understood from both sides of it.
func TestPublicURL(t *testing.T) {
	t.Parallel()
	h := open(t, tus.Options{Base: "/tus/", URL: func(_ *http.Request, path string) string { return "https://up.example/x" + path }})
	loc := h.do(t, 201, "POST", h.url, strings.NewReader("hello"), "Upload-Length", "5", "Upload-Concat", "partial").Get("Location")
	id, ok := strings.CutPrefix(loc, "https://up.example/x/tus/")
	if !ok {
		t.Fatal(loc)
	}
	for _, part := range []string{loc, "/x/tus/" + id, "/tus/" + id, id, h.url + id} {
		final := h.do(t, 201, "POST", h.url, nil, "Upload-Concat", "final;"+part+" "+id).Get("Location")
		at := h.url + strings.TrimPrefix(final, "https://up.example/x/tus/")
		if got := h.content(t, at); string(got) != "hellohello" {
			t.Errorf("%s: %q", part, got)
		}
	}
	h.do(t, 400, "POST", h.url, nil, "Upload-Concat", "final;https://evil.example/x/tus/"+id)
}

// late is a state in which a record is found only by the second look, as it
// is when another request creates it in between.
type late struct {
	*state.Volatile
	looks atomic.Int32
}

func (l *late) Find(ctx context.Context, q upload.Query) iter.Seq2[*upload.Record, error] {
	if q.Fingerprint != "" && l.looks.Add(1)%2 == 1 {
		return func(func(*upload.Record, error) bool) {}
	}
	return l.Volatile.Find(ctx, q)
}

// TestN11Race: of two requests for one concatenation at the same time, the one
// that comes second to its creation gets what the first has made.
func TestN11Race(t *testing.T) {
	t.Parallel()
	s, clock := wiretest.Grids()[1].Service(t)
	s.State = &late{Volatile: state.Memory(clock.Now)}
	h := serve(t, s, clock, tus.Options{})
	part := h.do(t, 201, "POST", h.url, nil, "Upload-Length", "5", "Upload-Concat", "partial").Get("Location")
	first := h.do(t, 201, "POST", h.url, nil, "Upload-Concat", "final;"+part).Get("Location")
	s.State.(*late).looks.Store(0)
	if second := h.do(t, 201, "POST", h.url, nil, "Upload-Concat", "final;"+part).Get("Location"); second != first {
		t.Errorf("%s and %s", first, second)
	}
}

// TestN11TwoAtOnce: many requests for one concatenation at the same time make
// one.
func TestN11TwoAtOnce(t *testing.T) {
	t.Parallel()
	h := open(t, tus.Options{})
	part := h.do(t, 201, "POST", h.url, nil, "Upload-Length", "5", "Upload-Concat", "partial").Get("Location")
	var mu sync.Mutex
	got := map[string]bool{}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			res, err := h.http.Do(request(t, "POST", h.url, nil, "Upload-Concat", "final;"+part+" "+part))
			if err != nil {
				t.Error(err)
				return
			}
			res.Body.Close()
			mu.Lock()
			defer mu.Unlock()
			got[res.Status+" "+res.Header.Get("Location")] = true
		})
	}
	group.Wait()
	if len(got) != 1 {
		t.Errorf("%v", got)
	}
}
