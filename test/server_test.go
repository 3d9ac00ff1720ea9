package test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/muleteer/muleteer/internal/trial"
)

// server is a `muleteer serve` with what only these tests ask of it.
type server struct{ *trial.Server }

// serve starts a server that lives as long as the test.
func serve(t *testing.T, args ...string) *server {
	t.Helper()
	return serveIn(t, t.TempDir(), args...)
}

func serveIn(t *testing.T, dir string, args ...string) *server {
	t.Helper()
	return &server{trial.Serve(t, program, dir, args...)}
}

// onWay lists the files of uploads that are not finished.
func (s *server) onWay(t *testing.T) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(s.Store(), ".muleteer"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != "lock" {
			names = append(names, e.Name())
		}
	}
	return names
}
