package hook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
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

// wordsLimit is how many bytes of what a program says of its failure are kept.
const wordsLimit = 500

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
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	out := &bounded{most: answerLimit, full: cancel}
	said := &bounded{most: wordsLimit}
	c := exec.CommandContext(ctx, words[0], words[1:]...)
	c.Stdin, c.Stdout, c.Stderr = bytes.NewReader(m.body), out, said
	for _, name := range Environment() {
		if value, set := os.LookupEnv(name); set {
			c.Env = append(c.Env, name+"="+value)
		}
	}
	c.Env = append(c.Env, m.environment...)
	c.WaitDelay = time.Second
	together(c)
	err := c.Run()
	switch {
	case out.over:
		return nil, fmt.Errorf("the program for %s writes more than %d bytes", m.name, answerLimit)
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return nil, fmt.Errorf("the program for %s was not ready after %v", m.name, p.timeout)
	case err != nil:
		return nil, fmt.Errorf("the program for %s: %w: %s", m.name, err, bytes.TrimSpace(said.Bytes()))
	}
	return out.Bytes(), nil
}

// bounded keeps the first bytes of what is written. If somebody is to be told
// that there is more, writing fails then.
type bounded struct {
	bytes.Buffer
	most int
	full func()
	over bool
}

func (b *bounded) Write(p []byte) (int, error) {
	free := b.most - b.Len()
	if len(p) <= free {
		return b.Buffer.Write(p)
	}
	b.Buffer.Write(p[:free])
	if b.over = true; b.full == nil {
		return len(p), nil
	}
	b.full()
	return free, errors.New("this is too much")
}

// ReadFrom would go around Write.
func (b *bounded) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(struct{ io.Writer }{b}, r)
}
