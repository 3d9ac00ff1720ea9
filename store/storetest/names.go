package storetest

import (
	"crypto/rand"
	"errors"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/store"
)

var namePromises = []promise{
	{"A key that is taken is never overwritten", nameTaken},
	{"A key that is taken by many at once is never overwritten", nameTakenAtOnce},
	{"A key that is taken is replaced where the object says so", nameReplaced},
	{"Keys may have odd names", nameOdd},
	{"Keys that escape are refused", nameEscapes},
	{"Begin may be repeated", beginRepeated},
	{"An object may get another key before it is joined", nameLate},
}

func nameTaken(t *testing.T, s store.Store) {
	long := strings.Repeat("ä", 125) + ".tar" // 254 bytes
	for key, want := range map[string][]string{
		"a/b.txt":    {"a/b.txt", "a/b (1).txt", "a/b (2).txt"},
		"a.d/README": {"a.d/README", "a.d/README (1)", "a.d/README (2)"},
		".profile":   {".profile", ".profile (1)", ".profile (2)"},
		"x (1)":      {"x (1)", "x (1) (1)", "x (1) (2)"},
		long:         nil,
	} {
		var all []*sender
		seen := map[string]bool{}
		for i := range 3 {
			x := send(t, s, int64(1000+i), store.Spec{Key: key})
			final := x.whole()
			if want != nil && final.Key != want[i] {
				t.Errorf("the object %d of key %q appeared under %q, want %q", i, key, final.Key, want[i])
			}
			if seen[final.Key] || !utf8.ValidString(final.Key) {
				t.Errorf("the object %d of key %q appeared under %q", i, key, final.Key)
			}
			seen[final.Key] = true
			all = append(all, x)
		}
		for _, x := range all {
			x.verify()
		}
	}
}

func nameTakenAtOnce(t *testing.T, s store.Store) {
	all := make([]*sender, 8)
	for i := range all {
		all[i] = send(t, s, int64(1000+i), store.Spec{Key: "new dir/x.bin"})
		all[i].put(extent.Extent{End: all[i].o.Size})
		all[i].fold()
	}
	var wg sync.WaitGroup
	for _, x := range all {
		wg.Go(func() {
			final, err := s.Join(t.Context(), x.o, x.parts)
			if err != nil {
				t.Errorf("Join: %v", err)
			}
			x.o.Key, x.o.Joined = final.Key, true
		})
	}
	wg.Wait()
	seen := map[string]bool{}
	for _, x := range all {
		if seen[x.o.Key] {
			t.Errorf("%q was told twice", x.o.Key)
		}
		seen[x.o.Key] = true
		x.verify()
	}
}

func nameReplaced(t *testing.T, s store.Store) {
	old := send(t, s, 1000, store.Spec{Key: "config.json"})
	old.whole()
	for _, size := range []int64{2000, 2000, 10} {
		x := send(t, s, size, store.Spec{Key: "config.json", Overwrite: true})
		begun := x.o
		want := x.whole()
		if want.Key != "config.json" {
			t.Errorf("it appeared under %q", want.Key)
		}
		x.s = reopen(x.s)
		if got, err := x.s.Join(t.Context(), begun, x.parts); err != nil || got != want {
			t.Errorf("Join repeated: %+v, %v, want %+v", got, err, want)
		}
		x.verify()
		s = x.s
		wantKeys(t, s, "config.json")
	}
}

func nameOdd(t *testing.T, s store.Store) {
	for i, key := range []string{
		"with spaces/ and more ", "größe/文件/файл.txt", "e\u0301", strings.Repeat("n", 255), strings.Repeat("d", 255) + "/x",
		"...", "..a/b..", ".hidden", "-rf", "%2e%2e", "a\\b", "semi;colon&amp=?#", "line\nbreak", "quote\"'", "*", "CON~1",
		"a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p", "nul.txt", "!", "(1)",
	} {
		x := send(t, s, int64(100+i), store.Spec{Key: key})
		if final := x.whole(); final.Key != key {
			t.Errorf("%q appeared under %q", key, final.Key)
		}
		x.s = reopen(x.s)
		x.verify()
		s = x.s
	}
}

func nameEscapes(t *testing.T, s store.Store) {
	for _, key := range []string{
		"", ".", "..", "/", "/etc/passwd", "../x", "a/../../x", "a/..", "a//b", "a/", "a/./b", "./a", "nul\x00", "bad\xffutf8",
		strings.Repeat("n", 256) + "/" + strings.Repeat("n", 4096),
	} {
		if o, err := s.Begin(t.Context(), rand.Text(), store.Spec{Key: key, Size: 1}); err == nil {
			t.Errorf("Begin took the key %.80q for %s", key, o.ID)
		}
		if w, ok := s.(store.WholePutter); ok {
			if _, _, err := w.PutWhole(t.Context(), rand.Text(), store.Spec{Key: key, Size: 1}, []byte("x")); err == nil {
				t.Errorf("PutWhole took the key %.80q", key)
			}
		}
	}
	for _, id := range []string{"", "short", "../../../../../../../../x", strings.Repeat("x", 21) + "/", strings.Repeat("x", 30) + "\x00"} {
		if o, err := s.Begin(t.Context(), id, store.Spec{Key: "x", Size: 1}); err == nil {
			t.Errorf("Begin took the id %q: %+v", id, o)
		}
	}
	wantKeys(t, s)
}

func beginRepeated(t *testing.T, s store.Store) {
	id := rand.Text()
	spec := store.Spec{Key: "twice", Size: 5000}
	var all []store.Object
	for range 2 {
		o, err := s.Begin(t.Context(), id, spec)
		if err != nil {
			t.Fatalf("Begin: %v", err)
		}
		all = append(all, o)
	}
	for _, o := range all {
		x := &sender{t: t, s: s, o: o, data: random(5000, 1)}
		if o.ID != id || o.Key != spec.Key || o.Size != spec.Size {
			t.Errorf("Begin(%s, %+v) = %+v", id, spec, o)
		}
		x.put(extent.Extent{End: 5000})
	}
	x := &sender{t: t, s: s, o: all[1], data: random(5000, 1)}
	x.whole()
	x.verify()
	if _, err := s.Open(t.Context(), store.Object{ID: rand.Text(), Key: "never", Size: 5, Joined: true}, extent.Extent{End: 5}); !errors.Is(err, store.ErrGone) {
		t.Errorf("Open of what never was: %v, want ErrGone", err)
	}
}

func nameLate(t *testing.T, s store.Store) {
	n, ok := s.(store.Renamer)
	if !ok {
		t.Skip("this store is no Renamer")
	}
	send(t, s, 700, store.Spec{Key: "late/name.txt"}).whole()
	x := send(t, s, 5000, store.Spec{Key: "early/unnamed"})
	x.put(extent.Extent{End: 2000})
	for _, key := range []string{"", "..", "../x", "a//b", "/x", "nul\x00"} {
		if o, ok := n.Rename(x.o, key); ok || o != x.o {
			t.Errorf("Rename took the key %q", key)
		}
	}
	o, ok := n.Rename(x.o, "late/name.txt")
	if !ok || o.Key != "late/name.txt" {
		t.Fatalf("Rename: %+v, %v", o, ok)
	}
	x.o = o
	x.put(extent.Extent{Start: 2000, End: 5000})
	x.fold()
	x.s = reopen(x.s)
	final, err := x.s.Join(t.Context(), x.o, x.parts)
	if err != nil || final.Key != "late/name (1).txt" {
		t.Fatalf("Join: %+v, %v", final, err)
	}
	again, err := x.s.Join(t.Context(), x.o, x.parts)
	if err != nil || again != final {
		t.Errorf("Join repeated: %+v, %v, want %+v", again, err, final)
	}
	x.o.Key, x.o.Joined = final.Key, true
	x.verify()
	wantKeys(t, x.s, "late/name.txt", "late/name (1).txt")
}
