// Package test tries the program from outside: the real binary as a process of
// its own, with clients that are not ours wherever there are any. The tests
// keep the truth themselves (what was acknowledged, and the SHA-256 of what
// was sent) and never ask the server whether it was right.
package test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/muleteer/muleteer/internal/trial"
	"github.com/muleteer/muleteer/store/s3/s3test"
)

// program is the path of the binary; TestMain builds it before any test runs.
var program string

func TestMain(m *testing.M) {
	if err := s3test.Setenv(); err != nil { // for the program and for us
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(trial.Main(m, &program))
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
