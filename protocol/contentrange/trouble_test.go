package contentrange_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/protocol/contentrange"
	"github.com/muleteer/muleteer/protocol/wiretest"
	"github.com/muleteer/muleteer/store"
	"github.com/muleteer/muleteer/upload"
)

// troubled is a store that fails, and notes what it is told.
type troubled struct {
	store.Store
	err    error
	chunks []int64
}

func (s *troubled) Begin(ctx context.Context, id string, spec store.Spec) (store.Object, error) {
	s.chunks = append(s.chunks, spec.Chunk)
	return s.Store.Begin(ctx, id, spec)
}

// Put keeps half of what it is asked to before it fails.
func (s *troubled) Put(ctx context.Context, o store.Object, e extent.Extent, r io.Reader, done func(store.Part) error) error {
	if s.err == nil {
		return s.Store.Put(ctx, o, e, r, done)
	}
	if err := s.Store.Put(ctx, o, extent.Extent{Start: e.Start, End: e.Start + e.Len()/2}, r, done); err != nil {
		return err
	}
	return s.err
}

func do(h http.Handler, method, target, rng, body string) *http.Response {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if rng != "" {
		r.Header.Set("Content-Range", rng)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

// expect checks a status and headers, given in pairs; "" means that it is not
// there.
func expect(t *testing.T, res *http.Response, status int, headers ...string) {
	t.Helper()
	if res.StatusCode != status {
		body, _ := io.ReadAll(res.Body) // it is in memory
		t.Fatalf("%s, want %d: %s", res.Status, status, body)
	}
	for i := 0; i < len(headers); i += 2 {
		if got := res.Header.Get(headers[i]); got != headers[i+1] {
			t.Errorf("%s: %q, want %q", headers[i], got, headers[i+1])
		}
	}
}

func TestFullDisk(t *testing.T) {
	t.Parallel()
	s, _ := wiretest.Grids()[0].Service(t)
	disk := &troubled{Store: s.Store, err: store.ErrFull}
	s.Store = disk
	h := contentrange.Handler(s, contentrange.Options{})
	file := strings.Repeat("0123456789", 100)

	expect(t, do(h, "PUT", "/upload/a", "bytes 0-499/1000", file[:500]), http.StatusInsufficientStorage, "Range", "bytes=0-249")
	expect(t, do(h, "PUT", "/upload/a", "bytes */1000", ""), http.StatusPermanentRedirect, "Range", "bytes=0-249")
	expect(t, do(h, "GET", "/upload/a", "", ""), http.StatusOK)
	expect(t, do(h, "PUT", "/upload/b", "bytes 0-499/1000", file[:500]), http.StatusInsufficientStorage)
	expect(t, do(h, "DELETE", "/upload/b", "", ""), http.StatusNoContent)
	disk.err = nil
	expect(t, do(h, "PUT", "/upload/a", "bytes 250-999/1000", file[250:]), http.StatusOK, "Range", "")
}

func TestUnreachableStore(t *testing.T) {
	t.Parallel()
	s, _ := wiretest.Grids()[0].Service(t)
	s.Log = slog.New(slog.DiscardHandler)
	disk := &troubled{Store: s.Store, err: errors.New("/secret/path: the cable is out")}
	s.Store = disk
	h := contentrange.Handler(s, contentrange.Options{})
	res := do(h, "PUT", "/upload/a", "bytes 0-3/8", "abcd")
	expect(t, res, http.StatusServiceUnavailable, "Range", "bytes=0-1", "Retry-After", "1")
	if body, _ := io.ReadAll(res.Body); strings.Contains(string(body), "secret") {
		t.Errorf("the client is told %s", body)
	}
}

// blind is a state that cannot be read.
type blind struct{ upload.State }

func (blind) Find(context.Context, upload.Query) iter.Seq2[*upload.Record, error] {
	return func(yield func(*upload.Record, error) bool) { yield(nil, errors.New("database is locked")) }
}

func TestUnreachableStateIsNeverNothing(t *testing.T) {
	t.Parallel()
	s, _ := wiretest.Grids()[0].Service(t)
	s.State = blind{s.State}
	h := contentrange.Handler(s, contentrange.Options{})
	for _, rng := range []string{"", "bytes */*", "bytes 0-3/8"} {
		body := "abcd"
		if rng == "bytes */*" {
			body = ""
		}
		expect(t, do(h, "PUT", "/upload/a", rng, body), http.StatusServiceUnavailable, "Retry-After", "1")
	}
	for _, method := range []string{"GET", "DELETE"} {
		expect(t, do(h, method, "/upload/a", "", ""), http.StatusServiceUnavailable)
	}
}

func TestRefusal(t *testing.T) {
	t.Parallel()
	s, _ := wiretest.Grids()[0].Service(t)
	s.Hook = func(context.Context, upload.Turn) (upload.Verdict, error) {
		return upload.Verdict{}, &upload.Refusal{Status: http.StatusPaymentRequired, Reason: "no credit"}
	}
	h := contentrange.Handler(s, contentrange.Options{})
	for _, rng := range []string{"", "bytes 0-3/8"} {
		res := do(h, "PUT", "/upload/a", rng, "abcd")
		expect(t, res, http.StatusPaymentRequired)
		if body, _ := io.ReadAll(res.Body); !strings.Contains(string(body), "no credit") {
			t.Errorf("the client is told %s", body)
		}
	}
	expect(t, do(h, "PUT", "/upload/a", "bytes */*", ""), http.StatusNotFound)
}

// TestS2R6ChunkHint shows that the size of a client's first range reaches the
// store, which makes parts of that size where it can.
func TestS2R6ChunkHint(t *testing.T) {
	t.Parallel()
	s, _ := wiretest.Grids()[0].Service(t)
	s.Chunk = 6 << 20
	disk := &troubled{Store: s.Store}
	s.Store = disk
	h := contentrange.Handler(s, contentrange.Options{})
	do(h, "PUT", "/upload/a", "bytes 0-3/10", "abcd")
	do(h, "PUT", "/upload/b", "bytes 8-9/10", "ij") // the last one is shorter than the others
	do(h, "PUT", "/upload/c", "bytes 0-3/*", "abcd")
	if got, want := fmt.Sprint(disk.chunks), fmt.Sprint([]int64{4, 6 << 20, 4}); got != want {
		t.Errorf("the store was told %s, want %s", got, want)
	}
}

// TestStrangersDoNotMeet: one name, several owners and scopes.
func TestStrangersDoNotMeet(t *testing.T) {
	t.Parallel()
	s, _ := wiretest.Grids()[0].Service(t)
	h := contentrange.Handler(s, contentrange.Options{Scope: func(r *http.Request) string { return r.Host }})
	as := func(owner string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h.ServeHTTP(w, r.WithContext(upload.As(r.Context(), owner)))
		})
	}
	expect(t, do(as("ann"), "PUT", "/upload/a", "bytes 0-3/8", "abcd"), http.StatusPermanentRedirect)
	expect(t, do(as("bob"), "PUT", "/upload/a", "bytes */*", ""), http.StatusNotFound)
	expect(t, do(as("ann"), "PUT", "http://other/upload/a", "bytes */*", ""), http.StatusNotFound)
	expect(t, do(as("bob"), "DELETE", "/upload/a", "", ""), http.StatusNotFound)
	expect(t, do(as("bob"), "GET", "/upload/a", "", ""), http.StatusNotFound)
	expect(t, do(as("bob"), "PUT", "/upload/a", "", "xyz"), http.StatusOK)
	expect(t, do(as("ann"), "PUT", "/upload/a", "bytes */*", ""), http.StatusPermanentRedirect, "Range", "bytes=0-3")
}

// TestS2R21ManyStartsAtOnce: of simultaneous requests for one file that nobody
// knows yet, one begins it and the others join in.
func TestS2R21ManyStartsAtOnce(t *testing.T) {
	t.Parallel()
	for _, header := range []string{"", "x"} {
		s, _ := wiretest.Grids()[1].Service(t)
		h := contentrange.Handler(s, contentrange.Options{})
		const n = 32
		start := make(chan struct{})
		var complete, other atomic.Int32
		results := make(chan string, n)
		for i := range n {
			go func() {
				<-start
				r := httptest.NewRequest("PUT", "/upload/a", strings.NewReader("ab"))
				r.Header.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", 2*i, 2*i+1, 2*n))
				if header != "" {
					r.Header.Set("X-Upload-Fingerprint", header)
				}
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				switch w.Code {
				case http.StatusOK:
					complete.Add(1)
				case http.StatusPermanentRedirect:
				default:
					other.Add(1)
				}
				results <- w.Header().Get("X-Upload-Location")
			}()
		}
		close(start)
		places := map[string]bool{}
		for range n {
			places[<-results] = true
		}
		if complete.Load() != 1 || other.Load() != 0 || len(places) != 1 {
			t.Errorf("fingerprint %q: %d complete, %d errors, %d uploads", header, complete.Load(), other.Load(), len(places))
		}
	}
}

// TestBrokenLineTellsNothing: errors of the network name addresses.
func TestBrokenLineTellsNothing(t *testing.T) {
	t.Parallel()
	s, _ := wiretest.Grids()[0].Service(t)
	h := contentrange.Handler(s, contentrange.Options{})
	r := httptest.NewRequest("PUT", "/upload/a", io.MultiReader(strings.NewReader("abcd"), broken{}))
	r.Header.Set("Content-Range", "bytes 0-7/8")
	r.ContentLength = 8
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	expect(t, w.Result(), http.StatusBadRequest, "Range", "bytes=0-3", "Connection", "close")
	if strings.Contains(w.Body.String(), "line") {
		t.Errorf("the client is told %s", w.Body)
	}
}

func TestDefaultType(t *testing.T) {
	t.Parallel()
	s, _ := wiretest.Grids()[0].Service(t)
	s.Type = "application/x-mule"
	h := contentrange.Handler(s, contentrange.Options{Base: "/in/"})
	res := do(h, "PUT", "/in/a", "", "abcd")
	expect(t, res, http.StatusOK)
	if body, _ := io.ReadAll(res.Body); !strings.Contains(string(body), `"type":"application/x-mule"`) {
		t.Errorf("the answer is %s", body)
	}
	expect(t, do(h, "PUT", "/upload/a", "", "abcd"), http.StatusNotFound)
}

// TestLargestFile: its last bytes are only too far away for a disk.
func TestLargestFile(t *testing.T) {
	t.Parallel()
	s, _ := wiretest.Grids()[0].Service(t)
	h := contentrange.Handler(s, contentrange.Options{})
	const last = "9223372036854775802-9223372036854775806"
	expect(t, do(h, "PUT", "/upload/a", "bytes "+last+"/9223372036854775807", "hello"), http.StatusPermanentRedirect)
	expect(t, do(h, "PUT", "/upload/a", "bytes */*", ""), http.StatusPermanentRedirect, "X-Upload-Ranges", last, "Range", "")
}
