package filepond_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/muleteer/muleteer/protocol/filepond"
	"github.com/muleteer/muleteer/protocol/files"
	"github.com/muleteer/muleteer/protocol/wiretest"
	"github.com/muleteer/muleteer/upload"
)

func TestConversations(t *testing.T) {
	wiretest.Play(t, "testdata/*.txt", func(_ testing.TB, s *upload.Service) http.Handler {
		pond, reading := filepond.Handler(s, filepond.Options{}), files.Handler(s, files.Options{})
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, "/filepond/") {
				pond.ServeHTTP(w, r)
				return
			}
			reading.ServeHTTP(w, r)
		})
	})
}
