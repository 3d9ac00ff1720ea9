package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// FuzzQuantity: what is no size, length of time or rate is refused, and what is
// one is not below zero, and nothing for zero that says more.
func FuzzQuantity(f *testing.F) {
	for _, text := range []string{"5GiB", "100MB", "1.5 TiB", "0", "1e9", "9223372036854775808", "0.1", "7d", "1d12h", "65535d", "1d-1h", "-1h", "60/m", "5/s", "0/h", "1/"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var s size
		if err := s.UnmarshalText([]byte(text)); err == nil && (s < 0 || s == 0 && strings.ContainsAny(text, "123456789")) {
			t.Errorf("%q is %d bytes", text, s)
		}
		_ = s.String()
		var d span
		if err := d.UnmarshalText([]byte(text)); err == nil && (d <= 0 || strings.Contains(text, "-")) {
			t.Errorf("%q is %v", text, time.Duration(d))
		}
		_ = d.String()
		var o tempo
		if err := o.UnmarshalText([]byte(text)); err == nil && (o.n < 1 || o.while <= 0) {
			t.Errorf("%q is %+v", text, o)
		}
	})
}

// FuzzConfig: a file of settings, of ours or of node-s3-resumable-upload, is
// understood or refused with words.
func FuzzConfig(f *testing.F) {
	for _, text := range []string{
		"max-size: 5GiB\nlisten: [127.0.0.1:1, 127.0.0.1:2]\n", "endpoints:\n  photos:\n    types: image/*\n    max-size: 20MB\n  b: {store: mem}\n",
		"endpoints: 1", "endpoints:\n  - a", "endpoints: {a: }", "default:\n  bucket_name: b\n  port: 80\nproduction: 1", "default: {}", "a: &a [*a]", "%", "\x00",
	} {
		f.Add(text)
	}
	path := filepath.Join(f.TempDir(), "muleteer.yaml")
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := configFile(path).read()
		if err != nil && err.Error() == "" {
			t.Error("an error without words")
		}
		s := settings{Storage: storage{Config: configFile(path)}, Target: Target{Key: "{id}", ChunkSize: 1}}
		named, err := s.endpoints()
		for name := range named {
			if err == nil && !endpointName.MatchString(name) {
				t.Errorf("an endpoint is called %q", name)
			}
		}
	})
}

// FuzzDoor: whatever comes, to any path but that of sockets, whose packets have a
// target of their own, it is a client's mistake or an upload; no parser panics.
func FuzzDoor(f *testing.F) {
	form := "--b\r\nContent-Disposition: form-data; name=\"resumableChunkNumber\"\r\n\r\n1\r\n--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nx\r\n--b--\r\n"
	f.Add("POST", "/upload", "Content-Type: multipart/form-data; boundary=b", form)
	f.Add("PUT", "/upload/a", "Content-Range: bytes 0-4/5", "hello")
	f.Add("POST", "/upload?resumableChunkNumber=1&resumableTotalSize=5&resumableIdentifier=a", "Content-Type: application/octet-stream", "hello")
	f.Add("POST", "/upload", "Tus-Resumable: 1.0.0\nUpload-Length: 5\nUpload-Metadata: a ***", "")
	f.Add("POST", "/upload", "Upload-Complete: ?1\nUpload-Draft-Interop-Version: 6", "hello")
	f.Add("POST", "/upload", "Upload-Length: 5\nUpload-Name: a", "")
	f.Add("PATCH", "/upload?patch=x", "Upload-Offset: 0", "hello")
	f.Add("POST", "/filepond/", "Content-Type: multipart/form-data; boundary=b", form)
	f.Add("POST", "/s3/multipart", "Content-Type: application/json", `{"filename":"a","type":"text/plain","metadata":{"size":"5"}}`)
	f.Add("GET", "/s3/params?filename=a&type=b", "", "")
	f.Add("GET", "/upload-backend/signing_key/?filename=a&filesize=5&last_modified=1", "", "")
	f.Add("PUT", "/mule/bucket/key?partNumber=1&uploadId=x", "Authorization: AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=c", "hello")
	f.Add("GET", "/uploads?state=open&limit=-1", "Range: bytes=0-", "")
	f.Fuzz(func(t *testing.T, method, target, head, body string) {
		r, err := http.NewRequest(method, "http://localhost", strings.NewReader(body))
		if err != nil || !strings.HasPrefix(target, "/") || strings.HasPrefix(target, "//") {
			return
		}
		if r.URL, err = r.URL.Parse(target); err != nil || strings.HasPrefix(r.URL.Path, "/socket.io") {
			return
		}
		r.RemoteAddr = "192.0.2.1:1"
		for line := range strings.Lines(head) {
			if name, value, found := strings.Cut(strings.TrimSpace(line), ": "); found {
				r.Header.Add(name, value)
			}
		}
		h, _ := testHouse(t, nil) // a new one each time, so that a find can be repeated
		w := httptest.NewRecorder()
		h.handler().ServeHTTP(w, r)
		if w.Code == http.StatusInternalServerError {
			t.Errorf("%s %s: %s", r.Method, r.URL, w.Body)
		}
	})
}
