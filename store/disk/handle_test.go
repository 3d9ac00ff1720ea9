package disk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"sync"
	"syscall"
	"testing"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/store"
)

// crowd is many Puts of one upload at the same time. Its syncs take a while, in
// which others write.
type crowd struct {
	p  *powerFS
	s  *Store
	mu sync.Mutex // of u.parts
	u  *upload
}

func gather(seed uint64, chunks int) (*crowd, error) {
	rnd := rand.New(rand.NewPCG(seed, 8))
	c := &crowd{p: newPowerFS(seed), u: &upload{data: make([]byte, chunks*12<<10)}}
	for i := range c.u.data {
		c.u.data[i] = byte(1 + rnd.IntN(255)) // never zero, as what was lost is
	}
	c.p.awhile = func() {
		for range 20 {
			runtime.Gosched()
		}
	}
	var err error
	c.s, err = open(c.p, Options{}, small)
	c.u.o = store.Object{ID: "upload-of-a-whole-crowd", Key: "x", Size: int64(len(c.u.data))}
	return c, err
}

// put puts all chunks, four at a time, and returns the errors.
func (c *crowd) put(chunks int) []error {
	next := make(chan int64, chunks)
	for i := range chunks {
		next <- int64(i)
	}
	close(next)
	var errs []error
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range next {
				e := extent.At(i*12<<10, 12<<10)
				var body io.Reader = bytes.NewReader(c.u.data[e.Start:e.End])
				if i%2 == 0 {
					body = &packets{body}
				}
				err := c.s.Put(context.Background(), c.u.o, e, idle{body}, func(p store.Part) error {
					c.mu.Lock()
					defer c.mu.Unlock()
					return c.u.told(p)
				})
				c.mu.Lock()
				errs = append(errs, err)
				c.mu.Unlock()
			}
		})
	}
	wg.Wait()
	return errs
}

// idle is a body that lets others run.
type idle struct{ io.Reader }

func (i idle) Read(b []byte) (int, error) {
	runtime.Gosched()
	return i.Reader.Read(b)
}

// lost cuts the power, if it is not off yet, and tells what was acknowledged and
// is not there.
func (c *crowd) lost() (err error) {
	if c.s, err = open(c.p.crash(), Options{}, small); err != nil {
		return err
	}
	s := scene{s: c.s}
	for _, p := range c.u.parts {
		if err := s.verifyBytes(c.u, p.Extent); err != nil {
			return err
		}
	}
	return nil
}

// One sync serves many Puts, but none that has written after it began.
func TestPowerCutOfACrowd(t *testing.T) {
	t.Parallel()
	shared := 0
	for seed := range uint64(300) {
		const chunks = 12
		c, err := gather(seed, chunks)
		if err != nil {
			t.Fatal(err)
		}
		syncs := 0
		c.p.fault = func(op string) error {
			if op == "sync" {
				syncs++
			}
			return nil
		}
		c.p.left = 5 + int(seed%60)
		for _, err := range c.put(chunks) {
			if err != nil && !errors.Is(err, errPower) {
				t.Fatalf("seed %d: %v", seed, err)
			}
		}
		shared += len(c.u.parts) - syncs
		if err := c.lost(); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
	if shared < 100 {
		t.Errorf("only %d syncs were spared", shared)
	}
}

// After a failed sync, of which the kernel tells once, no Put of those that had
// written before it is acknowledged; who comes later is.
func TestFailedSyncOfACrowd(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		const chunks = 12
		c, err := gather(seed, chunks)
		if err != nil {
			t.Fatal(err)
		}
		syncs := 0
		c.p.fault = func(op string) error {
			if op == "sync" {
				if syncs++; syncs == 1+int(seed%5) {
					return syscall.EIO
				}
			}
			return nil
		}
		failed := 0
		for _, err := range c.put(chunks) {
			if err != nil && !errors.Is(err, syscall.EIO) {
				t.Fatalf("seed %d: %v", seed, err)
			} else if err != nil {
				failed++
			}
		}
		if failed == 0 || failed == chunks {
			t.Fatalf("seed %d: %d of %d Puts failed", seed, failed, chunks)
		}
		if err := c.lost(); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

// A Put that comes when its file was removed, while an older one still writes,
// makes a new file.
func TestPutAfterRemove(t *testing.T) {
	t.Parallel()
	c, err := gather(1, 2)
	if err != nil {
		t.Fatal(err)
	}
	body, w := io.Pipe()
	began, ended := make(chan error), make(chan error)
	go func() {
		ended <- c.s.Put(t.Context(), c.u.o, extent.At(0, 20), body, func(store.Part) error { began <- nil; return nil })
	}()
	fmt.Fprint(w, "0123456789")
	<-began
	if err := c.s.Remove(t.Context(), c.u.o); err != nil {
		t.Fatal(err)
	}
	for _, err := range c.put(2) {
		if err != nil {
			t.Fatal(err)
		}
	}
	go func() { <-began }()
	fmt.Fprint(w, "0123456789")
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if err := c.lost(); err != nil {
		t.Fatal(err)
	}
	if n := len(c.s.handles.open); n > 0 {
		t.Errorf("%d files are open", n)
	}
}
