package chunkform_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/muleteer/muleteer/protocol/chunkform"
	"github.com/muleteer/muleteer/protocol/files"
	"github.com/muleteer/muleteer/protocol/wiretest"
	"github.com/muleteer/muleteer/upload"
)

// mounted is the protocol, and what is needed to see what became of it.
func mounted(s *upload.Service, o chunkform.Options) http.Handler {
	chunks, reading := chunkform.Handler(s, o), files.Handler(s, files.Options{List: true})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/form") {
			chunks.ServeHTTP(w, r)
			return
		}
		reading.ServeHTTP(w, r)
	})
}

func TestConversations(t *testing.T) {
	wiretest.Play(t, "testdata/*.txt", func(_ testing.TB, s *upload.Service) http.Handler {
		return mounted(s, chunkform.Options{Pause: -1})
	})
}

func TestCompatConversations(t *testing.T) {
	wiretest.Play(t, "testdata/compat/*.txt", func(_ testing.TB, s *upload.Service) http.Handler {
		return mounted(s, chunkform.Options{Pause: -1, Compat: true, ExactStatus: true,
			Rename: map[string]string{"no": "resumableChunkNumber", "who": "resumableIdentifier", "piece": "file"}})
	})
}
