package main

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/muleteer/muleteer/access"
	"github.com/muleteer/muleteer/upload"
)

// TestTokenPlaces: one token does everywhere, also where a client can be given
// nothing but a URL; all that it is told stays below that.
func TestTokenPlaces(t *testing.T) {
	t.Parallel()
	h, log := tokenHouse(t, nil)
	base := served(t, h)
	token := tokenFor(t, "ann", time.Hour, nil)
	prefix := "/u/" + token
	resp, _ := raw(t, base, "POST "+prefix+"/tus/\nTus-Resumable: 1.0.0\nUpload-Length: 3\nUpload-Concat: partial", "")
	at := strings.TrimPrefix(resp.Header.Get("Location"), base)
	if resp.StatusCode != 201 || !strings.HasPrefix(at, prefix+"/tus/") {
		t.Fatal(resp.StatusCode, at)
	}
	if resp, body := raw(t, base, "PATCH "+at+"\n"+tusPatch, "abc"); resp.StatusCode != 204 {
		t.Fatal(resp.StatusCode, body)
	}
	resp, body := raw(t, base, "POST "+prefix+"/tus/\nTus-Resumable: 1.0.0\nUpload-Concat: final;"+base+at+" "+at, "")
	final := strings.TrimPrefix(resp.Header.Get("Location"), base)
	if resp.StatusCode != 201 {
		t.Fatal(resp.StatusCode, body)
	}
	resp, _ = raw(t, base, "HEAD "+final+"\nTus-Resumable: 1.0.0", "")
	if resp.Header.Get("Upload-Length") != "6" || strings.Contains(fmt.Sprint(resp.Header), token) {
		t.Errorf("%v", resp.Header)
	}
	for u, err := range h.kept.State.Find(t.Context(), upload.Query{}) {
		if err != nil || strings.Contains(fmt.Sprintf("%+v", u), token) {
			t.Errorf("a record has the token: %+v %v", u, err)
		}
	}
	resp, body = raw(t, base, "POST "+prefix+"/upload\n"+formType, file("file", "a", "abc")+formEnd)
	if resp.StatusCode != 201 || !strings.Contains(body, base+prefix+"/files/") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	if resp, body := raw(t, base, "GET "+prefix+"/\nAccept: text/html", ""); resp.StatusCode != 200 || !strings.Contains(body, `action="upload"`) {
		t.Errorf("the page below a token: %d", resp.StatusCode)
	}
	for _, c := range []hostile{
		{"query", "PUT /upload/x?token=" + token, "abc", 200, ""},
		{"form", "POST /upload\n" + formType, fields("upload_token="+token) + file("file", "a", "abc") + formEnd, 201, ""},
		{"cookie", "PUT /upload/x\nCookie: upload_token=" + token, "abc", 200, ""},
	} {
		if resp, body := raw(t, base, c.request, c.body); resp.StatusCode != c.status {
			t.Errorf("%s: %d %s", c.name, resp.StatusCode, body)
		}
	}
	// A chunk with the next token belongs to the same file.
	next := tokenFor(t, "ann", 2*time.Hour, nil)
	raw(t, base, "POST /form/?upload_token="+token+"&"+chunkOne+"\n"+formType, file("file", "a", "abc")+formEnd)
	resp, body = raw(t, base, "POST /form/\n"+formType, fields(strings.Split("upload_token="+next+"&"+chunkTwo, "&")...)+file("file", "a", "def")+formEnd)
	if resp.StatusCode != 200 || !strings.Contains(body, `"complete":true`) {
		t.Errorf("the next token: %d %s", resp.StatusCode, body)
	}
	for u := range h.kept.State.Find(t.Context(), upload.Query{}) {
		if text := fmt.Sprintf("%+v", u); strings.Contains(text, token) || strings.Contains(text, next) {
			t.Errorf("a record has the token: %s", text)
		}
	}
	if strings.Contains(log.String(), token) {
		t.Error("the log has the token")
	}
}

// TestLinks: a link reads one file, for a while, and does nothing else.
func TestLinks(t *testing.T) {
	t.Parallel()
	h, _ := tokenHouse(t, nil)
	base := served(t, h)
	id := cell{has: "done"}.prepare(t, h, base, "ann", "")
	another := cell{has: "done"}.prepare(t, h, base, "ann", "")
	link := func(d time.Duration) string {
		return tokenFor(t, "", d, func(c *access.Claims) { c.Upload, c.Verbs = id, []upload.Verb{upload.MayRead} })
	}
	for _, c := range []struct {
		request string
		status  int
	}{
		{"GET /files/" + id + "?token=" + link(time.Hour), 200},
		{"HEAD /files/" + id + "?token=" + link(time.Hour), 200},
		{"GET /u/" + link(time.Hour) + "/files/" + id, 200},
		{"GET /files/" + id + "?token=" + link(-time.Hour), 401},
		{"GET /files/" + id, 401},
		{"GET /files/" + another + "?token=" + link(time.Hour), 404},
		{"GET /uploads/" + id + "?token=" + link(time.Hour), 403},
		{"GET /uploads?token=" + link(time.Hour), 403},
		{"DELETE /files/" + id + "?token=" + link(time.Hour), 403},
		{"PUT /upload/x?token=" + link(time.Hour), 403},
	} {
		if resp, body := raw(t, base, c.request, ""); resp.StatusCode != c.status {
			t.Errorf("%.40s: %d, want %d: %s", c.request, resp.StatusCode, c.status, body)
		}
	}
}

// TestTokenRunsOut: a request that began in time goes on when its token ends; the next
// one is 401, and nothing is lost.
func TestTokenRunsOut(t *testing.T) {
	t.Parallel()
	h, _ := tokenHouse(t, nil)
	clock := new(atomic.Int64)
	clock.Store(time.Now().UnixNano())
	h.gate.Tokens.Now = func() time.Time { return time.Unix(0, clock.Load()) }
	base := served(t, h)
	token := tokenFor(t, "ann", time.Minute, nil)
	conn, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "PUT /upload/x HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Range: bytes 0-5/9\r\nContent-Length: 6\r\n\r\nabc", token)
	for here(t, h) < 0 {
		time.Sleep(time.Millisecond) // polling; the test's own deadline ends it
	}
	clock.Add(int64(2 * time.Minute))
	fmt.Fprint(conn, "def")
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || resp.StatusCode != 308 || resp.Header.Get("Range") != "bytes=0-5" {
		t.Fatal(resp, err)
	}
	rest := "PUT /upload/x\nContent-Range: bytes 6-8/9\nAuthorization: Bearer "
	if resp, _ := raw(t, base, rest+token, "ghi"); resp.StatusCode != 401 {
		t.Errorf("the next one: %d", resp.StatusCode)
	}
	if here(t, h) != 6 {
		t.Errorf("%d bytes are here", here(t, h))
	}
	if resp, body := raw(t, base, rest+tokenFor(t, "ann", time.Hour, nil), "ghi"); resp.StatusCode != 200 {
		t.Errorf("with a new token: %d %s", resp.StatusCode, body)
	}
}

// TestCookies: people without a name are told apart by a cookie that cannot be
// forged; who has none is known by its address.
func TestCookies(t *testing.T) {
	t.Parallel()
	h, log := testHouse(t, func(s *settings) { s.Allow.Open, s.Allow.Scope = true, "cookie" })
	base := served(t, h)
	browse := func() string {
		resp, _ := raw(t, base, "GET /\nAccept: text/html\nSec-Fetch-Mode: navigate", "")
		c := resp.Cookies()
		if len(c) != 1 || !c[0].HttpOnly || c[0].SameSite != http.SameSiteLaxMode {
			t.Fatal(resp.Header)
		}
		return c[0].Name + "=" + c[0].Value
	}
	ann, bob := browse(), browse()
	begin := "PUT /upload/x\nContent-Range: bytes 0-2/6\nCookie: "
	if resp, _ := raw(t, base, begin+ann, "abc"); resp.StatusCode != 308 {
		t.Fatal(resp.StatusCode)
	}
	query := "PUT /upload/x\nContent-Range: bytes */*\nCookie: "
	id := strings.Fields(census(t, h))[0]
	forged := ann[:len(ann)-3] + "AAA"
	attack(t, h, log, base, nil, []hostile{
		{"her own", query + ann, "", 308, ""},
		{"another browser", query + bob, "", 404, ""},
		{"forged", query + forged, "", 404, ""},
		{"her name with his signature", query + strings.Split(ann, ".")[0] + "." + strings.Split(bob, ".")[1], "", 404, ""},
		{"none", "PUT /upload/x\nContent-Range: bytes */*", "", 404, ""},
		{"another address that she says", query + bob + "\nX-Forwarded-For: 192.0.2.1", "", 404, ""},
		{"by its id", "GET /uploads/" + id + "\nCookie: " + bob, "", 200, ""},
	})
	for who, sees := range map[string]bool{ann: true, bob: false, forged: false, "a=b": false} {
		if _, body := raw(t, base, "GET /uploads\nCookie: "+who, ""); strings.Contains(body, id) != sees {
			t.Errorf("%s sees %s", who, body)
		}
	}
	// Who has no cookie goes on by its address.
	if resp, _ := raw(t, base, "PUT /upload/y\nContent-Range: bytes 0-2/6", "abc"); resp.StatusCode != 308 {
		t.Fatal(resp.StatusCode)
	}
	if resp, _ := raw(t, base, "PUT /upload/y\nContent-Range: bytes 3-5/6", "def"); resp.StatusCode != 200 {
		t.Errorf("from the same address: %d", resp.StatusCode)
	}
}

// TestOwnKey: it is made once, whole, and for nobody else to read.
func TestOwnKey(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "state.db.key")
	keys := make(chan string, 8)
	for range cap(keys) {
		go func() {
			k, err := ownKey(name)
			keys <- fmt.Sprint(string(k), err)
		}()
	}
	first := <-keys
	for range cap(keys) - 1 {
		if k := <-keys; k != first {
			t.Errorf("%q and %q", k, first)
		}
	}
	info, err := os.Stat(name)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info.Mode(), err)
	}
	if err := os.WriteFile(name, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ownKey(name); err == nil {
		t.Error("half a key is one")
	}
	if _, err := ownKey(filepath.Join(name, "x")); err == nil || errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

// TestEndpointPermission: each endpoint has its own, by what the file says or
// else that of the first one; none is open by an oversight.
func TestEndpointPermission(t *testing.T) {
	t.Parallel()
	house := func(file string) (*house, error) {
		name := filepath.Join(t.TempDir(), "muleteer.yaml")
		if err := os.WriteFile(name, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		h, _ := tokenHouse(t, func(s *settings) { s.Listen, s.Storage.Config = list{"0.0.0.0:0"}, configFile(name) })
		return h, h.furnish(t.Context(), nil)
	}
	if _, err := house("endpoints:\n  films:\n    token-secret: []\n"); err == nil || !strings.Contains(err.Error(), "nothing says who may upload") {
		t.Errorf("an endpoint without a permission: %v", err)
	}
	h, err := house("endpoints:\n  films: {}\n  all:\n    token-secret: []\n    open: true\n")
	if err != nil {
		t.Fatal(err)
	}
	base := served(t, h)
	first := tokenFor(t, "ann", time.Hour, nil)
	films := tokenFor(t, "ann", time.Hour, func(c *access.Claims) { c.Endpoint = "films" })
	for _, c := range []struct {
		request string
		status  int
	}{
		{"PUT /upload/x\nAuthorization: Bearer " + first, 200},
		{"PUT /upload/x\nAuthorization: Bearer " + films, 403},
		{"PUT /films/upload/x\nAuthorization: Bearer " + films, 200},
		{"PUT /films/upload/x\nAuthorization: Bearer " + first, 403},
		{"PUT /films/upload/x", 401},
		{"PUT /u/" + films + "/films/upload/x", 200},
		{"PUT /films/u/" + films + "/upload/x", 404},
		{"PUT /u/" + films + "/upload/x", 403},
		{"PUT /all/upload/x", 200},
	} {
		resp, body := raw(t, base, c.request, "abc")
		if resp.StatusCode != c.status {
			t.Errorf("%.30s: %d, want %d: %s", c.request, resp.StatusCode, c.status, body)
		}
		if strings.HasPrefix(c.request, "PUT /u/") && c.status == 200 && !strings.Contains(body, base+"/u/"+films+"/films/files/") {
			t.Errorf("%.30s: its links are elsewhere: %s", c.request, body)
		}
	}
}
