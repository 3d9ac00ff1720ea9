package test

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"path"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/muleteer/muleteer/internal/trial"
)

// tooLong is how long a half-dead request may delay the next one.
const tooLong = time.Second

// create begins a tus upload and returns its URL.
func create(t *testing.T, s *server, size int, headers ...string) string {
	t.Helper()
	resp, body := ask(t, http.DefaultClient, "POST", s.URL("/tus/"), nil,
		append(headers, "Tus-Resumable", "1.0.0", "Upload-Length", strconv.Itoa(size))...)
	if resp.StatusCode != http.StatusCreated {
		t.Fatalf("POST: %s: %s", resp.Status, body)
	}
	return resp.Header.Get("Location")
}

// patch sends bytes and returns the answer.
func patch(t *testing.T, url string, at int, b []byte) *http.Response {
	t.Helper()
	resp, _ := ask(t, http.DefaultClient, "PATCH", url, bytes.NewReader(b), "Tus-Resumable", "1.0.0",
		"Upload-Offset", strconv.Itoa(at), "Content-Type", "application/offset+octet-stream")
	return resp
}

// head returns the offset that a HEAD tells.
func head(t *testing.T, url string) int {
	t.Helper()
	resp, _ := ask(t, http.DefaultClient, "HEAD", url, nil, "Tus-Resumable", "1.0.0")
	offset, err := strconv.Atoi(resp.Header.Get("Upload-Offset"))
	if resp.StatusCode != http.StatusOK || err != nil {
		t.Fatalf("HEAD %s: %s, %v", url, resp.Status, err)
	}
	return offset
}

// halfDead sends the head of a request and some bytes of its body, and then
// nothing any more, on a connection that stays open.
func halfDead(t *testing.T, s *server, method, target string, size int, sent []byte, headers ...string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", s.Address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	request := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n", method, target, s.Address, size)
	for i := 0; i+1 < len(headers); i += 2 {
		request += headers[i] + ": " + headers[i+1] + "\r\n"
	}
	if _, err := c.Write(append([]byte(request+"\r\n"), sent...)); err != nil {
		t.Fatal(err)
	}
	return c
}

// halfDeadPatch is such a PATCH, of which the server has recorded what came.
func halfDeadPatch(t *testing.T, s *server, url string, at, size int, sent []byte) {
	t.Helper()
	id := path.Base(url)
	halfDead(t, s, "PATCH", "/tus/"+id, size-at, sent, "Tus-Resumable", "1.0.0",
		"Upload-Offset", strconv.Itoa(at), "Content-Type", "application/offset+octet-stream")
	within(t, 10*time.Second, "the half-dead PATCH has brought its bytes", func() bool {
		return stands(t, s, id).Offset == int64(at+len(sent))
	})
}

// stands asks for the JSON of an upload, which disturbs nobody.
func stands(t *testing.T, s *server, id string) (v view) {
	t.Helper()
	for _, v = range list(t, http.DefaultClient, s, "open") {
		if v.ID == id {
			return v
		}
	}
	t.Fatalf("%s is not among the open uploads", id)
	return v
}

// timely fails the test if what happens in do takes too long.
func timely(t *testing.T, what string, do func()) {
	t.Helper()
	began := time.Now()
	do()
	took := time.Since(began)
	if took > tooLong {
		t.Errorf("%s took %v beside a half-dead request, at most %v is allowed", what, took, tooLong)
	}
	t.Logf("%s took %v", what, took.Round(time.Microsecond))
}

// TestTakeover: a client whose line died without a word comes back, and must
// not wait for the server to notice.
func TestTakeover(t *testing.T) {
	t.Parallel()
	s := serve(t)
	u := newTruth("half", trial.Noise(4<<20, seed(t)))
	size := len(u.data)
	url := create(t, s, size)
	u.named(path.Base(url))
	halfDeadPatch(t, s, url, 0, size, u.data[:1<<20+7])
	timely(t, "HEAD", func() {
		if got := head(t, url); got != 1<<20+7 {
			t.Errorf("HEAD tells %d", got)
		}
	})
	halfDeadPatch(t, s, url, 1<<20+7, size, u.data[1<<20+7:2<<20])
	timely(t, "the next PATCH", func() {
		if resp := patch(t, url, 2<<20, u.data[2<<20:3<<20]); resp.StatusCode != http.StatusNoContent {
			t.Errorf("PATCH: %s", resp.Status)
		}
	})
	halfDeadPatch(t, s, url, 3<<20, size, u.data[3<<20:3<<20+1])
	timely(t, "the last PATCH", func() {
		if resp := patch(t, url, 3<<20+1, u.data[3<<20+1:]); resp.StatusCode != http.StatusNoContent {
			t.Errorf("PATCH: %s", resp.Status)
		}
	})
	if err := u.download(http.DefaultClient, s); err != nil {
		t.Error(err)
	}
}

// TestTakeoverDelete: neither does the end of an upload wait.
func TestTakeoverDelete(t *testing.T) {
	t.Parallel()
	s := serve(t)
	url := create(t, s, 1<<20)
	halfDeadPatch(t, s, url, 0, 1<<20, trial.Noise(5000, seed(t)))
	timely(t, "DELETE", func() { remove(t, http.DefaultClient, url) })
	within(t, 10*time.Second, "no file on its way", func() bool { return len(s.onWay(t)) == 0 })
}

// TestTakeoverRange: nor does a client that sends ranges.
func TestTakeoverRange(t *testing.T) {
	t.Parallel()
	s := serve(t)
	u := newTruth("range", trial.Noise(1<<20, seed(t)))
	size := len(u.data)
	halfDead(t, s, "PUT", "/upload/range", size, u.data[:300_000])
	query := func() (resp *http.Response) {
		resp, _ = ask(t, http.DefaultClient, "PUT", s.URL("/upload/range"), nil, "Content-Range", "bytes */*")
		return resp
	}
	within(t, 10*time.Second, "the half-dead PUT has brought its bytes", func() bool {
		return query().Header.Get("Range") == "bytes=0-299999"
	})
	timely(t, "the query", func() { query() })
	timely(t, "the same bytes again", func() {
		resp, body := ask(t, http.DefaultClient, "PUT", s.URL("/upload/range"), bytes.NewReader(u.data[300_000:]),
			"Content-Range", fmt.Sprintf("bytes 300000-%d/%d", size-1, size))
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("PUT: %s: %s", resp.Status, body)
		}
		u.named(idOf(t, body))
	})
	if err := u.download(http.DefaultClient, s); err != nil {
		t.Error(err)
	}
}

// idOf finds the id in the JSON of an answer.
func idOf(t *testing.T, body string) string {
	t.Helper()
	_, after, ok := strings.Cut(body, `"id":"`)
	id, _, ok2 := strings.Cut(after, `"`)
	if !ok || !ok2 {
		t.Fatalf("there is no id in %s", body)
	}
	return id
}
