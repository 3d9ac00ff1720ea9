package test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// server is `muleteer serve` with a data directory and an address that stay
// the same however often it dies.
type server struct {
	dir     string // its working directory
	address string
	args    []string
	logName string

	mu    sync.Mutex
	child *process
}

// process is a child that is always waited for.
type process struct {
	*exec.Cmd
	over chan struct{} // closed when it has ended
}

// launch starts a child with what it writes going to out.
func launch(cmd *exec.Cmd, out io.Writer) (*process, error) {
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Env = environment()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd, make(chan struct{})}
	go func() {
		defer close(p.over)
		_ = cmd.Wait() // what it says is in ProcessState
	}()
	return p, nil
}

// environment is ours without what would configure the program.
func environment() []string {
	var kept []string
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		switch {
		case strings.HasPrefix(name, "MULETEER_"), strings.HasSuffix(strings.ToLower(name), "_proxy"):
		case name == "PORT", name == "DATABASE_URL", name == "BUCKET", name == "MIME_TYPE", name == "CHUNK_SIZE":
		default:
			kept = append(kept, v)
		}
	}
	return kept
}

func (p *process) kill() {
	_ = p.Process.Kill() // it may have ended already
	<-p.over
}

func (p *process) ended() bool {
	select {
	case <-p.over:
		return true
	default:
		return false
	}
}

// code waits for the end, at most so long, and tells the exit code.
func (p *process) code(limit time.Duration) (int, error) {
	select {
	case <-p.over:
		return p.ProcessState.ExitCode(), nil
	case <-time.After(limit):
		p.kill()
		return 0, fmt.Errorf("it had not ended after %v", limit)
	}
}

// serve starts a server that lives as long as the test.
func serve(t *testing.T, args ...string) *server {
	t.Helper()
	return serveIn(t, t.TempDir(), args...)
}

func serveIn(t *testing.T, dir string, args ...string) *server {
	t.Helper()
	s := &server{dir: dir, args: args, logName: filepath.Join(t.TempDir(), "log")}
	t.Cleanup(func() {
		s.kill()
		if t.Failed() {
			t.Logf("the server wrote:\n%s", s.log())
		}
	})
	// The address has to be ours again after each restart, so it is not one of
	// those that the kernel gives to connections.
	rng := random(seed(t), 99)
	for range 100 {
		s.address = fmt.Sprintf("127.0.0.1:%d", 10000+rng.IntN(20000))
		l, err := net.Listen("tcp", s.address)
		if err != nil {
			continue
		}
		l.Close()
		if err = s.start(); err == nil {
			return s
		} else if !strings.Contains(err.Error(), "not to be had") {
			t.Fatal(err)
		}
	}
	t.Fatal("there is no free port")
	return nil
}

// start starts the process and returns when it answers.
func (s *server) start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	log, err := os.OpenFile(s.logName, os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	size, err := log.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	cmd := exec.Command(program, append([]string{"serve", "--listen", s.address}, s.args...)...)
	cmd.Dir = s.dir
	if s.child, err = launch(cmd, log); err != nil {
		return err
	}
	c := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Second}
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if s.child.ended() {
			said, _ := os.ReadFile(s.logName)
			return fmt.Errorf("the server ended at once with code %d: %s", s.child.ProcessState.ExitCode(), said[size:])
		}
		if resp, err := c.Get(s.url("/healthz")); err == nil {
			resp.Body.Close()
			return nil
		}
	}
	s.child.kill()
	return errors.New("the server did not answer within 20 s of its start")
}

// kill is kill -9, if it runs.
func (s *server) kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.child != nil {
		s.child.kill()
	}
}

// end asks the server to end, as service managers do.
func (s *server) end(t *testing.T) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.child.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatalf("SIGTERM: %v", err)
	}
	if code, err := s.child.code(25 * time.Second); err != nil || code != 0 {
		t.Fatalf("after SIGTERM the server ended with code %d, %v", code, err)
	}
}

func (s *server) url(path string) string { return "http://" + s.address + path }

func (s *server) log() string {
	b, _ := os.ReadFile(s.logName)
	if len(b) > 16<<10 {
		b = append([]byte("…"), b[len(b)-16<<10:]...)
	}
	return string(b)
}

// store is where finished files appear.
func (s *server) store() string { return filepath.Join(s.dir, "muleteer-data", "files") }

// onWay lists the files of uploads that are not finished.
func (s *server) onWay(t *testing.T) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(s.store(), ".muleteer"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != "lock" {
			names = append(names, e.Name())
		}
	}
	return names
}

// check runs `muleteer check --read-data` where the server ran and returns
// what it says.
func (s *server) check(t *testing.T) string {
	t.Helper()
	var out bytes.Buffer
	cmd := exec.Command(program, "check", "--read-data")
	cmd.Dir = s.dir
	p, err := launch(cmd, &out)
	if err != nil {
		t.Fatal(err)
	}
	if code, err := p.code(2 * time.Minute); err != nil || code != 0 || strings.Contains(out.String(), "wrong:") {
		t.Fatalf("check --read-data ends with code %d, %v:\n%s", code, err, out.String())
	}
	return out.String()
}
