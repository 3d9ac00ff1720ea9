package main

import (
	"bufio"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muleteer/muleteer/access"
)

// What somebody did is found in the audit log, and none of the secrets by which
// it was permitted.
func TestAudit(t *testing.T) {
	t.Parallel()
	h, _ := tokenHouse(t, nil)
	lines := new(syncBuffer)
	h.audit = newAudit(lines, io.NopCloser(nil))
	url := served(t, h)
	token := tokenFor(t, "ann", time.Hour, nil)
	expired := tokenFor(t, "ann", -time.Hour, nil)
	elsewhere := tokenFor(t, "ann", time.Hour, func(c *access.Claims) { c.Endpoint = "films" })
	bearer := []string{"Authorization", "Bearer " + token}

	resp, _ := do(t, "POST", url+"/tus/", "", append(bearer, "Tus-Resumable", "1.0.0", "Upload-Length", "3", "X-Request-ID", "mine-1")...)
	at := resp.Header.Get("Location")
	id := at[strings.LastIndex(at, "/")+1:]
	do(t, "PATCH", at, "abc", append(bearer, "Tus-Resumable", "1.0.0", "Upload-Offset", "0", "Content-Type", "application/offset+octet-stream", "X-Request-ID", "a\"b")...)
	do(t, "GET", url+"/files/"+id+"?upload_token="+token, "")
	do(t, "HEAD", url+"/u/"+token+"/tus/"+id, "", "Tus-Resumable", "1.0.0")
	do(t, "DELETE", at, "", "Tus-Resumable", "1.0.0", "Authorization", "Bearer "+tokenFor(t, "bob", time.Hour, nil))
	do(t, "DELETE", at, "", "Tus-Resumable", "1.0.0", "Authorization", "Bearer "+expired)
	do(t, "DELETE", at, "", "Tus-Resumable", "1.0.0", "Authorization", "Bearer "+elsewhere)
	do(t, "DELETE", at, "", "Tus-Resumable", "1.0.0")
	do(t, "GET", url+"/healthz", "")

	type line struct {
		Time                                                                    time.Time
		Request, Owner, From, Endpoint, Protocol, Method, Path, Status, Msg, At string
		Verbs, Uploads                                                          []string
	}
	want := []line{
		{Request: "mine-1", Owner: "ann", Protocol: "tus", Method: "POST", Status: "201", Verbs: []string{"create"}, Uploads: []string{id}},
		{Owner: "ann", Protocol: "tus", Method: "PATCH", Status: "204", Verbs: []string{"write"}, Uploads: []string{id}},
		{Owner: "ann", Protocol: "files", Method: "GET", Status: "200", Verbs: []string{"read"}, Uploads: []string{id}},
		{Owner: "ann", Protocol: "tus", Method: "HEAD", Status: "200", Verbs: []string{"status"}, Uploads: []string{id}},
		{Owner: "bob", Protocol: "tus", Method: "DELETE", Status: "404", Verbs: []string{"remove"}, Uploads: []string{id}},
		{Protocol: "tus", Method: "DELETE", Status: "401"},
		{Protocol: "tus", Method: "DELETE", Status: "403"},
		{Protocol: "tus", Method: "DELETE", Status: "401"},
	}
	scan := bufio.NewScanner(strings.NewReader(lines.String()))
	for i := 0; scan.Scan(); i++ {
		var got line
		if err := json.Unmarshal(scan.Bytes(), &got); err != nil || i >= len(want) {
			t.Fatalf("line %d: %s: %v", i, scan.Text(), err)
		}
		w := want[i]
		if w.Request != "" && got.Request != w.Request || got.Request == "" || strings.Contains(got.Request, `"`) || got.Owner != w.Owner ||
			got.Protocol != w.Protocol || got.Method != w.Method || got.Status != w.Status || got.Time.IsZero() || got.From == "" ||
			!slices.Equal(got.Verbs, w.Verbs) || !slices.Equal(got.Uploads, w.Uploads) {
			t.Errorf("line %d: %s, want %+v", i, scan.Text(), w)
		}
	}
	if n := strings.Count(lines.String(), "\n"); n != len(want) {
		t.Errorf("%d lines, want %d", n, len(want))
	}
	for _, secret := range []string{token, expired, elsewhere} {
		if strings.Contains(lines.String(), secret) {
			t.Errorf("a token is in the log: %s", lines.String())
		}
	}
}
