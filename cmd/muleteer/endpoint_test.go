package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// withEndpoints is a house with the endpoints of a file, and whatever changes do.
func withEndpoints(t *testing.T, file string, changes ...func(*settings)) (*house, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "muleteer.yaml")
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	h, _ := testHouse(t, func(s *settings) {
		s.Storage.Config = configFile(path)
		for _, change := range changes {
			change(s)
		}
	})
	return h, h.furnish(t.Context(), nil)
}

// Each endpoint has every protocol at paths of its own, with rules of its own,
// and links that lead back there; its uploads are nobody else's.
func TestEndpoints(t *testing.T) {
	t.Parallel()
	h, err := withEndpoints(t, "endpoints:\n  photos:\n    max-size: 2000\n    types: image/*\n    key: \"pictures/{name}\"\n    store: \"mem:\"\n  papers:\n")
	if err != nil {
		t.Fatal(err)
	}
	url := served(t, h)
	gif := "GIF89a" + strings.Repeat("x", 100)

	resp, _ := do(t, "POST", url+"/photos/tus/", "", "Tus-Resumable", "1.0.0", "Upload-Length", "106", "Upload-Metadata", "filename "+base64.StdEncoding.EncodeToString([]byte("a.gif")))
	at := resp.Header.Get("Location")
	if resp.StatusCode != 201 || !strings.HasPrefix(at, url+"/photos/tus/") {
		t.Fatalf("%d %q", resp.StatusCode, at)
	}
	if resp, body := do(t, "PATCH", at, gif, "Tus-Resumable", "1.0.0", "Upload-Offset", "0", "Content-Type", "application/offset+octet-stream"); resp.StatusCode != 204 {
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
	id := at[strings.LastIndex(at, "/")+1:]
	for path, want := range map[string]int{"/photos/files/": 200, "/files/": 404, "/papers/files/": 404} {
		if resp, _ := do(t, "GET", url+path+id, ""); resp.StatusCode != want {
			t.Errorf("%s: %d, want %d", path, resp.StatusCode, want)
		}
	}
	if resp, _ := do(t, "HEAD", url+"/tus/"+id, "", "Tus-Resumable", "1.0.0"); resp.StatusCode != 404 {
		t.Errorf("another endpoint tells of it: %d", resp.StatusCode)
	}
	resp, body := do(t, "POST", url+"/photos/tus/", strings.Repeat("%PDF-1.4 ", 10), "Tus-Resumable", "1.0.0", "Upload-Length", "90", "Content-Type", "application/offset+octet-stream")
	if resp.StatusCode != 415 {
		t.Errorf("a PDF at photos: %d %s", resp.StatusCode, body)
	}
	if resp, _ := do(t, "POST", url+"/photos/tus/", "", "Tus-Resumable", "1.0.0", "Upload-Length", "2001"); resp.StatusCode != 413 {
		t.Errorf("too large for photos: %d", resp.StatusCode)
	}
	if resp, _ := do(t, "POST", url+"/papers/tus/", "", "Tus-Resumable", "1.0.0", "Upload-Length", "2001"); resp.StatusCode != 201 {
		t.Errorf("papers: %d", resp.StatusCode)
	}

	resp, body = do(t, "PUT", url+"/papers/upload/a.txt", "hello")
	var told struct{ URL string }
	if err := json.Unmarshal([]byte(body), &told); err != nil || resp.StatusCode != 200 || !strings.HasPrefix(told.URL, url+"/papers/files/") {
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
	if resp, body := do(t, "GET", told.URL, ""); resp.StatusCode != 200 || body != "hello" {
		t.Errorf("%d %q", resp.StatusCode, body)
	}
	for path, n := range map[string]int{"/uploads": 0, "/papers/uploads?limit=50": 2, "/photos/uploads?limit=50": 1} {
		_, body := do(t, "GET", url+path, "")
		if got := strings.Count(body, `"id"`); got != n {
			t.Errorf("%s lists %d uploads, want %d: %s", path, got, n, body)
		}
	}
	// Two parts and what they make, with the paths that the client knows.
	var parts []string
	for _, part := range []string{"GIF89a", "xyz"} {
		resp, _ := do(t, "POST", url+"/papers/tus/", part, "Tus-Resumable", "1.0.0", "Upload-Length", fmt.Sprint(len(part)), "Upload-Concat", "partial", "Content-Type", "application/offset+octet-stream")
		parts = append(parts, strings.TrimPrefix(resp.Header.Get("Location"), url))
	}
	resp, body = do(t, "POST", url+"/papers/tus/", "", "Tus-Resumable", "1.0.0", "Upload-Concat", "final;"+strings.Join(parts, " "))
	if resp.StatusCode != 201 {
		t.Errorf("a concatenation of %q: %d %s", parts, resp.StatusCode, body)
	}
	for path, want := range map[string]int{"/photos": 404, "/photos/nothing": 404, "/nowhere/upload": 404, "/photos/photos/tus/": 404, "/photos/healthz": 200} {
		if resp, _ := do(t, http.MethodGet, url+path, ""); resp.StatusCode != want {
			t.Errorf("%s: %d, want %d", path, resp.StatusCode, want)
		}
	}
}

func TestEndpointMistakes(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]string{
		"endpoints:\n  tus: {}":                           "something else at /tus",
		"endpoints:\n  u: {}":                             "something else at /u",
		"endpoints:\n  Photos: {}":                        "lower-case",
		"endpoints:\n  ../x: {}":                          "lower-case",
		"endpoints:\n  photos:\n    listen: 127.0.0.1:1":  "unknown field",
		"endpoints:\n  photos:\n    max-size: many":       "many",
		"endpoints:\n  photos:\n    types: pictures":      "no media type",
		"endpoints:\n  photos:\n    key: \"{secret}\"":    "{secret}",
		"endpoints:\n  photos:\n    store: ftp://example": "is not known",
	} {
		if _, err := withEndpoints(t, file); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", file, err, want)
		}
	}
}
