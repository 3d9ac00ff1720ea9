package test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The file is read again at SIGHUP: what begins then goes by it, what is under
// way goes on, and a mistake changes nothing.
func TestReload(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "muleteer.yaml")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("max-size: 1000\nendpoints:\n  old: {}\n  both: {}\n")
	s := serveIn(t, dir, "--config", file)
	create := func(path string, size int) (int, string) {
		resp, _ := ask(t, http.DefaultClient, "POST", s.URL(path), nil, "Tus-Resumable", "1.0.0", "Upload-Length", fmt.Sprint(size))
		return resp.StatusCode, resp.Header.Get("Location")
	}
	_, begun := create("/both/tus/", 1000)
	_, early := create("/old/tus/", 10)
	body := newGate(strings.Repeat("a", 500))
	req, _ := http.NewRequest("PATCH", begun, body)
	req.ContentLength = 500
	req.Header = http.Header{"Tus-Resumable": {"1.0.0"}, "Upload-Offset": {"0"}, "Content-Type": {"application/offset+octet-stream"}}
	answered := make(chan int, 1)
	go func() {
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			answered <- 0
			return
		}
		resp.Body.Close()
		answered <- resp.StatusCode
	}()
	<-body.half
	hup := func(want string) {
		before := strings.Count(s.Log(), want)
		if err := s.Process().Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		for began := time.Now(); strings.Count(s.Log(), want) == before; runtime.Gosched() {
			if time.Since(began) > 30*time.Second {
				t.Fatalf("after SIGHUP the log does not say %q:\n%s", want, s.Log())
			}
		}
	}
	write("max-size: 100\nendpoints:\n  both: {}\n  new: {max-size: 50}\n")
	hup("read again")
	if code, _ := create("/tus/", 500); code != 413 {
		t.Errorf("500 bytes: %d", code)
	}
	if code, _ := create("/new/tus/", 51); code != 413 {
		t.Errorf("51 bytes at new: %d", code)
	}
	if code, _ := create("/new/tus/", 50); code != 201 {
		t.Errorf("50 bytes at new: %d", code)
	}
	if code, _ := create("/old/tus/", 5); code != 404 {
		t.Errorf("old, which is no more: %d", code)
	}
	// A later request for the same upload, by the new rules, ends the older one,
	// by the old ones: they know of each other.
	resp, _ := ask(t, http.DefaultClient, "HEAD", begun, nil, "Tus-Resumable", "1.0.0")
	if resp.StatusCode != 200 || resp.Header.Get("Upload-Offset") != "250" {
		t.Errorf("HEAD: %d, at %s", resp.StatusCode, resp.Header.Get("Upload-Offset"))
	}
	close(body.rest)
	if code := <-answered; code == 204 {
		t.Error("the older request was not ended")
	}
	write("max-size: lots\n")
	hup("stay as they were")
	if code, _ := create("/new/tus/", 50); code != 201 {
		t.Errorf("50 bytes at new, after a mistake: %d", code)
	}
	write("max-size: 100\nendpoints:\n  old: {}\n")
	hup("read again")
	if resp, _ := ask(t, http.DefaultClient, "HEAD", early, nil, "Tus-Resumable", "1.0.0"); resp.StatusCode != 200 {
		t.Errorf("old is back, and its upload is %d", resp.StatusCode)
	}
}

// gate is a body whose second half waits.
type gate struct {
	text       string
	at         int
	half, rest chan struct{}
}

func newGate(text string) *gate {
	return &gate{text: text, half: make(chan struct{}), rest: make(chan struct{})}
}

func (g *gate) Read(p []byte) (int, error) {
	end := len(g.text) / 2
	if g.at == end {
		close(g.half)
		<-g.rest
		end = len(g.text)
	} else if g.at > end {
		end = len(g.text)
	}
	n := copy(p, g.text[g.at:end])
	g.at += n
	return n, nil
}
