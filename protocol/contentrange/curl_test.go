package contentrange_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/muleteer/muleteer/protocol/contentrange"
	"github.com/muleteer/muleteer/protocol/wiretest"
)

// cutting is a listener on whose next connection nothing can be read any more
// when so many bytes came. It is not closed: so curl sees the break only when
// the server has done what it does about it.
type cutting struct {
	net.Listener
	after atomic.Int64 // 0: it does not end
}

func (l *cutting) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if n := l.after.Swap(0); err == nil && n > 0 {
		return &cut{Conn: c, left: n}, nil
	}
	return c, err
}

type cut struct {
	net.Conn
	left int64
}

func (c *cut) Read(p []byte) (int, error) {
	if c.left == 0 {
		return 0, net.ErrClosed
	}
	n, err := c.Conn.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	return n, err
}

// TestS2R3CurlResumes is what a person with nothing but curl does.
func TestS2R3CurlResumes(t *testing.T) {
	t.Parallel()
	for _, g := range wiretest.Grids() {
		t.Run(g.Name, func(t *testing.T) {
			t.Parallel()
			s, _ := g.Service(t)
			server := httptest.NewUnstartedServer(mount(s, contentrange.Options{}))
			line := &cutting{Listener: server.Listener}
			server.Listener = line
			server.Start()
			defer server.Close()

			content := wiretest.Rand(1<<20+17, 7, 0)
			file := filepath.Join(t.TempDir(), "grüße & co.bin")
			if err := os.WriteFile(file, content, 0o600); err != nil {
				t.Fatal(err)
			}
			whole(t, server.URL, content, curl(t, "-f", "-T", file, server.URL+"/upload/"))

			line.after.Store(700 << 10)
			url := server.URL + "/upload/film.bin"
			if out, err := exec.Command("curl", "-sS", "-f", "-T", file, url).CombinedOutput(); err == nil {
				t.Fatalf("the line was cut, and curl did not see it: %s", out)
			}
			asked := curl(t, "-i", "-X", "PUT", "-H", "Content-Range: bytes */*", "-H", "Content-Length: 0", url)
			m := regexp.MustCompile(`(?i)\r\nRange: bytes=0-(\d+)\r\n`).FindStringSubmatch(asked)
			if !strings.HasPrefix(asked, "HTTP/1.1 308 ") || m == nil {
				t.Fatalf("the query is answered with %s", asked)
			}
			last, err := strconv.Atoi(m[1])
			if err != nil || last < 400<<10 || last >= 700<<10 {
				t.Fatalf("%s of 700 KiB were kept", m[1])
			}
			whole(t, server.URL, content, curl(t, "-f", "-C", fmt.Sprint(last+1), "-T", file, url))

			// From a pipe, whose length nobody knows.
			cmd := exec.Command("curl", "-sS", "-f", "-T", "-", server.URL+"/upload/pipe")
			cmd.Stdin = bytes.NewReader(content)
			out, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			whole(t, server.URL, content, string(out))
			whole(t, server.URL, content, curl(t, "-f", "--data-binary", "@"+file, server.URL+"/upload/data"))
		})
	}
}

func curl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("curl", append([]string{"-sS", "--max-time", "30"}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("curl %q: %v: %s", args, err, out)
	}
	return string(out)
}

// whole checks that the answer tells of a file with that content.
func whole(t *testing.T, url string, content []byte, answer string) {
	t.Helper()
	var v struct {
		URL, State string
		Size       int
	}
	if err := json.Unmarshal([]byte(answer), &v); err != nil || v.State != "done" || v.Size != len(content) {
		t.Fatalf("the answer is %s", answer)
	}
	if got := curl(t, "-f", v.URL); sha256.Sum256([]byte(got)) != sha256.Sum256(content) {
		t.Fatalf("the file has %d other bytes than the %d sent", len(got), len(content))
	}
}
