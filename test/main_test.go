// Package test tries the program from outside: the real binary as a process of
// its own, with clients that are not ours wherever there are any. The tests
// keep the truth themselves (what was acknowledged, and the SHA-256 of what
// was sent) and never ask the server whether it was right.
package test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// program is the path of the binary; TestMain builds it before any test runs.
var program string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "muleteer-outside-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "muleteer")
	if given := os.Getenv(inner); given != "" { // a test runs itself, see full_test.go
		program = given
		return m.Run()
	}
	// The flags are those of `make build`, so that its results are used again.
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", program, "./cmd/muleteer")
	build.Dir = ".."
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "the program does not build: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// long tells whether the nightly variants are wanted.
func long() bool { return os.Getenv("MULETEER_LONG") == "1" }

// seed is a new one for every run, or MULETEER_SEED to repeat one. It is
// printed when the test fails. Moments that depend on the machine are not
// repeated by it.
func seed(t *testing.T) uint64 {
	t.Helper()
	n := uint64(time.Now().UnixNano())
	if given := os.Getenv("MULETEER_SEED"); given != "" {
		var err error
		if n, err = strconv.ParseUint(given, 10, 64); err != nil {
			t.Fatalf("MULETEER_SEED: %v", err)
		}
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("again: MULETEER_SEED=%d go test ./test -run '^%s$'", n, t.Name())
		}
	})
	return n
}

// random is a source of randomness for one goroutine.
func random(seed, stream uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, stream)) }

// noise is n bytes that no compression and no hole in a file can fake.
func noise(n int, seed uint64) []byte {
	var key [32]byte
	for i := range 8 {
		key[i] = byte(seed >> (8 * i))
	}
	b := make([]byte, n)
	_, _ = rand.NewChaCha8(key).Read(b) // it never fails
	return b
}

// within asks again until ok, or fails the test when it takes too long.
func within(t *testing.T, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !ok(); {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", limit, what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// inner names the built program to a test that runs itself, see full_test.go.
const inner = "MULETEER_TEST_PROGRAM"
