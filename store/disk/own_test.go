package disk

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/store"
)

const id = "an-id-of-more-than-22-letters"

func openAt(t *testing.T, dir string, o Options, p pace) *Store {
	t.Helper()
	sys, err := openSystem(dir)
	if err != nil {
		t.Fatal(err)
	}
	s, err := open(sys, o, p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// A client that waits for its bytes to be acknowledged before it sends more
// gets them acknowledged, whether it is slow or has been fast until then.
func TestPutAcknowledgesWhileTheBodyWaits(t *testing.T) {
	t.Parallel()
	p := small
	p.wait = time.Millisecond
	for name, bursts := range map[string][]int{
		"slow":      {1, 100, 5000, 1, 70_000, 3},
		"fast":      {200_000, 1, 8191, 300_000, 2},
		"all turns": {1, 20_000, 30_000, 1, 1, 100_000, 8192, 8192, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := openAt(t, t.TempDir(), Options{}, p)
			total := 0
			for _, n := range bursts {
				total += n
			}
			o, _ := s.Begin(t.Context(), id, store.Spec{Key: "x", Size: int64(total)})
			data := bytes.Repeat([]byte("0123456789abcde"), total/15+1)[:total]
			acknowledged := make(chan int64, total)
			body := &waiting{data: data, bursts: bursts, acknowledged: acknowledged}
			var part store.Part
			err := s.Put(t.Context(), o, extent.Extent{End: o.Size}, body, func(p store.Part) error {
				part.CRC, part.End = part.CRC.Append(p.CRC, p.Len()), p.End
				acknowledged <- p.End
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if final, err := s.Join(t.Context(), o, []store.Part{part}); err != nil || final.CRC != store.CRC(0).Update(data) {
				t.Errorf("Join: %+v, %v", final, err)
			}
			if b, err := os.ReadFile(filepath.Join(s.sys.(*osSystem).root.Name(), "x")); err != nil || !bytes.Equal(b, data) {
				t.Errorf("%d bytes that differ from what was sent, %v", len(b), err)
			}
		})
	}
}

// waiting is a body that goes on only when all that it sent is acknowledged.
type waiting struct {
	data         []byte
	bursts       []int
	sent, until  int
	acknowledged chan int64
}

func (w *waiting) Read(b []byte) (int, error) {
	if w.sent == w.until {
		for at := int64(0); at < int64(w.sent); {
			at = <-w.acknowledged
		}
		if len(w.bursts) == 0 {
			return 0, io.EOF
		}
		w.until, w.bursts = w.until+w.bursts[0], w.bursts[1:]
	}
	n := copy(b, w.data[w.sent:w.until])
	w.sent += n
	return n, nil
}

func TestOneOwner(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "made")
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, Options{}); !errors.Is(err, store.ErrInUse) {
		t.Errorf("Open of a directory that is open: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, err = Open(dir, Options{})
	if err != nil {
		t.Fatalf("Open after Close: %v", err)
	}
	s.Close()
}

func TestKeysOfOurOwnDirectory(t *testing.T) {
	t.Parallel()
	s := openAt(t, t.TempDir(), Options{}, defaultPace)
	for _, key := range []string{".muleteer", ".muleteer/x", ".MULETEER/lock", ".muleteer/" + id} {
		if _, err := s.Begin(t.Context(), id, store.Spec{Key: key}); err == nil {
			t.Errorf("Begin took the key %q", key)
		}
		o := store.Object{ID: id, Key: key, Joined: true}
		if _, err := s.Open(t.Context(), o, extent.Extent{}); err == nil {
			t.Errorf("Open took the key %q", key)
		}
		if err := s.Remove(t.Context(), o); err == nil {
			t.Errorf("Remove took the key %q", key)
		}
	}
}

// Nobody else can read what is here, nothing is left over, and a link that
// leads out of the directory is not followed.
func TestLayout(t *testing.T) {
	t.Parallel()
	dir, outside := t.TempDir(), t.TempDir()
	s := openAt(t, dir, Options{}, defaultPace)
	if err := os.Symlink(outside, filepath.Join(dir, "out")); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"a/b/c.txt", "out/x"} {
		o, _ := s.Begin(t.Context(), id, store.Spec{Key: key, Size: 3})
		var parts []store.Part
		err := s.Put(t.Context(), o, extent.Extent{End: 3}, strings.NewReader("abc"), func(p store.Part) error { parts = append(parts, p); return nil })
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Join(t.Context(), o, parts); (err == nil) != (key != "out/x") {
			t.Errorf("Join of %q: %v", key, err)
		}
		if _, _, err := s.PutWhole(t.Context(), id, store.Spec{Key: key + "2"}, []byte("abc")); (err == nil) != (key != "out/x") {
			t.Errorf("PutWhole of %q: %v", key+"2", err)
		}
		if err := s.Remove(t.Context(), o); err != nil {
			t.Error(err)
		}
	}
	if left, _ := os.ReadDir(outside); len(left) > 0 {
		t.Errorf("%v lies outside", left)
	}
	var got []string
	filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		info, _ := d.Info()
		if m := info.Mode(); name != dir && m.Type() != fs.ModeSymlink && m.Perm()&0o077 != 0 {
			t.Errorf("%s has mode %s", name, m)
		}
		if name, _ := filepath.Rel(dir, name); !d.IsDir() {
			got = append(got, name)
		}
		return err
	})
	if want := ".muleteer/lock a/b/c.txt a/b/c.txt2 out"; strings.Join(got, " ") != want {
		t.Errorf("what lies there: %q, want %q", got, want)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func TestBeside(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ä", 127)
	for key, want := range map[string]string{
		"a/b.txt": "a/b (3).txt", "b": "b (3)", ".b": ".b (3)", "b (1).txt": "b (1) (3).txt",
		"a (1).t (2)": "a (1).t (2) (3)", long: long[:250] + " (3)",
	} {
		got := store.Beside(key, 3)
		if got != want {
			t.Errorf("Beside(%q): %q, want %q", key, got, want)
		}
		if n, ok := number(key, got); n != 3 || !ok {
			t.Errorf("number(%q, %q): %d, %v", key, got, n, ok)
		}
		if n, ok := number(key, key+"x"); ok {
			t.Errorf("number(%q, %q): %d", key, key+"x", n)
		}
	}
}

func TestGone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openAt(t, dir, Options{}, defaultPace)
	o, final, err := s.PutWhole(t.Context(), id, store.Spec{Key: "x"}, []byte("abc"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "x"), []byte("else"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Open(t.Context(), o, extent.Extent{End: 3}); !errors.Is(err, store.ErrGone) {
		t.Errorf("Open of a file that somebody replaced: %v, want ErrGone", err)
	}
	parts := []store.Part{{Extent: extent.Extent{End: 3}, CRC: final.CRC}}
	if f, err := s.Join(t.Context(), o, parts); !errors.Is(err, store.ErrGone) {
		t.Errorf("Join of it: %+v, %v, want ErrGone", f, err)
	}
}

// The clock may strike while the reader turns to another buffer: nothing is
// lost, written twice, or torn.
func TestPutClockStrikesAtAnyMoment(t *testing.T) {
	t.Parallel()
	p := small
	p.fast, p.wait = 1<<40, 50*time.Microsecond // always slow
	s := openAt(t, t.TempDir(), Options{Durability: Process}, p)
	data := bytes.Repeat([]byte("0123456789abcde"), 200_000)
	for n := range 20 {
		o, _ := s.Begin(t.Context(), fmt.Sprintf("%s-%d", id, n), store.Spec{Key: fmt.Sprint(n), Size: int64(len(data))})
		var parts []store.Part
		body := &dripping{data, 1 + 97*n}
		err := s.Put(t.Context(), o, extent.Extent{End: o.Size}, body, func(p store.Part) error {
			parts = append(parts, p)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		at, sum := int64(0), store.CRC(0)
		for _, p := range parts {
			if p.Start != at {
				t.Fatalf("after %d comes %s", at, p.Extent)
			}
			at, sum = p.End, sum.Append(p.CRC, p.Len())
		}
		if at != o.Size || sum != store.CRC(0).Update(data) {
			t.Fatalf("%d bytes with the checksum %s were acknowledged", at, sum)
		}
		if _, err := s.Join(t.Context(), o, []store.Part{{Extent: extent.Extent{End: o.Size}, CRC: sum}}); err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(filepath.Join(s.sys.(*osSystem).root.Name(), fmt.Sprint(n))); err != nil || !bytes.Equal(b, data) {
			t.Fatalf("%d bytes that differ from what was sent, %v", len(b), err)
		}
	}
}

// dripping is a body that comes in reads of one size.
type dripping struct {
	data []byte
	size int
}

func (d *dripping) Read(b []byte) (int, error) {
	n := copy(b[:min(len(b), d.size)], d.data)
	if d.data = d.data[n:]; n == 0 {
		return 0, io.EOF
	}
	return n, nil
}
