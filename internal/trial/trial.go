// Package trial has what tests share that try the program from outside: it
// builds it, and starts, ends and kills it as a process of its own. Only tests
// import it.
package trial

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Given names a program that is there already, to a test that runs itself.
const Given = "MULETEER_TEST_PROGRAM"

// Main builds the program, writes its path to program and runs the tests. It is
// what TestMain calls, and returns the exit code.
func Main(m *testing.M, program *string) int {
	if given := os.Getenv(Given); given != "" {
		*program = given
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "muleteer-trial-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	*program = filepath.Join(dir, "muleteer")
	// The flags are those of `make build`, so that its results are used again.
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", *program,
		"github.com/muleteer/muleteer/cmd/muleteer")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "the program does not build: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}
