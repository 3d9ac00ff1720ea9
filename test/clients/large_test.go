package clients

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"testing"
	"time"

	"github.com/muleteer/muleteer/internal/trial"
)

// TestLarge sends 5 GiB through Resumable.js, in more than 5,000 chunks, and
// has the server killed at one of the first.
func TestLarge(t *testing.T) {
	if os.Getenv("MULETEER_LONG") != "1" {
		t.Skip("it takes minutes; MULETEER_LONG=1 runs it")
	}
	t.Parallel()
	var resumable client
	for _, c := range clients() {
		if c.page == "resumable.js" {
			resumable = c // the newest
		}
	}
	s := newStage(t, openBrowser(t), resumable)
	name := filepath.Join(s.dir, "large.bin")
	sum := write(t, name, 5<<30+12345)
	storm := s.line.brew(killed, s.chunk, nil, nil)
	p := s.browser.open(t, s.client, "large", s.line.url+"/page")
	p.limit = time.Hour
	p.choose(t, name)
	s.persist(t, p, storm, name)
	if !storm.over() {
		t.Fatal("the server was not killed")
	}
	if err := os.Remove(name); err != nil {
		t.Error(err)
	}
	got := trial.Sums(t, s.server.Store(), path.Base)
	if want := "large.bin " + sum; len(got) != 1 || got[0] != want {
		t.Fatalf("the store has %v and not %s", got, want)
	}
}

// write makes a file of so many bytes and returns its SHA-256.
func write(t *testing.T, name string, size int64) string {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h, b := sha256.New(), bufio.NewWriterSize(f, 1<<20)
	if _, err := io.CopyN(io.MultiWriter(h, b), rand.NewChaCha8([32]byte{5}), size); err != nil {
		t.Fatal(err)
	}
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(h.Sum(nil))
}
