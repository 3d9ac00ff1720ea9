package main

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muleteer/muleteer/upload"
)

func TestTempo(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]tempo{"60/m": {60, time.Minute}, " 5 / s": {5, time.Second}, "1/h": {1, time.Hour}, "0/s": {}, "-1/s": {}, "5": {}, "5/d": {}, "x/s": {}, "": {}, "1/s/s": {}} {
		var got tempo
		if err := got.UnmarshalText([]byte(text)); got != want || (err == nil) != (want.n > 0) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

// Who begins too much is told when to come again, by owner or by address.
func TestRateOfUploads(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(limits{Uploads: tempo{3, time.Minute}})
		h := &house{limits: l}
		begin := func(owner, address string) error {
			r := httptest.NewRequest("POST", "/tus/", nil)
			r.RemoteAddr = address
			_, who := h.limit(r, upload.Principal{Owner: owner})
			return who.Begin()
		}
		for _, c := range [][2]string{{"ann", "192.0.2.1:1"}, {"bob", "192.0.2.1:2"}, {"", "192.0.2.1:3"}, {"?1", "192.0.2.2:1"}, {"", "[2001:db8::1]:1"}} {
			for i := range 4 {
				if err := begin(c[0], c[1]); (err != nil) != (i == 3) {
					t.Errorf("%v, the %d. upload: %v", c, i+1, err)
				}
			}
		}
		if begin("?2", "192.0.2.2:9") == nil || begin("", "[2001:db8::ffff]:1") == nil {
			t.Error("another cookie, or another address of one household, counts anew")
		}
		time.Sleep(20 * time.Second)
		if err := begin("ann", "192.0.2.7:1"); err != nil {
			t.Errorf("after a third of the time: %v", err)
		}
		if begin("ann", "192.0.2.7:1") == nil {
			t.Error("and one more")
		}
		for i := range 3 * manyClients {
			l.of(strings.Repeat("x", i%97) + time.Now().String())
			if i%1000 == 0 {
				time.Sleep(10 * time.Second)
			}
			time.Sleep(time.Nanosecond)
		}
		if n := len(l.clients); n > 2*manyClients {
			t.Errorf("%d clients are remembered", n)
		}
	})
}

// Bodies of one owner share what it may send a second.
func TestRateOfBytes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newLimiter(limits{Bytes: 1000}).of("ann")
		if d := c.wait(1000); d != 0 {
			t.Errorf("the first second's bytes wait %v", d)
		}
		if d := c.wait(500); d != 500*time.Millisecond {
			t.Errorf("500 more wait %v", d)
		}
		if d := c.wait(10_000); d < 10*time.Second || d > 11*time.Second {
			t.Errorf("10,000 more wait %v", d)
		}
	})
}

// The limits are told in each protocol's words, over the wire; what they refuse
// leaves nothing.
func TestLimitsOverTheWire(t *testing.T) {
	t.Parallel()
	h, _ := testHouse(t, func(s *settings) { s.Limits.Uploads = tempo{1, time.Hour} })
	url := served(t, h)
	if resp, _ := do(t, "PUT", url+"/upload/a", "a"); resp.StatusCode != 200 {
		t.Fatal(resp.StatusCode)
	}
	for name, c := range map[string]struct {
		method, path, body string
		headers            []string
		status             int
	}{
		"tus":         {"POST", "/tus/", "", []string{"Tus-Resumable", "1.0.0", "Upload-Length", "5"}, 429},
		"range":       {"PUT", "/upload/b", "b", nil, 429},
		"ietf":        {"POST", "/rufh/", "c", []string{"Upload-Draft-Interop-Version", "8", "Upload-Complete", "?1"}, 429},
		"plain":       {"POST", "/upload", "c", []string{"Content-Type", "text/plain"}, 429},
		"chunkform":   {"POST", "/upload?resumableChunkNumber=1&resumableTotalSize=1&resumableChunkSize=1&resumableIdentifier=1-a&resumableFilename=a", "c", []string{"Content-Type", "application/octet-stream"}, 429},
		"filepond":    {"POST", "/filepond/", "", []string{"Upload-Length", "5"}, 429},
		"plain small": {"POST", "/form/", "--x\r\nContent-Disposition: form-data; name=f; filename=a\r\n\r\na\r\n--x--\r\n", []string{"Content-Type", "multipart/form-data; boundary=x"}, 429},
	} {
		resp, body := do(t, c.method, url+c.path, c.body, c.headers...)
		if resp.StatusCode != c.status || resp.Header.Get("Retry-After") == "" {
			t.Errorf("%s: %d, Retry-After %q: %s", name, resp.StatusCode, resp.Header.Get("Retry-After"), body)
		}
	}
	n := 0
	for range h.service.Find(context.Background(), upload.Query{}) {
		n++
	}
	if n != 1 {
		t.Errorf("there are %d uploads", n)
	}
}

// A file in quarantine is read by nobody until somebody releases it; one that
// has to be confirmed can be.
func TestManage(t *testing.T) {
	t.Parallel()
	h, _ := testHouse(t, func(s *settings) { s.Quarantine, s.Confirm, s.Cors = true, span(time.Hour), list{"*"} })
	url := served(t, h)
	resp, _ := do(t, "POST", url+"/tus/", "hello", "Tus-Resumable", "1.0.0", "Upload-Length", "5", "Content-Type", "application/offset+octet-stream")
	at := resp.Header.Get("Location")
	id := at[strings.LastIndex(at, "/")+1:]
	if resp.StatusCode != 201 || resp.Header.Get("Upload-Offset") != "5" {
		t.Fatalf("%d, offset %q", resp.StatusCode, resp.Header.Get("Upload-Offset"))
	}
	if resp, _ := do(t, "HEAD", at, "", "Tus-Resumable", "1.0.0"); resp.StatusCode != 200 || resp.Header.Get("Upload-Offset") != "5" {
		t.Errorf("in quarantine, its client is told %d, offset %q", resp.StatusCode, resp.Header.Get("Upload-Offset"))
	}
	stranger := []string{"X-Forwarded-For", "192.0.2.1"}
	page := []string{"Origin", "https://friend.example"}
	for _, c := range []struct {
		method, path string
		headers      []string
		status       int
		in           string
	}{
		{"GET", "/files/" + id, stranger, 404, ""},
		{"POST", "/uploads/" + id + "/release", stranger, 403, ""},
		{"POST", "/uploads/" + id + "/release", page, 403, ""},
		{"GET", "/events", page, 403, ""},
		{"POST", "/uploads/" + id + "/confirm", nil, 404, "not complete"},
		{"GET", "/uploads/" + id + "/release", nil, 405, ""},
		{"POST", "/uploads/" + id + "/eat", nil, 404, ""},
		{"POST", "/uploads/../../release", nil, 404, ""},
		{"GET", "/files/" + id, nil, 200, "hello"},
		{"POST", "/uploads/" + id + "/release", nil, 200, `"done"`},
		{"POST", "/uploads/" + id + "/release", nil, 200, `"done"`},
		{"GET", "/files/" + id, stranger, 200, "hello"},
		{"POST", "/uploads/" + id + "/confirm", stranger, 403, ""},
		{"POST", "/uploads/" + id + "/confirm", nil, 200, `"done"`},
		{"POST", "/uploads/" + id + "/confirm", nil, 200, `"done"`},
		{"GET", "/metrics", nil, 200, `muleteer_uploads_total{outcome="finished",protocol="tus"} 1`},
	} {
		resp, body := do(t, c.method, url+c.path, "", c.headers...)
		if resp.StatusCode != c.status || !strings.Contains(body, c.in) {
			t.Errorf("%s %s %v: %d %s", c.method, c.path, c.headers, resp.StatusCode, body)
		}
	}
}
