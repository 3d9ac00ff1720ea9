package access_test

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/muleteer/muleteer/access"
	"github.com/muleteer/muleteer/internal/wire"
	"github.com/muleteer/muleteer/upload"
)

// request is one from the client at 192.0.2.1, through no proxy.
func request(method, target string, headers ...string) *http.Request {
	r := httptest.NewRequest(method, target, nil)
	r.RemoteAddr = "192.0.2.1:1000"
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "remote" {
			r.RemoteAddr = headers[i+1]
			continue
		}
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

func good(t testing.TB, owner string) string {
	t.Helper()
	return sign(t, jwt.SigningMethodHS256, []byte(secret), claims("sub", owner))
}

// TestWhere: a token counts wherever it may stand; two that differ are none.
func TestWhere(t *testing.T) {
	t.Parallel()
	g := &access.Gate{Tokens: &access.Tokens{Secrets: [][]byte{[]byte(secret)}, Now: clock}, Nobody: &access.Nobody{Key: []byte("k")}}
	ann, bob := good(t, "ann"), good(t, "bob")
	old := sign(t, jwt.SigningMethodHS256, []byte(secret), claims("exp", 1))
	for _, c := range []struct {
		name  string
		r     *http.Request
		field string
		owner string
		want  error
	}{
		{"nothing", request("GET", "/"), "", "", nil},
		{"Authorization", request("GET", "/", "Authorization", "Bearer "+ann), "", "ann", nil},
		{"a lower case scheme", request("GET", "/", "Authorization", "bearer   "+ann), "", "ann", nil},
		{"another scheme", request("GET", "/", "Authorization", "Basic "+ann), "", "", nil},
		{"an empty one", request("GET", "/", "Authorization", "Bearer"), "", "", upload.ErrInvalid},
		{"two words", request("GET", "/", "Authorization", "Bearer "+ann+" "+bob), "", "", access.ErrBad},
		{"twice", request("GET", "/", "Authorization", "Bearer "+ann, "Authorization", "Bearer "+ann), "", "", upload.ErrInvalid},
		{"query", request("GET", "/?token="+ann), "", "ann", nil},
		{"query of Resumable.js", request("GET", "/?a=b&upload_token="+ann), "", "ann", nil},
		{"twice the same", request("GET", "/?token="+ann+"&upload_token="+ann, "Authorization", "Bearer "+ann), "", "ann", nil},
		{"two in the query", request("GET", "/?token="+ann+"&token="+bob), "", "", upload.ErrInvalid},
		{"query and header", request("GET", "/?token="+ann, "Authorization", "Bearer "+bob), "", "", upload.ErrInvalid},
		{"path", request("GET", "/u/"+ann+"/upload/x"), "", "ann", nil},
		{"path and header", request("GET", "/u/"+ann+"/upload/x", "Authorization", "Bearer "+bob), "", "", upload.ErrInvalid},
		{"path and query", request("GET", "/u/"+ann+"/upload/x?token="+bob), "", "", upload.ErrInvalid},
		{"field", request("POST", "/"), ann, "ann", nil},
		{"a field is not asked for where there is one already", request("POST", "/?token="+bob), ann, "bob", nil},
		{"a bad field", request("POST", "/"), old, "", access.ErrBad},
		{"cookie", request("GET", "/", "Cookie", "upload_token="+ann), "", "ann", nil},
		{"cookie and header", request("GET", "/", "Cookie", "upload_token="+ann, "Authorization", "Bearer "+bob), "", "bob", nil},
		{"two cookies", request("GET", "/", "Cookie", "upload_token="+ann+"; upload_token="+bob), "", "", nil},
		{"an old cookie", request("GET", "/", "Cookie", "upload_token="+old), "", "", access.ErrBad},
		{"a cookie from the same site", request("POST", "/", "Cookie", "upload_token="+ann, "Sec-Fetch-Site", "same-origin"), "", "ann", nil},
		{"a cookie from another site", request("POST", "/", "Cookie", "upload_token="+ann, "Sec-Fetch-Site", "cross-site"), "", "", nil},
		{"a cookie from another origin", request("POST", "/", "Cookie", "upload_token="+ann, "Origin", "https://evil.example"), "", "", nil},
		{"an old token is not nobody", request("GET", "/?token="+old), "", "", access.ErrBad},
		{"a broken query with a token", request("GET", "/?%zz&token="+ann), "", "ann", nil},
		{"a broken query", request("GET", "/?%zz"), "", "", upload.ErrInvalid},
	} {
		r, ok := access.FromPath(access.Loopback().Believe(c.r))
		if !ok {
			t.Fatal(c.name)
		}
		p, err := g.Admit(r, access.Subject{}, func() string { return c.field })
		if !errors.Is(err, c.want) || c.want == nil && err != nil || p.Owner != c.owner {
			t.Errorf("%s: %q, %v; want %q, %v", c.name, p.Owner, err, c.owner, c.want)
		}
		if err != nil && (p.May(upload.MayCreate) || p.May(upload.MayLook)) {
			t.Errorf("%s: who was not admitted may do something", c.name)
		}
		if p, err := g.Admit(r, access.Subject{Long: true}, func() string { return c.field }); err == nil && (p.Owner != "") != (p.Until.Equal(now.Add(time.Hour+access.Leeway))) {
			t.Errorf("%s: what lasts ends at %v", c.name, p.Until)
		}
		if !p.Until.IsZero() {
			t.Errorf("%s: a request that has begun does not end", c.name)
		}
	}
}

// TestFromPath: what comes after a token is served as if it was not there; what
// is no token is nothing.
func TestFromPath(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ target, path, raw string }{
		{"/u/a.b.c/upload/x", "/upload/x", "/upload/x"},
		{"/u/a.b.c/", "/", "/"},
		{"/u/a.b.c/upload/a%2fb", "/upload/a/b", "/upload/a%2fb"},
		{"/u/a.b.c//upload", "//upload", "//upload"},
		{"/u/a.b.c/../upload", "/../upload", "/../upload"},
		{"/u/a.b.c/u/d.e.f/upload", "/u/d.e.f/upload", "/u/d.e.f/upload"},
		{"/u/..%2f..%2fx/upload", "", ""},
		{"/u/a%2eb/upload", "", ""},
		{"/u//upload", "", ""},
		{"/u/", "", ""},
		{"/u/a.b.c", "", ""},
		{"/u/a b/upload", "", ""},
		{"/u/a+b/upload", "", ""},
		{"/upload/u/a/b", "/upload/u/a/b", "/upload/u/a/b"},
		{"/user/x", "/user/x", "/user/x"},
		{"/u", "/u", "/u"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.URL, _ = url.Parse(strings.ReplaceAll(c.target, " ", "%20"))
		got, ok := access.FromPath(r)
		if ok != (c.path != "") {
			t.Errorf("%s: %v", c.target, ok)
		}
		if ok && (got.URL.Path != c.path || got.URL.EscapedPath() != c.raw) {
			t.Errorf("%s: %s, %s", c.target, got.URL.Path, got.URL.EscapedPath())
		}
	}
	r, _ := access.FromPath(httptest.NewRequest("GET", "http://h/u/a.b.c/tus/?x=y", nil))
	if at := wire.Absolute(r, "https://public/below/", "/files/1"); at != "https://public/below/u/a.b.c/files/1" {
		t.Error(at)
	}
	if at := wire.Tokenless("http://h/u/a.b.c/tus/1 /u/d.e.f/tus/2 /tus/3 /u/x"); at != "http://h/tus/1 /tus/2 /tus/3 " {
		t.Errorf("%q", at)
	}
}

// TestProxies: only a trusted proxy's word changes how a request came.
func TestProxies(t *testing.T) {
	t.Parallel()
	some, err := access.ParseProxies([]string{"10.0.0.0/8", "2001:db8::1"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := access.ParseProxies([]string{"example.org"}); err == nil {
		t.Error("a name is a network")
	}
	for _, c := range []struct {
		name    string
		proxies access.Proxies
		remote  string
		headers []string
		address string
		host    string
		scheme  string
		way     access.Way
	}{
		{"direct", some, "192.0.2.1:1", nil, "192.0.2.1", "h", "", access.Way{}},
		{"this machine", access.Loopback(), "127.0.0.1:1", nil, "127.0.0.1", "h", "", access.Way{Trusted: true, Local: true}},
		{"this machine is no proxy", some, "127.0.0.1:1", nil, "127.0.0.1", "h", "", access.Way{Local: true}},
		{"spoofed", some, "192.0.2.1:1", []string{"X-Forwarded-For", "10.1.1.1", "X-Forwarded-Host", "evil", "X-Forwarded-Proto", "https"}, "192.0.2.1", "h", "", access.Way{Relayed: true}},
		{"proxy", some, "10.1.2.3:1", []string{"X-Forwarded-For", "192.0.2.9", "X-Forwarded-Host", "a.example:8443", "X-Forwarded-Proto", "HTTPS"}, "192.0.2.9", "a.example:8443", "https", access.Way{Trusted: true, Relayed: true}},
		{"invented before it", some, "10.1.2.3:1", []string{"X-Forwarded-For", "1.1.1.1, 192.0.2.9"}, "192.0.2.9", "h", "", access.Way{Trusted: true, Relayed: true}},
		{"two lines", some, "10.1.2.3:1", []string{"X-Forwarded-For", "1.1.1.1", "X-Forwarded-For", "192.0.2.9"}, "192.0.2.9", "h", "", access.Way{Trusted: true, Relayed: true}},
		{"two proxies", some, "[2001:db8::1]:1", []string{"X-Forwarded-For", "192.0.2.9, 10.9.9.9"}, "192.0.2.9", "h", "", access.Way{Trusted: true, Relayed: true}},
		{"nothing that can be read", some, "10.1.2.3:1", []string{"X-Forwarded-For", "unknown"}, "10.1.2.3", "h", "", access.Way{Trusted: true, Relayed: true}},
		{"mapped", some, "[::ffff:10.1.2.3]:1", []string{"X-Forwarded-For", "::ffff:192.0.2.9"}, "192.0.2.9", "h", "", access.Way{Trusted: true, Relayed: true}},
		{"Forwarded", some, "10.1.2.3:1", []string{"Forwarded", `for="[2001:db8::9]:4711";proto=https;host="a.example"`}, "2001:db8::9", "a.example", "https", access.Way{Trusted: true, Relayed: true}},
		{"Forwarded twice", some, "10.1.2.3:1", []string{"Forwarded", `for=1.1.1.1;host=evil, for=192.0.2.9;proto=http`}, "192.0.2.9", "h", "http", access.Way{Trusted: true, Relayed: true}},
		{"Forwarded by the client", some, "10.1.2.3:1", []string{"Forwarded", `for=1.1.1.1;host=evil`, "X-Forwarded-For", "192.0.2.9"}, "192.0.2.9", "h", "", access.Way{Trusted: true, Relayed: true}},
		{"a host that is none", some, "10.1.2.3:1", []string{"X-Forwarded-For", "192.0.2.9", "X-Forwarded-Host", "a/b", "X-Forwarded-Proto", "gopher"}, "192.0.2.9", "h", "", access.Way{Trusted: true, Relayed: true}},
		{"a host with line ends", some, "10.1.2.3:1", []string{"X-Forwarded-Host", "a\r\nSet-Cookie: x"}, "10.1.2.3", "h", "", access.Way{Trusted: true, Relayed: true}},
	} {
		r := c.proxies.Believe(request("GET", "http://h/", append(c.headers, "remote", c.remote)...))
		if w := access.WayOf(r); w != c.way {
			t.Errorf("%s: %+v, want %+v", c.name, w, c.way)
		}
		if got, _, _ := strings.Cut(strings.TrimPrefix(r.RemoteAddr, "["), "]"); !strings.HasPrefix(got, c.address) || r.Host != c.host || r.URL.Scheme != c.scheme && c.scheme != "" {
			t.Errorf("%s: %s %s %s", c.name, r.RemoteAddr, r.Host, r.URL.Scheme)
		}
	}
}

// TestProxyHeader: who calls is told by a trusted proxy, or by nobody.
func TestProxyHeader(t *testing.T) {
	t.Parallel()
	trusted, _ := access.ParseProxies([]string{"10.0.0.0/8"})
	g := &access.Gate{Header: "X-Forwarded-User", Nobody: &access.Nobody{Key: []byte("k")}, Tokens: &access.Tokens{Secrets: [][]byte{[]byte(secret)}, Now: clock}}
	for _, c := range []struct {
		name, remote string
		headers      []string
		owner        string
		want         error
	}{
		{"from the proxy", "10.0.0.1:1", []string{"X-Forwarded-User", "ann"}, "ann", nil},
		{"from elsewhere", "192.0.2.1:1", []string{"X-Forwarded-User", "ann"}, "", upload.ErrDenied},
		{"from elsewhere, through the proxy as it says", "192.0.2.1:1", []string{"X-Forwarded-User", "ann", "X-Forwarded-For", "10.0.0.1"}, "", upload.ErrDenied},
		{"from elsewhere with a token", "192.0.2.1:1", []string{"X-Forwarded-User", "ann", "Authorization", "Bearer " + good(t, "bob")}, "", upload.ErrDenied},
		{"twice", "10.0.0.1:1", []string{"X-Forwarded-User", "ann", "X-Forwarded-User", "bob"}, "", upload.ErrInvalid},
		{"empty", "10.0.0.1:1", []string{"X-Forwarded-User", ""}, "", nil},
		{"like nobody", "10.0.0.1:1", []string{"X-Forwarded-User", "?x"}, "", access.ErrBad},
		{"with a token", "10.0.0.1:1", []string{"X-Forwarded-User", "ann", "Authorization", "Bearer " + good(t, "bob")}, "bob", nil},
	} {
		p, err := g.Admit(trusted.Believe(request("GET", "/", append(c.headers, "remote", c.remote)...)), access.Subject{}, nil)
		if !errors.Is(err, c.want) || c.want == nil && err != nil || p.Owner != c.owner {
			t.Errorf("%s: %q, %v; want %q, %v", c.name, p.Owner, err, c.owner, c.want)
		}
	}
}

// TestCertificate: a certificate that was verified tells who calls, until it ends.
func TestCertificate(t *testing.T) {
	t.Parallel()
	at, _ := url.Parse("spiffe://example.org/ann")
	leaf := &x509.Certificate{
		Subject: pkix.Name{CommonName: "Ann"}, EmailAddresses: []string{"ann@example.org"}, DNSNames: []string{"ann.example.org"}, URIs: []*url.URL{at},
		NotAfter: time.Now().Add(time.Hour),
	}
	for kind, want := range map[string]string{"cn": "Ann", "email": "ann@example.org", "dns": "ann.example.org", "uri": "spiffe://example.org/ann"} {
		r := request("GET", "/")
		r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf}, VerifiedChains: [][]*x509.Certificate{{leaf}}}
		g := &access.Gate{Certificate: kind}
		if p, err := g.Admit(r, access.Subject{}, nil); err != nil || p.Owner != want {
			t.Errorf("%s: %q, %v", kind, p.Owner, err)
		}
		if p, err := g.Admit(r, access.Subject{Long: true}, nil); err != nil || !p.Until.Equal(leaf.NotAfter) {
			t.Errorf("%s: a socket until %v, %v", kind, p.Until, err)
		}
		r.TLS.VerifiedChains = nil
		if _, err := g.Admit(r, access.Subject{}, nil); !errors.Is(err, access.ErrNone) {
			t.Errorf("%s, not verified: %v", kind, err)
		}
		ended := *leaf
		ended.NotAfter = time.Now().Add(-time.Second)
		r.TLS.VerifiedChains = [][]*x509.Certificate{{&ended}}
		if _, err := g.Admit(r, access.Subject{}, nil); !errors.Is(err, access.ErrBad) {
			t.Errorf("%s, ended: %v", kind, err)
		}
		r.TLS.VerifiedChains = [][]*x509.Certificate{{{NotAfter: leaf.NotAfter}}}
		if _, err := g.Admit(r, access.Subject{}, nil); !errors.Is(err, access.ErrBad) {
			t.Errorf("%s, without a name: %v", kind, err)
		}
	}
}

// TestNobody: a browser is told apart by its cookie, which nobody can make.
func TestNobody(t *testing.T) {
	t.Parallel()
	loopback := access.Loopback()
	g := &access.Gate{Nobody: &access.Nobody{Key: []byte("one key")}}
	welcome := func(g *access.Gate, headers ...string) *http.Cookie {
		w := httptest.NewRecorder()
		g.Welcome(w, loopback.Believe(request("GET", "http://h/", headers...)))
		c := w.Result().Cookies()
		if len(c) == 0 {
			return nil
		}
		return c[0]
	}
	admit := func(g *access.Gate, headers ...string) string {
		p, err := g.Admit(loopback.Believe(request("GET", "/", headers...)), access.Subject{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return p.Owner
	}
	first, second := welcome(g, "Sec-Fetch-Mode", "navigate"), welcome(g, "Accept", "text/html")
	if first == nil || second == nil || first.Value == second.Value || !first.HttpOnly || first.SameSite != http.SameSiteLaxMode || first.Secure || first.Path != "/" {
		t.Fatal(first, second)
	}
	if c := welcome(g, "Sec-Fetch-Mode", "navigate", "remote", "127.0.0.1:1", "X-Forwarded-For", "192.0.2.1", "X-Forwarded-Proto", "https"); c == nil || !c.Secure {
		t.Error("over TLS the cookie is not secure", c)
	}
	if welcome(g, "Sec-Fetch-Mode", "cors", "Accept", "text/html") != nil || welcome(g) != nil || welcome(g, "Sec-Fetch-Mode", "navigate", "remote", "127.0.0.1:1") != nil ||
		welcome(g, "Sec-Fetch-Mode", "navigate", "Cookie", "muleteer="+first.Value) != nil ||
		welcome(&access.Gate{}, "Sec-Fetch-Mode", "navigate") != nil {
		t.Error("a cookie that is of no use")
	}
	owner := admit(g, "Cookie", "muleteer="+first.Value)
	if !strings.HasPrefix(owner, upload.Nobody) || len(owner) < 26 || owner == admit(g, "Cookie", "muleteer="+second.Value) {
		t.Error(owner)
	}
	if admit(g, "Cookie", "muleteer=junk; muleteer="+first.Value) != owner {
		t.Error("the cookie of somebody else hides it")
	}
	id, mark, _ := strings.Cut(first.Value, ".")
	other, otherMark, _ := strings.Cut(second.Value, ".")
	for _, forged := range []string{id, id + ".", "." + mark, id + "." + otherMark, other + "." + mark, id + "A." + mark, first.Value + "A", "ann." + mark, strings.ToLower(first.Value)} {
		if o := admit(g, "Cookie", "muleteer="+forged); o != "" {
			t.Errorf("%s is %s", forged, o)
		}
	}
	if admit(&access.Gate{Nobody: &access.Nobody{Key: []byte("another")}}, "Cookie", "muleteer="+first.Value) != "" {
		t.Error("another key takes the cookie")
	}
	if admit(&access.Gate{Nobody: &access.Nobody{Key: []byte("one key"), Shared: true}}, "Cookie", "muleteer="+first.Value) != "" {
		t.Error("where all share, a cookie counts")
	}
	if _, err := new(access.Gate).Admit(request("GET", "/"), access.Subject{}, nil); !errors.Is(err, access.ErrNone) {
		t.Errorf("the zero gate: %v", err)
	}
}

// TestScope: without a cookie, an address is what tells people apart, unless
// they share.
func TestScope(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		nobody  access.Nobody
		headers []string
		owner   string
		scope   string
		lists   bool
	}{
		{"at this machine", access.Nobody{}, []string{"remote", "127.0.0.1:1"}, "", "", true},
		{"at this machine, through a proxy", access.Nobody{}, []string{"remote", "127.0.0.1:1", "X-Forwarded-For", "192.0.2.9"}, "", "192.0.2.9", false},
		{"elsewhere", access.Nobody{}, nil, "", "192.0.2.1", false},
		{"elsewhere, with a cookie", access.Nobody{}, nil, "?x", "", true},
		{"elsewhere, shared", access.Nobody{Shared: true}, nil, "", "", false},
		{"at this machine, shared", access.Nobody{Shared: true}, []string{"remote", "[::1]:1"}, "", "", true},
		{"at this machine, apart", access.Nobody{Apart: true}, []string{"remote", "127.0.0.1:1"}, "", "127.0.0.1", false},
		{"somebody", access.Nobody{}, nil, "ann", "", true},
	} {
		g := &access.Gate{Nobody: &c.nobody}
		r := access.Loopback().Believe(request("GET", "/", c.headers...))
		r = r.WithContext(upload.As(r.Context(), c.owner))
		if s, l := g.Scope(r), g.Lists(r); s != c.scope || l != c.lists {
			t.Errorf("%s: %q, %v; want %q, %v", c.name, s, l, c.scope, c.lists)
		}
	}
	if s := new(access.Gate).Scope(request("GET", "/")); s != "192.0.2.1" {
		t.Errorf("whom the application lets in without a name: %q", s)
	}
}

// TestRefuse: each error has its status, and says nothing of the credential.
func TestRefuse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err     error
		headers []string
		status  int
		asks    bool
	}{
		{access.ErrNone, nil, 401, true},
		{access.ErrBad, nil, 401, true},
		{&upload.Refusal{Status: 401}, nil, 401, true},
		{&upload.Refusal{Status: 402}, nil, 402, false},
		{upload.ErrInvalid, nil, 400, false},
		{upload.ErrDenied, nil, 403, false},
		{upload.ErrUnavailable, nil, 503, false},
		{upload.ErrUnavailable, []string{"Tus-Resumable", "1.0.0"}, 423, false},
		{io.ErrUnexpectedEOF, nil, 503, false},
	} {
		method := "GET"
		if c.headers != nil {
			method = "HEAD"
		}
		w := httptest.NewRecorder()
		access.Refuse(w, request(method, "/", c.headers...), c.err)
		if w.Code != c.status || (w.Header().Get("WWW-Authenticate") != "") != c.asks || (c.status == 503) != (w.Header().Get("Retry-After") == "5") {
			t.Errorf("%v: %d %v", c.err, w.Code, w.Header())
		}
	}
}

// FuzzForwarded: whatever a proxy writes, what is understood of it was there.
func FuzzForwarded(f *testing.F) {
	for _, s := range []string{`for=192.0.2.1;proto=https, for="[2001:db8::1]:80"`, `for="a\"b";by=x`, `=`, `for=`, `a=b;a=b`, "for=\x00", `for="`, `,,;;==`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		for _, hop := range access.Forwarded([]string{line}) {
			if len(hop) == 0 {
				t.Errorf("%q: a hop that says nothing", line)
			}
			for name, value := range hop {
				if name == "" || name != strings.ToLower(name) || !strings.Contains(strings.ToLower(line), name) || len(value) > len(line) {
					t.Errorf("%q: %q=%q", line, name, value)
				}
			}
		}
		h := http.Header{"Forwarded": {line}}
		r := request("GET", "http://h/", "remote", "127.0.0.1:1")
		r.Header = h
		b := access.Loopback().Believe(r)
		if strings.ContainsAny(b.Host+b.RemoteAddr+b.URL.Scheme, "\r\n /\\@?#\"") {
			t.Errorf("%q: %q %q %q", line, b.Host, b.RemoteAddr, b.URL.Scheme)
		}
	})
}
