package main

import (
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/muleteer/muleteer/access"
	"github.com/muleteer/muleteer/state"
	"github.com/muleteer/muleteer/store/mem"
	"github.com/muleteer/muleteer/web"
)

// Mule Uploader is led to the bucket that we are, below the token in its path if
// there is one; who has no permission is told nothing, and no page of another site
// can begin anything.
func TestMuleIsLedToUs(t *testing.T) {
	t.Parallel()
	const secret = "a secret of more than thirty-two bytes"
	h, _ := testHouse(t, func(s *settings) { s.Allow.Secrets.Secret = list{secret}; s.Cors = list{"https://a.example"} })
	base := served(t, h)
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"sub": "ann", "exp": time.Now().Add(time.Hour).Unix()}).SignedString([]byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	host := strings.TrimPrefix(base, "http://")
	const file = "signing_key/?filename=a&filesize=5&last_modified=1"
	for _, c := range []struct {
		url, bucket string
		headers     []string
		status      int
	}{
		{"/upload-backend/" + file, "", nil, 401},
		{"/upload-backend/" + file + "&upload_token=" + token, host + "/mule/uploads", nil, 200},
		{"/u/" + token + "/upload-backend/" + file, host + "/u/" + token + "/mule/uploads", nil, 200},
		{"/upload-backend/" + file + "&upload_token=" + token, "", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"/upload-backend/" + file + "&upload_token=" + token, "", []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://b.example"}, 403},
		{"/upload-backend/" + file + "&upload_token=" + token, host + "/mule/uploads", []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://a.example"}, 200},
		{"/upload-backend/" + file + "&upload_token=" + token, host + "/mule/uploads", []string{"Sec-Fetch-Site", "same-origin"}, 200},
		{"/upload-backend/chunk_loaded/?chunk=-1&upload_token=" + token, "", nil, 200},
		{"/upload-backend/chunk_loaded/?chunk=0", "", nil, 401},
	} {
		resp, said := do(t, "GET", base+c.url, "", c.headers...)
		if resp.StatusCode != c.status || c.bucket != "" && !strings.Contains(said, `"bucket":"`+c.bucket+`"`) {
			t.Errorf("%s %v: %s %s", strings.ReplaceAll(c.url, token, "TOKEN"), c.headers, resp.Status, said)
		}
	}
	for _, path := range []string{"/mule/uploads.s3.amazonaws.com/AAAAAAAAAAAAAAAAAAAAAAAAAA?uploadId=x", "/mule/x", "/mule/"} {
		if resp, _ := do(t, "PUT", base+path, "hello"); resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s without a signature: %s", path, resp.Status)
		}
	}
	at := base + "/mule/uploads.s3.amazonaws.com/x?" + url.Values{"uploads": {""}}.Encode()
	resp, _ := do(t, "OPTIONS", at, "", "Origin", "https://a.example", "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "content-disposition,x-amz-acl")
	if got := resp.Header.Get("Access-Control-Allow-Headers"); got != "content-disposition,x-amz-acl" || resp.Header.Get("Access-Control-Max-Age") != "3000" {
		t.Errorf("preflight: %v", resp.Header)
	}
}

// The backend is where --mule-path says and nowhere else, at every endpoint and
// below a token as well; what it is told of the bucket leads back there.
func TestMulePath(t *testing.T) {
	t.Parallel()
	const file = "signing_key/?filename=a&filesize=5&last_modified=1"
	for _, path := range []string{"/backend", "/backend/", "/app/uploads", "/a/b/c/d", "/api/mule", "/.hidden/~me_too-1.php"} {
		h, err := withEndpoints(t, "endpoints:\n  films:\n    open: true\n", func(s *settings) {
			s.Clients.MulePath, s.Old.Demo = path, list{"resumable", "mule"}
			s.Allow.Secrets.Secret = list{matrixSecret}
		})
		if err != nil {
			t.Fatal(path, err)
		}
		base := served(t, h)
		host := strings.TrimPrefix(base, "http://")
		films := tokenFor(t, "ann", time.Hour, func(c *access.Claims) { c.Endpoint = "films" })
		token := tokenFor(t, "ann", time.Hour, nil)
		at := strings.TrimSuffix(path, "/") + "/"
		for url, bucket := range map[string]string{
			at + file + "&upload_token=" + token:            host + "/mule/uploads",
			"/films" + at + file + "&upload_token=" + films: host + "/films/mule/uploads",
			"/u/" + token + at + file:                       host + "/u/" + token + "/mule/uploads",
			"/u/" + films + "/films" + at + file:            host + "/u/" + films + "/films/mule/uploads",
		} {
			resp, said := do(t, "GET", base+url, "")
			if resp.StatusCode != 200 || !strings.Contains(said, `"bucket":"`+bucket+`"`) {
				t.Errorf("%s: %s %s", path, resp.Status, said)
			}
		}
		for _, url := range []string{"/upload-backend/" + file, strings.TrimSuffix(path, "/") + "x/" + file, "/x" + at + file, "/films" + at + "x/" + file} {
			if resp, said := do(t, "GET", base+url+"&upload_token="+token, ""); resp.StatusCode == 200 {
				t.Errorf("%s: %s is there: %s", path, url, said)
			}
		}
		if resp, page := do(t, "GET", base+"/films/mule", ""); resp.StatusCode != 200 || !strings.Contains(page, `data-backend=".`+at+`"`) {
			t.Errorf("the page does not know of %s: %s", path, page)
		}
		if resp, _ := do(t, "PUT", base+"/api/photo/redeem-upload-token/x", "abc"); resp.StatusCode != 401 {
			t.Errorf("%s: beside it %s", path, resp.Status)
		}
	}
}

// A path that is none, or somebody else's, is refused at the start.
func TestWrongMulePath(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"backend": "/upload-backend", "/": "/upload-backend", "//": "/upload-backend", "/a//b": "/upload-backend", "/a/../b": "/upload-backend",
		"/.": "/upload-backend", "/a b": "/upload-backend", "/a?b": "/upload-backend", "/a%20b": "/upload-backend", "/ü": "/upload-backend",
		"https://x.example/upload-backend": "without the host", "/a/b/c/d/e": "/upload-backend", "/{id}": "/upload-backend",
		"/mule": "at /mule", "/mule/x": "at /mule/", "/upload": "at /upload;", "/upload/mule": "at /upload/", "/tus/": "at /tus;", "/assets": "at /assets/",
		"/healthz": "at /healthz", "/u": "at /u/", "/u/x": "at /u/", "/api": "at /api/photo/", "/api/photo/frame": "at /api/photo/frame", "/sign": "at /sign", "/streams": "at /streams",
	} {
		s := settings{Target: Target{Key: "{id}/{name}", MaxSize: 1 << 30, ChunkSize: 1 << 20}}
		s.Clients.MulePath, s.Old.Demo = path, list{"resumable", "mule"}
		err := s.check()
		if err == nil {
			k := &kept{Store: mem.New(mem.Options{}), State: state.Memory(nil)}
			_, err = newHouse(s, k, slog.New(slog.DiscardHandler))
		}
		if err == nil || !strings.Contains(err.Error(), "--mule-path") || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want something with %q", path, err, want)
		}
	}
	if _, err := withEndpoints(t, "endpoints:\n  app:\n    open: true\n", func(s *settings) { s.Clients.MulePath = "/app/uploads" }); err == nil || !strings.Contains(err.Error(), "app") {
		t.Errorf("an endpoint in its place: %v", err)
	}
}

// The page is there if somebody wants it, beside the bucket, whose path leads
// people to it; all that it loads is below the same path.
func TestMulePage(t *testing.T) {
	t.Parallel()
	without, _ := testHouse(t, nil)
	base := served(t, without)
	for _, path := range []string{"/mule", "/assets/mule/page.js", "/assets/mule/page.css", "/mule/"} {
		resp, body := do(t, "GET", base+path, "", "Accept", "text/html")
		if resp.StatusCode != 404 || path == "/mule/" && !strings.Contains(body, "take this for their bucket") {
			t.Errorf("%s without the demo: %s %s", path, resp.Status, body)
		}
	}
	with, err := withEndpoints(t, "endpoints:\n  films:\n", func(s *settings) { s.Old.Demo = list{"mule"} })
	if err != nil {
		t.Fatal(err)
	}
	base = served(t, with)
	for _, prefix := range []string{"", "/films"} {
		resp, page := do(t, "GET", base+prefix+"/mule", "")
		if resp.StatusCode != 200 || resp.Header.Get("Content-Security-Policy") != web.Policy || strings.Contains(page, "{{") || !strings.Contains(page, `data-chunk="1048576"`) {
			t.Errorf("%s: %v %s", prefix, resp.Header, page)
		}
		for _, inline := range []string{"<script>", "<style", "style=", " onclick=", "http://", "https://", `="/`} {
			if strings.Contains(page, inline) {
				t.Errorf("the page has %s", inline)
			}
		}
		for _, file := range []string{"/assets/mule/page.js", "/assets/mule/page.css"} {
			if resp, _ := do(t, "GET", base+prefix+file, ""); resp.StatusCode != 200 || !strings.Contains(page, `"`+file[1:]+`"`) {
				t.Errorf("%s%s: %s", prefix, file, resp.Status)
			}
		}
		if resp, _ := do(t, "GET", base+prefix+"/mule/", ""); resp.StatusCode != 303 || resp.Header.Get("Location") != base+prefix+"/mule" {
			t.Errorf("%s/mule/: %s to %s", prefix, resp.Status, resp.Header.Get("Location"))
		}
		for _, c := range [][2]string{{"HEAD", "/mule/"}, {"PUT", "/mule/"}, {"GET", "/mule/x"}, {"HEAD", "/mule/uploads.s3.amazonaws.com/x"}} {
			if resp, _ := do(t, c[0], base+prefix+c[1], ""); resp.StatusCode != 404 {
				t.Errorf("%s %s%s: %s", c[0], prefix, c[1], resp.Status)
			}
		}
	}
	if resp, _ := do(t, "GET", base+"/resumable", ""); resp.StatusCode != 404 {
		t.Errorf("the other demo is there too: %s", resp.Status)
	}
}
