package main

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"unicode"
)

// TestHostileNames: what a client calls its file makes no line of a log, no header
// and no answer other than it would be.
func TestHostileNames(t *testing.T) {
	t.Parallel()
	h, log := testHouse(t, func(s *settings) { s.Verbose = true })
	noted := new(syncBuffer)
	h.audit = newAudit(noted, io.NopCloser(nil))
	base := served(t, h)
	uploads := 0
	for _, name := range []string{
		"a\r\nSet-Cookie: b=c", "a\nlevel=ERROR msg=forged", "\x1b[2J\x1b]0;title\x07", "a\x00.png", `a";filename*=UTF-8''b.exe;x="`, "a\\\"b",
		"<script>alert(1)</script>.svg", "a\u202egnp.exe", "\u2028{\"forged\":1}", "__proto__", "' OR 1=1; DROP TABLE uploads; --", "${jndi:ldap://x}", "%0d%0aX: y", "\xff\xfe",
		strings.Repeat("a", 4000), "CON", "a:b", "../../../etc/passwd", `..\..\x`,
	} {
		metadata := "filename " + base64.StdEncoding.EncodeToString([]byte(name)) + ",filetype " + base64.StdEncoding.EncodeToString([]byte("text/html\r\nX: y"))
		resp, body := do(t, "POST", base+"/tus/", "hello", "Tus-Resumable", "1.0.0", "Upload-Length", "5",
			"Content-Type", "application/offset+octet-stream", "Upload-Metadata", metadata)
		if resp.StatusCode != 201 && (resp.StatusCode < 400 || resp.StatusCode > 499) {
			t.Errorf("%.40q: %d %s", name, resp.StatusCode, body)
		}
		if resp.StatusCode != 201 {
			continue
		}
		uploads++
		at := resp.Header.Get("Location")
		id := at[strings.LastIndex(at, "/")+1:]
		resp, body = do(t, "GET", base+"/files/"+id, "")
		disposition := resp.Header.Get("Content-Disposition")
		if resp.StatusCode != 200 || body != "hello" || !strings.HasPrefix(disposition, "attachment") || strings.ContainsFunc(disposition, unicode.IsControl) ||
			resp.Header.Get("Set-Cookie") != "" || resp.Header.Get("X") != "" || resp.Header.Get("X-Content-Type-Options") != "nosniff" ||
			!strings.Contains(resp.Header.Get("Content-Security-Policy"), "sandbox") {
			t.Errorf("%.40q is given with %d %v", name, resp.StatusCode, resp.Header)
		}
		if _, body := do(t, "GET", base+"/uploads/"+id, ""); !json.Valid([]byte(body)) || strings.Contains(body, "<script>") {
			t.Errorf("%.40q: %s", name, body)
		}
	}
	if uploads < 10 {
		t.Errorf("only %d names were taken", uploads)
	}
	for line := range strings.Lines(log.String()) {
		if !strings.HasPrefix(line, "time=") || strings.ContainsFunc(strings.TrimSuffix(line, "\n"), unicode.IsControl) || strings.Contains(line, " level=ERROR") {
			t.Errorf("the log has the line %q", line)
		}
	}
	for line := range strings.Lines(noted.String()) {
		if !json.Valid([]byte(line)) {
			t.Errorf("the audit log has the line %q", line)
		}
	}
}
