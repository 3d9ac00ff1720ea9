//go:build linux

package test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/muleteer/muleteer/internal/trial"
)

// smallDisk mounts a file system of so many bytes for the test.
func smallDisk(t *testing.T, size int) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
		t.Fatalf("a small disk cannot be mounted: %v; this test has to run as root, or where `unshare -rm` works", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// asRoot runs the test once more in a namespace in which it may mount, if it
// may not here; true says that this has been done.
func asRoot(t *testing.T) bool {
	t.Helper()
	if os.Geteuid() == 0 {
		return false
	}
	cmd := exec.Command("unshare", "--user", "--map-root-user", "--mount", os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), trial.Given+"="+program)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("as root of a namespace of its own: %v\n%s", err, out)
	}
	t.Logf("as root of a namespace of its own:\n%s", out)
	return true
}

// TestDiskFull: when nothing fits any more, the truth is told, what is here
// stays, and what needs no space works.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	if asRoot(t) {
		return
	}
	seed := seed(t)
	dir := smallDisk(t, 32<<20)
	s := serveIn(t, dir)
	c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

	filler := newTruth("filler", trial.Noise(14<<20, seed))
	resp, body := ask(t, c, "PUT", s.URL("/upload/filler"), bytes.NewReader(filler.data))
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("PUT: %s: %s", resp.Status, body)
	}
	filler.named(idOf(t, body))

	// A tus upload reaches the end of the disk.
	u := newTruth("tus", trial.Noise(22<<20, seed+1))
	url := create(t, s, len(u.data))
	u.named(path.Base(url))
	at := fill(t, s, u, url)
	// Another one, by ranges, finds no space at all.
	v := newTruth("range", trial.Noise(3<<20, seed+2))
	resp, body = ask(t, c, "PUT", s.URL("/upload/range"), bytes.NewReader(v.data))
	if resp.StatusCode != http.StatusInsufficientStorage {
		t.Errorf("PUT on the full disk: %s: %s", resp.Status, body)
	}
	here := told(t, c, s)
	// Nothing more fits, and nothing is lost by trying.
	for range 3 {
		resp, _ := ask(t, c, "POST", s.URL("/tus/"), bytes.NewReader(v.data), "Tus-Resumable", "1.0.0",
			"Upload-Length", strconv.Itoa(len(v.data)), "Content-Type", "application/offset+octet-stream")
		switch resp.StatusCode {
		case http.StatusInsufficientStorage:
		case http.StatusCreated: // with what could be kept, perhaps nothing
			remove(t, c, resp.Header.Get("Location"))
		default:
			t.Errorf("POST on the full disk: %s", resp.Status)
		}
		if again := head(t, url); again < at {
			t.Errorf("HEAD tells %d, and told %d before", again, at)
		}
		if again := told(t, c, s); again < here {
			t.Errorf("the query tells %d, and told %d before", again, here)
		}
	}
	if err := filler.download(c, s); err != nil {
		t.Error(err)
	}
	// kill -9 on a full disk is survived too.
	s.Kill()
	if err := s.Start(); err != nil {
		t.Fatalf("the server does not start on a full disk: %v", err)
	}
	at = head(t, url)
	remove(t, c, s.URL("/files/"+filler.now().id))

	// With space again, both go on and end right.
	within(t, 15*time.Second, "the space is free again", func() bool { return free(t, dir) > 12<<20 })
	if resp := patch(t, url, at, u.data[at:]); resp.StatusCode != http.StatusNoContent {
		t.Errorf("PATCH with space again: %s", resp.Status)
	}
	if err := u.download(c, s); err != nil {
		t.Error(err)
	}
	contentRange := ""
	if here > 0 {
		contentRange = fmt.Sprintf("bytes %d-%d/%d", here, len(v.data)-1, len(v.data))
	}
	resp, body = ask(t, c, "PUT", s.URL("/upload/range"), bytes.NewReader(v.data[here:]), "Content-Range", contentRange)
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("PUT with space again: %s: %s", resp.Status, body)
	}
	v.named(idOf(t, body))
	if err := v.download(c, s); err != nil {
		t.Error(err)
	}
	for _, left := range list(t, c, s, "open") {
		t.Errorf("left over: %+v", left)
	}
	within(t, 10*time.Second, "no file on its way", func() bool { return len(s.onWay(t)) == 0 })
	s.End(t)
	s.Check(t)
}

// fill sends u until nothing fits any more, and returns the offset then.
func fill(t *testing.T, s *server, u *truth, url string) int {
	t.Helper()
	at := 0
	for range 100 {
		resp := patch(t, url, at, u.data[at:])
		if resp.StatusCode != http.StatusInsufficientStorage {
			t.Fatalf("PATCH at %d on the full disk: %s", at, resp.Status)
		}
		offset, err := strconv.Atoi(resp.Header.Get("Upload-Offset"))
		if err != nil || offset < at {
			t.Fatalf("507 with Upload-Offset %q after %d", resp.Header.Get("Upload-Offset"), at)
		}
		if got := head(t, url); got != offset {
			t.Fatalf("507 tells %d, and HEAD %d", offset, got)
		}
		if offset == at {
			t.Logf("full at %d, %d bytes are free", at, free(t, s.Dir))
			return at
		}
		at = offset
	}
	t.Fatal("the disk is never full")
	return 0
}

// told is the prefix that a query for the range upload tells, 0 if there is
// none.
func told(t *testing.T, c *http.Client, s *server) int {
	t.Helper()
	resp, body := ask(t, c, "PUT", s.URL("/upload/range"), nil, "Content-Range", "bytes */*")
	switch resp.StatusCode {
	case http.StatusNotFound:
		return 0
	case http.StatusPermanentRedirect:
	default:
		t.Fatalf("query: %s: %s", resp.Status, body)
	}
	n := -1
	if r := resp.Header.Get("Range"); r != "" {
		if _, err := fmt.Sscanf(r, "bytes=0-%d", &n); err != nil {
			t.Fatal(err)
		}
	}
	return n + 1
}

// free is how many bytes fit.
func free(t *testing.T, dir string) int64 {
	t.Helper()
	var st syscall.Statfs_t
	if err := syscall.Statfs(filepath.Clean(dir), &st); err != nil {
		t.Fatal(err)
	}
	return int64(st.Bavail) * st.Bsize
}
