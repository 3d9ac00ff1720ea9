package test

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"net/http"
	"path"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/muleteer/muleteer/internal/trial"
)

// drafts are the modes in which tus-js-client speaks the IETF's protocol.
func drafts() []string { return []string{"ietf-draft-03", "ietf-draft-05"} }

// TestTusJSSpeaksIETF sends files in the ways that the client has in these
// modes.
func TestTusJSSpeaksIETF(t *testing.T) {
	t.Parallel()
	for _, version := range versions() {
		for _, draft := range drafts() {
			t.Run(fmt.Sprintf("%d/%s", version, draft), func(t *testing.T) {
				t.Parallel()
				s := serve(t)
				const chunk = 300_000
				files, jobs := map[string]*truth{}, []job(nil)
				for i, w := range []struct {
					name, input string
					options     map[string]any
				}{
					{"single", "file", map[string]any{}},
					{"chunked", "file", map[string]any{"chunkSize": chunk}},
					{"buffer", "buffer", map[string]any{}},
					{"deferred", "stream", map[string]any{"uploadLengthDeferred": true, "chunkSize": chunk}},
					{"with upload", "buffer", map[string]any{"uploadDataDuringCreation": true}},
					{"with upload in chunks", "file", map[string]any{"uploadDataDuringCreation": true, "chunkSize": chunk}},
					{"empty", "buffer", map[string]any{}},
				} {
					w.options["protocol"] = draft
					n := 1_234_567 + i
					if w.name == "empty" {
						n = 0
					}
					u := newTruth(w.name, trial.Noise(n, seed(t)+uint64(i)))
					files[w.name] = u
					jobs = append(jobs, job{Name: w.name, Version: version, Endpoint: s.URL("/rufh/"), File: file(t, u), Input: w.input, Options: w.options})
				}
				done := startNode(t, jobs...).ends(t)
				for name, u := range files {
					u.named(path.Base(done[name].URL))
					if err := u.download(http.DefaultClient, s); err != nil {
						t.Error(err)
					}
				}
				if list := list(t, http.DefaultClient, s, "done"); len(list) != len(files) {
					t.Errorf("%d files were sent, and %d are there", len(files), len(list))
				}
				s.End(t)
				s.Check(t)
			})
		}
	}
}

// TestTusJSSpeaksIETFServerDies: the client goes on by itself after kill -9.
func TestTusJSSpeaksIETFServerDies(t *testing.T) {
	t.Parallel()
	for _, version := range versions() {
		for _, draft := range drafts() {
			t.Run(fmt.Sprintf("%d/%s", version, draft), func(t *testing.T) {
				t.Parallel()
				s := serve(t)
				u := newTruth(draft, trial.Noise(24<<20+12_345, seed(t)))
				n := startNode(t, job{
					Name: u.name, Version: version, Endpoint: s.URL("/rufh/"), File: file(t, u), Input: "file",
					Options: map[string]any{"protocol": draft, "chunkSize": 256 << 10},
				})
				for _, least := range []int64{1 << 20, 6 << 20, 12 << 20} {
					n.accepts(t, least)
					s.Kill()
					if err := s.Start(); err != nil {
						t.Fatal(err)
					}
				}
				u.named(path.Base(n.ends(t)[u.name].URL))
				if err := u.download(http.DefaultClient, s); err != nil {
					t.Error(err)
				}
				s.End(t)
				s.Check(t)
			})
		}
	}
}

// TestIETFServerEnds: who sends a body when the server is told to end, and
// knows by 104 where it is, gets no answer that it could take for the last
// word; what 104 said to be safe is safe, and another protocol can go on.
func TestIETFServerEnds(t *testing.T) {
	t.Parallel()
	s := serve(t)
	u := newTruth("ending", trial.Noise(32<<20, seed(t)))
	c, err := net.Dial("tcp", s.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(60 * time.Second))
	fmt.Fprintf(c, "POST /rufh/ HTTP/1.1\r\nHost: %s\r\nUpload-Draft-Interop-Version: 8\r\nUpload-Complete: ?1\r\nContent-Length: %d\r\n\r\n", s.Address, u.size)
	r := bufio.NewReader(c)
	res, err := http.ReadResponse(r, nil)
	if err != nil || res.StatusCode != 104 {
		t.Fatal(res, err)
	}
	where := res.Header.Get("Location")
	go func() { // slowly, so that the end is in the middle
		for b := u.data[:16<<20]; len(b) > 0; b = b[64<<10:] {
			if _, err := c.Write(b[:64<<10]); err != nil {
				return
			}
			time.Sleep(30 * time.Millisecond)
		}
	}()
	safe := int64(0)
	for {
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			break
		}
		if res.StatusCode != 104 {
			t.Fatalf("the answer is %s", res.Status)
		}
		first := safe == 0
		if safe, err = strconv.ParseInt(res.Header.Get("Upload-Offset"), 10, 64); err != nil {
			t.Fatal(err)
		}
		if first {
			if err := s.Process().Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
		}
	}
	if safe == 0 {
		t.Fatal("no progress was told")
	}
	if code, err := s.Process().Code(20 * time.Second); err != nil || code != 0 {
		t.Fatalf("the server ended with code %d, %v", code, err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	resp, _ := ask(t, http.DefaultClient, "HEAD", where, nil, "Upload-Draft-Interop-Version", "8")
	from, err := strconv.ParseInt(resp.Header.Get("Upload-Offset"), 10, 64)
	if err != nil || from < safe || from > 16<<20 {
		t.Fatalf("told %d, and then %s %v", safe, resp.Status, resp.Header)
	}
	half := from + (u.size-from)/2
	resp, _ = ask(t, http.DefaultClient, "PATCH", where, bytes.NewReader(u.data[from:half]), "Upload-Draft-Interop-Version", "6",
		"Upload-Complete", "?0", "Upload-Offset", strconv.FormatInt(from, 10), "Content-Type", "application/partial-upload")
	if resp.StatusCode != http.StatusCreated {
		t.Fatal(resp.Status)
	}
	u.named(path.Base(where)) // the rest comes by tus
	if resp := patch(t, s.URL("/tus/"+u.now().id), int(half), u.data[half:]); resp.StatusCode != http.StatusNoContent {
		t.Fatal(resp.Status)
	}
	if err := u.download(http.DefaultClient, s); err != nil {
		t.Error(err)
	}
	s.End(t)
	s.Check(t)
}
