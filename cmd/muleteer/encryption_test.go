package main

import (
	"bytes"
	"crypto/tls"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// Whatever happens to the files, connections get a pair that fits: the new one
// as soon as all of it is there, and the one before until then.
func TestCertificatesThatChange(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	soon := time.Now().Add(time.Hour)
	for _, name := range []string{"old", "new"} {
		if err := certify(in(name), soon); err != nil {
			t.Fatal(err)
		}
	}
	text := func(name string) []byte {
		b, err := os.ReadFile(in(name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	write := func(name string, b []byte) {
		if err := os.WriteFile(in(name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	leaf := func(name string) string {
		pair, err := tls.X509KeyPair(text(name+".pem"), text(name+".key"))
		if err != nil {
			t.Fatal(err)
		}
		return string(pair.Leaf.Raw)
	}
	old, next := leaf("old"), leaf("new")
	write("site.pem", text("old.pem"))
	write("site.key", text("old.key"))
	log := new(syncBuffer)
	c := &certificates{cert: in("site.pem"), key: in("site.key"), log: slog.New(slog.NewTextHandler(log, nil))}
	if err := c.load(); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		what   string
		change func()
		want   string
		told   int // errors in the log, so far
	}{
		{"nothing", func() {}, old, 0},
		{"half a certificate", func() { write("site.pem", text("new.pem")[:200]) }, old, 1},
		{"and still", func() {}, old, 1},
		{"no certificate", func() { os.Remove(in("site.pem")) }, old, 2},
		{"a certificate without its key", func() { write("site.pem", text("new.pem")) }, old, 3},
		{"its key", func() { write("site.key", text("new.key")) }, next, 3},
		{"other files under these names, no newer", func() {
			for _, ext := range []string{".pem", ".key"} {
				was, err := os.Stat(in("site" + ext))
				if err != nil {
					t.Fatal(err)
				}
				write("moved"+ext, text("old"+ext))
				if err := os.Chtimes(in("moved"+ext), was.ModTime(), was.ModTime()); err != nil {
					t.Fatal(err)
				}
				if err := os.Rename(in("moved"+ext), in("site"+ext)); err != nil {
					t.Fatal(err)
				}
			}
		}, old, 3},
	} {
		step.change()
		c.looked = time.Now().Add(-look)
		pair, err := c.get(nil)
		if err != nil || string(pair.Leaf.Raw) != step.want {
			t.Errorf("%s: not the certificate that was wanted, %v\n%s", step.what, err, log)
		}
		if n := strings.Count(log.String(), "level=ERROR"); n != step.told {
			t.Errorf("%s: %d errors were told, not %d\n%s", step.what, n, step.told, log)
		}
	}
	// The files are looked at once a second, however many connections come.
	write("site.pem", text("new.pem"))
	write("site.key", text("new.key"))
	c.looked = time.Now().Add(time.Hour)
	if pair, _ := c.get(nil); string(pair.Leaf.Raw) != old {
		t.Error("the files were read within a second")
	}
}

func TestCertificateThatEnded(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "site")
	if err := certify(name, time.Now().Add(-time.Minute)); err != nil {
		t.Fatal(err)
	}
	log := new(bytes.Buffer)
	e := encryption{Cert: name + ".pem", Key: name + ".key"}
	if _, _, err := e.open("", slog.New(slog.NewTextHandler(log, nil))); err != nil || !strings.Contains(log.String(), "too old") {
		t.Errorf("%v, and it was told: %s", err, log)
	}
}

// overTLS is a house that speaks HTTP/2, a client for it, and its URL.
func overTLS(t *testing.T) (*house, *http.Server, *http.Client, string) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "site")
	if err := certify(name, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	h, _ := testHouse(t, func(s *settings) { s.TLS = encryption{Cert: name + ".pem", Key: name + ".key", HTTP2: true} })
	var err error
	if h.encrypted, _, err = h.settings.TLS.open("", h.log); err != nil {
		t.Fatal(err)
	}
	listeners, err := listen([]string{"127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	roots, err := trust{CA: name + ".pem"}.roots()
	if err != nil {
		t.Fatal(err)
	}
	server := h.server()
	served := make(chan error, 1)
	go func() { served <- server.ServeTLS(listeners[0], "", "") }()
	t.Cleanup(func() {
		server.Close()
		<-served
	})
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}}
	return h, server, client, h.address(listeners[0])
}

// filling is a body that does not end and counts what is taken of it.
type filling struct{ n *atomic.Int64 }

func (f filling) Read(p []byte) (int, error) {
	f.n.Add(int64(len(p)))
	return len(p), nil
}

// A server that does not come to read holds no more of an HTTP/2 connection
// than its windows.
func TestWindows(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		bodies int
		want   int64
	}{{1, 32 << 20}, {8, 64 << 20}} {
		_, server, client, base := overTLS(t)
		server.Handler = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPut {
				<-r.Context().Done()
			}
		})
		get := func() {
			resp, err := client.Get(base)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			if resp.ProtoMajor != 2 {
				t.Fatalf("the server speaks %s", resp.Proto)
			}
		}
		get() // the connection that the bodies go over
		var sent atomic.Int64
		for range test.bodies {
			go func() {
				req, _ := http.NewRequestWithContext(t.Context(), http.MethodPut, base, filling{&sent})
				if resp, err := client.Do(req); err == nil {
					resp.Body.Close()
				}
			}()
		}
		for began := time.Now(); sent.Load() < test.want; get() {
			if time.Since(began) > 30*time.Second {
				t.Fatalf("%d bodies: the server took %d bytes, and has windows of %d", test.bodies, sent.Load(), test.want)
			}
		}
		for range 50 { // whatever could still move would have moved
			get()
		}
		// Each body may have filled a buffer of the client that cannot leave.
		if most := test.want + int64(test.bodies)<<20; sent.Load() > most {
			t.Errorf("%d bodies: the server took %d bytes, more than %d", test.bodies, sent.Load(), most)
		}
	}
}

// The later request wins on one HTTP/2 connection, too: a body that has stopped
// coming is ended, and what came of it is kept.
func TestLaterRequestOverHTTP2(t *testing.T) {
	t.Parallel()
	h, _, client, base := overTLS(t)
	put := func(body io.Reader, length int64) (*http.Response, error) {
		req, err := http.NewRequest(http.MethodPut, base+"/upload/a", body)
		if err != nil {
			return nil, err
		}
		req.ContentLength = length
		req.Header.Set("Content-Range", "bytes 0-999999/1000000")
		return client.Do(req)
	}
	bytesOf := bytes.Repeat([]byte("muleteer"), 125_000)
	first, stopped := io.Pipe()
	defer stopped.Close()
	old := make(chan int, 1)
	go func() {
		resp, err := put(first, 1_000_000)
		if err != nil {
			old <- 0
			return
		}
		resp.Body.Close()
		old <- resp.StatusCode
	}()
	if _, err := stopped.Write(bytesOf[:400_000]); err != nil {
		t.Fatal(err)
	}
	for metricsBytes(t, h) < 400_000 {
		runtime.Gosched() // the bytes are on their way
	}
	resp, err := put(bytes.NewReader(bytesOf), 1_000_000)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusCreated && resp.StatusCode != http.StatusOK || resp.ProtoMajor != 2 {
		t.Errorf("the later request was answered %s over %s, %v: %s", resp.Status, resp.Proto, err, text)
	}
	if status := <-old; status/100 == 2 {
		t.Errorf("the older one was answered %d", status)
	}
	got, err := client.Get(base + "/uploads")
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	if text, _ := io.ReadAll(got.Body); strings.Count(string(text), `"done"`) != 1 {
		t.Errorf("the file is not there: %s", text)
	}
}
