package trial

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
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

// starting is how long the program may take until it answers, on a machine that
// has other things to do.
const starting = time.Minute

// Server is `muleteer serve` with a data directory and an address that stay
// the same however often it dies.
type Server struct {
	Dir     string // its working directory
	Address string // host and port
	LogName string // the file with all that it wrote

	program string
	args    []string
	env     []string // beside Environment

	mu    sync.Mutex
	child *Process
}

// Serve starts a server that works in dir and lives as long as the test. If the
// test fails, what the server wrote is logged.
func Serve(t *testing.T, program, dir string, args ...string) *Server {
	t.Helper()
	return ServeWith(t, nil, program, dir, args...)
}

// ServeWith is Serve with more in the environment of the program.
func ServeWith(t *testing.T, env []string, program, dir string, args ...string) *Server {
	t.Helper()
	s := &Server{Dir: dir, program: program, args: args, env: env, LogName: filepath.Join(t.TempDir(), "log")}
	t.Cleanup(func() {
		s.Kill()
		if t.Failed() {
			t.Logf("the server wrote:\n%s", s.Log())
		}
	})
	// The address has to be ours again after each restart, so it is not one of
	// those that the kernel gives to connections.
	for range 100 {
		s.Address = fmt.Sprintf("127.0.0.1:%d", 10000+rand.IntN(20000))
		l, err := net.Listen("tcp", s.Address)
		if err != nil {
			continue
		}
		l.Close()
		if err = s.Start(); err == nil {
			return s
		} else if !strings.Contains(err.Error(), "not to be had") {
			t.Fatal(err)
		}
	}
	t.Fatal("there is no free port")
	return nil
}

// Start starts the process and returns when it answers.
func (s *Server) Start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	log, err := os.OpenFile(s.LogName, os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	size, err := log.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	cmd := exec.Command(s.program, append([]string{"serve", "--listen", s.Address}, s.args...)...)
	cmd.Dir, cmd.Env = s.Dir, append(Environment(), s.env...)
	if s.child, err = Launch(cmd, log); err != nil {
		return err
	}
	c := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}
	for end := time.Now().Add(starting); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if s.child.Ended() {
			said, _ := os.ReadFile(s.LogName)
			return fmt.Errorf("the server ended at once with code %d: %s", s.child.ProcessState.ExitCode(), said[size:])
		}
		if resp, err := c.Get(s.URL("/healthz")); err == nil {
			resp.Body.Close()
			return nil
		}
	}
	s.child.Kill()
	return errors.New("the server did not answer in the time it had for its start")
}

// Process is the one that was started last.
func (s *Server) Process() *Process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.child
}

// Kill is kill -9, if it runs.
func (s *Server) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.child != nil {
		s.child.Kill()
	}
}

// End asks the server to end, as service managers do.
func (s *Server) End(t *testing.T) {
	t.Helper()
	p := s.Process()
	if err := p.Cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatalf("SIGTERM: %v", err)
	}
	if code, err := p.Code(starting); err != nil || code != 0 {
		t.Fatalf("after SIGTERM the server ended with code %d, %v", code, err)
	}
}

// URL is the address of a path of the server.
func (s *Server) URL(path string) string { return "http://" + s.Address + path }

// Log is what the server wrote last.
func (s *Server) Log() string {
	b, _ := os.ReadFile(s.LogName)
	if len(b) > 16<<10 {
		b = append([]byte("…"), b[len(b)-16<<10:]...)
	}
	return string(b)
}

// Store is where finished files appear.
func (s *Server) Store() string { return filepath.Join(s.Dir, "muleteer-data", "files") }

// Check runs `muleteer check --read-data` where the server ran and returns
// what it says.
func (s *Server) Check(t *testing.T) string {
	t.Helper()
	var out bytes.Buffer
	cmd := exec.Command(s.program, "check", "--read-data")
	cmd.Dir = s.Dir
	p, err := Launch(cmd, &out)
	if err != nil {
		t.Fatal(err)
	}
	if code, err := p.Code(5 * time.Minute); err != nil || code != 0 || strings.Contains(out.String(), "wrong:") {
		t.Fatalf("check --read-data ends with code %d, %v:\n%s", code, err, out.String())
	}
	return out.String()
}
