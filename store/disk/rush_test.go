package disk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/muleteer/muleteer/store"
)

// A sync of all tells of an error once, to whoever asked for it. Whose bytes
// were lost must be told as well, also if the next sync succeeds.
func TestErrorOfAnother(t *testing.T) {
	t.Parallel()
	for _, lies := range []string{"", "told"} {
		p := newPowerFS(1)
		p.lies = lies
		s, err := open(p, Options{}, small)
		if err != nil {
			t.Fatal(err)
		}
		f, err := p.temp()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt([]byte("bytes that are not on the disk yet"), 0); err != nil {
			t.Fatal(err)
		}
		defer s.rush.enter()()
		p.fault = func(op string) error {
			if op == "syncall" {
				return syscall.EIO
			}
			return nil
		}
		if err := s.rush.sync(nil); !errors.Is(err, syscall.EIO) {
			t.Fatalf("the other one is told %v", err)
		}
		p.fault = nil
		err = s.rush.file(f)
		if lies == "" && !errors.Is(err, syscall.EIO) {
			t.Errorf("the bytes are lost, and their writer is told %v", err)
		}
		if lies == "told" && err != nil { // the planted bug has to be seen by the line above
			t.Errorf("%v", err)
		}
	}
}

// Many small files at once, on the real file system: each is there, under its
// name, with its bytes.
func TestRush(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var group sync.WaitGroup
	for i := range 64 {
		group.Go(func() {
			for n := range 8 {
				body := bytes.Repeat([]byte{byte(i), byte(n)}, 4000)
				key := fmt.Sprintf("%d-%d/file", i, n)
				if i%2 == 0 {
					key = "the same"
				}
				o, final, err := s.PutWhole(context.Background(), fmt.Sprintf("upload-%08d-%08d", i, n), store.Spec{Key: key}, body)
				if err != nil {
					t.Error(err)
					return
				}
				got, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(final.Key)))
				if err != nil || !bytes.Equal(got, body) || o.Key != final.Key {
					t.Errorf("%s: %v", final.Key, err)
				}
			}
		})
	}
	group.Wait()
}
