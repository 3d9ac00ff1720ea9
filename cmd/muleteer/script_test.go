package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"muleteer": main})
}

// The stories in testdata/script run the real program. Beside testscript's own
// commands they have
//
//	start [flag…]        starts a server; $URL is where it is, server.out what it says
//	end                  asks it to end, and wants it to end well
//	crash                kills it with SIGKILL
//	cut N file           puts file through a proxy that kills the client, with
//	                     SIGKILL, when N of its requests have been answered
//	sent MAX file        puts file, which may take at most MAX bytes on the wire
//	random file bytes    makes a file that no compression makes smaller
//	same file url        compares what is at url
//	flip file            changes a byte in the middle
//	dead                 waits until an event of the server is dead
//	certify name         makes a certificate name.pem and its key name.key
func TestScript(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("PATH", e.Getenv("PATH"))
			e.Setenv("NO_PROXY", "*")
			s := &story{}
			e.Values[storyKey{}] = s
			e.Defer(func() { _ = s.kill() })
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"start": start, "end": end, "crash": crash, "cut": cut, "sent": sent, "random": random, "same": same, "flip": flip, "dead": dead,
			"certify": func(ts *testscript.TestScript, _ bool, args []string) {
				ts.Check(certify(ts.MkAbs(args[0]), time.Now().Add(time.Hour)))
			},
		},
	})
}

type storyKey struct{}

// story is what a script has going on.
type story struct{ server *exec.Cmd }

func (s *story) kill() error {
	if s.server == nil {
		return errors.New("no server runs")
	}
	_ = s.server.Process.Kill()
	_ = s.server.Wait()
	s.server = nil
	return nil
}

// program is muleteer itself, in the script's directory and environment.
func program(ts *testscript.TestScript, args ...string) *exec.Cmd {
	self, err := os.Executable()
	ts.Check(err)
	c := exec.Command(self)
	c.Args = append([]string{"muleteer"}, args...)
	c.Dir = ts.MkAbs(".")
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "NO_PROXY", "DATABASE_URL", "MULETEER_TLS_CERT"} {
		if value := ts.Getenv(name); value != "" {
			c.Env = append(c.Env, name+"="+value)
		}
	}
	return c
}

func start(ts *testscript.TestScript, _ bool, args []string) {
	s := ts.Value(storyKey{}).(*story)
	c := program(ts, append([]string{"serve", "--listen", "127.0.0.1:0"}, args...)...)
	out, err := os.Create(ts.MkAbs("server.out"))
	ts.Check(err)
	defer out.Close()
	c.Stderr = out
	stdout, err := c.StdoutPipe()
	ts.Check(err)
	ts.Check(c.Start())
	s.server = c
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		fmt.Fprintln(out, lines.Text())
		if words := strings.Fields(lines.Text()); len(words) == 4 && words[1] == "Upload" {
			ts.Setenv("URL", strings.TrimSuffix(words[3], "/"))
		}
		if strings.HasPrefix(lines.Text(), "└") {
			return
		}
	}
	_ = c.Wait()
	log, _ := os.ReadFile(ts.MkAbs("server.out"))
	s.server = nil
	ts.Fatalf("the server did not start:\n%s", log)
}

func end(ts *testscript.TestScript, _ bool, _ []string) {
	s := ts.Value(storyKey{}).(*story)
	if s.server == nil {
		ts.Fatalf("no server runs")
	}
	ts.Check(s.server.Process.Signal(syscall.SIGTERM))
	err := s.server.Wait()
	s.server = nil
	ts.Check(err)
}

func dead(ts *testscript.TestScript, _ bool, _ []string) {
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		resp, err := http.Get(ts.Getenv("URL") + "/events?dead=1")
		ts.Check(err)
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		ts.Check(err)
		if strings.Contains(string(body), `"dead":`) {
			return
		}
	}
	ts.Fatalf("no event is dead")
}

func crash(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Check(ts.Value(storyKey{}).(*story).kill())
}

// proxy passes requests on to $URL, and calls after when one was answered.
func proxy(ts *testscript.TestScript, after func(r *http.Request)) *httptest.Server {
	target, err := url.Parse(ts.Getenv("URL"))
	ts.Check(err)
	p := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.ServeHTTP(w, r)
		after(r)
	}))
}

func cut(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	var mu sync.Mutex
	var c *exec.Cmd
	p := proxy(ts, func(*http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if n--; n == 0 {
			_ = c.Process.Kill()
		}
	})
	defer p.Close()
	c = program(ts, "put", args[1], p.URL, "--chunk-size", "64KiB", "--workers", "2")
	mu.Lock()
	err = c.Start()
	mu.Unlock()
	ts.Check(err)
	if err := c.Wait(); err == nil {
		ts.Fatalf("put ended well before it could be killed")
	}
}

func sent(ts *testscript.TestScript, _ bool, args []string) {
	most, err := strconv.ParseInt(args[0], 10, 64)
	ts.Check(err)
	var mu sync.Mutex
	var bytesSent int64
	p := proxy(ts, func(r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		bytesSent += max(r.ContentLength, 0)
	})
	defer p.Close()
	c := program(ts, "put", args[1], p.URL, "--chunk-size", "64KiB")
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	if err := c.Run(); err != nil {
		ts.Fatalf("put: %v\n%s", err, &out)
	}
	mu.Lock()
	defer mu.Unlock()
	if bytesSent > most {
		ts.Fatalf("%d bytes were sent", bytesSent)
	}
	ts.Setenv("FILE", strings.Replace(strings.TrimSpace(out.String()), p.URL, ts.Getenv("URL"), 1))
}

func random(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	in, err := os.Open("/dev/urandom")
	ts.Check(err)
	defer in.Close()
	out, err := os.Create(ts.MkAbs(args[0]))
	ts.Check(err)
	_, err = io.CopyN(out, in, n)
	ts.Check(errors.Join(err, out.Close()))
}

func same(ts *testscript.TestScript, _ bool, args []string) {
	want, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	client := http.Client{Timeout: time.Minute}
	resp, err := client.Get(strings.TrimSpace(ts.ReadFile(args[1])))
	ts.Check(err)
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	ts.Check(err)
	if resp.StatusCode != 200 || !bytes.Equal(got, want) {
		ts.Fatalf("%s: %d bytes, not the %d of %s", resp.Status, len(got), len(want), args[0])
	}
}

func flip(ts *testscript.TestScript, _ bool, args []string) {
	found, err := filepath.Glob(ts.MkAbs(args[0]))
	ts.Check(err)
	if len(found) != 1 {
		ts.Fatalf("%s is %d files", args[0], len(found))
	}
	b, err := os.ReadFile(found[0])
	ts.Check(err)
	b[len(b)/2] ^= 1
	ts.Check(os.WriteFile(found[0], b, 0o600))
}
