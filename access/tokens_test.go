package access_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/muleteer/muleteer/access"
	"github.com/muleteer/muleteer/upload"
)

var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func clock() time.Time { return now }

const secret = "a secret of more than thirty-two bytes"

// claims are those of a good token, with changes.
func claims(changes ...any) jwt.MapClaims {
	c := jwt.MapClaims{"sub": "ann", "exp": now.Add(time.Hour).Unix()}
	for i := 0; i < len(changes); i += 2 {
		if c[changes[i].(string)] = changes[i+1]; changes[i+1] == nil {
			delete(c, changes[i].(string))
		}
	}
	return c
}

func sign(t testing.TB, method jwt.SigningMethod, key any, c jwt.MapClaims, header ...string) string {
	t.Helper()
	token := jwt.NewWithClaims(method, c)
	for i := 0; i < len(header); i += 2 {
		token.Header[header[i]] = header[i+1]
	}
	s, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// raw is a token with any header and payload, signed by HS256 if there is a key.
func raw(header, payload string, key []byte) string {
	b64 := base64.RawURLEncoding.EncodeToString
	text := b64([]byte(header)) + "." + b64([]byte(payload))
	signature := ""
	if key != nil {
		s, err := jwt.SigningMethodHS256.Sign(text, key)
		if err != nil {
			panic(err)
		}
		signature = b64(s)
	}
	return text + "." + signature
}

type pair struct {
	method  jwt.SigningMethod
	private crypto.Signer
}

func pairs(t testing.TB) []pair {
	t.Helper()
	r, err1 := rsa.GenerateKey(rand.Reader, 2048)
	e, err2 := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	_, d, err3 := ed25519.GenerateKey(rand.Reader)
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	return []pair{{jwt.SigningMethodRS256, r}, {jwt.SigningMethodES256, e}, {jwt.SigningMethodEdDSA, d}}
}

// TestTokens: what a token permits is what it says, and one that cannot be relied
// on permits nothing.
func TestTokens(t *testing.T) {
	t.Parallel()
	hs := jwt.SigningMethodHS256
	payload, _ := json.Marshal(claims())
	forged := func(s string) string { return s[:len(s)-4] + "AAAA" }
	for _, c := range []struct {
		name, token string
		want        error
	}{
		{"good", sign(t, hs, []byte(secret), claims()), nil},
		{"by the older secret", sign(t, hs, []byte("older"+secret), claims()), nil},
		{"with a kid", sign(t, hs, []byte(secret), claims(), "kid", "../../etc/passwd"), nil},
		{"by another secret", sign(t, hs, []byte("not"+secret), claims()), access.ErrBad},
		{"forged", forged(sign(t, hs, []byte(secret), claims())), access.ErrBad},
		{"HS512", sign(t, jwt.SigningMethodHS512, []byte(secret), claims()), access.ErrBad},
		{"none", sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, claims()), access.ErrBad},
		{"None", raw(`{"alg":"None"}`, string(payload), nil), access.ErrBad},
		{"no algorithm", raw(`{}`, string(payload), []byte(secret)), access.ErrBad},
		{"a number as algorithm", raw(`{"alg":256}`, string(payload), []byte(secret)), access.ErrBad},
		{"critical", raw(`{"alg":"HS256","crit":["exp"]}`, string(payload), []byte(secret)), access.ErrBad},
		{"two parts", "a.b", access.ErrBad},
		{"empty", "..", access.ErrBad},
		{"huge", sign(t, hs, []byte(secret), claims("data", strings.Repeat("x", 9000))), access.ErrBad},
		{"expired within the leeway", sign(t, hs, []byte(secret), claims("exp", now.Add(-29*time.Second).Unix())), nil},
		{"expired", sign(t, hs, []byte(secret), claims("exp", now.Add(-31*time.Second).Unix())), access.ErrBad},
		{"without an end", sign(t, hs, []byte(secret), claims("exp", nil)), access.ErrBad},
		{"an end that is no number", sign(t, hs, []byte(secret), claims("exp", "tomorrow")), access.ErrBad},
		{"an end before all time", sign(t, hs, []byte(secret), claims("exp", -1)), access.ErrBad},
		{"not yet, within the leeway", sign(t, hs, []byte(secret), claims("nbf", now.Add(29*time.Second).Unix())), nil},
		{"not yet", sign(t, hs, []byte(secret), claims("nbf", now.Add(31*time.Second).Unix())), access.ErrBad},
		{"without an owner", sign(t, hs, []byte(secret), claims("sub", nil)), access.ErrBad},
		{"an owner like nobody", sign(t, hs, []byte(secret), claims("sub", "?ann")), access.ErrBad},
		{"an owner with control characters", sign(t, hs, []byte(secret), claims("sub", "a\nb")), access.ErrBad},
		{"an owner of 256 bytes", sign(t, hs, []byte(secret), claims("sub", strings.Repeat("a", 256))), access.ErrBad},
		{"an owner that is a number", sign(t, hs, []byte(secret), claims("sub", 7)), access.ErrBad},
		{"one upload without an owner", sign(t, hs, []byte(secret), claims("sub", nil, "upload", "x")), nil},
		{"this endpoint", sign(t, hs, []byte(secret), claims("endpoint", "default")), nil},
		{"another endpoint", sign(t, hs, []byte(secret), claims("endpoint", "films")), upload.ErrDenied},
		{"an unknown verb", sign(t, hs, []byte(secret), claims("verbs", []string{"create", "everything"})), access.ErrBad},
		{"no verbs", sign(t, hs, []byte(secret), claims("verbs", []string{})), access.ErrBad},
		{"verbs in one word", sign(t, hs, []byte(secret), claims("verbs", "create")), access.ErrBad},
		{"a negative size", sign(t, hs, []byte(secret), claims("max_size", -1)), access.ErrBad},
		{"a size beyond all", sign(t, hs, []byte(secret), claims("max_size", 1e30)), access.ErrBad},
		{"a type that is none", sign(t, hs, []byte(secret), claims("types", []string{"image"})), access.ErrBad},
		{"fields that are none", sign(t, hs, []byte(secret), claims("fields", map[string]int{"a": 1})), access.ErrBad},
	} {
		g := &access.Gate{Tokens: &access.Tokens{Secrets: [][]byte{[]byte(secret), []byte("older" + secret)}, Now: clock}}
		p, err := g.Token(t.Context(), c.token)
		if !errors.Is(err, c.want) || c.want == nil && err != nil {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		if err != nil && (strings.Contains(err.Error(), c.token) && len(c.token) > 4) {
			t.Errorf("%s: the error has the token: %v", c.name, err)
		}
		if err == nil && p.Owner == "" && p.Upload == "" {
			t.Errorf("%s: %+v", c.name, p)
		}
	}
}

// TestClaims: each claim restricts what it says.
func TestClaims(t *testing.T) {
	t.Parallel()
	g := &access.Gate{Endpoint: "films", Tokens: &access.Tokens{Secrets: [][]byte{[]byte(secret)}, Now: clock, Audience: "us", Issuer: "them"}}
	token := sign(t, jwt.SigningMethodHS256, []byte(secret), claims(
		"aud", []string{"others", "us"}, "iss", "them", "endpoint", "films", "verbs", []string{"create", "write"}, "upload", "u",
		"max_size", 10, "max_open", 2, "quota", 100, "types", []string{"video/*"}, "prefix", "p", "fields", map[string]string{"a": "b"},
		"data", map[string]any{"order": 7}))
	p, err := g.Token(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	q := p.Grant.Quota
	if p.Owner != "ann" || len(p.Verbs) != 2 || p.Upload != "u" || p.Grant.MaxSize != 10 || q.Open != 2 || q.Total != 100 || p.Grant.Types[0] != "video/*" ||
		p.Grant.Prefix != "p" || p.Grant.Fields["a"] != "b" || p.Grant.Data != `{"order":7}` || !p.Until.Equal(now.Add(time.Hour+access.Leeway)) {
		t.Errorf("%+v", p)
	}
	for name, c := range map[string]jwt.MapClaims{
		"no audience":      claims("iss", "them", "endpoint", "films"),
		"another audience": claims("iss", "them", "endpoint", "films", "aud", "others"),
		"no issuer":        claims("aud", "us", "endpoint", "films"),
		"another issuer":   claims("aud", "us", "endpoint", "films", "iss", "somebody"),
	} {
		if _, err := g.Token(t.Context(), sign(t, jwt.SigningMethodHS256, []byte(secret), c)); !errors.Is(err, access.ErrBad) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := g.Token(t.Context(), sign(t, jwt.SigningMethodHS256, []byte(secret), claims("iss", "them", "aud", "us"))); !errors.Is(err, upload.ErrDenied) {
		t.Errorf("the token of the default endpoint: %v", err)
	}
}

// TestPublicKeys: a key verifies what is signed by its own algorithm, and nothing
// else; what is public is no secret.
func TestPublicKeys(t *testing.T) {
	t.Parallel()
	all, others := pairs(t), pairs(t)
	for i, p := range all {
		g := &access.Gate{Tokens: &access.Tokens{Keys: []crypto.PublicKey{others[i].private.Public(), p.private.Public()}, Now: clock}}
		if _, err := g.Token(t.Context(), sign(t, p.method, p.private, claims())); err != nil {
			t.Errorf("%s: %v", p.method.Alg(), err)
		}
		for j, q := range all {
			if _, err := g.Token(t.Context(), sign(t, q.method, q.private, claims())); (err == nil) != (i == j) {
				t.Errorf("%s for %s: %v", q.method.Alg(), p.method.Alg(), err)
			}
		}
		der, err := x509.MarshalPKIXPublicKey(p.private.Public())
		if err != nil {
			t.Fatal(err)
		}
		text := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
		for _, key := range [][]byte{der, text, []byte(strings.TrimSpace(string(text)))} {
			if _, err := g.Token(t.Context(), sign(t, jwt.SigningMethodHS256, key, claims())); !errors.Is(err, access.ErrBad) {
				t.Errorf("%s, its public key as the secret: %v", p.method.Alg(), err)
			}
		}
	}
	rsaKey := all[0].private
	g := &access.Gate{Tokens: &access.Tokens{Keys: []crypto.PublicKey{rsaKey.Public()}, Now: clock}}
	for _, m := range []jwt.SigningMethod{jwt.SigningMethodRS512, jwt.SigningMethodPS256} {
		if _, err := g.Token(t.Context(), sign(t, m, rsaKey, claims())); !errors.Is(err, access.ErrBad) {
			t.Errorf("%s: %v", m.Alg(), err)
		}
	}
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err == nil && access.Algorithm(small.Public()) != "" {
		t.Error("a key of 1024 bits is used")
	}
	p384, _ := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if access.Algorithm(p384.Public()) != "" {
		t.Error("a key of P-384 is used")
	}
}

func TestMint(t *testing.T) {
	t.Parallel()
	c := &access.Claims{RegisteredClaims: jwt.RegisteredClaims{Subject: "ann", ExpiresAt: jwt.NewNumericDate(now.Add(time.Minute))}}
	if _, err := access.Mint(c, []byte("short")); err == nil {
		t.Error("a short secret signs")
	}
	token, err := access.Mint(c, []byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	v := &access.Tokens{Secrets: [][]byte{[]byte(secret)}, Now: clock}
	if got, err := v.Verify(context.Background(), token); err != nil || got.Subject != "ann" {
		t.Error(got, err)
	}
	c.Subject = ""
	if _, err := access.Mint(c, []byte(secret)); err == nil {
		t.Error("a token of nobody is made")
	}
}

// FuzzToken: whatever a token looks like, only one that is signed is good.
func FuzzToken(f *testing.F) {
	f.Add(sign(f, jwt.SigningMethodHS256, []byte("not"+secret), claims()))
	f.Add(raw(`{"alg":"none"}`, `{"sub":"ann","exp":9999999999}`, nil))
	f.Add("a.b.c")
	v := &access.Tokens{Secrets: [][]byte{[]byte(secret)}, Now: clock}
	f.Fuzz(func(t *testing.T, token string) {
		if c, err := v.Verify(t.Context(), token); err == nil {
			t.Errorf("%q is good: %+v", token, c)
		} else if !errors.Is(err, access.ErrBad) {
			t.Errorf("%q: %v", token, err)
		}
	})
}
