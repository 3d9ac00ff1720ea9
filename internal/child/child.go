// Package child runs programs of others: for a while, without our secrets, and
// with an end for all that they have started.
package child

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"time"
)

// A Command is a program, and what it gets.
type Command struct {
	Words   []string  // the program and its arguments; no shell reads them
	In      io.Reader // its standard input
	Env     []string  // its environment, and no more than that
	Dir     string    // where it runs; "" is where we do
	Most    int       // bytes that it may write
	Timeout time.Duration
}

// wordsLimit is how many bytes of what a program says of its failure are kept.
const wordsLimit = 500

// rest is how long what a program has started may keep its output open.
const rest = time.Second

// Run runs a program and returns what it has written. When it has written too
// much, or its time is over, it ends, with all that it has started; so does what
// it leaves behind. The error is a sentence that goes on from the program's name.
func Run(ctx context.Context, c Command) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	out := &bounded{most: c.Most, full: cancel}
	said := &bounded{most: wordsLimit}
	cmd := exec.CommandContext(ctx, c.Words[0], c.Words[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = c.In, out, said
	cmd.Env, cmd.Dir, cmd.WaitDelay = c.Env, c.Dir, rest
	end := together(cmd)
	err := cmd.Run()
	end()
	switch {
	case out.over:
		return nil, fmt.Errorf("it writes more than %d bytes", c.Most)
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return nil, fmt.Errorf("it was not ready after %v: %w", c.Timeout, context.DeadlineExceeded)
	case err != nil:
		return nil, fmt.Errorf("%w: %s", err, bytes.TrimSpace(said.Bytes()))
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
