package test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/muleteer/muleteer/internal/trial"
)

// raw sends bytes over a connection of its own and returns the status of the
// first answer, 0 if there is none, and what follows until the server closes
// the connection, if it does so by itself.
func raw(t *testing.T, s *server, request string, toTheEnd bool) (status int, rest string) {
	t.Helper()
	c, err := net.Dial("tcp", s.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(15 * time.Second)); err != nil {
		t.Fatal(err)
	}
	_, _ = c.Write([]byte(request)) // a server that has seen enough closes early
	r := bufio.NewReader(c)
	method, _, _ := strings.Cut(request, " ")
	resp, err := http.ReadResponse(r, &http.Request{Method: method})
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body) // likewise
	if !toTheEnd {
		return resp.StatusCode, string(body)
	}
	more, err := io.ReadAll(r)
	if err != nil {
		t.Errorf("the connection is not closed: %v", err)
	}
	return resp.StatusCode, string(more)
}

// TestHostile: what no client of good will sends gets its exact status, leaves
// nothing behind and does not end the process.
func TestHostile(t *testing.T) {
	t.Parallel()
	s := serve(t)
	const (
		host = " HTTP/1.1\r\nHost: localhost\r\n"
		tus  = host + "Tus-Resumable: 1.0.0\r\n"
		body = "Content-Length: 5\r\n\r\nhello"
	)
	offset := "Content-Type: application/offset+octet-stream\r\nUpload-Offset: "
	id := filepath.Base(create(t, s, 5))
	long := strings.Repeat("a", 300)
	for _, c := range []struct {
		request string
		want    int
	}{
		{"GET /files/" + long + host + "\r\n", 404},
		{"GET /files/..%2f..%2fstate.db" + host + "\r\n", 404},
		{"GET /files/../state.db" + host + "\r\n", 404},
		{"GET /files/%2e%2e/%2e%2e/etc/passwd" + host + "\r\n", 404},
		{"GET /files/" + id + "%00" + host + "\r\n", 404},
		{"GET /files/" + id + "%2f" + host + "\r\n", 404},
		{"GET /files/" + id + "/.." + host + "\r\n", 404},
		{"GET /files/.muleteer/" + id + host + "\r\n", 404},
		{"GET /files/" + id + host + "\r\n", 404}, // it is not whole
		{"GET /uploads/" + long + host + "\r\n", 404},
		{"DELETE /uploads/..%2f" + id + host + "\r\n", 404},
		{"GET //files//" + id + host + "\r\n", 404},
		{"GET /files/%zz" + host + "\r\n", 400},
		{"GET /files/\x00" + host + "\r\n", 400},
		{"HEAD /tus/" + long + tus + "\r\n", 404},
		{"HEAD /tus/..%2f" + id + tus + "\r\n", 404},
		{"PATCH /tus/" + id + "%00" + tus + offset + "0\r\n" + body, 404},
		{"PATCH /tus/" + id + "%2f.." + tus + offset + "0\r\n" + body, 404},
		{"PATCH /tus/" + id + tus + offset + "+0\r\n" + body, 400},
		{"PATCH /tus/" + id + tus + offset + "0x0\r\n" + body, 400},
		{"PATCH /tus/" + id + tus + offset + "-1\r\n" + body, 400},
		{"PATCH /tus/" + id + tus + offset + "9223372036854775808\r\n" + body, 400},
		{"PATCH /tus/" + id + tus + offset + "0\r\nUpload-Offset: 0\r\n" + body, 400},
		{"PATCH /tus/" + id + tus + offset + "1\r\n" + body, 409},
		{"PATCH /tus/" + id + tus + offset + "0\r\nContent-Length: 6\r\n\r\nhello!", 413},
		{"PATCH /tus/" + id + host + offset + "0\r\n" + body, 412},
		{"PATCH /tus/" + id + tus + "Upload-Offset: 0\r\n" + body, 415},
		{"PATCH /tus/" + id + tus + offset + "0\r\nUpload-Checksum: sha1 AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n" + body, 460},
		{"PATCH /tus/" + id + tus + offset + "0\r\nUpload-Checksum: rot13 AAAA\r\n" + body, 400},
		{"PATCH /tus/" + id + tus + offset + "0\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", 400},
		{"PATCH /tus/" + id + tus + offset + "0\r\nContent-Length: -5\r\n\r\n", 400},
		{"PATCH /tus/" + id + tus + offset + "0\r\nTransfer-Encoding: gzip\r\n\r\n", 501},
		{"PATCH /tus/" + id + tus + offset + "0\r\nTransfer-Encoding: chunked\r\nUpload-Checksum: crc32 AAAAAA==\r\n\r\nzz\r\n", 400},
		{"POST /tus/" + tus + "Upload-Length: 5\r\nUpload-Metadata: filename ***\r\n\r\n", 400},
		{"POST /tus/" + tus + "Upload-Length: five\r\n\r\n", 400},
		{"POST /tus/" + tus + "Upload-Length: 99999999999999999\r\n\r\n", 413},
		{"POST /tus/" + tus + "\r\n", 400},
		{"POST /tus/" + tus + "Upload-Concat: final;/tus/" + long + "\r\n\r\n", 400},
		{"PUT /upload/a%2fb" + host + body, 400},
		{"PUT /upload/.." + host + body, 400},
		{"PUT /upload/%2e%2e" + host + body, 400},
		{"PUT /upload/a/b" + host + body, 400},
		{"PUT /upload/a%00b" + host + body, 400},
		{"PUT /upload/" + long + host + body, 400},
		{"PUT /upload/%ff" + host + body, 400},
		{"PUT /upload/r" + host + "Content-Range: bytes 0-9/10\r\n" + body, 400},
		{"PUT /upload/r" + host + "Content-Range: bytes 0-4/3\r\n" + body, 400},
		{"PUT /upload/r" + host + "Content-Range: bytes 4-0/5\r\n" + body, 400},
		{"PUT /upload/r" + host + "Content-Range: bytes 0-4/+5\r\n" + body, 400},
		{"PUT /upload/r" + host + "Content-Range: bytes 0-4/5\r\nContent-Range: bytes 0-4/6\r\n" + body, 400},
		{"PUT /upload/r" + host + "Content-Range: lines 0-4/5\r\n" + body, 400},
		{"PUT /upload/r" + host + "X-Upload-Path: ../../a\r\n" + body, 400},
		{"PUT /upload/r" + host + "X-Upload-Checksum: crc64nvme AAAAAAAAAAA=\r\n" + body, 460},
		{"PUT /upload/none" + host + "Content-Range: bytes */*\r\nContent-Length: 0\r\n\r\n", 404},
		{"BREW /tus/" + id + tus + "\r\n", 405},
		{"GET / HTTP/1.1\r\n\r\n", 400},
		{"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n", 505},
		{"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400},
		{"GET /" + strings.Repeat("a", 200_000) + host + "\r\n", 431},
		{"GET /" + host + "X-Flood: " + strings.Repeat("a", 200_000) + "\r\n\r\n", 431},
		{"GET /" + host + strings.Repeat("X-Flood: a\r\n", 20_000) + "\r\n", 431},
	} {
		if got, answer := raw(t, s, c.request, false); got != c.want {
			t.Errorf("want %d, got %d for %.120q…: %.300s", c.want, got, c.request, answer)
		}
	}
	if got := head(t, s.URL("/tus/"+id)); got != 0 {
		t.Errorf("the offset of the upload is %d, and nothing good was sent", got)
	}
	for _, v := range list(t, http.DefaultClient, s, "open") {
		if v.Ranges != "" {
			t.Errorf("bytes were kept: %+v", v)
		}
		if v.ID != id {
			remove(t, http.DefaultClient, s.URL("/uploads/"+v.ID))
		}
	}
	if done := list(t, http.DefaultClient, s, "done"); len(done) > 0 {
		t.Errorf("uploads were finished: %+v", done)
	}
	if found := s.finishedFiles(t); len(found) > 0 {
		t.Errorf("files appeared: %v", found)
	}
	if s.Process().Ended() {
		t.Error("the server has ended")
	}
	if strings.Contains(s.Log(), "panic") {
		t.Error("there was a panic")
	}
	remove(t, http.DefaultClient, s.URL("/tus/"+id))
	if left := s.onWay(t); len(left) > 0 {
		t.Errorf("files are left on their way: %v", left)
	}
	s.End(t)
	s.Check(t)
}

// TestHostileFraming: two lengths of one body are the tool of request
// smuggling. The chunks count, and nothing after them is taken for a request.
func TestHostileFraming(t *testing.T) {
	t.Parallel()
	s := serve(t)
	id := filepath.Base(create(t, s, 5))
	request := "PATCH /tus/" + id + " HTTP/1.1\r\nHost: localhost\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\n" +
		"Content-Type: application/offset+octet-stream\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n" +
		"5\r\nhello\r\n0\r\n\r\nDELETE /tus/" + id + " HTTP/1.1\r\nHost: localhost\r\nTus-Resumable: 1.0.0\r\n\r\n"
	status, more := raw(t, s, request, true)
	if more != "" {
		t.Errorf("what followed the body was taken for a request:\n%s", more)
	}
	if resp, body := ask(t, http.DefaultClient, "GET", s.URL("/files/"+id), nil); status == http.StatusNoContent && body != "hello" {
		t.Errorf("the file is %s %q after %d", resp.Status, body, status)
	} else if status != http.StatusNoContent && status != http.StatusBadRequest {
		t.Errorf("status %d", status)
	}
}

// refuses starts a second server with these arguments, which has to end by
// itself with one line.
func refuses(t *testing.T, dir, want string, args ...string) {
	t.Helper()
	var out bytes.Buffer
	cmd := exec.Command(program, append([]string{"serve", "--listen", "127.0.0.1:0"}, args...)...)
	cmd.Dir = dir
	p, err := trial.Launch(cmd, &out)
	if err != nil {
		t.Fatal(err)
	}
	code, err := p.Code(20 * time.Second)
	said := out.String()
	if err != nil || code == 0 || strings.Count(said, "\n") != 1 || !strings.Contains(said, want) {
		t.Errorf("it ended with code %d, %v, and said %q; want one line with %q", code, err, said, want)
	}
}

// TestOneOwner: two servers never share a directory or a database.
func TestOneOwner(t *testing.T) {
	t.Parallel()
	s := serve(t)
	elsewhere := filepath.Join(t.TempDir(), "elsewhere")
	refuses(t, s.Dir, "another process")
	refuses(t, s.Dir, "another process", "--store", elsewhere)
	refuses(t, s.Dir, "another process", "--state", elsewhere+".db")
	if resp, body := ask(t, http.DefaultClient, "GET", s.URL("/readyz"), nil); resp.StatusCode != http.StatusOK {
		t.Errorf("the first server is not well: %s %s", resp.Status, body)
	}
}

// TestUnreadableState: a database that is none is never replaced or repaired
// behind its owner's back.
func TestUnreadableState(t *testing.T) {
	t.Parallel()
	seed := seed(t)
	for name, spoil := range map[string]func(t *testing.T, file string) error{
		"garbage": func(_ *testing.T, file string) error { return os.WriteFile(file, trial.Noise(50_000, seed), 0o600) },
		"a text":  func(_ *testing.T, file string) error { return os.WriteFile(file, []byte("dear diary"), 0o600) },
		"a directory": func(_ *testing.T, file string) error {
			return os.Mkdir(file, 0o700)
		},
		"pages torn": func(t *testing.T, file string) error {
			b, err := os.ReadFile(file + ".good")
			if err != nil {
				return err
			}
			for i := 4096; i < len(b); i++ {
				b[i] ^= 0xa5
			}
			return os.WriteFile(file, b, 0o600)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t)
			create(t, s, 5)
			s.End(t)
			file := filepath.Join(s.Dir, "muleteer-data", "state.db")
			if err := os.Rename(file, file+".good"); err != nil {
				t.Fatal(err)
			}
			if err := spoil(t, file); err != nil {
				t.Fatal(err)
			}
			before := fmt.Sprint(os.ReadFile(file))
			refuses(t, s.Dir, "state.db")
			if fmt.Sprint(os.ReadFile(file)) != before {
				t.Error("the file was changed")
			}
		})
	}
}
