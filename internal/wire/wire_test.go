package wire

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/state"
	"github.com/muleteer/muleteer/store"
	"github.com/muleteer/muleteer/store/mem"
	"github.com/muleteer/muleteer/upload"
)

func TestInt(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]int64{"0": 0, "5": 5, "007": 7, "9223372036854775807": extent.Max} {
		if got, err := Int(s); got != want || err != nil {
			t.Errorf("%q: %d, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "+5", "-5", " 5", "5 ", "0x5", "5e1", "5.0", "1_000", "٥", "5\x00",
		"9223372036854775808", "18446744073709551616", strings.Repeat("9", 300)} {
		if got, err := Int(s); !errors.Is(err, upload.ErrInvalid) {
			t.Errorf("%q: %d, %v", s, got, err)
		}
	}
}

func TestHeader(t *testing.T) {
	t.Parallel()
	h := http.Header{"One": {"1"}, "Two": {"2", "2"}, "Empty": {""}}
	for name, want := range map[string]string{"one": "1 true <nil>", "Empty": " true <nil>", "None": " false <nil>"} {
		v, present, err := Header(h, name)
		if got := fmt.Sprintf("%s %v %v", v, present, err); got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
	if v, present, err := Header(h, "Two"); v != "" || !present || !errors.Is(err, upload.ErrInvalid) {
		t.Errorf("twice: %q, %v, %v", v, present, err)
	}
}

func TestID(t *testing.T) {
	t.Parallel()
	for _, s := range []string{strings.Repeat("a", 22), strings.Repeat("Z", 64), "0123456789abcdefABCDEF_-"} {
		if !ID(s) {
			t.Errorf("%q is one", s)
		}
	}
	for _, s := range []string{"", "..", strings.Repeat("a", 21), strings.Repeat("a", 65), strings.Repeat("a", 300),
		strings.Repeat("a", 25) + "/", strings.Repeat("a", 25) + ".", strings.Repeat("a", 25) + "\x00", strings.Repeat("ü", 15),
		"%2e%2e" + strings.Repeat("a", 20), strings.Repeat("a", 25) + "\n"} {
		if ID(s) {
			t.Errorf("%q is none", s)
		}
	}
}

func TestAbsolute(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest("GET", "/x", nil)
	r.Host = "up.example:8080"
	r.Header.Set("X-Forwarded-Host", "evil.example")
	r.Header.Set("X-Forwarded-Proto", "https")
	if got := Absolute(r, "", "/tus/a"); got != "http://up.example:8080/tus/a" {
		t.Error(got)
	}
	r.TLS = &tls.ConnectionState{}
	if got := Links(nil).To(r, "/tus/a"); got != "https://up.example:8080/tus/a" {
		t.Error(got)
	}
	if got := Public("https://world.example/up/").To(r, "/tus/a"); got != "https://world.example/up/tus/a" {
		t.Error(got)
	}
}

func TestDisposition(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"":                `attachment`,
		"a b.txt":         `attachment; filename="a b.txt"`,
		`q"u\o.txt`:       `attachment; filename="q\"u\\o.txt"`,
		"a\r\nX: y\x00":   `attachment; filename="aX: y"`,
		"../../etc":       `attachment; filename=".._.._etc"`,
		"ünï.txt":         `attachment; filename="_n_.txt"; filename*=UTF-8''%C3%BCn%C3%AF.txt`,
		"100%.txt":        `attachment; filename="100_.txt"; filename*=UTF-8''100%25.txt`,
		"exe.\u202etxt":   `attachment; filename="exe.txt"`,
		"\xff\xfe bad":    `attachment; filename="_ bad"`,
		"a+b & c;d='e'.x": `attachment; filename="a+b & c;d='e'.x"`,
	} {
		got := Disposition("attachment", name)
		if got != want {
			t.Errorf("%q: %s, want %s", name, got, want)
		}
		if _, _, err := mime.ParseMediaType(got); err != nil {
			t.Errorf("%q: %v", got, err)
		}
	}
}

// FuzzDisposition: no name gets out of its quotes or its line.
func FuzzDisposition(f *testing.F) {
	for _, s := range []string{"", `\"`, "ü\r\n\"", "%22", "a'b*c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		d := Disposition("inline", name)
		for i := range len(d) {
			if d[i] < ' ' || d[i] > '~' {
				t.Fatalf("%q", d)
			}
		}
		kind, params, err := mime.ParseMediaType(d)
		if err != nil || kind != "inline" || len(params) > 1 {
			t.Fatalf("%q: %v %v", d, params, err)
		}
	})
}

func TestProblem(t *testing.T) {
	t.Parallel()
	for status, after := range map[int]string{400: "", 423: "1", 460: "", 503: "5", 507: "60"} {
		w := httptest.NewRecorder()
		Problem(w, status, "", `it is "so"`)
		var p map[string]any
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
			t.Fatal(err)
		}
		h := w.Header()
		if w.Code != status || p["status"] != float64(status) || p["title"] != Text(status) || p["detail"] != `it is "so"` || p["type"] != "about:blank" {
			t.Errorf("%d: %v", w.Code, p)
		}
		if h.Get("Content-Type") != "application/problem+json" || h.Get("X-Content-Type-Options") != "nosniff" ||
			h.Get("Cache-Control") != "no-store" || h.Get("Retry-After") != after {
			t.Errorf("%d: %v", status, h)
		}
		if w.Body.Len() < minProblem {
			t.Errorf("%d bytes", w.Body.Len())
		}
	}
	w := httptest.NewRecorder()
	w.Header().Set("Retry-After", "99")
	Problem(w, 503, "", "")
	if w.Header().Get("Retry-After") != "99" {
		t.Error("it was said already")
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]int{
		upload.ErrOffset: 409,
		fmt.Errorf("%w: more", upload.ErrTooLarge):                   413,
		fmt.Errorf("%w: %w", upload.ErrUnavailable, io.EOF):          503,
		&upload.Refusal{Reason: "no"}:                                403,
		&upload.Refusal{Status: 422, Reason: "no"}:                   422,
		&upload.Refusal{Status: 200, Reason: "no"}:                   403,
		&BodyError{upload.ErrInterrupted}:                            409,
		&BodyError{io.ErrUnexpectedEOF}:                              400,
		fmt.Errorf("x: %w", &BodyError{io.ErrUnexpectedEOF}):         400,
		upload.ErrChecksum:                                           460,
		upload.ErrGone:                                               410,
		upload.ErrBusy:                                               423,
		upload.ErrFull:                                               507,
		fmt.Errorf("%w: %w", upload.ErrIncomplete, io.ErrNoProgress): 404,
	} {
		if got, ok := Status(err); got != want || !ok {
			t.Errorf("%v: %d, want %d", err, got, want)
		}
	}
	if got, ok := Status(errors.New("a bug")); got != 500 || ok {
		t.Errorf("%d, %v", got, ok)
	}
}

// deaf is a store that does not give anything back.
type deaf struct{ *mem.Store }

func (deaf) Open(context.Context, store.Object, extent.Extent) (io.ReadCloser, error) {
	return nil, errors.New("no answer")
}

// TestServeTellsInTime: a store that does not answer is told before the status
// has gone out.
func TestServeTellsInTime(t *testing.T) {
	t.Parallel()
	s := &upload.Service{Store: deaf{mem.New(mem.Options{})}, State: state.Memory(nil)}
	u, err := s.Take(context.Background(), upload.New{Protocol: "plain", Size: 5}, upload.Chunk{Len: 5, Size: -1, Body: strings.NewReader("hello")})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	if err := Serve(w, httptest.NewRequest("GET", "/", nil), s, u.ID); !errors.Is(err, upload.ErrUnavailable) || len(w.Header()) > 0 {
		t.Errorf("%v, %v", err, w.Header())
	}
	for _, id := range []string{"..", strings.Repeat("a", 26)} {
		if err := Serve(w, httptest.NewRequest("GET", "/", nil), s, id); !errors.Is(err, upload.ErrNotFound) {
			t.Errorf("%s: %v", id, err)
		}
	}
}

func TestView(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 2, 3, 4, 5, 6, 789, time.UTC)
	s := &upload.Service{Store: mem.New(mem.Options{}), State: state.Memory(func() time.Time { return now }), Now: func() time.Time { return now }, Expire: time.Hour}
	ctx := context.Background()
	u, err := s.Create(ctx, upload.New{Protocol: "plain", Size: -1, Type: "text/plain", Meta: upload.Meta{Name: "n"}})
	if err != nil {
		t.Fatal(err)
	}
	view := func() string {
		t.Helper()
		u, err := s.Get(ctx, u.ID)
		if err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(ViewOf(httptest.NewRequest("GET", "http://h/", nil), nil, s, u))
		if err != nil {
			t.Fatal(err)
		}
		return strings.ReplaceAll(string(b), u.ID, "ID")
	}
	check := func(want string) {
		t.Helper()
		if got := view(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	check(`{"id":"ID","name":"n","size":null,"type":"text/plain","state":"receiving","protocol":"plain","offset":0,"ranges":"","created":"2026-02-03T04:05:06Z","expires":"2026-02-03T05:05:06Z"}`)
	if _, err := s.Write(ctx, u.ID, upload.Chunk{At: 6, Len: 5, Size: 11, Body: strings.NewReader("world")}); err != nil {
		t.Fatal(err)
	}
	check(`{"id":"ID","name":"n","size":11,"type":"text/plain","state":"receiving","protocol":"plain","offset":0,"ranges":"6-10","created":"2026-02-03T04:05:06Z","expires":"2026-02-03T05:05:06Z"}`)
	if _, err := s.Write(ctx, u.ID, upload.Chunk{At: 0, Len: 6, Size: -1, Body: strings.NewReader("hello ")}); err != nil {
		t.Fatal(err)
	}
	check(`{"id":"ID","name":"n","size":11,"type":"text/plain","state":"done","protocol":"plain","offset":11,"ranges":"0-10","crc64nvme":"` +
		store.CRC(0).Update([]byte("hello world")).String() + `","url":"http://h/files/ID","created":"2026-02-03T04:05:06Z"}`)
}
