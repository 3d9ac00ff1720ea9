package contentrange_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/muleteer/muleteer/protocol/contentrange"
	"github.com/muleteer/muleteer/state"
	"github.com/muleteer/muleteer/store"
	"github.com/muleteer/muleteer/store/mem"
	"github.com/muleteer/muleteer/upload"
)

// TestDirect: a piece goes straight into the store; another one with other bytes
// for the same place is a conflict, as if both had come here.
func TestDirect(t *testing.T) {
	t.Parallel()
	kept := mem.New(mem.Options{Cell: 1000, MinPart: 1000, Signs: true})
	s := &upload.Service{Store: kept, State: state.Memory(nil)}
	server := httptest.NewServer(mount(s, contentrange.Options{}))
	defer server.Close()
	mine, others := bytes.Repeat([]byte("m"), 2000), bytes.Repeat([]byte("o"), 2000)
	ask := func(deed string, body []byte, first int) (*http.Response, store.Signed) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/upload/a", nil)
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range map[string]string{
			"X-Upload-Direct": deed, "X-Upload-Fingerprint": "1",
			"Content-Range":     fmt.Sprintf("bytes %d-%d/2000", first, first+999),
			"X-Upload-Checksum": "crc64nvme " + store.CRC(0).Update(body[first:first+1000]).String(),
		} {
			req.Header.Set(name, value)
		}
		resp, err := server.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var said struct{ Put struct{ URL string } }
		_ = json.NewDecoder(resp.Body).Decode(&said) // it may be empty
		return resp, store.Signed{URL: said.Put.URL}
	}
	want := func(what string, resp *http.Response, status int) {
		t.Helper()
		if resp.StatusCode != status {
			t.Errorf("%s: %s, want %d", what, resp.Status, status)
		}
	}
	resp, signed := ask("sign", mine, 0)
	want("sign", resp, http.StatusOK)
	resp, _ = ask("sent", mine, 0)
	want("sent, but it was not", resp, http.StatusUnprocessableEntity)
	if err := kept.Deliver(signed, mine[:1000]); err != nil {
		t.Fatal(err)
	}
	resp, _ = ask("sent", others, 0)
	want("sent by somebody else", resp, http.StatusConflict)
	resp, _ = ask("sent", mine, 0)
	want("sent", resp, http.StatusPermanentRedirect)
	if resp.Header.Get("Range") != "bytes=0-999" {
		t.Errorf("sent: %v", resp.Header)
	}
	resp, signed = ask("sign", others, 0)
	want("sign for other bytes", resp, http.StatusConflict)
	if signed.URL != "" {
		t.Error("other bytes were signed")
	}
	resp, signed = ask("sign", mine, 0)
	want("sign again", resp, http.StatusPermanentRedirect)
	if signed.URL != "" {
		t.Error("what is here was signed")
	}
	_, signed = ask("sign", mine, 1000)
	if err := kept.Deliver(signed, mine[1000:]); err != nil {
		t.Fatal(err)
	}
	resp, _ = ask("sent", mine, 1000)
	want("the last one", resp, http.StatusOK)
	resp, _ = ask("sign", mine, 1000)
	want("what is whole", resp, http.StatusOK)
}
