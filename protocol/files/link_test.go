package files_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/muleteer/muleteer/protocol/files"
	"github.com/muleteer/muleteer/state"
	"github.com/muleteer/muleteer/store"
	"github.com/muleteer/muleteer/store/mem"
	"github.com/muleteer/muleteer/upload"
)

// elsewhere is a store that sends readers away.
type elsewhere struct {
	*mem.Store
	at string
}

func (e elsewhere) Link(_ context.Context, o store.Object, kind, disposition string) (string, error) {
	if e.at == "" {
		return "", nil
	}
	return e.at + o.Key + "?" + kind + "&" + disposition, nil
}

// TestLink: where the store wants it, who may read a file is sent there, and
// nobody else is told where that is.
func TestLink(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"", "https://bucket.example.org/"} {
		s := &upload.Service{Store: elsewhere{mem.New(mem.Options{}), at}, State: state.Memory(nil)}
		u, err := s.Take(upload.As(t.Context(), "ann"), upload.New{Size: 5, Type: "text/html", Meta: upload.Meta{Name: "a.html"}},
			upload.Chunk{Len: 5, Size: 5, Last: true, Body: strings.NewReader("hello")})
		if err != nil {
			t.Fatal(err)
		}
		ask := func(owner, method string) *http.Response {
			w := httptest.NewRecorder()
			r := httptest.NewRequest(method, "/files/"+u.ID, nil)
			files.Handler(s, files.Options{}).ServeHTTP(w, r.WithContext(upload.As(r.Context(), owner)))
			return w.Result()
		}
		got := ask("ann", "GET")
		want, to := http.StatusTemporaryRedirect, at+u.Key+"?text/html&attachment"
		if at == "" {
			want, to = http.StatusOK, ""
		}
		if got.StatusCode != want || !strings.HasPrefix(got.Header.Get("Location"), to) || got.Header.Get("Cache-Control") == "" {
			t.Errorf("%q: GET: %s, %v", at, got.Status, got.Header)
		}
		if got := ask("ann", "HEAD"); got.StatusCode != http.StatusOK || got.ContentLength != 5 {
			t.Errorf("%q: HEAD: %s", at, got.Status)
		}
		if got := ask("bob", "GET"); got.StatusCode != http.StatusNotFound || got.Header.Get("Location") != "" {
			t.Errorf("%q: bob's GET: %s, %v", at, got.Status, got.Header)
		}
	}
}
