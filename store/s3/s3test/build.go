package s3test

import (
	"debug/buildinfo"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/lockedfile"
)

// program returns the path of the server's program. It is built once for the
// checkout, by whoever needs it first: `make tools` or `make minio`, or one of
// several test processes.
func (k kind) program() (string, error) {
	root, err := checkout()
	if err != nil {
		return "", err
	}
	tools := filepath.Join(root, "tools", k.name)
	pinned, err := k.version(filepath.Join(tools, "go.mod"))
	if err != nil {
		return "", err
	}
	path := filepath.Join(root, "build", k.name)
	if k.built(path) == pinned {
		return path, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", err
	}
	unlock, err := lockedfile.MutexAt(path + ".lock").Lock()
	if err != nil {
		return "", err
	}
	defer unlock()
	if k.built(path) == pinned { // by who held the lock
		return path, nil
	}
	next := path + ".next"
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", next, k.main)
	build.Dir = tools
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building %s: %w\n%s", k.name, err, out)
	}
	return path, os.Rename(next, path) // never over a program that runs
}

// checkout is the folder of the module that the test belongs to.
func checkout() (string, error) {
	dir, err := os.Getwd()
	for ; err == nil; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "tools", "versitygw", "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("no tools/versitygw above the working directory: run the test in a checkout")
		}
	}
	return "", err
}

// version is the one that go.mod pins.
func (k kind) version(file string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "require "))
		if len(f) >= 2 && f[0] == k.module {
			return f[1], nil
		}
	}
	return "", fmt.Errorf("%s pins no %s", file, k.module)
}

// built is the version of a program that was built before, "" if there is none.
func (k kind) built(path string) string {
	b, err := buildinfo.ReadFile(path)
	if err != nil || b.Main.Path != k.module {
		return ""
	}
	return b.Main.Version
}
