//go:build browser

package browser

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// server is `muleteer serve` with a data directory and an address that stay
// the same however often it dies.
type server struct {
	dir, address string
	args         []string
	log          *os.File
	child        *exec.Cmd
}

// environment is ours without what would configure the program.
func environment() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return strings.HasPrefix(name, "MULETEER_") || strings.HasSuffix(strings.ToLower(name), "_proxy") ||
			slices.Contains([]string{"PORT", "DATABASE_URL", "BUCKET", "MIME_TYPE", "CHUNK_SIZE"}, name)
	})
}

// lastPort keeps tests from trying one port at the same time.
var lastPort atomic.Int64

func serve(t *testing.T, args ...string) *server {
	t.Helper()
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	s := &server{dir: t.TempDir(), args: args, log: log}
	t.Cleanup(func() {
		s.kill()
		if t.Failed() {
			said, _ := os.ReadFile(log.Name())
			t.Logf("the server wrote:\n%s", said)
		}
		log.Close()
	})
	// The address has to be ours again after each restart, so it is not one of
	// those that the kernel gives to connections.
	for range 1000 {
		s.address = fmt.Sprintf("127.0.0.1:%d", 10000+(os.Getpid()*40+int(lastPort.Add(1)))%20000)
		l, err := net.Listen("tcp", s.address)
		if err != nil {
			continue
		}
		l.Close()
		if err = s.start(); err == nil {
			return s
		}
	}
	t.Fatal("there is no free port")
	return nil
}

// start starts the process and returns when it answers.
func (s *server) start() error {
	c := exec.Command(program, append([]string{"serve", "--listen", s.address}, s.args...)...)
	c.Dir, c.Env, c.Stdout, c.Stderr = s.dir, environment(), s.log, s.log
	if err := c.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		_ = c.Wait()
		close(ended)
	}()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Second}
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		select {
		case <-ended:
			return errors.New("the server ended at once")
		default:
		}
		if resp, err := client.Get("http://" + s.address + "/healthz"); err == nil {
			resp.Body.Close()
			s.child = c
			return nil
		}
	}
	_ = c.Process.Kill()
	return errors.New("the server did not answer within 20 s of its start")
}

// kill is kill -9, if it runs.
func (s *server) kill() {
	if s.child != nil {
		_ = s.child.Process.Kill()
		s.child = nil
	}
}

// sums are the SHA-256 of all files below a directory, sorted, each with what
// name says of its path.
func sums(t *testing.T, dir string, name func(path string) string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			if d != nil && d.Name() == ".muleteer" {
				return fs.SkipDir // what is on its way
			}
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		h := sha256.New()
		if _, err := io.Copy(h, f); err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		found = append(found, name(filepath.ToSlash(rel))+" "+hex.EncodeToString(h.Sum(nil)))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(found)
	return found
}

// arrived wants in the store what is in the folder, each once and nothing else.
// With paths, the folders have to be the same too.
func (s *stage) arrived(t *testing.T, paths bool) {
	t.Helper()
	name := filepath.Base
	if paths {
		name = func(path string) string { return path }
	}
	want := sums(t, s.dir, name)
	got := sums(t, filepath.Join(s.server.dir, "muleteer-data", "files"), name)
	if len(want) == 0 || !slices.Equal(got, want) {
		t.Errorf("%d files are in the store that do not equal the %d that were sent", len(got), len(want))
		for i := range min(len(got), len(want), 20) {
			if got[i] != want[i] {
				t.Logf("sent %s\nhere %s", want[i], got[i])
			}
		}
	}
}
