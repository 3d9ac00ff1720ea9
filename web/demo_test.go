package web_test

import (
	"bufio"
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/muleteer/muleteer/internal/trial"
)

// picture is a PNG of nearly one colour; a grain makes it large.
func picture(t *testing.T, w, h int, c color.NRGBA, grain int) []byte {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	for i := range w * h {
		g := uint8(rng.IntN(grain + 1))
		m.SetNRGBA(i%w, i/w, color.NRGBA{c.R + g, c.G + g, c.B + g, 255})
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func write(t *testing.T, name string, b []byte) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestDemo plays the page at /resumable in a browser, and an old page with
// jQuery: drop, progress, pictures, pause, a reload, the form, the link.
func TestDemo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir+"/photo.png", picture(t, 2400, 1600, color.NRGBA{20, 110, 190, 255}, 31))
	film := trial.Noise(40_000_000, 5)
	copy(film, "\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom")
	write(t, dir+"/film.mp4", film)
	write(t, dir+"/folder/a.txt", []byte("a"))
	write(t, dir+"/folder/inner/b.txt", []byte("bb"))
	frame := write(t, t.TempDir()+"/frame.png", picture(t, 200, 150, color.NRGBA{200, 30, 30, 255}, 0))
	// A program for films is not on every machine; this one shows the same frame of all.
	s := serve(t, "--demo", "resumable", "--preview-cmd", "cat "+frame, "--verbose")
	l := newLine(t, s)
	const slow = 700 << 10
	l.rate = slow
	jquery, err := os.ReadFile("node_modules/jquery/dist/jquery.min.js")
	if err != nil {
		t.Fatalf("%v; run: npm ci --prefix web", err)
	}
	l.refusing(func(w http.ResponseWriter, r *http.Request) bool { // the application's part of the old page
		if r.URL.Path != "/jquery.js" {
			return false
		}
		w.Header().Set("Content-Type", "text/javascript")
		_, _ = w.Write(jquery)
		return true
	})

	var stderr bytes.Buffer
	c := exec.CommandContext(t.Context(), "node", "testdata/demo.mjs", l.URL, dir, os.Getenv("MULETEER_SHOTS"))
	c.Env, c.Stderr = trial.Environment(), &stderr
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		answer := int64(0)
		switch lines.Text() {
		case "carried":
			answer = l.carried()
		case "fast", "slow":
			l.mu.Lock()
			l.rate = map[string]int64{"fast": 0, "slow": slow}[lines.Text()]
			l.mu.Unlock()
		case "quiet":
			for end := time.Now().Add(patience); l.look(&l.now) > 0 && time.Now().Before(end); time.Sleep(5 * time.Millisecond) { // until the line knows
			}
		}
		fmt.Fprintln(in, answer)
	}
	if err := c.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	log, err := os.ReadFile(s.LogName)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(log), "upload_token") || strings.Contains(string(log), "token of the application") {
		t.Error("the log has a token")
	}
	sums := trial.Sums(t, s.Store(), filepath.Base)
	for _, want := range trial.Sums(t, dir, filepath.Base) {
		if !strings.Contains(strings.Join(sums, "\n"), want) {
			t.Errorf("%s is not in the store as it was sent", want)
		}
	}
}
