// Package browser tries the page and the element in a real Chromium against
// the real binary. The plays are scripts for Node; the Go side has the server,
// the line and the truth in its hands.
package browser

import (
	"bufio"
	"bytes"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/muleteer/muleteer/internal/trial"
)

// program is the path of the binary; TestMain builds it before any test runs.
var program string

func TestMain(m *testing.M) { os.Exit(trial.Main(m, &program)) }

// seats is how many browsers may be open at once: each wants a core.
var seats = make(chan struct{}, 2)

// stage is what a play has: a folder of files, a server, and the line to it.
type stage struct {
	dir    string // what is sent
	server *trial.Server
	line   *line
	more   map[string]func(argument string) (string, error) // what its play may ask for beside what all may
}

// newStage starts a server with these flags, behind a line.
func newStage(t *testing.T, args ...string) *stage {
	t.Helper()
	s := trial.Serve(t, program, t.TempDir(), args...)
	return &stage{dir: t.TempDir(), server: s, line: newLine(t, s)}
}

// file makes a file to be sent.
func (s *stage) file(t *testing.T, name string, content []byte) {
	t.Helper()
	path := filepath.Join(s.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// play runs a play to its end and does what it asks for meanwhile.
func (s *stage) play(t *testing.T, name string) {
	t.Helper()
	seats <- struct{}{}
	defer func() { <-seats }()
	begun := time.Now()
	var said bytes.Buffer
	c := exec.CommandContext(t.Context(), "node", filepath.Join("plays", name+".mjs"))
	c.Env = append(trial.Environment(), "PLAY_URL="+s.line.url, "PLAY_DIR="+s.dir, "PLAY_HOME="+t.TempDir())
	if shots := os.Getenv("MULETEER_SHOTS"); shots != "" { // a folder for pictures
		c.Env = append(c.Env, "PLAY_SHOTS="+shots)
	}
	c.Stderr = &said
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	limit := time.AfterFunc(3*patience, func() { _ = c.Process.Kill() })
	defer limit.Stop()
	for lines := bufio.NewScanner(out); lines.Scan(); {
		verb, argument, _ := strings.Cut(strings.TrimPrefix(lines.Text(), "ask "), " ")
		answer, err := s.do(verb, argument)
		if err != nil {
			answer = "no " + err.Error()
		} else {
			answer = "ok " + answer
		}
		fmt.Fprintln(in, answer)
	}
	if err = c.Wait(); err != nil {
		t.Fatalf("%s: %v\n%s\n%v", name, err, said.String(), s.line)
	}
	t.Logf("%s took %v\n%s", name, time.Since(begun).Round(time.Millisecond), said.String())
}

// do is what plays may ask for.
func (s *stage) do(verb, argument string) (string, error) {
	switch verb {
	case "kill":
		s.server.Kill()
		s.line.cut()
	case "start":
		return "", s.server.Start()
	case "let":
		n, err := int64(math.MaxInt64), error(nil)
		if argument != "all" {
			n, err = strconv.ParseInt(argument, 10, 64)
		}
		s.line.let(n)
		return "", err
	case "still":
		return "", s.line.still()
	case "quiet":
		return "", s.line.quiet()
	case "answer":
		a, err := newAnswer(argument)
		s.line.answer.Store(a)
		return "", err
	case "answered": // how often, and that is the end of it
		return strconv.FormatInt(s.line.answer.Swap(nil).given.Load(), 10), nil
	case "told": // how often until now
		return strconv.FormatInt(s.line.answer.Load().given.Load(), 10), nil
	default:
		if do := s.more[verb]; do != nil {
			return do(argument)
		}
		return "", fmt.Errorf("nobody knows how to %s", verb)
	}
	return "", nil
}

// What of a path has to be the same where a file arrived: all of it, its name,
// or nothing, where the store needs another name.
func whole(path string) string   { return path }
func nothing(path string) string { return "" }

// arrived wants in the store what is in the folder, each once and nothing else.
func (s *stage) arrived(t *testing.T, name func(path string) string) {
	t.Helper()
	want := trial.Sums(t, s.dir, name)
	got := trial.Sums(t, s.server.Store(), name)
	if len(want) == 0 || !slices.Equal(got, want) {
		t.Errorf("%d files are in the store that do not equal the %d that were sent", len(got), len(want))
		for i := range min(len(got), len(want), 20) {
			if got[i] != want[i] {
				t.Logf("sent %s\nhere %s", want[i], got[i])
			}
		}
	}
}
