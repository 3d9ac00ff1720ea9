//go:build unix

package child

import (
	"os/exec"
	"syscall"
)

// together lets a program end with all that it has started: when it is told to,
// and by the function that it returns, when it has ended by itself. The system
// gives its number to no other program as long as something of it is left, and
// after that not so soon.
func together(c *exec.Cmd) (rest func()) {
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
	return func() {
		if c.Process != nil {
			_ = c.Cancel() // mostly there is nothing left
		}
	}
}
