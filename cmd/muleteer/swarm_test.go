package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// randomFile makes a file of n bytes, and returns its path and its bytes.
func randomFile(t *testing.T, n int) (string, []byte) {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Cleanup(func() {
		if t.Failed() {
			t.Log("seed", seed)
		}
	})
	b := make([]byte, n)
	var key [32]byte
	for i := range 8 {
		key[i] = byte(seed >> (8 * i))
	}
	_, _ = rand.NewChaCha8(key).Read(b)
	path := filepath.Join(t.TempDir(), "file.bin")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path, b
}

// putting runs put in this process.
func putting(ctx context.Context, in []byte, p putCommand) (stdout, stderr string, err error) {
	var out, errs syncBuffer
	if p.Workers == 0 {
		p.Workers = 4
	}
	if p.ChunkSize == 0 {
		p.ChunkSize = 64 << 10
	}
	err = p.Run(ctx, console{bytes.NewReader(in), &out, &errs, []string{"put", "FILE"}})
	return out.String(), errs.String(), err
}

// fetched is what the server has under the URL that put told.
func fetched(t *testing.T, stdout string) [32]byte {
	t.Helper()
	resp, err := http.Get(strings.TrimSpace(stdout))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 {
		t.Fatal(resp.Status, err)
	}
	return sha256.Sum256(b)
}

// trouble stands between client and server. It may answer itself, by returning
// true.
func between(t *testing.T, trouble func(w http.ResponseWriter, r *http.Request) bool) string {
	t.Helper()
	h, _ := testHouse(t, nil)
	handler := h.handler()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut && trouble(w, r) {
			return
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// Whatever happens on the way, the file arrives as it is.
func TestPutThroughTrouble(t *testing.T) {
	t.Parallel()
	for name, trouble := range map[string]func(n int64, w http.ResponseWriter, r *http.Request) bool{
		"none": func(int64, http.ResponseWriter, *http.Request) bool { return false },
		"a proxy that takes little": func(_ int64, w http.ResponseWriter, r *http.Request) bool {
			if r.ContentLength > 70_000 {
				http.Error(w, "too large", http.StatusRequestEntityTooLarge)
				return true
			}
			return false
		},
		"a server that is busy now and then": func(n int64, w http.ResponseWriter, _ *http.Request) bool {
			if n%3 == 0 {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
			return n%3 == 0
		},
		"a line that breaks before the answer": func(n int64, _ http.ResponseWriter, _ *http.Request) bool {
			if n%4 == 1 {
				panic(http.ErrAbortHandler)
			}
			return false
		},
		"a line that breaks in the middle": func(n int64, _ http.ResponseWriter, r *http.Request) bool {
			if n%4 == 1 {
				_, _ = io.CopyN(io.Discard, r.Body, r.ContentLength/2)
				panic(http.ErrAbortHandler)
			}
			return false
		},
		"a line that changes a byte": func(n int64, _ http.ResponseWriter, r *http.Request) bool {
			if n%4 == 1 && r.ContentLength > 0 {
				b, _ := io.ReadAll(r.Body)
				b[len(b)/2] ^= 1
				r.Body = io.NopCloser(bytes.NewReader(b))
			}
			return false
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path, want := randomFile(t, 1_234_567)
			var n atomic.Int64
			url := between(t, func(w http.ResponseWriter, r *http.Request) bool { return trouble(n.Add(1), w, r) })
			for _, input := range []string{path, "-"} {
				stdout, stderr, err := putting(t.Context(), want, putCommand{What: []string{input, url}, ChunkSize: 128 << 10})
				if err != nil {
					t.Fatal(input, err, stderr)
				}
				if fetched(t, stdout) != sha256.Sum256(want) {
					t.Errorf("%s: other bytes arrived", input)
				}
			}
		})
	}
}

// An answer that got lost does no harm, and what the server has is not sent
// again.
func TestPutResumes(t *testing.T) {
	t.Parallel()
	path, want := randomFile(t, 1<<20)
	var mu sync.Mutex
	var sent int64
	ctx, kill := context.WithCancel(t.Context())
	url := between(t, func(_ http.ResponseWriter, r *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		sent += r.ContentLength
		if sent > 600_000 {
			kill()
		}
		return false
	})
	if _, _, err := putting(ctx, nil, putCommand{What: []string{path, url}}); err == nil || !strings.Contains(err.Error(), "muleteer put FILE") {
		t.Fatalf("an interrupt ends with the command that resumes, not with %v", err)
	}
	mu.Lock()
	before := sent
	mu.Unlock()
	stdout, stderr, err := putting(t.Context(), nil, putCommand{What: []string{path, url}})
	if err != nil {
		t.Fatal(err, stderr)
	}
	if fetched(t, stdout) != sha256.Sum256(want) {
		t.Error("other bytes arrived")
	}
	// Those that were on their way when the interrupt came may go again.
	if again := before + 8*64<<10; sent > int64(len(want))+again-600_000+8*64<<10 || sent >= before+1<<20 {
		t.Errorf("%d bytes were sent before, %d in all", before, sent)
	}
	whole := sent
	again, _, err := putting(t.Context(), nil, putCommand{What: []string{path, url}})
	if err != nil || again != stdout || sent != whole {
		t.Errorf("the same file again: %s, %v, and %d bytes more", again, err, sent-whole)
	}
}

// What cannot succeed ends at once, and says why.
func TestPutGivesUp(t *testing.T) {
	t.Parallel()
	path, _ := randomFile(t, 300_000)
	answer := func(status int) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(status)
			return true
		}
	}
	for name, test := range map[string]struct {
		trouble func(w http.ResponseWriter, r *http.Request) bool
		want    string
	}{
		"forbidden": {answer(http.StatusForbidden), "403"},
		"elsewhere": {func(w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, "https://elsewhere.example/", http.StatusMovedPermanently)
			return true
		}, "it is at https://elsewhere.example/ now"},
		"no muleteer": {answer(http.StatusOK), "no muleteer"},
		"another 404": {answer(http.StatusNotFound), "404"},
		"a proxy that takes nothing": {func(w http.ResponseWriter, r *http.Request) bool {
			if r.ContentLength > 0 {
				w.WriteHeader(http.StatusRequestEntityTooLarge)
			}
			return r.ContentLength > 0
		}, "413"},
		"a line that changes every byte": {func(_ http.ResponseWriter, r *http.Request) bool {
			if b, _ := io.ReadAll(r.Body); len(b) > 0 {
				b[0] ^= 1
				r.Body = io.NopCloser(bytes.NewReader(b))
			}
			return false
		}, "damaged"},
		"a server that tells of other bytes": {func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("X-Upload-Checksum", "crc64nvme AAAAAAAAAAA=")
			w.WriteHeader(http.StatusPermanentRedirect)
			return true
		}, "damaged"},
		"a server that has another file": {func(w http.ResponseWriter, r *http.Request) bool {
			_, _ = io.WriteString(w, `{"id":"x","size":300000,"crc64nvme":"AAAAAAAAAAA=","state":"done"}`)
			return true
		}, "another file"},
		"a server that has less": {func(w http.ResponseWriter, r *http.Request) bool {
			_, _ = io.WriteString(w, `{"id":"x","size":299999,"crc64nvme":"AAAAAAAAAAA=","state":"done"}`)
			return true
		}, "another file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stdout, stderr, err := putting(t.Context(), nil, putCommand{What: []string{path, between(t, test.trouble)}})
			if err == nil || !strings.Contains(stderr, test.want) || stdout != "" {
				t.Errorf("%v\n%s%s", err, stderr, stdout)
			}
			if strings.Count(stderr, "\n") != 1 {
				t.Errorf("this is not one line: %s", stderr)
			}
		})
	}
	t.Run("the file is too large for the server", func(t *testing.T) {
		t.Parallel()
		h, _ := testHouse(t, func(s *settings) { s.MaxSize = 1000 })
		_, stderr, err := putting(t.Context(), nil, putCommand{What: []string{path, served(t, h)}})
		if err == nil || !strings.Contains(stderr, "larger than allowed") {
			t.Error(err, stderr)
		}
	})
	t.Run("timeout", func(t *testing.T) {
		t.Parallel()
		_, stderr, err := putting(t.Context(), nil, putCommand{What: []string{path, between(t, answer(503))}, Timeout: span(300 * time.Millisecond)})
		if err == nil || !strings.Contains(stderr, "given up after 300ms: the server answered 503") {
			t.Error(err, stderr)
		}
	})
}

// A file that changes while it is sent is not called sent.
func TestPutNoticesChange(t *testing.T) {
	t.Parallel()
	path, _ := randomFile(t, 1<<20)
	var n atomic.Int64
	url := between(t, func(http.ResponseWriter, *http.Request) bool {
		if n.Add(1) == 5 {
			f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
			if err == nil {
				_, err = f.WriteString("more")
				err = errors.Join(err, f.Close())
			}
			if err != nil {
				t.Error(err)
			}
		}
		return false
	})
	stdout, stderr, err := putting(t.Context(), nil, putCommand{What: []string{path, url}})
	if err == nil || stdout != "" || !strings.Contains(stderr, "changed while it was sent") {
		t.Errorf("%v: %s%s", err, stdout, stderr)
	}
	if _, body := do(t, "GET", url+"/uploads", ""); strings.TrimSpace(body) != "[]" {
		t.Errorf("the server still waits for the rest: %s", body)
	}
}

func TestChunk(t *testing.T) {
	t.Parallel()
	proxy := &refused{status: http.StatusRequestEntityTooLarge}
	c := newChunk(1 << 30)
	if c.size() != 95<<20 {
		t.Errorf("at most 95 MiB, not %d", c.size())
	}
	c = newChunk(6 << 20)
	for range 3 { // three workers whose pieces were of the same size
		if err := c.failed(6<<20, proxy); err != nil {
			t.Fatal(err)
		}
	}
	if c.size() != 3<<20 {
		t.Errorf("it halves once, to %d", c.size())
	}
	for range 20 {
		c.ok()
	}
	if c.size() != 3<<20 {
		t.Errorf("what a proxy refused is tried again: %d", c.size())
	}
	if err := c.failed(3<<20, io.ErrUnexpectedEOF); err != nil || c.size() != 3<<19 {
		t.Errorf("on a bad line %d, %v", c.size(), err)
	}
	for range 4 {
		c.ok()
	}
	if c.size() != 3<<20 {
		t.Errorf("on a better line %d", c.size())
	}
	for n := c.size(); n > leastChunk; n = c.size() {
		if err := c.failed(n, proxy); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.failed(c.size(), proxy); !errors.Is(err, errTooLarge) {
		t.Errorf("at the end: %v", err)
	}
	own := &refused{status: http.StatusRequestEntityTooLarge, own: true}
	if err := newChunk(1<<20).failed(1<<20, own); err == nil {
		t.Error("the server's own refusal is taken for a proxy's")
	}
}

func TestPause(t *testing.T) {
	t.Parallel()
	for failures := range 100 {
		most := min(firstWait<<min(failures, 20), longestWait)
		if d := pause(failures); d < most/2 || d > most {
			t.Errorf("after %d failures: %v", failures, d)
		}
	}
}
