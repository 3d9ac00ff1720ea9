package test

import (
	"encoding/json"
	"io"
	"net/http"
	"testing"
)

// ask makes a request and returns its answer with the body read. Headers come
// in pairs of name and value; an empty value is none.
func ask(t *testing.T, c *http.Client, method, url string, body io.Reader, headers ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i+1] != "" {
			req.Header.Set(headers[i], headers[i+1])
		}
	}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	return resp, string(answer)
}

// list returns the uploads in a state, "open" or "done".
func list(t *testing.T, c *http.Client, s *server, state string) (all []view) {
	t.Helper()
	resp, body := ask(t, c, "GET", s.URL("/uploads?limit=1000&state="+state), nil)
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("GET /uploads: %s: %s", resp.Status, body)
	}
	if err := json.Unmarshal([]byte(body), &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// remove deletes an upload.
func remove(t *testing.T, c *http.Client, url string) {
	t.Helper()
	if resp, body := ask(t, c, "DELETE", url, nil, "Tus-Resumable", "1.0.0"); resp.StatusCode != http.StatusNoContent {
		t.Fatalf("DELETE %s: %s: %s", url, resp.Status, body)
	}
}
