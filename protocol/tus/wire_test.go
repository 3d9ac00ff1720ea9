package tus_test

import (
	"net/http"
	"testing"

	"github.com/muleteer/muleteer/protocol/tus"
	"github.com/muleteer/muleteer/protocol/wiretest"
	"github.com/muleteer/muleteer/upload"
)

// TestConversations plays the checklist; each conversation is named with the
// line of it that it checks.
func TestConversations(t *testing.T) {
	wiretest.Play(t, "testdata/*.txt", func(_ testing.TB, s *upload.Service) http.Handler {
		return tus.Handler(s, tus.Options{})
	})
}
