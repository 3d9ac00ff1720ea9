package hook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/muleteer/muleteer/internal/child"
)

// Program runs a program for each message, which it gets on standard input; what
// it writes on standard output, and an exit code of 0, is the answer. It finds
// nothing in its environment but Environment and what the form adds. When its
// time is over, or it has written too much, it ends with all that it has
// started.
type Program struct {
	words   []string
	folder  string // of programs, one for each turn; else ""
	timeout time.Duration
}

// Environment are the variables that programs inherit.
func Environment() []string {
	return []string{"PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SYSTEMROOT"}
}

// NewProgram takes a command apart: words with blanks between, and no shell. A
// command that is a directory stands for the programs in it that are named as
// turns are; those that are not there are passed over. It tells if there is no
// such program. A timeout of 0 is DefaultTimeout.
func NewProgram(command string, timeout time.Duration) (*Program, error) {
	p := &Program{words: strings.Fields(command), timeout: timeout}
	if p.timeout <= 0 {
		p.timeout = DefaultTimeout
	}
	if info, err := os.Stat(command); err == nil && info.IsDir() {
		p.words = nil
		p.folder, err = filepath.Abs(command)
		return p, err
	}
	if len(p.words) == 0 {
		return nil, errors.New("it names no program")
	}
	path, err := exec.LookPath(p.words[0])
	if err == nil {
		p.words[0], err = filepath.Abs(path)
	}
	return p, err
}

func (p *Program) send(ctx context.Context, m message) ([]byte, error) {
	words := p.words
	if p.folder != "" {
		path, err := exec.LookPath(filepath.Join(p.folder, m.name))
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, exec.ErrNotFound) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		words = []string{path}
	}
	var env []string
	for _, name := range Environment() {
		if value, set := os.LookupEnv(name); set {
			env = append(env, name+"="+value)
		}
	}
	out, err := child.Run(ctx, child.Command{
		Words: words, In: bytes.NewReader(m.body), Env: append(env, m.environment...), Most: answerLimit, Timeout: p.timeout,
	})
	if err != nil {
		return nil, fmt.Errorf("the program for %s: %w", m.name, err)
	}
	return out, nil
}
