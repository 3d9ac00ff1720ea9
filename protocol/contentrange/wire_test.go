package contentrange_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/muleteer/muleteer/internal/wire"
	"github.com/muleteer/muleteer/protocol/contentrange"
	"github.com/muleteer/muleteer/protocol/wiretest"
	"github.com/muleteer/muleteer/upload"
)

// mount serves uploads by o, and reads finished files back.
func mount(s *upload.Service, o contentrange.Options) http.Handler {
	uploads := contentrange.Handler(s, o)
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
}

func TestConversations(t *testing.T) {
	wiretest.Play(t, "testdata/*.txt", func(_ testing.TB, s *upload.Service) http.Handler {
		return mount(s, contentrange.Options{})
	})
}

func TestCompatConversations(t *testing.T) {
	wiretest.Play(t, "testdata/compat/*.txt", func(_ testing.TB, s *upload.Service) http.Handler {
		return mount(s, contentrange.Options{Compat: true, BareRange: true})
	})
}
