package files_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/muleteer/muleteer/protocol/contentrange"
	"github.com/muleteer/muleteer/protocol/files"
	"github.com/muleteer/muleteer/protocol/wiretest"
	"github.com/muleteer/muleteer/upload"
)

func TestConversations(t *testing.T) {
	wiretest.Play(t, "testdata/*.txt", func(_ testing.TB, s *upload.Service) http.Handler {
		uploads, read := contentrange.Handler(s, contentrange.Options{}), files.Handler(s, files.Options{List: true})
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, "/upload/") {
				uploads.ServeHTTP(w, r)
				return
			}
			read.ServeHTTP(w, r)
		})
	})
}

// TestStrangers: others' uploads are not there, and where strangers share an
// owner, nothing is listed.
func TestStrangers(t *testing.T) {
	t.Parallel()
	s, _ := wiretest.Grids()[0].Service(t)
	u, err := s.Take(upload.As(t.Context(), "ann"), upload.New{Protocol: "test", Size: 5},
		upload.Chunk{Len: 5, Size: 5, Last: true, Body: strings.NewReader("hello")})
	if err != nil {
		t.Fatal(err)
	}
	get := func(owner, method, path string, list bool) (int, string) {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(method, path, nil)
		files.Handler(s, files.Options{List: list}).ServeHTTP(w, r.WithContext(upload.As(r.Context(), owner)))
		return w.Code, w.Body.String()
	}
	unknown := strings.Repeat("A", len(u.ID))
	for _, method := range []string{"GET", "HEAD", "DELETE"} {
		for _, path := range []string{"/files/", "/uploads/"} {
			status, body := get("bob", method, path+u.ID, true)
			nobodys, nothing := get("bob", method, path+unknown, true)
			if status != http.StatusNotFound || nobodys != status || body != nothing {
				t.Errorf("%s %s: a stranger's is %d %s, nobody's %d %s", method, path, status, body, nobodys, nothing)
			}
		}
	}
	if _, body := get("bob", "GET", "/uploads", true); body != "[]\n" {
		t.Errorf("bob sees %s", body)
	}
	if _, body := get("ann", "GET", "/uploads", true); !strings.Contains(body, u.ID) {
		t.Errorf("ann sees %s", body)
	}
	if status, body := get("ann", "GET", "/uploads", false); status != http.StatusOK || body != "[]\n" {
		t.Errorf("without List there is %d %s", status, body)
	}
	if status, body := get("ann", "GET", "/files/"+u.ID, false); status != http.StatusOK || body != "hello" {
		t.Errorf("ann reads %d %s", status, body)
	}
}
