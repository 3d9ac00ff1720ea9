package test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
)

// What clients of Uppy's Companion put into the bucket themselves. They tell
// neither lengths nor checksums.

// blind is one file on its way.
type blind struct {
	*cloud
	*truth
	id, key string
	etags   map[int]string // by the part, as the bucket told them
	who     string         // "/u/TOKEN", or nothing
}

// ask makes a request of the server, and reads its answer into v.
func (b *blind) ask(t *testing.T, method, path string, body, v any) int {
	t.Helper()
	var text []byte
	if body != nil {
		text, _ = json.Marshal(body) // of texts and numbers
	}
	req, err := http.NewRequestWithContext(t.Context(), method, b.URL(b.who+path), bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := b.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	said, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode == http.StatusOK && v != nil {
		if err := json.Unmarshal(said, v); err != nil {
			t.Fatalf("%s %s: %s", method, path, said)
		}
	}
	return resp.StatusCode
}

// at is a path of this upload.
func (b *blind) at(more string) string {
	return "/s3/multipart/" + b.id + more + "?key=" + url.QueryEscape(b.key)
}

func begin(t *testing.T, c *cloud, who string, u *truth) *blind {
	t.Helper()
	b := &blind{cloud: c, truth: u, etags: map[int]string{}, who: who}
	var said struct{ Key, UploadID string }
	if status := b.ask(t, "POST", "/s3/multipart", map[string]any{"filename": u.name, "type": "video/mp4"}, &said); status != http.StatusOK {
		t.Fatalf("%s does not begin: %d", u.name, status)
	}
	b.id, b.key = said.UploadID, said.Key
	u.named(b.id)
	if strings.Contains(c.Log(), "clients that tell their checksums") {
		var part struct{ URL string }
		if status := b.ask(t, "GET", b.at("/1"), nil, &part); status != http.StatusOK || !strings.HasPrefix(part.URL, c.URL("/")) {
			t.Fatalf("part 1 goes to %s: %d", part.URL, status)
		}
		t.Skip("this bucket computes no CRC-64/NVME of a part by itself, so parts come through the server")
	}
	return b
}

// place asks where a part goes, which must be the bucket, and soon.
func (b *blind) place(t *testing.T, number int) string {
	t.Helper()
	var said struct {
		URL     string
		Expires int
	}
	if status := b.ask(t, "GET", b.at(fmt.Sprintf("/%d", number)), nil, &said); status != http.StatusOK {
		t.Fatalf("part %d is not signed: %d", number, status)
	}
	signed, err := url.Parse(said.URL)
	if err != nil {
		t.Fatal(err)
	}
	life, err := strconv.Atoi(signed.Query().Get("X-Amz-Expires"))
	if !strings.HasPrefix(said.URL, b.proxy.Endpoint+"/") || err != nil || life > 900 || said.Expires > life {
		t.Fatalf("part %d goes to %s, for %d s", number, said.URL, said.Expires)
	}
	return said.URL
}

// send puts a part, as Uppy does: no header is its own.
func (b *blind) send(t *testing.T, to string, number int, body []byte) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, to, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := b.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode == http.StatusOK {
		if b.etags[number] = resp.Header.Get("ETag"); b.etags[number] == "" {
			t.Fatalf("the bucket tells no ETag of part %d", number)
		}
	}
	return resp.StatusCode
}

// piece is what part number has, of all that are of one size.
func (b *blind) piece(number int) []byte {
	return b.data[(number-1)*cell : min(number*cell, len(b.data))]
}

// complete says of which parts the file consists.
func (b *blind) complete(t *testing.T, numbers ...int) int {
	t.Helper()
	type part struct {
		PartNumber int
		ETag       string
	}
	parts := []part{}
	for _, n := range numbers {
		parts = append(parts, part{n, strings.Trim(b.etags[n], `"`)})
	}
	return b.ask(t, "POST", b.at("/complete"), map[string]any{"parts": parts}, nil)
}
