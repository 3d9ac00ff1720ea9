package test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/muleteer/muleteer/internal/trial"
)

// spoken keeps what a process writes.
type spoken struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *spoken) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *spoken) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// TestReceiversOfTheDocs runs the receivers that docs/events.md has, as they stand.
func TestReceiversOfTheDocs(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/events.md")
	if err != nil {
		t.Fatal(err)
	}
	code := func(language string) []byte {
		_, after, _ := strings.Cut(string(page), "\n```"+language+"\n")
		text, _, found := strings.Cut(after, "\n```\n")
		if !found {
			t.Fatalf("docs/events.md has no %s", language)
		}
		return []byte(text + "\n")
	}
	dir := t.TempDir()
	write := func(name string, text []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	node := exec.Command("node", write("receiver.mjs", code("js")))
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "receiver"), write("receiver.go", code("go")))
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("the receiver in Go does not build: %v\n%s", err, out)
	}
	for name, cmd := range map[string]*exec.Cmd{"node": node, "go": exec.Command(filepath.Join(dir, "receiver"))} {
		port := 10000 + rand.IntN(20000)
		cmd.Env = append(trial.Environment(), fmt.Sprint("PORT=", port), "SECRET="+hookSecret)
		out := new(spoken)
		p, err := trial.Launch(cmd, out)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.Kill)
		url := fmt.Sprintf("http://localhost:%d/uploads", port)
		c := &http.Client{Timeout: 10 * time.Second}
		within(t, time.Minute, name+" answers", func() bool {
			resp, err := c.Post(url, "application/json", strings.NewReader("{}"))
			if err != nil {
				return false
			}
			defer resp.Body.Close()
			if resp.StatusCode != http.StatusUnauthorized {
				t.Fatalf("%s takes a forged message: %s", name, resp.Status)
			}
			return true
		})
		s := serve(t, "--hook-url", url, "--hook-secret", "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA,"+hookSecret)
		if resp, body := ask(t, c, "PUT", s.URL("/upload/cat.png"), strings.NewReader("miau")); resp.StatusCode > 299 {
			t.Fatal(body)
		}
		within(t, time.Minute, name+" is told", func() bool { return strings.Contains(out.String(), "completed cat.png") })
	}
}
