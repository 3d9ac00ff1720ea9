//go:build linux

package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// client is one HTTP/1.1 connection. It is written by hand, because it shares
// the processors with the server that is measured: bodies go to the socket
// from where they lie, uncopied, and nothing else happens.
type client struct {
	conn net.Conn
	in   *bufio.Reader
	head []byte
}

func (s *server) dial() (*client, error) {
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		return nil, err
	}
	return &client{conn: c, in: bufio.NewReader(c)}, nil
}

func (c *client) close() { _ = c.conn.Close() }

// body is the bytes of a request, in slices; nil for none.
type body [][]byte

func (b body) len() (n int64) {
	for _, p := range b {
		n += int64(len(p))
	}
	return n
}

// do sends a request and reads the answer, whose body the caller must read to
// its end before the next request. Header lines are given as they are sent.
func (c *client) do(method, target string, b body, header ...string) (*http.Response, error) {
	c.head = append(c.head[:0], method+" "+target+" HTTP/1.1\r\nHost: "+c.conn.RemoteAddr().String()+"\r\n"...)
	for _, h := range header {
		c.head = append(c.head, h+"\r\n"...)
	}
	if method != http.MethodHead && method != http.MethodGet {
		c.head = fmt.Appendf(c.head, "Content-Length: %d\r\n", b.len())
	}
	c.head = append(c.head, "\r\n"...)
	out := net.Buffers{c.head}
	_, broken := out.WriteTo(c.conn)
	// One slice at a time: all in one call would be more than the kernel takes.
	for i := 0; i < len(b) && broken == nil; i++ {
		_, broken = c.conn.Write(b[i])
	}
	res, err := http.ReadResponse(c.in, &http.Request{Method: method})
	if err != nil {
		if broken != nil {
			err = broken
		}
		return nil, fmt.Errorf("%s %s: %w", method, target, err)
	}
	return res, nil
}

// expect is do for answers that have one status, and a body that is dropped.
func (c *client) expect(status int, method, target string, b body, header ...string) (http.Header, error) {
	res, err := c.do(method, target, b, header...)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != status {
		return nil, fmt.Errorf("%s %s: %s, not %d: %.300s", method, target, res.Status, status, text)
	}
	return res.Header, nil
}

const (
	resumable = "Tus-Resumable: 1.0.0"
	octets    = "Content-Type: application/offset+octet-stream"
)

// create begins an upload with its first bytes and returns its path.
func (c *client) create(length int64, b body) (string, error) {
	header := []string{resumable, fmt.Sprintf("Upload-Length: %d", length)}
	if len(b) > 0 {
		header = append(header, octets)
	}
	h, err := c.expect(http.StatusCreated, http.MethodPost, "/files/", b, header...)
	if err != nil {
		return "", err
	}
	if got, want := h.Get("Upload-Offset"), fmt.Sprint(b.len()); len(b) > 0 && got != want {
		return "", fmt.Errorf("the server kept %q bytes of %s", got, want)
	}
	u, err := url.Parse(h.Get("Location"))
	if err != nil {
		return "", err
	}
	return u.Path, nil
}

// patch sends the next bytes of an upload.
func (c *client) patch(path string, at int64, b body) error {
	h, err := c.expect(http.StatusNoContent, http.MethodPatch, path, b,
		resumable, octets, fmt.Sprintf("Upload-Offset: %d", at))
	if err != nil {
		return err
	}
	if got, want := h.Get("Upload-Offset"), fmt.Sprint(at+b.len()); got != want {
		return fmt.Errorf("the server is at %s, not at %s", got, want)
	}
	return nil
}

// sum reads a finished file back and returns its SHA-256.
func (c *client) sum(path string) (string, error) {
	res, err := c.do(http.MethodGet, path, nil)
	if err != nil {
		return "", err
	}
	if res.StatusCode != http.StatusOK {
		return "", fmt.Errorf("GET %s: %s", path, res.Status)
	}
	h := sha256.New()
	if _, err := io.Copy(h, res.Body); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// slice is how many bytes are written at once.
const slice = 1 << 20

// file is the content of a large file, of which no two slices are the same,
// although it takes little memory.
type file struct {
	noise []byte
	size  int64
	sum   string
}

func newFile(size int64) *file {
	f := &file{noise: noise(32 * slice), size: size}
	f.sum = sumOf(f.bytes(0, size))
	return f
}

// noise returns bytes that look like nothing, and always the same.
func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte([]byte(strings.Repeat("mule", 8)))).Read(b) // it never fails
	return b
}

func sumOf(b body) string {
	h := sha256.New()
	for _, p := range b {
		h.Write(p)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// bytes returns n bytes from offset at on; both are whole slices.
func (f *file) bytes(at, n int64) body {
	var b body
	for i := at / slice; i < (at+n)/slice; i++ {
		o := i * 4099 % int64(len(f.noise)-slice)
		b = append(b, f.noise[o:o+slice])
	}
	return b
}

// small returns the content of the i-th small file.
func small(noise []byte, i int) body {
	return body{append(bytes.Clone(fmt.Appendf(nil, "%08d", i)), noise[i%1024:][:16<<10-8]...)}
}
