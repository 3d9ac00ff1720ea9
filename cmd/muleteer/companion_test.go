package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// What Uppy sends bytes to needs no token of its own: it was signed for who has
// one. It is good for that alone, and not at other endpoints' keys.
func TestUppyBehindATokenInThePath(t *testing.T) {
	t.Parallel()
	const secret = "a secret of more than thirty-two bytes"
	closed := func(s *settings) { s.Allow.Secrets.Secret = list{secret}; s.Cors = list{"https://a.example"} }
	h, _ := testHouse(t, closed)
	base := served(t, h)
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"sub": "ann", "exp": time.Now().Add(time.Hour).Unix()}).SignedString([]byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	if resp, _ := do(t, "POST", base+"/s3/multipart", `{"filename":"a"}`); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("nobody begins a file: %s", resp.Status)
	}
	var begun struct{ Key, UploadID string }
	ask(t, "POST", base+"/u/"+token+"/s3/multipart", `{"filename":"a"}`, &begun)
	var part struct{ URL string }
	ask(t, "GET", base+"/u/"+token+"/s3/multipart/"+begun.UploadID+"/1?key="+begun.Key, "", &part)
	path, ticket, _ := strings.Cut(strings.TrimPrefix(part.URL, base+"/u/"+token), "?")
	if !strings.HasPrefix(ticket, "ticket=") || !strings.HasPrefix(part.URL, base+"/u/"+token+"/s3/object/") {
		t.Fatalf("the part goes to %s", part.URL)
	}
	other, _ := testHouse(t, closed)
	for what, url := range map[string]string{
		"another path":   base + "/s3/multipart/" + begun.UploadID + "?" + ticket,
		"another server": served(t, other) + path + "?" + ticket,
		"reading":        base + "/files/" + begun.UploadID + "?" + ticket,
		"tus":            base + "/tus/" + begun.UploadID + "?" + ticket,
	} {
		if resp, _ := do(t, "PUT", url, "hello"); resp.StatusCode != http.StatusForbidden && resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s takes the ticket: %s", what, resp.Status)
		}
	}
	resp, said := do(t, "PUT", base+path+"?"+ticket, "hello", "Origin", "https://a.example")
	if resp.StatusCode != http.StatusOK || !strings.Contains(resp.Header.Get("Access-Control-Expose-Headers"), "ETag") {
		t.Fatalf("the part: %s %v %s", resp.Status, resp.Header, said)
	}
	var done struct{ Location string }
	ask(t, "POST", base+"/u/"+token+"/s3/multipart/"+begun.UploadID+"/complete?key="+begun.Key, `{"parts":[{"PartNumber":1,"ETag":`+resp.Header.Get("ETag")+`}]}`, &done)
	if _, got := do(t, "GET", done.Location, ""); got != "hello" {
		t.Errorf("%s has %q", done.Location, got)
	}
	resp, _ = do(t, "OPTIONS", base+path, "", "Origin", "https://a.example", "Access-Control-Request-Method", "PUT", "Access-Control-Request-Headers", "x-of-mine")
	for name, want := range map[string]string{
		"Access-Control-Allow-Origin": "https://a.example", "Access-Control-Allow-Headers": "x-of-mine",
		"Access-Control-Allow-Methods": "GET, HEAD, POST, PUT, DELETE, OPTIONS", "Access-Control-Max-Age": "3000",
	} {
		if got := resp.Header.Get(name); got != want {
			t.Errorf("preflight: %s is %q, want %q", name, got, want)
		}
	}
}

// ask sends a request that has to succeed, and reads the JSON of its answer.
func ask(t *testing.T, method, url, body string, v any) {
	t.Helper()
	resp, said := do(t, method, url, body)
	if err := json.Unmarshal([]byte(said), v); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %s %s, %v", method, url, resp.Status, said, err)
	}
}
