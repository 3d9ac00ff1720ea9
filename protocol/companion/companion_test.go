package companion_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/muleteer/muleteer/protocol/companion"
	"github.com/muleteer/muleteer/protocol/files"
	"github.com/muleteer/muleteer/protocol/wiretest"
	"github.com/muleteer/muleteer/upload"
)

func TestConversations(t *testing.T) {
	wiretest.Play(t, "testdata/*.txt", func(_ testing.TB, s *upload.Service) http.Handler {
		uppy, reading := companion.Handler(s, companion.Options{Key: []byte("a key of the server")}), files.Handler(s, files.Options{})
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, "/s3/") || r.URL.Path == "/s3/object" {
				uppy.ServeHTTP(w, r)
				return
			}
			reading.ServeHTTP(w, r)
		})
	})
}
