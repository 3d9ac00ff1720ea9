package main

import (
	"strings"
	"testing"
)

// TestHostileProxies: only where proxies are is their word believed.
func TestHostileProxies(t *testing.T) {
	t.Parallel()
	far, log := testHouse(t, func(s *settings) { s.Proxies, s.Allow.AuthHeader = list{"192.0.2.0/24"}, "X-Forwarded-User" })
	base := served(t, far)
	attack(t, far, log, base, nil, []hostile{
		{"a user from no proxy", "PUT /upload/x\nX-Forwarded-User: ann", "abc", 403, ""},
		{"a user from no proxy, in lower case", "PUT /upload/x\nx-forwarded-user: ann", "abc", 403, ""},
		{"a user who says that it is one", "PUT /upload/x\nX-Forwarded-User: ann\nX-Forwarded-For: 192.0.2.1", "abc", 403, ""},
		{"a user who says so the new way", "PUT /upload/x\nX-Forwarded-User: ann\nForwarded: for=192.0.2.1", "abc", 403, ""},
		{"an underscore for a hyphen", "PUT /upload/x\nX_Forwarded_User: ann", "abc", 401, ""},
		{"nothing", "PUT /upload/x", "abc", 401, ""},
	})
	if !strings.Contains(log.String(), "no trusted proxy") {
		t.Error("what was refused is in no log")
	}
	near, log := testHouse(t, func(s *settings) { s.Proxies, s.Allow.AuthHeader = list{"127.0.0.1"}, "X-Forwarded-User" })
	base = served(t, near)
	attack(t, near, log, base, nil, []hostile{
		{"a user from the proxy", "PUT /upload/x\nX-Forwarded-User: ann", "abc", 200, "ann"},
		{"two users", "PUT /upload/x\nX-Forwarded-User: ann\nX-Forwarded-User: root", "abc", 400, ""},
		{"nobody", "PUT /upload/x\nX-Forwarded-User: ?1", "abc", 401, ""},
		{"an empty user", "PUT /upload/x\nX-Forwarded-User:", "abc", 401, ""},
	})
	resp, _ := raw(t, base, "POST /tus/\nTus-Resumable: 1.0.0\nUpload-Length: 3\nX-Forwarded-User: ann\nX-Forwarded-Host: up.example\nX-Forwarded-Proto: https", "")
	if at := resp.Header.Get("Location"); !strings.HasPrefix(at, "https://up.example/tus/") {
		t.Errorf("%d: the link is %s", resp.StatusCode, at)
	}
	resp, _ = raw(t, base, "POST /tus/\nTus-Resumable: 1.0.0\nUpload-Length: 3\nX-Forwarded-User: ann\nX-Forwarded-Host: a/../b\nX-Forwarded-Proto: javascript", "")
	if at := resp.Header.Get("Location"); !strings.HasPrefix(at, base+"/tus/") {
		t.Errorf("%d: the link is %s", resp.StatusCode, at)
	}
}

// TestRebinding: a page that calls this machine by its own name gets nothing.
func TestRebinding(t *testing.T) {
	t.Parallel()
	h, log := testHouse(t, nil)
	base := served(t, h)
	attack(t, h, log, base, nil, []hostile{
		{"a stranger's name", "GET /uploads\nHost: evil.example", "", 421, ""},
		{"a stranger's name with the port", "PUT /upload/x\nHost: evil.example:8080", "abc", 421, ""},
		{"an address elsewhere", "GET /\nHost: 192.0.2.1", "", 421, ""},
		{"a name that begins as ours", "GET /\nHost: localhost.evil.example", "", 421, ""},
		{"a name that ends as ours", "GET /\nHost: evil-localhost", "", 421, ""},
		{"none", "GET /\nHost:", "", 421, ""},
		{"ours", "GET /\nHost: localhost:8080", "", 200, ""},
		{"ours, below", "GET /\nHost: x.localhost", "", 200, ""},
		{"ours, IPv6", "GET /\nHost: [::1]:80", "", 200, ""},
		{"through a proxy", "GET /healthz\nHost: up.example\nX-Forwarded-For: 192.0.2.1", "", 200, ""},
	})
	if resp, body := raw(t, base, "GET /uploads\nHost: evil.example\nX-Forwarded-For: 127.0.0.1", ""); resp.StatusCode != 200 || strings.TrimSpace(body) != "[]" {
		t.Errorf("a page that says it is a proxy sees %d %s", resp.StatusCode, body)
	}
	public, _ := testHouse(t, func(s *settings) { s.PublicURL = "https://Up.example/below" })
	if resp, _ := raw(t, served(t, public), "GET /healthz\nHost: up.example", ""); resp.StatusCode != 200 {
		t.Errorf("by its public name: %d", resp.StatusCode)
	}
	open, _ := testHouse(t, func(s *settings) { s.Listen, s.Allow.Open = list{"0.0.0.0:0"}, true })
	if resp, _ := raw(t, served(t, open), "GET /healthz\nHost: up.example", ""); resp.StatusCode != 200 {
		t.Errorf("by any name: %d", resp.StatusCode)
	}
}
