package state

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/muleteer/muleteer/store"
	"github.com/muleteer/muleteer/upload"
)

// victim is the variable that tells a copy of this test binary which database
// to work on until it is killed.
const victim = "MULETEER_TEST_STATE"

// hands is how many goroutines of the victim add parts.
const hands = 16

// TestKill kills a process that adds parts, again and again: all that it had
// acknowledged must be there.
func TestKill(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]Options{"power": {}, "process": {Process: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const seed = 1
			rnd := rand.New(rand.NewPCG(seed, 0))
			path := filepath.Join(t.TempDir(), "state.db")
			var acked []store.Part
			for round := range 15 {
				acked = append(acked, kill(t, path, name, 1+rnd.IntN(200))...)
				inspect(t, path, o, acked)
				if t.Failed() {
					t.Fatalf("seed %d, round %d", seed, round)
				}
			}
		})
	}
}

// kill runs a victim, kills it after n acknowledgements, and returns all that
// it had given until then.
func kill(t *testing.T, path, level string, n int) (acked []store.Part) {
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), victim+"="+path, "MULETEER_TEST_LEVEL="+level)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var start, end int64
		if _, err := fmt.Sscanf(lines.Text(), "%d %d.", &start, &end); err != nil {
			t.Errorf("the victim says %q", lines.Text())
		}
		acked = append(acked, part(start, end))
		if len(acked) == n {
			_ = cmd.Process.Kill()
		}
	}
	var killed *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &killed) || killed.Exited() {
		t.Fatalf("the victim ended by itself: %v", err)
	}
	return acked
}

// inspect opens what a victim left and looks for what it had acknowledged.
func inspect(t *testing.T, path string, o Options, acked []store.Part) {
	s, err := takeOver(t.Context(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	u, err := s.Load(t.Context(), "u", everything)
	if err != nil {
		t.Fatal(err)
	}
	here, offset := int64(0), int64(0)
	there := make(map[store.Part]bool, len(u.Parts))
	for _, p := range u.Parts {
		there[p] = true
		here += p.Len()
		if p.Start == offset {
			offset = p.End
		}
	}
	lost := slices.DeleteFunc(slices.Clone(acked), func(p store.Part) bool { return there[p] })
	if len(lost) > 0 {
		t.Errorf("%d of %d acknowledged parts are lost: %v", len(lost), len(acked), lost)
	}
	if u.Offset != offset || u.Here != here {
		t.Errorf("Offset %d and Here %d, but the parts have %d and %d", u.Offset, u.Here, offset, here)
	}
}

// takeOver opens a database that somebody else has just let go of. A process
// that is being started has what its parent had open, for a moment longer.
func takeOver(ctx context.Context, path string, o Options) (State, error) {
	for began := time.Now(); ; {
		s, err := Open(ctx, "sqlite:"+path, o)
		if !errors.Is(err, store.ErrInUse) || time.Since(began) > 10*time.Second {
			return s, err
		}
		runtime.Gosched()
	}
}

// live is the victim: it adds parts and says so, until it is killed.
func live(path string) int {
	ctx := context.Background()
	s, err := takeOver(ctx, path, Options{Process: os.Getenv("MULETEER_TEST_LEVEL") == "process"})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err := s.Create(ctx, record("u"), upload.Quota{}); err != nil && !errors.Is(err, upload.ErrExists) {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	u, err := s.Load(ctx, "u", everything)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	// Behind all that is there, each hand adds every so manieth part.
	first := int64(0)
	if n := len(u.Parts); n > 0 {
		first = u.Parts[n-1].End
	}
	var wg sync.WaitGroup
	for h := range int64(hands) {
		wg.Go(func() {
			for at := first + h*10; ; at += hands * 10 {
				if _, err := s.Add(ctx, "u", 0, part(at, at+10)); err != nil {
					fmt.Fprintln(os.Stderr, err)
					return
				}
				// One write, so that a line is there as a whole or not at all.
				_, _ = fmt.Fprintf(os.Stdout, "%d %d.\n", at, at+10)
			}
		})
	}
	wg.Wait()
	return 1
}
