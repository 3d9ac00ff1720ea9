package filepond_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/protocol/filepond"
	"github.com/muleteer/muleteer/protocol/wiretest"
	"github.com/muleteer/muleteer/store"
	"github.com/muleteer/muleteer/upload"
)

// send sends one request; headers are pairs.
func send(s *upload.Service, method, target string, body io.Reader, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, body)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	filepond.Handler(s, filepond.Options{}).ServeHTTP(w, r)
	return w
}

const form = "--x\r\nContent-Disposition: form-data; name=\"filepond\"\r\n\r\n{}\r\n" +
	"--x\r\nContent-Disposition: form-data; name=\"filepond\"; filename=\"one\"\r\n\r\nhello\r\n--x--"

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// A form that breaks leaves nothing: nobody was told of the file.
func TestBrokenFormLeavesNothing(t *testing.T) {
	t.Parallel()
	for n := range len(form) {
		s, _ := wiretest.Grids()[1].Service(t)
		w := send(s, "POST", "/filepond/", io.MultiReader(strings.NewReader(form[:n]), broken{}), "Content-Type", "multipart/form-data; boundary=x")
		if w.Code != 400 {
			t.Errorf("broken after %d bytes: %d %s", n, w.Code, w.Body)
		}
		for u, err := range s.Find(t.Context(), upload.Query{}) {
			if err != nil || u.Phase != upload.Gone {
				t.Errorf("broken after %d bytes: %v, %v is left", n, err, u)
			}
		}
	}
}

// Two chunks at once, in any order, each twice.
func TestChunksAtOnce(t *testing.T) {
	t.Parallel()
	const size, step = 10_000, 700
	want := wiretest.Rand(size, 3, 0)
	for _, g := range wiretest.Grids() {
		s, _ := g.Service(t)
		id := send(s, "POST", "/filepond/", nil, "Upload-Length", strconv.Itoa(size)).Body.String()
		var all sync.WaitGroup
		for _, i := range rand.Perm(2 * (size/step + 1)) {
			at := i / 2 * step
			chunk := want[at:min(at+step, size)]
			all.Go(func() {
				w := send(s, "PATCH", "/filepond/?id="+id, strings.NewReader(string(chunk)), "Upload-Offset", strconv.Itoa(at), "Upload-Length", strconv.Itoa(size))
				if w.Code != 204 && w.Code != 409 { // the repeat took over, and brings the same
					t.Errorf("%s: %d %s", g.Name, w.Code, w.Body)
				}
			})
		}
		all.Wait()
		r, _, err := s.Open(t.Context(), id, extent.At(0, -1))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		r.Close()
		if err != nil || string(got) != string(want) {
			t.Errorf("%s: %d bytes are not what was sent, %v", g.Name, len(got), err)
		}
	}
}

// A name is UTF-8, or else each of its bytes is a character.
func TestNames(t *testing.T) {
	t.Parallel()
	for said, want := range map[string]string{
		"a.txt": "a.txt", "\xc3\xbcb.txt": "üb.txt", "\xfcb.txt": "üb.txt", "../../a": "a", "": "", "..": "",
	} {
		s, _ := wiretest.Grids()[0].Service(t)
		id := send(s, "POST", "/filepond/", nil, "Upload-Length", "10").Body.String()
		send(s, "PATCH", "/filepond/?id="+id, strings.NewReader("hello"), "Upload-Offset", "0", "Upload-Name", said)
		send(s, "PATCH", "/filepond/?id="+id, strings.NewReader("world"), "Upload-Offset", "5", "Upload-Name", "another")
		u, err := s.Get(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if want == "" {
			want = "another"
		}
		if u.Phase != upload.Done || u.Meta.Name != want {
			t.Errorf("%q is %q, %v", said, u.Meta.Name, u.Phase)
		}
	}
}

// failing is a store that takes no bytes.
type failing struct {
	store.Store
	err error
}

func (f failing) Put(context.Context, store.Object, extent.Extent, io.Reader, func(store.Part) error) error {
	return f.err
}

// Errors are a short line for the person who uploads, and tell nothing else.
func TestErrors(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]int{errors.New("secret"): 503, store.ErrFull: 507} {
		s, _ := wiretest.Grids()[0].Service(t)
		s.Store = failing{s.Store, err}
		id := send(s, "POST", "/filepond/", nil, "Upload-Length", "10").Body.String()
		w := send(s, "PATCH", "/filepond/?patch="+id, strings.NewReader("hello"), "Upload-Offset", "0")
		if w.Code != want || w.Header().Get("Retry-After") == "" || strings.Contains(w.Body.String(), "secret") || w.Header().Get("Upload-Offset") != "0" {
			t.Errorf("%v: %d %v %s", err, w.Code, w.Header(), w.Body)
		}
	}
	for _, status := range []int{0, 422} {
		s, _ := wiretest.Grids()[0].Service(t)
		s.Hook = func(_ context.Context, turn upload.Turn) (upload.Verdict, error) {
			if turn.Kind == upload.FirstBytes {
				return upload.Verdict{}, &upload.Refusal{Status: status, Reason: "no films"}
			}
			return upload.Verdict{}, nil
		}
		id := send(s, "POST", "/filepond/", nil, "Upload-Length", "5000").Body.String()
		w := send(s, "PATCH", "/filepond/?patch="+id, strings.NewReader(string(make([]byte, 4096))), "Upload-Offset", "0")
		if want := max(status, 415); w.Code != want || w.Body.String() != "no films" {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		if w := send(s, "PATCH", "/filepond/?patch="+id, strings.NewReader("x"), "Upload-Offset", "4096"); w.Code != 410 {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
	// A file may show by its last bytes, too, that it is not wanted.
	for _, g := range wiretest.Grids() {
		s, _ := g.Service(t)
		s.Hook = func(_ context.Context, turn upload.Turn) (upload.Verdict, error) {
			if turn.Kind == upload.LastBytes {
				return upload.Verdict{}, &upload.Refusal{Reason: "no films"}
			}
			return upload.Verdict{}, nil
		}
		id := send(s, "POST", "/filepond/", nil, "Upload-Length", "5000").Body.String()
		w := send(s, "PATCH", "/filepond/?id="+id, strings.NewReader(string(make([]byte, 4096))), "Upload-Offset", "904")
		if w.Code != 415 || w.Body.String() != "no films" {
			t.Errorf("%s: %d %s", g.Name, w.Code, w.Body)
		}
		if w := send(s, "PATCH", "/filepond/?id="+id, strings.NewReader(string(make([]byte, 904))), "Upload-Offset", "0"); w.Code != 410 {
			t.Errorf("%s: %d %s", g.Name, w.Code, w.Body)
		}
	}
	s, _ := wiretest.Grids()[0].Service(t)
	s.MaxSize = 4
	for _, w := range []*httptest.ResponseRecorder{
		send(s, "POST", "/filepond/", nil, "Upload-Length", "5"),
		send(s, "POST", "/filepond/", strings.NewReader(form), "Content-Type", "multipart/form-data; boundary=x"),
	} {
		if w.Code != 413 || strings.Contains(fmt.Sprint(w.Header()), "json") {
			t.Errorf("%d %v", w.Code, w.Header())
		}
	}
}
