package access_test

import (
	"crypto"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"encoding/json"

	"github.com/muleteer/muleteer/access"
	"github.com/muleteer/muleteer/upload"
)

// authority is a server of keys, and of whatever else it is told to answer.
type authority struct {
	*httptest.Server
	mu      sync.Mutex
	answer  http.HandlerFunc
	fetched int
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		a.fetched++
		answer := a.answer
		a.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(a.Close)
	return a
}

func (a *authority) says(answer http.HandlerFunc) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answer = answer
}

func (a *authority) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.fetched
}

// has makes it say these keys, by kid.
func (a *authority) has(t *testing.T, keys map[string]crypto.PublicKey) {
	t.Helper()
	var set jose.JSONWebKeySet
	for id, k := range keys {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: k, KeyID: id})
	}
	text, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	a.says(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(text)
	})
}

// watch is a clock that is moved by hand.
type watch struct {
	mu sync.Mutex
	at time.Time
}

func (c *watch) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *watch) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// TestKeySet: keys come and go; while they cannot be fetched, those that are
// known are good for an hour, and nothing else is decided.
func TestKeySet(t *testing.T) {
	t.Parallel()
	a, c := newAuthority(t), &watch{at: now}
	all, later := pairs(t), pairs(t)
	g := &access.Gate{Tokens: &access.Tokens{KeySet: access.NewKeySet(a.URL, c.now), Now: c.now}}
	token := func(p pair, kid string) string {
		return sign(t, p.method, p.private, claims("exp", now.Add(100*time.Hour).Unix()), "kid", kid)
	}
	try := func(what string, p pair, kid string, want error) {
		t.Helper()
		text := token(p, kid)
		// Right after a fetch the library may tell its outcome once more.
		for deadline := time.Now().Add(10 * time.Second); ; {
			_, err := g.Token(t.Context(), text)
			if errors.Is(err, want) && (want != nil || err == nil) {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: %s %s: %v, want %v", what, p.method.Alg(), kid, err, want)
			}
			runtime.Gosched()
		}
	}
	a.has(t, map[string]crypto.PublicKey{"r": all[0].private.Public(), "e": all[1].private.Public(), "d": all[2].private.Public()})
	try("first", all[0], "r", nil)
	try("first", all[1], "e", nil)
	try("first", all[2], "d", nil)
	if a.count() != 1 {
		t.Errorf("fetched %d times", a.count())
	}
	try("the kid of another one", all[1], "d", access.ErrBad)
	if _, err := g.Token(t.Context(), sign(t, jwt.SigningMethodHS256, []byte(secret), claims(), "kid", "r")); !errors.Is(err, access.ErrBad) {
		t.Errorf("HS256: %v", err)
	}

	// Strangers with kids of their own make it fetch no more than now and then.
	c.add(time.Minute)
	before := a.count()
	for n, deadline := 0, time.Now().Add(10*time.Second); n < 50 || a.count() == before && time.Now().Before(deadline); n++ {
		if _, err := g.Token(t.Context(), token(later[1], "unknown")); err == nil {
			t.Fatal("an unknown key is good")
		}
	}
	if n := a.count() - before; n < 1 || n > 3 {
		t.Errorf("fetched %d times", n)
	}
	try("meanwhile", all[0], "r", nil)

	// Rotation: the new key is found at once, the old one goes soon.
	c.add(time.Minute)
	a.has(t, map[string]crypto.PublicKey{"r2": later[0].private.Public()})
	try("rotated", later[0], "r2", nil)
	try("rotated", all[0], "r", access.ErrBad)

	// A key that was withdrawn is gone within ten minutes, without a new one.
	a.has(t, map[string]crypto.PublicKey{"e": later[1].private.Public()})
	c.add(11 * time.Minute)
	try("withdrawn", later[0], "r2", access.ErrBad)

	// Down: what is known goes on for an hour, the rest has to wait.
	for what, answer := range map[string]http.HandlerFunc{
		"500":      func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) },
		"redirect": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) },
		"garbage":  func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") },
		"huge": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"keys":[],"x":"`+strings.Repeat("x", 2<<20)+`"}`)
		},
		"a set that is none": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"keys":[{"kty":"RSA"}]}`) },
		"no set":             func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `[]`) },
		"broken off": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, `{"keys":[]}`)
		},
	} {
		c.add(time.Minute)
		a.has(t, map[string]crypto.PublicKey{"e": later[1].private.Public()})
		try(what+", before", later[1], "e", nil)
		a.says(answer)
		c.add(11 * time.Minute)
		try(what, later[1], "e", nil)
		try(what, all[0], "r", upload.ErrUnavailable)
		c.add(50 * time.Minute)
		try(what+" for an hour", later[1], "e", upload.ErrUnavailable)
	}
}

// TestKeySetSlow: nobody waits for keys longer than a few seconds.
func TestKeySetSlow(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	release := make(chan struct{})
	a.says(func(http.ResponseWriter, *http.Request) { <-release })
	defer close(release)
	p := pairs(t)[1]
	g := &access.Gate{Tokens: &access.Tokens{KeySet: access.NewKeySet(a.URL, nil)}}
	began := time.Now()
	_, err := g.Token(t.Context(), sign(t, p.method, p.private, claims("exp", time.Now().Add(time.Hour).Unix())))
	if !errors.Is(err, upload.ErrUnavailable) || time.Since(began) > 8*time.Second {
		t.Errorf("after %v: %v", time.Since(began), err)
	}
}
