package state

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/state/statetest"
	"github.com/muleteer/muleteer/store"
	"github.com/muleteer/muleteer/upload"
)

// TestMain is also the process that TestKill kills.
func TestMain(m *testing.M) {
	if path := os.Getenv(victim); path != "" {
		os.Exit(live(path))
	}
	os.Exit(m.Run())
}

func TestMemory(t *testing.T) {
	t.Parallel()
	statetest.Run(t, func(t *testing.T) statetest.State { return Memory(nil) })
}

// The suite runs without waiting for the disk; what the other level waits for
// is in TestDurability and TestKill.
func TestSQLite(t *testing.T) {
	t.Parallel()
	statetest.Run(t, func(t *testing.T) statetest.State {
		return open(t, filepath.Join(t.TempDir(), "state.db"), Options{Process: true})
	})
}

// open opens a database until the test ends.
func open(t testing.TB, path string, o Options) *SQLite {
	t.Helper()
	s, err := Open(t.Context(), "sqlite:"+path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s.(*SQLite)
}

// record returns a new record in phase Receiving.
func record(id string) *upload.Record {
	return &upload.Record{Object: store.Object{ID: id, Size: 1 << 40}, Phase: upload.Receiving}
}

// part returns a part with a receipt.
func part(start, end int64) store.Part {
	return store.Part{Extent: extent.Extent{Start: start, End: end}, CRC: store.CRC(start), Receipt: "r"}
}

var everything = extent.Extent{Start: 0, End: extent.Max}
