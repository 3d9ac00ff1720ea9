package plain_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/muleteer/muleteer/internal/wire"
	"github.com/muleteer/muleteer/protocol/plain"
	"github.com/muleteer/muleteer/protocol/wiretest"
	"github.com/muleteer/muleteer/store"
	"github.com/muleteer/muleteer/upload"
)

func TestConversations(t *testing.T) {
	wiretest.Play(t, "testdata/*.txt", func(_ testing.TB, s *upload.Service) http.Handler {
		uploads := plain.Handler(s, plain.Options{})
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			id, ok := strings.CutPrefix(r.URL.Path, "/files/")
			if !ok {
				uploads.ServeHTTP(w, r)
				return
			}
			if err := wire.Serve(w, r, s, id); err != nil {
				status, _ := wire.Status(err)
				wire.Problem(w, status, "", err.Error())
			}
		})
	})
}

// TestBrokenLeavesNothing breaks bodies at every place. Nobody could go on with
// what came, and the files before the break were never acknowledged.
func TestBrokenLeavesNothing(t *testing.T) {
	t.Parallel()
	const form = "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nfield\r\n" +
		"--x\r\nContent-Disposition: form-data; name=\"f\"; filename=\"one\"\r\n\r\nhello\r\n" +
		"--x\r\nContent-Disposition: form-data; name=\"f\"; filename=\"two\"\r\n\r\nworld\r\n--x--"
	for _, kind := range []string{"multipart/form-data; boundary=x", "text/plain"} {
		for n := range len(form) {
			s, _ := wiretest.Grids()[1].Service(t)
			r := httptest.NewRequest("POST", "/upload", io.MultiReader(strings.NewReader(form[:n]), broken{}))
			r.Header.Set("Content-Type", kind)
			r.ContentLength = -1
			if n%2 == 0 {
				r.ContentLength = int64(len(form))
			}
			w := httptest.NewRecorder()
			plain.Handler(s, plain.Options{}).ServeHTTP(w, r)
			if w.Code != http.StatusBadRequest {
				t.Errorf("%s broken after %d bytes: %d %s", kind, n, w.Code, w.Body)
			}
			if got := left(t, s); got != "" {
				t.Errorf("%s broken after %d bytes: %s is left", kind, n, got)
			}
		}
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// left tells of something that is in the service, or "".
func left(t *testing.T, s *upload.Service) string {
	t.Helper()
	for u, err := range s.Find(t.Context(), upload.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		if u.Phase != upload.Gone {
			return u.Meta.Name + " " + u.Phase.String()
		}
	}
	if _, err := s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	for e, err := range s.Store.(store.Walker).Walk(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		return e.Name
	}
	return ""
}

// TestFieldsReachTheHook, and so does the path of a file of a directory.
func TestFieldsReachTheHook(t *testing.T) {
	t.Parallel()
	s, _ := wiretest.Grids()[0].Service(t)
	var metas []upload.Meta
	s.Hook = func(_ context.Context, turn upload.Turn) (upload.Verdict, error) {
		if turn.Kind == upload.Creating {
			metas = append(metas, turn.Record.Meta)
		}
		if turn.Kind == upload.Creating && turn.Record.Meta.Name == "bad" {
			return upload.Verdict{}, &upload.Refusal{Reason: "no bad files"}
		}
		return upload.Verdict{}, nil
	}
	const form = "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n" +
		"--x\r\nContent-Disposition: form-data; name=\"f\"; filename=\"dir/../sub/one\"\r\n\r\nhello\r\n" +
		"--x\r\nContent-Disposition: form-data; name=\"b\"\r\n\r\n2\r\n" +
		"--x\r\nContent-Disposition: form-data; name=\"f\"; filename=\"bad\"\r\n\r\nworld\r\n--x--"
	r := httptest.NewRequest("POST", "/upload", strings.NewReader(form))
	r.Header.Set("Content-Type", "multipart/form-data; boundary=x")
	w := httptest.NewRecorder()
	plain.Handler(s, plain.Options{}).ServeHTTP(w, r)
	if w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "no bad files") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if len(metas) != 2 || metas[0].Name != "one" || metas[0].Path != "sub/one" || len(metas[0].Fields) != 1 || metas[0].Fields["a"] != "1" || metas[1].Fields["b"] != "2" {
		t.Errorf("the hook was told %+v", metas)
	}
	if got := left(t, s); got != "" {
		t.Errorf("%s is left", got)
	}
}

func TestDefaultType(t *testing.T) {
	t.Parallel()
	s, _ := wiretest.Grids()[0].Service(t)
	s.Type = "application/x-mule"
	w := httptest.NewRecorder()
	plain.Handler(s, plain.Options{}).ServeHTTP(w, httptest.NewRequest("PUT", "/upload", strings.NewReader("x")))
	if w.Code != http.StatusCreated || !strings.Contains(w.Body.String(), `"type":"application/x-mule"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// TestTroubleIsNotTheClients: what the store cannot do is told as 503 and 507,
// without its reasons.
func TestTroubleIsNotTheClients(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err    error
		status int
	}{{store.ErrFull, 507}, {errors.New("/secret/path"), 503}} {
		s, _ := wiretest.Grids()[0].Service(t)
		s.Store = failing{s.Store, c.err}
		const form = "--x\r\nContent-Disposition: form-data; name=\"f\"; filename=\"one\"\r\n\r\nhello\r\n--x--"
		r := httptest.NewRequest("POST", "/upload", strings.NewReader(form))
		r.Header.Set("Content-Type", "multipart/form-data; boundary=x")
		w := httptest.NewRecorder()
		plain.Handler(s, plain.Options{}).ServeHTTP(w, r)
		if w.Code != c.status || strings.Contains(w.Body.String(), "secret") || w.Header().Get("Retry-After") == "" {
			t.Errorf("%d %v %s, want %d", w.Code, w.Header(), w.Body, c.status)
		}
	}
}

// failing is a store in which nothing can be begun.
type failing struct {
	store.Store
	err error
}

func (f failing) Begin(context.Context, string, store.Spec) (store.Object, error) {
	return store.Object{}, f.err
}

// TestLimits: what a form may have beside its files, to the byte.
func TestLimits(t *testing.T) {
	t.Parallel()
	const file = "--x\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a\"\r\n\r\nhello\r\n"
	field := func(n int) string {
		return "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n" + strings.Repeat("x", n) + "\r\n"
	}
	for name, c := range map[string]struct {
		form   string
		status int
	}{
		"most fields":              {strings.Repeat(field(4096), 32) + file + "--x--", 201},
		"too many fields":          {strings.Repeat(field(1), 33) + file + "--x--", 400},
		"fields after":             {file + strings.Repeat(field(1), 33) + "--x--", 400},
		"large field":              {field(4097) + file + "--x--", 413},
		"large field after a file": {file + field(4097) + "--x--", 413},
		"endless field":            {field(1<<20) + file + "--x--", 413},
		"long headers":             {"--x\r\nX-Long: " + strings.Repeat("x", 70_000) + "\r\n\r\n\r\n" + file + "--x--", 413},
		"long preamble":            {strings.Repeat("preamble\r\n", 7_000) + file + "--x--", 413},
		"long epilogue":            {file + "--x--\r\n" + strings.Repeat("epilogue\r\n", 7_000), 413},
		"short epilogue":           {file + "--x--\r\n" + strings.Repeat("epilogue\r\n", 5_000), 201},
	} {
		s, _ := wiretest.Grids()[1].Service(t)
		body := &counter{r: strings.NewReader(c.form)}
		r := httptest.NewRequest("POST", "/upload", body)
		r.Header.Set("Content-Type", "multipart/form-data; boundary=x")
		w := httptest.NewRecorder()
		plain.Handler(s, plain.Options{}).ServeHTTP(w, r)
		if w.Code != c.status {
			t.Errorf("%s: %d %s, want %d", name, w.Code, w.Body, c.status)
		}
		if got := left(t, s); (got == "") != (c.status != 201) {
			t.Errorf("%s: %q is left", name, got)
		}
		if body.n > 200_000 {
			t.Errorf("%s: %d bytes were read", name, body.n)
		}
	}
}

type counter struct {
	r io.Reader
	n int
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}
