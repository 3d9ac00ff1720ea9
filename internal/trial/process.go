package trial

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// Process is a child that is always waited for.
type Process struct {
	*exec.Cmd
	over chan struct{} // closed when it has ended
}

// Launch starts a child with what it writes going to out, in Environment unless
// the command has another.
func Launch(cmd *exec.Cmd, out io.Writer) (*Process, error) {
	cmd.Stdout, cmd.Stderr = out, out
	if cmd.Env == nil {
		cmd.Env = Environment()
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &Process{cmd, make(chan struct{})}
	go func() {
		defer close(p.over)
		_ = cmd.Wait() // what it says is in ProcessState
	}()
	return p, nil
}

// Environment is ours without what would configure the program, and without
// proxies, because everything that is tried is on this machine.
func Environment() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		switch name {
		case "PORT", "DATABASE_URL", "BUCKET", "MIME_TYPE", "CHUNK_SIZE":
			return true
		}
		return strings.HasPrefix(name, "MULETEER_") || strings.HasSuffix(strings.ToLower(name), "_proxy")
	})
}

// Kill is kill -9; the process has ended when it returns.
func (p *Process) Kill() {
	_ = p.Process.Kill() // it may have ended already
	<-p.over
}

// Ended tells whether the process is over.
func (p *Process) Ended() bool {
	select {
	case <-p.over:
		return true
	default:
		return false
	}
}

// Code waits for the end, at most so long, and tells the exit code.
func (p *Process) Code(limit time.Duration) (int, error) {
	select {
	case <-p.over:
		return p.ProcessState.ExitCode(), nil
	case <-time.After(limit):
		p.Kill()
		return 0, fmt.Errorf("it had not ended after %v", limit)
	}
}
