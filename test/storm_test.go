package test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/muleteer/muleteer/internal/trial"
)

// storm kills a server with SIGKILL again and again while clients work, and
// then checks everything that can be checked.
type storm struct {
	*server
	http  *http.Client
	block []byte // what the files are cut from

	mu      sync.Mutex
	over    bool          // no kill comes any more
	quota   int64         // so many bytes are handed over before the next kill
	answers int           // or so many answers are received
	due     chan struct{} // closed when one of the two is reached
	death   chan struct{} // closed by the next kill
	lost    int           // creations whose answer was lost
	uploads []*truth

	waits []time.Duration // of each restart, until the server tells how an upload stands
}

func newStorm(t *testing.T, seed uint64) *storm {
	w := &storm{
		server: serve(t), block: trial.Noise(25<<20, seed),
		http:  &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}, Timeout: time.Minute},
		due:   make(chan struct{}),
		death: make(chan struct{}),
		quota: 1,
	}
	w.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	t.Cleanup(w.http.CloseIdleConnections)
	return w
}

// file begins the truth of a new upload: some bytes of the block.
func (w *storm) file(rng *rand.Rand, name string) *truth {
	n := 0
	switch k := rng.IntN(24); {
	case k == 0:
	case k == 1:
		n = 24 << 20
	case k < 8:
		n = 1 + rng.IntN(2000)
	case k < 14:
		n = 1 + rng.IntN(300<<10)
	default:
		n = 1 + rng.IntN(5<<20)
	}
	at := rng.IntN(len(w.block) - n)
	return w.known(newTruth(name, w.block[at:at+n:at+n]))
}

// known has an upload looked at during and after the storm.
func (w *storm) known(u *truth) *truth {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.uploads = append(w.uploads, u)
	return u
}

// sent counts bytes that were handed over, answered an answer that came.
func (w *storm) sent(n int) { w.count(int64(n), 0) }
func (w *storm) answered()  { w.count(0, 1) }

func (w *storm) count(bytes int64, answers int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.quota <= 0 || w.answers <= 0 {
		return
	}
	w.quota -= bytes
	w.answers -= answers
	if w.quota <= 0 || w.answers <= 0 {
		close(w.due)
	}
}

// restart starts the server again, and asks it at once how an upload stands.
func (w *storm) restart() error {
	began := time.Now()
	if err := w.Start(); err != nil {
		return err
	}
	w.mu.Lock()
	uploads := slices.Clone(w.uploads)
	w.mu.Unlock()
	for _, u := range slices.Backward(uploads) {
		if u.now().id != "" {
			err := u.look(w.http, w.server)
			w.waits = append(w.waits, time.Since(began))
			return err
		}
	}
	return nil
}

func (w *storm) creationLost() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lost++
}

func (w *storm) isOver() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.over
}

// nextDeath is closed when the server is killed the next time, or when no kill
// comes any more.
func (w *storm) nextDeath() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.death
}

// arm chooses the moment of the next kill.
func (w *storm) arm(rng *rand.Rand) <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.due = make(chan struct{})
	w.quota, w.answers = 1+rng.Int64N(24<<20), 1+rng.IntN(60)
	return w.due
}

// rage runs the clients and kills the server so many times under them. A
// client works until the storm is over, and then ends what it has begun.
func (w *storm) rage(t *testing.T, rng *rand.Rand, kills int, clients ...func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	var group sync.WaitGroup
	for _, c := range append(clients, w.observe) {
		group.Go(func() {
			if err := c(ctx); err != nil {
				cancel(err)
			}
		})
	}
	began := time.Now()
	for i := range kills {
		due := w.arm(rng)
		select {
		case <-due:
		case <-ctx.Done():
		case <-time.After(30 * time.Second):
			cancel(fmt.Errorf("after %d kills nothing moved for 30 s", i))
		}
		if ctx.Err() != nil {
			break
		}
		time.Sleep(time.Duration(rng.Int64N(int64(4 * time.Millisecond)))) // so that kills strike between answers too
		w.Kill()
		w.mu.Lock()
		close(w.death)
		w.death = make(chan struct{})
		w.mu.Unlock()
		if err := w.restart(); err != nil {
			cancel(fmt.Errorf("after kill %d: %w", i+1, err))
			break
		}
	}
	raged := time.Since(began)
	w.mu.Lock()
	w.over = true
	close(w.death)
	w.mu.Unlock()
	group.Wait()
	if err := context.Cause(ctx); err != nil {
		t.Fatal(err)
	}
	slices.Sort(w.waits)
	t.Logf("%d kills in %v under %d uploads, %d creations without an answer; from the start to the first status: median %v, longest %v",
		kills, raged.Round(time.Millisecond), len(w.uploads), w.lost,
		w.waits[len(w.waits)/2].Round(time.Millisecond), w.waits[len(w.waits)-1].Round(time.Millisecond))
}

// observe looks at all uploads from beside, while others send.
func (w *storm) observe(ctx context.Context) error {
	for i := 0; !w.isOver() && ctx.Err() == nil; i++ {
		w.mu.Lock()
		recent := slices.Clone(w.uploads[max(0, len(w.uploads)-8):])
		w.mu.Unlock()
		for _, u := range recent {
			if err := u.look(w.http, w.server); err != nil && !errors.Is(err, errDown) {
				return fmt.Errorf("from beside: %w", err)
			}
		}
		time.Sleep(time.Millisecond)
	}
	return nil
}

// settle checks, after the storm, every file that was sent, and that nothing
// else is left.
func (w *storm) settle(t *testing.T) {
	t.Helper()
	names := map[string]*truth{}
	slices.SortStableFunc(w.uploads, func(a, b *truth) int { return strings.Compare(b.name, a.name) })
	for _, u := range w.uploads { // the parts of a concatenation before the whole
		names[u.name] = u
		switch {
		case u.now().doomed:
			continue
		case u.partial: // what was made of it must not need it
			remove(t, w.http, w.URL("/tus/"+u.now().id))
			continue
		}
		if err := errors.Join(u.look(w.http, w.server), u.download(w.http, w.server)); err != nil {
			t.Error(err)
		}
	}
	// What was begun without the client's learning it would expire. Parts of
	// concatenations are in no list, but where there is a file there must be a
	// record.
	left := w.onWay(t)
	for _, v := range list(t, w.http, w.server, "open") {
		if !slices.Contains(left, v.ID) {
			left = append(left, v.ID)
		}
	}
	for _, id := range left {
		remove(t, w.http, w.URL("/uploads/"+id))
	}
	for _, f := range w.finishedFiles(t) { // absent or whole, also where nobody knows of it
		u := names[filepath.Base(f)]
		if u == nil {
			t.Errorf("%s was sent by nobody", f)
			continue
		}
		r, err := os.Open(f)
		if err != nil {
			t.Fatal(err)
		}
		if err := u.same(r); err != nil {
			t.Errorf("%s: %v", f, err)
		}
		r.Close()
	}
	within(t, 10*time.Second, "no file on its way", func() bool { return len(w.onWay(t)) == 0 })
	w.End(t)
	said := w.Check(t)
	orphans := strings.Count(said, "orphan:")
	if len(left)+orphans > w.lost {
		t.Errorf("%d uploads and %d files are left over of %d creations without an answer:\n%s", len(left), orphans, w.lost, said)
	}
	if names := w.onWay(t); len(names) > 0 {
		t.Errorf("files are left on their way: %v", names)
	}
	t.Logf("%d begun unknown to the client, %d files without a record; %s", len(left), orphans, said[strings.LastIndex(said, "checked"):])
}

// body is what a client sends. It counts, and some stop in the middle until
// the server dies.
type body struct {
	io.Reader
	*storm
	left int64           // before it stops, if stop is set
	stop <-chan struct{} // nil: it does not
	most int             // bytes that a Read returns
}

func (b *body) Read(p []byte) (int, error) {
	if b.stop != nil {
		if b.left == 0 {
			<-b.stop
			return 0, errDown
		}
		p = p[:min(int64(len(p)), b.left)]
	}
	n, err := b.Reader.Read(p[:min(len(p), b.most)])
	b.left -= int64(n)
	b.sent(n)
	return n, err
}

// body makes the body of a request; a patient one waits in its middle for the
// next kill.
func (w *storm) body(rng *rand.Rand, r io.Reader, n int, patient bool) *body {
	b := &body{Reader: r, storm: w, most: 1 << (10 + rng.IntN(8))}
	if patient && n > 1 {
		b.left, b.stop = 1+rng.Int64N(int64(n-1)), w.nextDeath()
	}
	return b
}

// kills is how often each storm kills.
func kills() int {
	if long() {
		return 400
	}
	return 75
}
