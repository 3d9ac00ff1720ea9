package access_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/muleteer/muleteer/access"
	"github.com/muleteer/muleteer/upload"
)

// application answers who may upload.
type application struct {
	*authority
	gate *access.Gate
	time *watch

	mu   sync.Mutex
	seen []http.Header
}

func newApplication(t *testing.T) *application {
	t.Helper()
	a := &application{authority: newAuthority(t), time: &watch{at: now}}
	a.gate = &access.Gate{Application: access.NewApplication(a.URL+"/allow", []byte("key"), nil, a.time.now)}
	a.answers(200, "", "")
	return a
}

func (a *application) answers(status int, kind, body string) {
	a.says(func(w http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		a.seen = append(a.seen, r.Header.Clone())
		a.mu.Unlock()
		if r.Method != http.MethodGet || r.ContentLength > 0 {
			status = http.StatusTeapot
		}
		if kind != "" {
			w.Header().Set("Content-Type", kind)
		}
		if status >= 300 && status < 400 {
			w.Header().Set("Location", "/elsewhere")
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
}

func (a *application) last() http.Header {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.seen[len(a.seen)-1]
}

func (a *application) admit(headers ...string) (upload.Principal, error) {
	return a.gate.Admit(access.Loopback().Believe(request("PUT", "/upload/x", headers...)), access.Subject{Protocol: "contentrange", Name: "ä b", Size: 7, Type: "text/plain"}, nil)
}

// TestApplicationIsTold: the headers of the request, and nothing else.
func TestApplicationIsTold(t *testing.T) {
	t.Parallel()
	a := newApplication(t)
	if _, err := a.admit("Authorization", "Basic abc", "Cookie", "a=1", "Cookie", "b=2", "X-Secret", "s", "X-Upload-Name", "forged", "X-Forwarded-For", "1.1.1.1"); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"Authorization": "Basic abc", "X-Upload-Method": "PUT", "X-Upload-Protocol": "contentrange", "X-Upload-Name": "%C3%A4%20b",
		"X-Upload-Size": "7", "X-Upload-Content-Type": "text/plain", "X-Forwarded-For": "192.0.2.1", "X-Secret": "", "X-Upload-Id": "",
	} {
		if got := strings.Join(a.last().Values(name), "|"); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if got := strings.Join(a.last().Values("Cookie"), "|"); got != "a=1|b=2" && got != "a=1; b=2" {
		t.Errorf("cookies: %q", got)
	}
	id := strings.Repeat("A", 26)
	if _, err := a.gate.Admit(request("GET", "/files/"+id), access.Subject{Size: -1}, nil); err != nil || a.last().Get("X-Upload-Id") != id || a.last().Get("X-Upload-Size") != "" {
		t.Error(err, a.last())
	}
}

// TestApplicationAnswers: yes is 200 or 201; a refusal is passed on; everything
// else is that nobody knows.
func TestApplicationAnswers(t *testing.T) {
	t.Parallel()
	refused := func(status int) func(error) bool {
		return func(err error) bool {
			var r *upload.Refusal
			return errors.As(err, &r) && r.Status == status && !strings.Contains(err.Error(), "secret")
		}
	}
	is := func(want error) func(error) bool { return func(err error) bool { return errors.Is(err, want) } }
	yes := func(err error) bool { return err == nil }
	for _, c := range []struct {
		status     int
		kind, body string
		ok         func(error) bool
		owner      string
	}{
		{200, "", "", yes, ""},
		{201, "text/plain", "OK", yes, ""},
		{200, "application/json", "true", yes, ""},
		{200, "application/json", "", yes, ""},
		{200, "application/json", `{}`, yes, ""},
		{200, "application/json; charset=utf-8", `{"principal":"ann"}`, yes, "ann"},
		{200, "text/html", `{"principal":"ann"}`, yes, ""},
		{200, "application/json", `{"principal":"?ann"}`, is(upload.ErrUnavailable), ""},
		{200, "application/json", `{"principal":7}`, is(upload.ErrUnavailable), ""},
		{200, "application/json", `{"principal":"ann"`, is(upload.ErrUnavailable), ""},
		{200, "application/json", `{"max_size":-1}`, is(upload.ErrUnavailable), ""},
		{200, "application/json", `{"ttl":-1}`, is(upload.ErrUnavailable), ""},
		{200, "application/json", `{"verbs":["all"]}`, is(upload.ErrUnavailable), ""},
		{200, "text/plain", strings.Repeat("x", 70<<10), is(upload.ErrUnavailable), ""},
		{202, "", "", is(upload.ErrUnavailable), ""},
		{204, "", "", is(upload.ErrUnavailable), ""},
		{302, "", "", is(upload.ErrUnavailable), ""},
		{401, "", "secret", refused(401), ""},
		{402, "", "secret", refused(402), ""},
		{403, "", "secret", refused(403), ""},
		{404, "", "secret", refused(404), ""},
		{413, "", "secret", refused(413), ""},
		{429, "", "secret", refused(429), ""},
		{410, "", "secret", is(upload.ErrDenied), ""},
		{423, "", "secret", is(upload.ErrDenied), ""},
		{500, "", "secret", is(upload.ErrUnavailable), ""},
		{503, "", "", is(upload.ErrUnavailable), ""},
	} {
		a := newApplication(t)
		a.answers(c.status, c.kind, c.body)
		p, err := a.admit("Cookie", "session=1")
		if !c.ok(err) || p.Owner != c.owner {
			t.Errorf("%d %s %.40q: %q, %v", c.status, c.kind, c.body, p.Owner, err)
		}
		if a.count() != 1 {
			t.Errorf("%d: asked %d times", c.status, a.count())
		}
	}
}

func TestApplicationGrants(t *testing.T) {
	t.Parallel()
	a := newApplication(t)
	a.answers(200, "application/json", `{"principal":"ann","key":"k/1","prefix":"p","max_size":5,"max_open":2,"quota":9,"types":["a/b"],"fields":{"x":"y"},"data":[1, 2],"verbs":["create"]}`)
	p, err := a.admit()
	if err != nil {
		t.Fatal(err)
	}
	g := p.Grant
	if p.Owner != "ann" || g.Key != "k/1" || g.Prefix != "p" || g.MaxSize != 5 || g.Quota.Open != 2 || g.Quota.Total != 9 || g.Types[0] != "a/b" || g.Fields["x"] != "y" || g.Data != "[1,2]" || !p.May(upload.MayCreate) || p.May(upload.MayRead) {
		t.Errorf("%+v", p)
	}
}

// TestApplicationOwners: without a name, who has one Authorization is one person.
func TestApplicationOwners(t *testing.T) {
	t.Parallel()
	a := newApplication(t)
	owner := func(authorization string) string {
		p, err := a.admit("Authorization", authorization)
		if err != nil {
			t.Fatal(err)
		}
		return p.Owner
	}
	if o := owner("Basic abc"); o == "" || o != owner("Basic abc") || o == owner("Basic abd") || strings.Contains(o, "abc") {
		t.Error(o)
	}
	other := access.NewApplication(a.URL, []byte("another key"), nil, nil)
	p, err := (&access.Gate{Application: other}).Admit(request("GET", "/", "Authorization", "Basic abc"), access.Subject{}, nil)
	if err != nil || p.Owner == owner("Basic abc") {
		t.Error("the name can be computed without the key", err)
	}
}

// TestApplicationCache: yes is remembered for a little while, for exactly what
// was asked; no is not.
func TestApplicationCache(t *testing.T) {
	t.Parallel()
	a := newApplication(t)
	asked := func(what string, want int, headers ...string) {
		t.Helper()
		before := a.count()
		_, _ = a.admit(headers...)
		if n := a.count() - before; n != want {
			t.Errorf("%s: asked %d times, want %d", what, n, want)
		}
	}
	asked("first", 1, "Authorization", "a")
	asked("again", 0, "Authorization", "a")
	asked("another", 1, "Authorization", "b")
	asked("another cookie", 1, "Authorization", "a", "Cookie", "x=1")
	asked("another address", 1, "Authorization", "a", "remote", "192.0.2.2:1")
	a.time.add(3 * time.Second)
	asked("later", 1, "Authorization", "a")
	a.answers(200, "application/json", `{"ttl":60}`)
	asked("with a time", 1, "Authorization", "c")
	a.time.add(59 * time.Second)
	asked("within it", 0, "Authorization", "c")
	a.time.add(2 * time.Second)
	a.answers(200, "application/json", `{"ttl":0}`)
	asked("never", 1, "Authorization", "c")
	asked("never again", 1, "Authorization", "c")
	a.answers(200, "application/json", `{"ttl":999999999999}`)
	asked("for ever", 1, "Authorization", "d")
	a.time.add(301 * time.Second)
	asked("is five minutes", 1, "Authorization", "d")
	a.answers(403, "", "")
	asked("no", 1, "Authorization", "e")
	asked("no again", 1, "Authorization", "e")
	for i := range 5000 { // it does not grow for ever, and still answers
		a.answers(200, "", "")
		if i > 4990 {
			asked("many", 1, "Authorization", fmt.Sprint("many", i))
		}
	}
}

// TestApplicationAgain: at the end it is asked anew.
func TestApplicationAgain(t *testing.T) {
	t.Parallel()
	a := newApplication(t)
	a.answers(200, "application/json", `{"principal":"ann"}`)
	p, err := a.admit()
	if err != nil {
		t.Fatal(err)
	}
	again := func(status int, body string, want error) {
		t.Helper()
		a.answers(status, "application/json", body)
		before := a.count()
		if err := p.Again(t.Context()); !errors.Is(err, want) || want == nil && err != nil {
			t.Errorf("%d %s: %v, want %v", status, body, err, want)
		}
		if a.count() != before+1 {
			t.Error("it was not asked")
		}
	}
	again(200, `{"principal":"ann"}`, nil)
	again(200, `{"principal":"bob"}`, upload.ErrDenied)
	again(401, ``, upload.ErrDenied)
	again(403, ``, upload.ErrDenied)
	again(500, ``, upload.ErrUnavailable)
	again(200, `{`, upload.ErrUnavailable)
	a.Close()
	if err := p.Again(t.Context()); !errors.Is(err, upload.ErrUnavailable) {
		t.Errorf("gone: %v", err)
	}
	if _, err := a.admit("Authorization", "new"); !errors.Is(err, upload.ErrUnavailable) || strings.Contains(err.Error(), "/allow") {
		t.Errorf("gone: %v", err)
	}
}

// TestApplicationSlow: nobody waits for longer than a few seconds, and a body
// that drips does not help.
func TestApplicationSlow(t *testing.T) {
	t.Parallel()
	for name, begins := range map[string]bool{"no answer": false, "half an answer": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newApplication(t)
			release := make(chan struct{})
			a.says(func(w http.ResponseWriter, _ *http.Request) {
				if begins {
					w.WriteHeader(200)
					_ = http.NewResponseController(w).Flush()
				}
				<-release
			})
			defer close(release)
			began := time.Now()
			if _, err := a.admit(); !errors.Is(err, upload.ErrUnavailable) || time.Since(began) > 8*time.Second {
				t.Errorf("after %v: %v", time.Since(began), err)
			}
		})
	}
}

// TestApplicationAndTokens: a token of ours is permission enough; what is not
// ours is the application's to judge; an old one of ours is not.
func TestApplicationAndTokens(t *testing.T) {
	t.Parallel()
	a := newApplication(t)
	a.gate.Tokens = &access.Tokens{Secrets: [][]byte{[]byte(secret)}, Now: clock}
	a.answers(200, "application/json", `{"principal":"app"}`)
	theirs := sign(t, jwt.SigningMethodHS256, []byte("the application's own secret, as long"), claims())
	for _, c := range []struct {
		name, token string
		owner       string
		want        error
		asked       int
	}{
		{"ours", good(t, "ann"), "ann", nil, 0},
		{"theirs", theirs, "app", nil, 1},
		{"opaque", "abc", "app", nil, 1},
		{"ours, and old", sign(t, jwt.SigningMethodHS256, []byte(secret), claims("exp", 1)), "", access.ErrBad, 0},
	} {
		before := a.count()
		p, err := a.admit("Authorization", "Bearer "+c.token)
		if !errors.Is(err, c.want) || c.want == nil && err != nil || p.Owner != c.owner || a.count()-before != c.asked {
			t.Errorf("%s: %q, %v, asked %d times", c.name, p.Owner, err, a.count()-before)
		}
	}
	if _, err := a.gate.Admit(request("GET", "/?token="+theirs), access.Subject{}, nil); !errors.Is(err, access.ErrBad) {
		t.Errorf("theirs in the query, which they are not told: %v", err)
	}
	a.answers(401, "", "")
	field := func() string { return good(t, "ann") }
	if p, err := a.gate.Admit(httptest.NewRequest("POST", "/", nil), access.Subject{}, field); err != nil || p.Owner != "ann" {
		t.Errorf("a token in a form, whose headers the application does not know: %q, %v", p.Owner, err)
	}
	a.answers(403, "", "")
	if _, err := a.gate.Admit(httptest.NewRequest("POST", "/x", nil), access.Subject{}, field); err == nil {
		t.Error("what the application forbids, a form permits")
	}
}

// FuzzAnswer: whatever an application answers, what comes of it makes sense.
func FuzzAnswer(f *testing.F) {
	f.Add(`{"principal":"ann","ttl":1}`)
	f.Add(`{"principal":"?"}`)
	f.Add(`[]`)
	f.Fuzz(func(t *testing.T, body string) {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, body)
		}))
		defer s.Close()
		g := &access.Gate{Application: access.NewApplication(s.URL, []byte("k"), nil, nil)}
		p, err := g.Admit(request("GET", "/"), access.Subject{}, nil)
		if err != nil && !errors.Is(err, upload.ErrUnavailable) {
			t.Errorf("%q: %v", body, err)
		}
		if err == nil && (strings.HasPrefix(p.Owner, upload.Nobody) || p.Grant.MaxSize < 0 || strings.ContainsAny(p.Owner, "\r\n\x00")) {
			t.Errorf("%q: %+v", body, p)
		}
	})
}
