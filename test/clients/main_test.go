// Package clients tries the upload libraries for browsers, unmodified, as npm
// has them, in a real Chromium against the real binary. A page is a file of
// pages/, which is also what docs/clients.md tells people to write; between it
// and the server is a line that breaks on request. The truth is on the Go side:
// what the files have that were chosen, and what the store has in the end.
package clients

import (
	"flag"
	"os"
	"testing"
	"time"

	"github.com/muleteer/muleteer/internal/trial"
)

// program is the path of the binary; TestMain builds it before any test runs.
var program string

func TestMain(m *testing.M) {
	flag.Parse()
	_ = flag.Set("test.parallel", "4") // most of the time a client waits until it tries again; the flag is there
	os.Exit(trial.Main(m, &program))
}

// patience is for what would never happen: the machine may have much to do.
const patience = 2 * time.Minute
