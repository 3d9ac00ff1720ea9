package s3test

import (
	"os/exec"
	"syscall"
)

// dieWithParent ends the server also when the test is killed.
func dieWithParent(c *exec.Cmd) {
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
