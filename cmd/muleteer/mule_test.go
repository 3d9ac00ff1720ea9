package main

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
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
