package disk

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"syscall"
	"testing"

	"github.com/muleteer/muleteer/store"
)

// playFault plays a scene in which the nth call of some kinds fails once with
// err. What failed is tried again; at the end the power goes, too.
func playFault(seed, n uint64, err error, kinds ...string) (failed bool, _ error) {
	c := &scene{rnd: rand.New(rand.NewPCG(seed, 6)), p: newPowerFS(seed)}
	var openErr error
	if c.s, openErr = open(c.p, Options{}, small); openErr != nil {
		return false, openErr
	}
	calls := uint64(0)
	c.p.fault = func(op string) error {
		for _, k := range kinds {
			if k == op {
				if calls++; calls == n {
					failed = true
					return err
				}
			}
		}
		return nil
	}
	for range 40 {
		before := failed
		got := c.act()
		if got != nil && (before || !errors.Is(got, err) || errors.Is(got, store.ErrFull) != (err == syscall.ENOSPC)) {
			return failed, got
		}
	}
	c.p.fault = nil
	if err := c.verify(); err != nil {
		return failed, err
	}
	c.p = c.p.crash()
	return failed, c.live(true)
}

func TestFullDisk(t *testing.T) {
	t.Parallel()
	everyCall(t, 4, syscall.ENOSPC, "write", "create", "mkdir", "link", "rename", "mark")
}

// After a failed sync the kernel calls the pages clean, and the next sync does
// not tell: nothing that was in them may be acknowledged.
func TestFailedSync(t *testing.T) {
	t.Parallel()
	everyCall(t, 6, syscall.EIO, "sync")
	everyCall(t, 6, syscall.EIO, "syncdir")
	everyCall(t, 8, syscall.EIO, "syncall")
}

// everyCall plays each of so many scenes once for each call in it that fails.
func everyCall(t *testing.T, seeds uint64, err error, kinds ...string) {
	t.Helper()
	failures := 0
	for seed := range seeds {
		for n, more := uint64(1), true; more; n++ {
			var problem error
			if more, problem = playFault(seed, n, err, kinds...); problem != nil {
				t.Fatalf("seed %d, call %d of %v fails with %v: %v", seed, n, kinds, err, problem)
			}
			failures++
		}
	}
	if failures < 40 {
		t.Errorf("only %d calls of %v were seen", failures, kinds)
	}
}

// A file that Join has shortened is synced by the Join that is repeated, also
// when the first one's sync failed.
func TestFailedSyncOfJoin(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		c := &scene{rnd: rand.New(rand.NewPCG(seed, 7)), p: newPowerFS(seed)}
		var err error
		if c.s, err = open(c.p, Options{}, small); err != nil {
			t.Fatal(err)
		}
		u := &upload{o: store.Object{ID: "upload-of-a-hundred-bytes", Key: "x", Size: 100}, data: bytes.Repeat([]byte("x"), 100)}
		c.all = append(c.all, u)
		if err := c.exceed(u); err != nil {
			t.Fatal(err)
		}
		for len(u.missing()) > 0 {
			if err := c.put(u); err != nil {
				t.Fatal(err)
			}
		}
		failed := false
		c.p.fault = func(op string) error {
			if op == "sync" && !failed {
				failed = true
				return syscall.EIO
			}
			return nil
		}
		if err := c.join(u); !errors.Is(err, syscall.EIO) {
			t.Fatalf("seed %d: Join: %v, want the error of its sync", seed, err)
		}
		if err := c.join(u); err != nil {
			t.Fatal(err)
		}
		c.p = c.p.crash()
		if err := c.live(true); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}
