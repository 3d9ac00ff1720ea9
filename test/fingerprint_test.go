package test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"testing"
)

// TestFoundAfterKill: a file is found by the word for it when the server was killed
// right after its bytes were acknowledged, and goes on by the address that it tells.
func TestFoundAfterKill(t *testing.T) {
	t.Parallel()
	s := serve(t)
	const word = "a.bin,200000,1700000000123"
	content := bytes.Repeat([]byte("0123456789"), 20_000)
	first, rest := content[:70_000], content[70_000:]
	create(t, s, len(content)) // another one, without a word
	at := create(t, s, len(content), "X-Upload-Fingerprint", word)
	if resp := patch(t, at, 0, first); resp.StatusCode != http.StatusNoContent {
		t.Fatal(resp.Status)
	}
	last := len(first) - 1
	if resp, body := ask(t, http.DefaultClient, "PUT", s.URL("/upload/a.bin"), bytes.NewReader(first), "X-Upload-Fingerprint", word,
		"Content-Range", fmt.Sprintf("bytes 0-%d/%d", last, len(content))); resp.StatusCode != http.StatusPermanentRedirect {
		t.Fatalf("%s: %s", resp.Status, body)
	}
	s.Kill()
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	var found []struct {
		ID, Protocol, Ranges, Resume string
		Offset                       int
	}
	_, text := ask(t, http.DefaultClient, "GET", s.URL("/uploads?fingerprint="+url.QueryEscape(word)), nil)
	if err := json.Unmarshal([]byte(text), &found); err != nil || len(found) != 2 || found[0].Protocol != "contentrange" || found[1].Protocol != "tus" {
		t.Fatalf("%s (%v)", text, err)
	}
	for _, u := range found {
		if u.Ranges != fmt.Sprintf("0-%d", last) || u.Offset != len(first) {
			t.Errorf("%+v", u)
		}
	}
	resp, text := ask(t, http.DefaultClient, "PUT", found[0].Resume, bytes.NewReader(rest), "X-Upload-Fingerprint", word,
		"Content-Range", fmt.Sprintf("bytes %d-%d/%d", len(first), len(content)-1, len(content)))
	if resp.StatusCode != http.StatusOK || found[1].Resume != at {
		t.Fatalf("%s %s, and %s", resp.Status, text, found[1].Resume)
	}
	if resp := patch(t, found[1].Resume, found[1].Offset, rest); resp.StatusCode != http.StatusNoContent {
		t.Fatal(resp.Status)
	}
	for _, u := range found {
		if _, got := ask(t, http.DefaultClient, "GET", s.URL("/files/"+u.ID), nil); got != string(content) {
			t.Errorf("%s has %d other bytes", u.Protocol, len(got))
		}
	}
	if _, text := ask(t, http.DefaultClient, "GET", s.URL("/uploads?fingerprint="+url.QueryEscape(word)), nil); text != "[]\n" {
		t.Error(text)
	}
}
