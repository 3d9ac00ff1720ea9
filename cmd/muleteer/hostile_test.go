package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/muleteer/muleteer/upload"
)

// hostile is a request as it is on the wire: its first line without the version,
// then headers; Host and Content-Length are added unless they are there.
type hostile struct {
	name    string
	request string
	body    string
	status  int
	left    string // the census of what it may leave, "" for nothing
}

// raw sends a request byte by byte as it is written, and returns the answer.
func raw(t *testing.T, base, request, body string) (*http.Response, string) {
	t.Helper()
	address := strings.TrimPrefix(base, "http://")
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	first, headers, _ := strings.Cut(request, "\n")
	text := first + " HTTP/1.1\r\n"
	if headers != "" {
		text += strings.ReplaceAll(headers, "\n", "\r\n") + "\r\n"
	}
	if !strings.Contains("\n"+headers, "\nHost:") {
		text += "Host: " + address + "\r\n"
	}
	if !strings.Contains(headers, "Content-Length:") && !strings.Contains(headers, "Transfer-Encoding:") {
		text += fmt.Sprintf("Content-Length: %d\r\n", len(body))
	}
	go io.WriteString(conn, text+"\r\n"+body) //nolint:errcheck // the answer may come first
	method, _, _ := strings.Cut(first, " ")
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%.80s: %v", request, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%.80s: %v", request, err)
	}
	return resp, string(b)
}

// attack sends each request, and wants its status, and nothing left behind or
// changed; no answer and no log has a token, and the server goes on.
func attack(t *testing.T, h *house, log *syncBuffer, base string, secrets []string, all []hostile) {
	t.Helper()
	for _, c := range all {
		before := census(t, h)
		resp, body := raw(t, base, c.request, c.body)
		if resp.StatusCode != c.status {
			t.Errorf("%s: %d, want %d: %.200s", c.name, resp.StatusCode, c.status, body)
		}
		if after := census(t, h); c.left == "" && after != before || !strings.Contains(after, c.left) {
			t.Errorf("%s: left %q behind, %q before", c.name, after, before)
		}
		for _, s := range secrets {
			if strings.Contains(body, s) || strings.Contains(strings.Join(resp.Header["Location"], " "), s) && !strings.Contains(c.request, "/u/") || strings.Contains(log.String(), s) {
				t.Errorf("%s: the token is in the answer or the log", c.name)
			}
		}
		if strings.Contains(log.String(), "level=ERROR msg=\"a request ended") {
			t.Fatalf("%s: a panic: %s", c.name, log)
		}
	}
	if resp, _ := raw(t, base, "GET /healthz", ""); resp.StatusCode != 200 {
		t.Errorf("the server is not healthy: %d", resp.StatusCode)
	}
}

// jws is a token with any header and payload, signed by HS256 if there is a key.
func jws(header, payload, key string) string {
	b64 := base64.RawURLEncoding.EncodeToString
	text := b64([]byte(header)) + "." + b64([]byte(payload))
	if key == "" {
		return text + "."
	}
	s, err := jwt.SigningMethodHS256.Sign(text, []byte(key))
	if err != nil {
		panic(err)
	}
	return text + "." + b64(s)
}

func payload(more string) string {
	return fmt.Sprintf(`{"sub":"ann","exp":%d%s}`, time.Now().Add(time.Hour).Unix(), more)
}

func TestHostileTokens(t *testing.T) {
	t.Parallel()
	h, log := tokenHouse(t, func(s *settings) { s.Allow.Audience, s.Allow.Issuer = "uploads", "app" })
	base := served(t, h)
	const ours = `,"aud":"uploads","iss":"app"`
	good := jws(`{"alg":"HS256"}`, payload(ours), matrixSecret)
	bob := jws(`{"alg":"HS256"}`, strings.Replace(payload(ours), "ann", "bob", 1), matrixSecret)
	hs := func(more string) string { return jws(`{"alg":"HS256"}`, payload(more), matrixSecret) }
	with := func(token string) string { return "PUT /upload/x\nAuthorization: Bearer " + token }
	u, err := h.service.Create(upload.As(t.Context(), "ann"), upload.New{Size: 3})
	if err != nil {
		t.Fatal(err)
	}
	id := u.ID
	parts := strings.Split(good, ".")
	all := []hostile{
		// what stands in the token
		{"alg none", with(jws(`{"alg":"none"}`, payload(ours), "")), "abc", 401, ""},
		{"alg nOnE", with(jws(`{"alg":"nOnE"}`, payload(ours), "")), "abc", 401, ""},
		{"alg none with a signature", with(jws(`{"alg":"none"}`, payload(ours), matrixSecret)), "abc", 401, ""},
		{"no alg", with(jws(`{}`, payload(ours), matrixSecret)), "abc", 401, ""},
		{"alg empty", with(jws(`{"alg":""}`, payload(ours), matrixSecret)), "abc", 401, ""},
		{"alg twice, the last none", with(jws(`{"alg":"HS256","alg":"none"}`, payload(ours), "")), "abc", 401, ""},
		{"alg a list", with(jws(`{"alg":["HS256"]}`, payload(ours), matrixSecret)), "abc", 401, ""},
		{"another secret", with(jws(`{"alg":"HS256"}`, payload(ours), "not "+matrixSecret)), "abc", 401, ""},
		{"an empty secret", with(jws(`{"alg":"HS256"}`, payload(ours), "\x00")), "abc", 401, ""},
		{"no signature", with(parts[0] + "." + parts[1] + "."), "abc", 401, ""},
		{"a signature cut short", with(good[:len(good)-2]), "abc", 401, ""},
		{"another's payload", with(parts[0] + "." + strings.Split(bob, ".")[1] + "." + parts[2]), "abc", 401, ""},
		{"four parts", with(good + ".x"), "abc", 401, ""},
		{"one part", with("x"), "abc", 401, ""},
		{"padding", with(good + "="), "abc", 401, ""},
		{"kid a path", with(jws(`{"alg":"HS256","kid":"../../../dev/null"}`, payload(ours), "\x00")), "abc", 401, ""},
		{"kid SQL", with(jws(`{"alg":"HS256","kid":"x' union select 'a"}`, payload(ours), "a")), "abc", 401, ""},
		{"a key of its own", with(jws(`{"alg":"HS256","jwk":{"kty":"oct","k":"YQ"}}`, payload(ours), "a")), "abc", 401, ""},
		{"keys at an address of its own", with(jws(`{"alg":"RS256","jku":"http://127.0.0.1:1/"}`, payload(ours), "a")), "abc", 401, ""},
		{"critical", with(jws(`{"alg":"HS256","crit":["b64"],"b64":false}`, payload(ours), matrixSecret)), "abc", 401, ""},
		{"huge", with(hs(ours + `,"x":"` + strings.Repeat("x", 10_000) + `"`)), "abc", 401, ""},
		{"deep", with(hs(ours + `,"x":` + strings.Repeat("[", 1500) + strings.Repeat("]", 1500))), "abc", 200, "ann"},
		{"larger still", with(strings.Repeat("x", 60_000)), "abc", 401, ""},
		{"expired", with(jws(`{"alg":"HS256"}`, `{"sub":"ann","exp":1`+ours+`}`, matrixSecret)), "abc", 401, ""},
		{"no end", with(jws(`{"alg":"HS256"}`, `{"sub":"ann"`+ours+`}`, matrixSecret)), "abc", 401, ""},
		{"an end in words", with(jws(`{"alg":"HS256"}`, `{"sub":"ann","exp":"never"`+ours+`}`, matrixSecret)), "abc", 401, ""},
		{"an end beyond all time", with(jws(`{"alg":"HS256"}`, `{"sub":"ann","exp":-1e300`+ours+`}`, matrixSecret)), "abc", 401, ""},
		{"not yet", with(hs(ours + fmt.Sprintf(`,"nbf":%d`, time.Now().Add(time.Hour).Unix()))), "abc", 401, ""},
		{"another audience", with(hs(`,"aud":"others","iss":"app"`)), "abc", 401, ""},
		{"no audience", with(hs(`,"iss":"app"`)), "abc", 401, ""},
		{"another issuer", with(hs(`,"aud":"uploads","iss":"App"`)), "abc", 401, ""},
		{"nobody as owner", with(jws(`{"alg":"HS256"}`, strings.Replace(payload(ours), "ann", "?ann", 1), matrixSecret)), "abc", 401, ""},
		{"an owner with a line end", with(jws(`{"alg":"HS256"}`, strings.Replace(payload(ours), "ann", `a\nb`, 1), matrixSecret)), "abc", 401, ""},
		{"verbs that are none", with(hs(ours + `,"verbs":["*"]`)), "abc", 401, ""},
		{"a size below 0", with(hs(ours + `,"max_size":-1`)), "abc", 401, ""},
		{"another endpoint", with(hs(ours + `,"endpoint":"films"`)), "abc", 403, ""},
		{"may not create", with(hs(ours + `,"verbs":["read","status","write","remove"]`)), "abc", 403, ""},
		{"too large for it", with(hs(ours + `,"max_size":2`)), "abc", 413, ""},
		{"a prefix that climbs", with(hs(ours + `,"prefix":"../../etc"`)), "abc", 200, "ann"},
		{"one upload, another meant", "DELETE /uploads/" + id + "\nAuthorization: Bearer " + hs(ours+`,"upload":"ABCDEFGHIJKLMNOPQRSTUVWXYZ"`), "", 404, ""},
		{"may read, removes", "DELETE /uploads/" + id + "\nAuthorization: Bearer " + hs(ours+`,"verbs":["read"]`), "", 403, ""},
		{"may read, removes as GET", "GET /tus/" + id + "\nTus-Resumable: 1.0.0\nX-HTTP-Method-Override: DELETE\nAuthorization: Bearer " + hs(ours+`,"verbs":["read"]`), "", 403, ""},
		// where it stands
		{"two Authorization headers", with(good) + "\nAuthorization: Bearer " + good, "abc", 400, ""},
		{"two that differ", with(good) + "\nauthorization: Bearer " + bob, "abc", 400, ""},
		{"Basic before Bearer", "PUT /upload/x\nAuthorization: Basic YTpi\nAuthorization: Bearer " + good, "abc", 400, ""},
		{"another scheme", "PUT /upload/x\nAuthorization: Token " + good, "abc", 401, ""},
		{"two in one header", with(good + ", Bearer " + bob), "abc", 401, ""},
		{"header and query differ", "PUT /upload/x?token=" + bob + "\nAuthorization: Bearer " + good, "abc", 400, ""},
		{"two names in the query", "PUT /upload/x?token=" + bob + "&upload_token=" + good, "abc", 400, ""},
		{"path and query differ", "PUT /u/" + good + "/upload/x?token=" + bob, "abc", 400, ""},
		{"a bad one and a good one", "PUT /upload/x?token=x&upload_token=" + good, "abc", 400, ""},
		{"a good cookie and a bad header", with("x") + "\nCookie: upload_token=" + good, "abc", 401, ""},
		{"a cookie from another site", "POST /upload\nCookie: upload_token=" + good + "\nSec-Fetch-Site: cross-site\nOrigin: https://evil.example", "abc", 403, ""},
		{"two cookies", "PUT /upload/x\nCookie: upload_token=" + good + "; upload_token=" + bob, "abc", 401, ""},
		{"another cookie", "PUT /upload/x\nCookie: token=" + good, "abc", 401, ""},
		{"a field after the file", "POST /upload\n" + formType, file("file", "a", "abc") + fields("upload_token="+good) + formEnd, 401, ""},
		{"a bad field", "POST /upload\n" + formType, fields("upload_token=x") + file("file", "a", "abc") + formEnd, 401, ""},
		{"a field of another name", "POST /upload\n" + formType, fields("token="+good) + file("file", "a", "abc") + formEnd, 401, ""},
		{"a file as the field", "POST /upload\n" + formType, file("upload_token", "a", good) + file("file", "a", "abc") + formEnd, 401, ""},
		{"a field beyond its limit", "POST /upload\n" + formType, fields("upload_token="+good+strings.Repeat("x", 5000)) + file("file", "a", "abc") + formEnd, 401, ""},
		{"a field beyond the look", "POST /upload\n" + formType, strings.Repeat(fields("a="+strings.Repeat("x", 4000)), 20) + fields("upload_token="+good) + file("file", "a", "abc") + formEnd, 401, ""},
		{"a field that differs from the header", "POST /upload\n" + formType + "\nAuthorization: Bearer x", fields("upload_token="+good) + file("file", "a", "abc") + formEnd, 401, ""},
		{"a form without its boundary", "POST /upload\nContent-Type: multipart/form-data", fields("upload_token=" + good), 401, ""},
		// paths
		{"u without a token", "PUT /u//upload/x", "abc", 404, ""},
		{"u alone", "PUT /u/", "abc", 404, ""},
		{"a token and nothing", "PUT /u/" + good, "abc", 404, ""},
		{"a token with an encoded slash", "PUT /u/" + good + "%2fupload%2fx", "abc", 404, ""},
		{"a token that is encoded", "PUT /u/" + strings.Replace(good, ".", "%2e", 1) + "/upload/x", "abc", 404, ""},
		{"no token", "PUT /u/../upload/x", "abc", 401, ""},
		{"dots after it", "PUT /u/" + good + "/../upload/x", "abc", 404, ""},
		{"encoded dots after it", "PUT /u/" + good + "/%2e%2e/upload/x", "abc", 404, ""},
		{"an encoded slash in the name", "PUT /u/" + good + "/upload/..%2f..%2fetc", "abc", 400, ""},
		{"twice", "PUT /u/" + good + "/u/" + good + "/upload/x", "abc", 404, ""},
		{"two slashes", "PUT /u/" + good + "//upload/x", "abc", 404, ""},
		{"a bad one in the path", "PUT /u/a.b.c/upload/x", "abc", 401, ""},
		{"in the path of an open place", "GET /u/a.b.c/healthz", "", 200, ""},
		{"a broken escape", "PUT /u/" + good + "/upload/%zz", "abc", 400, ""},
		{"a concatenation with a token in a URL", "POST /u/" + good + "/tus/\nTus-Resumable: 1.0.0\nUpload-Concat: final;/u/" + bob + "/nowhere/" + id, "", 400, ""},
		// bodies
		{"chunked", "PUT /upload/x\nTransfer-Encoding: chunked", "3\r\nabc\r\n0\r\n\r\n", 401, ""},
		{"who waits", "PUT /upload/x\nExpect: 100-continue\nContent-Length: 1000000", "", 401, ""},
		{"a large body", "PUT /upload/x", strings.Repeat("x", 3<<20), 401, ""},
		{"OPTIONS that removes", "OPTIONS /tus/" + id + "\nTus-Resumable: 1.0.0\nX-HTTP-Method-Override: DELETE", "", 403, ""},
		{"OPTIONS that creates", "OPTIONS /tus/\nTus-Resumable: 1.0.0\nUpload-Length: 3\nX-HTTP-Method-Override: POST", "", 403, ""},
		{"what asks who a proxy says it is", "GET /uploads\nX-Forwarded-User: ann", "", 401, ""},
	}
	if len(all) < 60 {
		t.Errorf("%d requests", len(all))
	}
	attack(t, h, log, base, []string{good, bob}, all)
}

// TestPublicKeyAsSecret: a public key is known to everybody; what is signed with
// it as if it was a secret is not taken, and it cannot be configured as one.
func TestPublicKeyAsSecret(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	name := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
	h, log := testHouse(t, func(s *settings) { s.Allow.Keys = list{name} })
	base := served(t, h)
	signed, err := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{"sub": "ann", "exp": time.Now().Add(time.Hour).Unix()}).SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	with := func(token string) string { return "PUT /upload/x\nAuthorization: Bearer " + token }
	attack(t, h, log, base, nil, []hostile{
		{"its own", with(signed), "abc", 200, "ann"},
		{"HS256 with the PEM", with(jws(`{"alg":"HS256"}`, payload(""), string(text))), "abc", 401, ""},
		{"HS256 with the PEM, trimmed", with(jws(`{"alg":"HS256"}`, payload(""), strings.TrimSpace(string(text)))), "abc", 401, ""},
		{"HS256 with the DER", with(jws(`{"alg":"HS256"}`, payload(""), string(der))), "abc", 401, ""},
		{"ES256 with HS256's signature", with(jws(`{"alg":"ES256"}`, payload(""), string(text))), "abc", 401, ""},
		{"none", with(jws(`{"alg":"none"}`, payload(""), "")), "abc", 401, ""},
		{"a signature of zeros", with(jws(`{"alg":"ES256"}`, payload(""), "") + base64.RawURLEncoding.EncodeToString(make([]byte, 64))), "abc", 401, ""},
	})
	if _, err := (secrets{File: name}).read(); err == nil {
		t.Error("a public key is a secret")
	}
}
