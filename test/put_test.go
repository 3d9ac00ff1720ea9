package test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/muleteer/muleteer/internal/trial"
)

// output collects what a child writes; it may be read at the same time.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := o.b.String()
	return s[max(0, len(s)-4000):]
}

// putting is a `muleteer put` at work.
type putting struct {
	*trial.Process
	out *output
}

func put(t *testing.T, s *server, in io.Reader, args ...string) *putting {
	t.Helper()
	p := &putting{out: &output{}}
	cmd := exec.Command(program, append(append([]string{"put"}, args...), s.URL("/"))...)
	cmd.Stdin = in
	var err error
	if p.Process, err = trial.Launch(cmd, p.out); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p
}

// ends waits until all has arrived.
func (p *putting) ends(t *testing.T, limit time.Duration) {
	t.Helper()
	if code, err := p.Code(limit); err != nil || code != 0 {
		t.Fatalf("put ended with code %d, %v:\n%s", code, err, p.out)
	}
}

// forest writes so many small files into directories, some with the same name
// or the same bytes, and returns how often each name and SHA-256 is there.
func forest(t *testing.T, rng *rand.Rand, files int) (root string, want map[string]int) {
	t.Helper()
	root, want = filepath.Join(t.TempDir(), "forest"), map[string]int{}
	for i := range files {
		dir := filepath.Join(root, fmt.Sprintf("d%d", i%40), fmt.Sprintf("e%d", i%7))
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		name, size := fmt.Sprintf("file %d.bin", i), rng.IntN(8000)
		switch {
		case i%50 == 0:
			size = 0
		case i%280 < 7:
			name = "README"
		case i%400 == 9:
			size = 300_000
		}
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); err == nil {
			path += fmt.Sprint(i)
		}
		b := trial.Noise(size, rng.Uint64())
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		want[filepath.Base(path)+" "+sumOf(b)]++
	}
	return root, want
}

func sumOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// arrived compares the files that the server shows with what was sent. None
// may be missing, and none may be another one; how many came twice is told.
func arrived(t *testing.T, s *server, want map[string]int) (twice int) {
	t.Helper()
	got := map[string]int{}
	for _, f := range s.finishedFiles(t) {
		got[filepath.Base(f)+" "+fileSum(t, f)]++
	}
	for f, n := range want {
		if got[f] < n {
			t.Errorf("LOST: %s arrived %d times and was sent %d times", f, got[f], n)
		}
	}
	for f, n := range got {
		if want[f] == 0 {
			t.Errorf("nobody sent %s", f)
		}
		twice += n - want[f]
	}
	for _, v := range list(t, http.DefaultClient, s, "open") {
		t.Errorf("left over: %+v", v)
	}
	if done := len(list(t, http.DefaultClient, s, "done")); done != min(1000, len(s.finishedFiles(t))) {
		t.Errorf("/uploads tells of %d", done)
	}
	s.End(t)
	s.Check(t)
	return twice
}

const small = 2000 // files

// TestPutManyClientDies: put is killed again and again, and started again
// without being asked anything.
func TestPutManyClientDies(t *testing.T) {
	t.Parallel()
	rng := random(seed(t), 0)
	root, want := forest(t, rng, small)
	s := serve(t)
	for i := range 4 {
		p := put(t, s, nil, root)
		least := (i+1)*small/5 + rng.IntN(100)
		within(t, time.Minute, fmt.Sprintf("%d files have arrived", least), func() bool {
			if p.Ended() {
				t.Fatalf("put ended: %s", p.out)
			}
			return len(s.finishedFiles(t)) >= least
		})
		p.Kill()
	}
	put(t, s, nil, root).ends(t, 2*time.Minute)
	t.Logf("%d files came twice", arrived(t, s, want))
}

// TestPutManyServerDies: the server is killed again and again, and put goes on
// by itself.
func TestPutManyServerDies(t *testing.T) {
	t.Parallel()
	rng := random(seed(t), 0)
	root, want := forest(t, rng, small)
	s := serve(t)
	p := put(t, s, nil, root)
	for i := range 4 {
		least := (i+1)*small/5 + rng.IntN(100)
		within(t, time.Minute, fmt.Sprintf("%d files have arrived", least), func() bool {
			if p.Ended() {
				t.Fatalf("put ended: %s", p.out)
			}
			return len(s.finishedFiles(t)) >= least
		})
		s.Kill()
		if err := s.Start(); err != nil {
			t.Fatal(err)
		}
	}
	p.ends(t, 2*time.Minute)
	t.Logf("%d files came twice", arrived(t, s, want))
}

// here waits until the one open upload has so many bytes, and checks that it
// never has fewer than before.
func here(t *testing.T, s *server, p *putting, seen *truth, least int64) {
	t.Helper()
	within(t, 3*time.Minute, fmt.Sprintf("%d bytes are here", least), func() bool {
		if p.Ended() {
			t.Fatalf("put ended: %s", p.out)
		}
		before := seen.now()
		open := list(t, http.DefaultClient, s, "open")
		if len(open) == 0 {
			return false
		}
		if len(open) > 1 || before.id != "" && open[0].ID != before.id {
			t.Fatalf("put did not go on with %s, it began anew: %+v", before.id, open)
		}
		seen.named(open[0].ID)
		ranges, err := parseRanges(open[0].Ranges)
		if err == nil {
			err = seen.told(before, ranges, open[0].Offset)
		}
		if err != nil {
			t.Fatal(err)
		}
		return ranges.Len() >= least
	})
}

// TestPutLarge sends one large file; client and server die in the middle.
func TestPutLarge(t *testing.T) {
	t.Parallel()
	size := int64(300 << 20)
	if long() {
		size = 5 << 30
	}
	rng := random(seed(t), 0)
	name := filepath.Join(t.TempDir(), "large.bin")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	block := trial.Noise(4<<20+3, rng.Uint64())
	h := sha256.New()
	for n := int64(0); n < size; n += int64(len(block)) {
		b := block[:min(int64(len(block)), size-n)]
		b[0] = byte(n) // no two blocks are the same
		b[1] = byte(n >> 22)
		b[2] = byte(n >> 30)
		h.Write(b)
		if _, err := f.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	s := serve(t)
	seen := &truth{name: "large.bin", size: size}
	p := put(t, s, nil, name)
	here(t, s, p, seen, size/8)
	p.Kill()
	p = put(t, s, nil, name)
	here(t, s, p, seen, size/4+rng.Int64N(size/16))
	s.Kill()
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	here(t, s, p, seen, size/2+rng.Int64N(size/16))
	p.Kill()
	s.Kill()
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	p = put(t, s, nil, name)
	here(t, s, p, seen, size*3/4)
	s.Kill()
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	p.ends(t, 5*time.Minute)
	if twice := arrived(t, s, map[string]int{"large.bin " + hex.EncodeToString(h.Sum(nil)): 1}); twice > 0 {
		t.Errorf("it arrived %d times more", twice)
	}
}

// TestPutStdin sends what nobody can read again, over the server's death.
func TestPutStdin(t *testing.T) {
	t.Parallel()
	u := newTruth("stream", trial.Noise(24<<20+5, seed(t)))
	s := serve(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	p := put(t, s, r, "--name", u.name, "-")
	r.Close()
	seen := &truth{name: u.name, size: int64(len(u.data))}
	for i, most := range []int{13 << 20, 20 << 20, len(u.data)} {
		from := []int{0, 13 << 20, 20 << 20}[i]
		if _, err := w.Write(u.data[from:most]); err != nil {
			t.Fatal(err)
		}
		if most == len(u.data) {
			break
		}
		here(t, s, p, seen, int64(most)*2/3)
		s.Kill()
		if err := s.Start(); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	p.ends(t, time.Minute)
	if !strings.Contains(p.out.String(), s.URL("/files/"+seen.now().id)) {
		t.Errorf("put does not tell where the file is: %s", p.out)
	}
	arrived(t, s, map[string]int{u.name + " " + hex.EncodeToString(u.sum[:]): 1})
}

// TestPutInterrupted: an interrupt ends put with 130 and the command that goes
// on.
func TestPutInterrupted(t *testing.T) {
	t.Parallel()
	u := newTruth("it's mine.bin", trial.Noise(64<<20, seed(t)))
	s := serve(t)
	local := file(t, u)
	p := put(t, s, nil, local)
	within(t, 20*time.Second, "it has begun", func() bool { return len(list(t, http.DefaultClient, s, "open")) == 1 })
	if err := p.Cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	code, err := p.Code(10 * time.Second)
	if err != nil || code != 130 {
		t.Fatalf("after an interrupt put ended with code %d, %v: %s", code, err, p.out)
	}
	lines := strings.Split(strings.TrimSpace(p.out.String()), "\n")
	cmd := exec.Command("sh", "-c", strings.Replace(lines[len(lines)-1], "muleteer", program, 1))
	out := &output{}
	again, err := trial.Launch(cmd, out)
	if err != nil {
		t.Fatal(err)
	}
	if code, err := again.Code(time.Minute); err != nil || code != 0 {
		t.Fatalf("the command %q ended with code %d, %v: %s", lines[len(lines)-1], code, err, out)
	}
	arrived(t, s, map[string]int{u.name + " " + hex.EncodeToString(u.sum[:]): 1})
}
