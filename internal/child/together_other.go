//go:build !unix

package child

import "os/exec"

// together does nothing here: only the program itself ends.
func together(*exec.Cmd) (rest func()) { return func() {} }
