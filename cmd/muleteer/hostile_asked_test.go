package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"github.com/muleteer/muleteer/upload"
)

// TestHostileAuthority: keys that cannot be fetched, in whatever way, let nobody
// in, and do not turn anybody away for good.
func TestHostileAuthority(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	token := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{"sub": "ann", "exp": time.Now().Add(time.Hour).Unix()})
	token.Header["kid"] = "k"
	signed, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k"}}})
	if err != nil {
		t.Fatal(err)
	}
	other, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	otherSet, _ := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: other.Public(), KeyID: "k2"}}})
	says := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Location", "/")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		status int
	}{
		"as it should":   {says(200, string(set)), 200},
		"other keys":     {says(200, string(otherSet)), 401},
		"no keys":        {says(200, `{"keys":[]}`), 401},
		"500":            {says(500, string(set)), 503},
		"404":            {says(404, string(set)), 503},
		"a redirect":     {says(302, string(set)), 503},
		"garbage":        {says(200, "<html>"), 503},
		"a broken key":   {says(200, `{"keys":[{"kty":"EC","crv":"P-256","x":"a","y":"b"}]}`), 503},
		"more than all":  {says(200, `{"keys":[],"x":"`+strings.Repeat("x", 2<<20)+`"}`), 503},
		"a broken line":  {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 503},
		"a secret in it": {says(200, `{"keys":[{"kty":"oct","kid":"k","k":"YWJj"}]}`), 401},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			authority := httptest.NewServer(c.answer)
			defer authority.Close()
			h, log := testHouse(t, func(s *settings) { s.Allow.KeySet = authority.URL })
			base := served(t, h)
			left := ""
			if c.status == 200 {
				left = "ann"
			}
			attack(t, h, log, base, []string{signed}, []hostile{
				{"PUT", "PUT /upload/x\nAuthorization: Bearer " + signed, "abc", c.status, left},
				{"HS256 with a key of the set", "PUT /upload/x\nAuthorization: Bearer " + jws(`{"alg":"HS256","kid":"k"}`, payload(""), "abc"), "abc", 401, ""},
			})
			if resp, _ := raw(t, base, "HEAD /tus/ABCDEFGHIJKLMNOPQRSTUVWXYZ\nTus-Resumable: 1.0.0\nAuthorization: Bearer "+signed, ""); c.status == 503 && resp.StatusCode != 423 {
				t.Errorf("a tus client would take %d for the end of its upload", resp.StatusCode)
			}
		})
	}
}

// TestHostileApplication: an application that is slow, gone or mad lets nobody
// in, is asked before a body is read, and asked again at the end.
func TestHostileApplication(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		status int
		left   string
	}{
		"yes":             {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(201) }, 200, "auth-"},
		"401":             {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(401) }, 401, ""},
		"403":             {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403) }, 403, ""},
		"402":             {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(402) }, 402, ""},
		"410":             {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(410) }, 403, ""},
		"204":             {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }, 503, ""},
		"500":             {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, 503, ""},
		"redirect to yes": {redirected, 503, ""},
		"huge":            {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 1<<20)) }, 503, ""},
		"huge headers": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X", strings.Repeat("x", 1<<20))
		}, 503, ""},
		"garbage": {jsonAnswer(`{"principal":`), 503, ""},
		"a list":  {jsonAnswer(`["ann"]`), 200, "auth-"},
		"nobody":  {jsonAnswer(`{"principal":"?"}`), 503, ""},
		"control": {jsonAnswer(`{"principal":"a\u0000b"}`), 503, ""},
		"climbs":  {jsonAnswer(`{"principal":"ann","key":"../../etc/passwd"}`), 200, "ann"},
		"refuses": {jsonAnswer(`{"principal":"ann","verbs":["read"]}`), 403, ""},
		"small":   {jsonAnswer(`{"principal":"ann","max_size":1}`), 413, ""},
		"breaks":  {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 503, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			app := httptest.NewUnstartedServer(c.answer)
			app.Config.ErrorLog = nil
			app.Start()
			defer app.Close()
			h, log := testHouse(t, func(s *settings) { s.Allow.AuthURL = app.URL + "/allow" })
			base := served(t, h)
			chunked := c.left
			if c.status == 413 {
				chunked = "ann receiving 0" // its size was known too late; it expires
			}
			attack(t, h, log, base, []string{"c2VjcmV0"}, []hostile{
				{"PUT", "PUT /upload/x\nAuthorization: Basic c2VjcmV0", "abc", c.status, c.left},
				{"chunked", "PUT /upload/y\nAuthorization: Basic c2VjcmV0\nTransfer-Encoding: chunked", "3\r\nabc\r\n0\r\n\r\n", c.status, chunked},
				{"two Authorization headers", "PUT /upload/x\nAuthorization: Basic c2VjcmV0\nAuthorization: Basic YTpi", "abc", 400, ""},
			})
			for u, err := range h.kept.State.Find(t.Context(), upload.Query{}) {
				if err != nil || strings.Contains(u.Key, "..") || strings.HasPrefix(u.Key, "/") {
					t.Errorf("%+v: %v", u, err)
				}
			}
		})
	}
}

func redirected(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/allow" {
		http.Redirect(w, r, "/yes", http.StatusFound)
	}
}

func jsonAnswer(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, text)
	}
}

// TestAskedFirst: the application is asked before a client has sent a byte of its
// body, and again when the last one is here; a no then keeps the file from
// appearing, and a later yes completes it.
func TestAskedFirst(t *testing.T) {
	t.Parallel()
	var asked, status atomic.Int32
	status.Store(200)
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.ContentLength > 0 || r.Method != "GET" {
			t.Errorf("it was sent %s with %d bytes", r.Method, r.ContentLength)
		}
		w.WriteHeader(int(status.Load()))
	}))
	defer app.Close()
	h, _ := testHouse(t, func(s *settings) { s.Allow.AuthURL = app.URL })
	base := served(t, h)
	conn, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "PUT /upload/x HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic YTpi\r\nContent-Length: 6\r\n\r\nabc")
	for asked.Load() == 0 {
		time.Sleep(time.Millisecond) // polling; the test's own deadline ends it
	}
	status.Store(403)
	fmt.Fprint(conn, "def")
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || resp.StatusCode != 403 {
		t.Fatal(resp, err)
	}
	var id string
	for u, err := range h.kept.State.Find(t.Context(), upload.Query{}) {
		if err != nil || u.Phase != upload.Receiving || u.Here != 6 {
			t.Fatalf("%+v %v", u, err)
		}
		id = u.ID
	}
	if _, err := h.service.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if resp, _ := raw(t, base, "GET /files/"+id+"\nAuthorization: Basic YTpi", ""); resp.StatusCode != 403 {
		t.Errorf("it can be read: %d", resp.StatusCode)
	}
	status.Store(200)
	if resp, body := raw(t, base, "HEAD /tus/"+id+"\nTus-Resumable: 1.0.0\nAuthorization: Basic YTpi", ""); resp.StatusCode != 200 || resp.Header.Get("Upload-Offset") != "6" {
		t.Errorf("%d %v %s", resp.StatusCode, resp.Header, body)
	}
	if resp, body := raw(t, base, "GET /files/"+id+"\nAuthorization: Basic YTpi", ""); resp.StatusCode != 200 || body != "abcdef" {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

// here is how many bytes of the newest upload are here, -1 if there is none.
func here(t *testing.T, h *house) int64 {
	t.Helper()
	for u, err := range h.kept.State.Find(t.Context(), upload.Query{Limit: 1}) {
		if err != nil {
			t.Fatal(err)
		}
		return u.Here
	}
	return -1
}
