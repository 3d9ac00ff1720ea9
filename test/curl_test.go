package test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/muleteer/muleteer/internal/trial"
)

// curl runs curl, which must succeed, and returns what it writes.
func curl(t *testing.T, args ...string) string {
	t.Helper()
	var out, complaint bytes.Buffer
	cmd := exec.Command("curl", append([]string{"--silent", "--show-error", "--max-time", "60"}, args...)...)
	cmd.Env = trial.Environment()
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		t.Fatalf("curl %q: %v: %s%s", args, err, complaint.String(), out.String())
	}
	return out.String()
}

// file writes a file to be sent.
func file(t *testing.T, u *truth) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), u.name)
	if err := os.WriteFile(name, u.data, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// header finds the value of a header in what curl -i writes.
func header(t *testing.T, answer, name string) string {
	t.Helper()
	m := regexp.MustCompile(`(?im)^` + name + `: (.*?)\r?$`).FindStringSubmatch(answer)
	if m == nil {
		t.Fatalf("there is no %s in:\n%s", name, answer)
	}
	return m[1]
}

// breakOff starts a slow curl and kills it when the server has some bytes.
func breakOff(t *testing.T, s *server, name string, args ...string) {
	t.Helper()
	var out bytes.Buffer
	p, err := trial.Launch(exec.Command("curl", append([]string{"--silent", "--limit-rate", "400k"}, args...)...), &out)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Kill()
	within(t, 20*time.Second, "curl has brought some bytes", func() bool {
		if p.Ended() {
			t.Fatalf("curl has ended: %s", out.String())
		}
		for _, v := range list(t, http.DefaultClient, s, "open") {
			if v.Name == name && v.Offset > 100_000 {
				return true
			}
		}
		return false
	})
}

// TestCurl is what a person does who has nothing but curl.
func TestCurl(t *testing.T) {
	t.Parallel()
	s := serve(t)
	u := newTruth("holiday film.mp4", trial.Noise(2<<20, seed(t)))
	local := file(t, u)
	// curl -T with a slash at the end takes the name from the file.
	breakOff(t, s, u.name, "-T", local, s.URL("/upload/"))
	at := s.URL("/upload/holiday%20film.mp4")
	answer := curl(t, "-i", "-X", "PUT", "-H", "Content-Range: bytes */*", at)
	if !strings.HasPrefix(answer, "HTTP/1.1 308 ") {
		t.Fatalf("the question is answered:\n%s", answer)
	}
	last, err := strconv.Atoi(strings.TrimPrefix(header(t, answer, "Range"), "bytes=0-"))
	if err != nil || last < 100_000 {
		t.Fatalf("the question is answered:\n%s", answer)
	}
	// The rest breaks too, because the server dies.
	var out bytes.Buffer
	p, err := trial.Launch(exec.Command("curl", "--silent", "--limit-rate", "400k", "-C", strconv.Itoa(last+1), "-T", local, at), &out)
	if err != nil {
		t.Fatal(err)
	}
	within(t, 20*time.Second, "curl goes on", func() bool {
		open := list(t, http.DefaultClient, s, "open")
		return len(open) == 1 && open[0].Offset > int64(last+100_000)
	})
	s.Kill()
	if code, err := p.Code(20 * time.Second); code == 0 || err != nil {
		t.Fatalf("curl ended with code %d, %v, when the server died: %s", code, err, out.String())
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	answer = curl(t, "-i", "-X", "PUT", "-H", "Content-Range: bytes */*", at)
	again, err := strconv.Atoi(strings.TrimPrefix(header(t, answer, "Range"), "bytes=0-"))
	if err != nil || again < last+100_000 {
		t.Fatalf("after the restart the question is answered:\n%s", answer)
	}
	u.named(idOf(t, curl(t, "--fail", "-C", strconv.Itoa(again+1), "-T", local, at)))
	got := curl(t, "--fail", s.URL("/files/"+u.now().id))
	if err := u.same(strings.NewReader(got)); err != nil {
		t.Error(err)
	}
	if part := curl(t, "--fail", "-r", "1000000-1000999", s.URL("/files/"+u.now().id)); part != string(u.data[1_000_000:1_001_000]) {
		t.Errorf("of a range come %d bytes, and not those", len(part))
	}
	if len(list(t, http.DefaultClient, s, "done")) != 1 {
		t.Error("there is not one file")
	}
	s.End(t)
	s.Check(t)
}

// TestCurlForm sends a form with two files, and the body of a POST.
func TestCurlForm(t *testing.T) {
	t.Parallel()
	seed := seed(t)
	s := serve(t)
	a, b := newTruth("a.bin", trial.Noise(300_000, seed)), newTruth("ü b.txt", trial.Noise(7, seed+1))
	answer := curl(t, "--fail", "-F", "note=hello", "-F", "file=@"+file(t, a), "-F", "file=@"+file(t, b), s.URL("/upload"))
	first, second, ok := strings.Cut(answer[strings.Index(answer, `"files":[`):], "},{")
	if !ok {
		t.Fatalf("of two files comes %s", answer)
	}
	a.named(idOf(t, first))
	b.named(idOf(t, second))
	c := newTruth("c", trial.Noise(50_000, seed+2))
	c.named(idOf(t, curl(t, "--fail", "--data-binary", "@"+file(t, c), s.URL("/upload/c"))))
	for _, u := range []*truth{a, b, c} {
		if err := u.download(http.DefaultClient, s); err != nil {
			t.Error(err)
		}
	}
	for _, v := range list(t, http.DefaultClient, s, "done") {
		if v.ID == b.now().id && v.Name != b.name {
			t.Errorf("the file %q is called %q", b.name, v.Name)
		}
	}
	if text := curl(t, s.URL("/")); !strings.Contains(text, "curl -T") || !strings.Contains(text, s.Address) {
		t.Errorf("a person with curl is told: %s", text)
	}
}

// TestCurlTus speaks tus by hand, over a break.
func TestCurlTus(t *testing.T) {
	t.Parallel()
	s := serve(t)
	u := newTruth("tus.bin", trial.Noise(2<<20, seed(t)))
	local := file(t, u)
	tus := []string{"-i", "-H", "Tus-Resumable: 1.0.0"}
	answer := curl(t, append(tus, "-X", "POST", "-H", fmt.Sprintf("Upload-Length: %d", len(u.data)),
		"-H", "Upload-Metadata: filename "+base64.StdEncoding.EncodeToString([]byte(u.name)), s.URL("/tus/"))...)
	url := header(t, answer, "Location")
	u.named(filepath.Base(url))
	media := []string{"-H", "Content-Type: application/offset+octet-stream"}
	breakOff(t, s, u.name, append(append(tus, media...), "-X", "PATCH", "-H", "Upload-Offset: 0", "-H", "Expect:",
		"--data-binary", "@"+local, url)...)
	answer = curl(t, append(tus, "--head", url)...)
	offset, err := strconv.Atoi(header(t, answer, "Upload-Offset"))
	if err != nil || offset < 100_000 {
		t.Fatalf("HEAD:\n%s", answer)
	}
	rest := newTruth("rest", u.data[offset:])
	sum := sha256.Sum256(rest.data)
	answer = curl(t, append(append(tus, media...), "--fail", "-X", "PATCH", "-H", fmt.Sprintf("Upload-Offset: %d", offset),
		"-H", "Upload-Checksum: sha256 "+base64.StdEncoding.EncodeToString(sum[:]), "--data-binary", "@"+file(t, rest), url)...)
	if got := header(t, answer, "Upload-Offset"); got != strconv.Itoa(len(u.data)) {
		t.Errorf("PATCH:\n%s", answer)
	}
	if err := u.download(http.DefaultClient, s); err != nil {
		t.Error(err)
	}
}
