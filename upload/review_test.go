package upload_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/state"
	"github.com/muleteer/muleteer/store"
	"github.com/muleteer/muleteer/store/mem"
	"github.com/muleteer/muleteer/upload"
)

// Defects that a review has found: what two do at once, and what fails at a bad
// moment.

// between does something once after the first Find, and before the first Save.
type between struct {
	*state.Volatile
	afterFind  func()
	beforeSave func(u *upload.Record)
	failSave   func(u *upload.Record) error
	find       sync.Once
	save       sync.Once
}

func (b *between) Find(ctx context.Context, q upload.Query) iter.Seq2[*upload.Record, error] {
	return func(yield func(*upload.Record, error) bool) {
		for u, err := range b.Volatile.Find(ctx, q) {
			if !yield(u, err) {
				return
			}
		}
		if b.afterFind != nil {
			b.find.Do(b.afterFind)
		}
	}
}

func (b *between) Save(ctx context.Context, u *upload.Record, ev ...upload.Event) error {
	if b.beforeSave != nil {
		b.save.Do(func() { b.beforeSave(u) })
	}
	if b.failSave != nil {
		if err := b.failSave(u); err != nil {
			return err
		}
	}
	return b.Volatile.Save(ctx, u, ev...)
}

// An upload that becomes Done while the sweep is under way is not removed by
// it.
func TestExpirySparesWhatWasJustCompleted(t *testing.T) {
	h := newHouse(mem.Options{})
	want := content(1, 100)
	u := h.begin(t, upload.New{Size: 100})
	h.clock.add(8 * 24 * time.Hour)
	b := &between{Volatile: h.state}
	b.afterFind = func() {
		if v, err := h.Write(ctx, u.ID, piece(want, extent.Extent{End: 100})); err != nil || v.Phase != upload.Done {
			t.Fatal(v, err)
		}
	}
	h.State = b
	h.sweep(t)
	h.wantDone(t, u.ID, want)
}

// Nor is one to which bytes have come meanwhile.
func TestExpirySparesWhatIsActiveAgain(t *testing.T) {
	h := newHouse(mem.Options{})
	want := content(1, 100)
	u := h.begin(t, upload.New{Size: 100})
	h.clock.add(8 * 24 * time.Hour)
	b := &between{Volatile: h.state}
	b.afterFind = func() {
		if v, err := h.Write(ctx, u.ID, piece(want, extent.Extent{End: 50})); err != nil {
			t.Fatal(v, err)
		}
	}
	h.State = b
	h.sweep(t)
	if v, err := h.Get(ctx, u.ID); err != nil || v.Offset != 50 {
		t.Fatal(v, err)
	}
}

// A writer that began before the size was known finishes the upload with its
// last byte.
func TestLateSize(t *testing.T) {
	onEachGrid(t, func(t *testing.T, h *house) {
		want := content(1, 200)
		u := h.begin(t, upload.New{Size: -1})
		r, w := io.Pipe()
		done := make(chan *upload.Record, 1)
		go func() {
			v, err := h.Write(ctx, u.ID, upload.Chunk{At: 0, Len: 100, Size: -1, Body: r})
			if err != nil {
				t.Error(err)
			}
			done <- v
		}()
		w.Write(want[:50])
		c := piece(want, extent.Extent{Start: 100, End: 200})
		c.Size = 200
		if _, err := h.Write(ctx, u.ID, c); err != nil {
			t.Fatal(err)
		}
		w.Write(want[50:100])
		w.Close()
		<-done
		h.wantDone(t, u.ID, want)
	})
}

// Bytes that come while the size is being saved are seen by whoever saves it.
func TestLastByteWhileTheSizeIsSaved(t *testing.T) {
	h := newHouse(mem.Options{})
	want := content(1, 200)
	u := h.begin(t, upload.New{Size: -1})
	b := &between{Volatile: h.state}
	b.beforeSave = func(*upload.Record) {
		if _, err := h.Write(ctx, u.ID, piece(want, extent.Extent{End: 200})); err != nil {
			t.Error(err)
		}
	}
	h.State = b
	if _, err := h.SetSize(ctx, u.ID, 200); err != nil {
		t.Fatal(err)
	}
	for range 60 {
		h.clock.add(time.Hour)
		h.sweep(t)
	}
	h.wantDone(t, u.ID, want)
}

// A size is refused if more than that has come while it was being saved.
func TestSizeBelowWhatComesMeanwhile(t *testing.T) {
	h := newHouse(mem.Options{})
	want := content(1, 200)
	u := h.begin(t, upload.New{Size: -1})
	b := &between{Volatile: h.state}
	b.beforeSave = func(*upload.Record) {
		if _, err := h.Write(ctx, u.ID, piece(want, extent.Extent{End: 200})); err != nil {
			t.Error(err)
		}
	}
	h.State = b
	v, err := h.SetSize(ctx, u.ID, 100)
	if err == nil {
		w, _ := h.Get(ctx, u.ID)
		t.Fatalf("size 100 was taken with %d bytes here (%v)", w.Here, v.Size)
	}
}

// A save with an older record does not put off an upload that has become full.
func TestAFullUploadStaysDue(t *testing.T) {
	h := newHouse(mem.Options{})
	want := content(1, 10_000)
	u := h.begin(t, upload.New{Size: 10_000})
	h.Hook = func(context.Context, upload.Turn) (upload.Verdict, error) { return upload.Verdict{}, nil }
	f := &fault{n: 1 << 30}
	h.Store = faultyStore{h.mem, f}
	b := &between{Volatile: h.state}
	b.beforeSave = func(*upload.Record) { // inspect of the first writer
		two := &upload.Service{Store: faultyStore{h.mem, &fault{n: 2}}, State: h.state, Now: h.Now}
		_, err := two.Write(ctx, u.ID, piece(want, extent.Extent{Start: 5000, End: 10_000}))
		if err == nil {
			t.Error("the join should fail once")
		}
	}
	h.State = b
	_, err := h.Write(ctx, u.ID, piece(want, extent.Extent{End: 5000}))
	t.Log(err)
	for range 20 {
		h.clock.add(time.Minute)
		h.sweep(t)
	}
	h.wantDone(t, u.ID, want)
}

// A chunk of which a part contradicts what is here leaves nothing of itself.
func TestAConflictChangesNothing(t *testing.T) {
	onEachGrid(t, func(t *testing.T, h *house) {
		a, other := content(1, 200), content(2, 200)
		for _, first := range []extent.Extent{{End: 100}, {Start: 100, End: 200}} {
			u := h.begin(t, upload.New{Size: 200})
			if _, err := h.Write(ctx, u.ID, piece(a, first)); err != nil {
				t.Fatal(err)
			}
			_, err := h.Write(ctx, u.ID, piece(other, extent.Extent{End: 200}))
			wantErr(t, err, upload.ErrConflict)
			v, err := h.Get(ctx, u.ID)
			if err != nil || v.Here != 100 {
				t.Errorf("first %v: a conflict changed the upload: here %d phase %v", first, v.Here, v.Phase)
			}
		}
	})
}

// What a hook is shown are the bytes of the file, not of a chunk that was
// refused.
func TestHooksSeeTheBytesThatCount(t *testing.T) {
	h := newHouse(mem.Options{})
	evil, good := content(1, 4096), content(2, 4097)
	seen := []byte(nil)
	h.Hook = func(_ context.Context, turn upload.Turn) (upload.Verdict, error) {
		if turn.Kind == upload.FirstBytes || turn.Kind == upload.Completing {
			seen = turn.First
		}
		if turn.Kind == upload.FirstBytes && bytes.Equal(turn.First, evil) {
			return upload.Verdict{}, &upload.Refusal{Reason: "evil"}
		}
		return upload.Verdict{}, nil
	}
	u := h.begin(t, upload.New{Size: 4096})
	_, err := h.Write(ctx, u.ID, upload.Chunk{Len: -1, Size: -1, Body: bytes.NewReader(good)})
	wantErr(t, err, upload.ErrTooLarge)
	_, err = h.Write(ctx, u.ID, piece(evil, extent.Extent{End: 4096}))
	if err == nil && !bytes.Equal(seen, evil) {
		t.Fatalf("the hook passed a file whose bytes it has never seen")
	}
}

// A hook that failed in passing is asked again, and nothing is done before it
// has said yes.
func TestFirstBytesAreAskedAboutAgain(t *testing.T) {
	for _, first := range []int64{10_000, 50_000} {
		h := newHouse(mem.Options{})
		asked := 0
		h.Hook = func(_ context.Context, turn upload.Turn) (upload.Verdict, error) {
			if turn.Kind == upload.FirstBytes {
				if asked++; asked == 1 {
					return upload.Verdict{}, errors.New("scanner is away")
				}
				return upload.Verdict{}, &upload.Refusal{Reason: "no"}
			}
			return upload.Verdict{}, nil
		}
		want := content(2, 50_000)
		u := h.begin(t, upload.New{Size: 50_000})
		_, err := h.Write(ctx, u.ID, piece(want, extent.Extent{End: first}))
		wantErr(t, err, upload.ErrUnavailable)
		_, err = h.Write(ctx, u.ID, piece(want, extent.Extent{End: 50_000}))
		v, _ := h.Get(ctx, u.ID)
		if err == nil || v.Phase == upload.Done {
			t.Errorf("first %d: done, though the hook was asked %d times and never said yes (%v)", first, asked, err)
		}
	}
}

// A refusal holds, also if others write while the hook is thinking.
func TestARefusalHolds(t *testing.T) {
	h := newHouse(mem.Options{})
	want := content(2, 50_000)
	var u *upload.Record
	h.Hook = func(_ context.Context, turn upload.Turn) (upload.Verdict, error) {
		if turn.Kind == upload.FirstBytes {
			if _, err := h.Write(ctx, u.ID, piece(want, extent.Extent{Start: 40_000, End: 50_000})); err != nil {
				t.Error(err)
			}
			return upload.Verdict{}, &upload.Refusal{Reason: "no"}
		}
		return upload.Verdict{}, nil
	}
	u = h.begin(t, upload.New{Size: 50_000})
	_, err := h.Write(ctx, u.ID, piece(want, extent.Extent{End: 10_000}))
	t.Log(err)
	_, err = h.Write(ctx, u.ID, piece(want, extent.Extent{Start: 10_000, End: 40_000}))
	v, e := h.Get(ctx, u.ID)
	if e == nil {
		t.Fatalf("refused, and %v (%v)", v.Phase, err)
	}
}

// joinFails joins, and says that it could not.
type joinFails struct {
	*mem.Store
	fail *atomic.Bool
}

func (s joinFails) Join(ctx context.Context, o store.Object, p []store.Part) (store.Final, error) {
	f, err := s.Store.Join(ctx, o, p)
	if s.fail.Load() {
		return store.Final{}, errFault
	}
	return f, err
}

// A removal that was acknowledged leaves no file, whatever the store had
// answered to the join.
func TestRemoveAfterAnAmbiguousJoin(t *testing.T) {
	onEachGrid(t, func(t *testing.T, h *house) {
		fail := &atomic.Bool{}
		fail.Store(true)
		h.Store = joinFails{h.mem, fail}
		want := content(2, 500)
		u := h.begin(t, upload.New{Size: 500})
		h.Write(ctx, u.ID, piece(want, extent.Extent{End: 500}))
		err := h.Remove(ctx, u.ID)
		fail.Store(false)
		for range 10 {
			h.clock.add(12 * time.Hour)
			h.sweep(t)
		}
		h.SweepOrphans(ctx)
		for e := range h.mem.Walk(ctx) {
			if err == nil {
				t.Fatalf("removed, and %s is there for ever", e.Name)
			}
		}
	})
}

// Nor if the record of the join could not be saved.
func TestRemoveAfterAFailedSave(t *testing.T) {
	h := newHouse(mem.Options{})
	want := content(2, 500)
	u := h.begin(t, upload.New{Size: 500})
	b := &between{Volatile: h.state, failSave: func(u *upload.Record) error {
		if u.Phase == upload.Done {
			return errFault
		}
		return nil
	}}
	h.State = b
	h.Write(ctx, u.ID, piece(want, extent.Extent{End: 500}))
	if err := h.Remove(ctx, u.ID); err != nil {
		return // it was not acknowledged
	}
	b.failSave = nil
	for range 10 {
		h.clock.add(12 * time.Hour)
		h.sweep(t)
	}
	h.SweepOrphans(ctx)
	for e := range h.mem.Walk(ctx) {
		t.Fatalf("removed, and %s is there for ever", e.Name)
	}
}

// One upload that is slow to be finished stops the sweep for no others.
func TestASlowHookDoesNotStopTheSweep(t *testing.T) {
	h := newHouse(mem.Options{})
	release := make(chan struct{})
	var stuck string
	asked := make(chan struct{}, 10)
	h.Hook = func(_ context.Context, turn upload.Turn) (upload.Verdict, error) {
		if turn.Kind == upload.Completing && turn.Record.ID == stuck {
			asked <- struct{}{}
			<-release
		}
		return upload.Verdict{}, nil
	}
	want := content(2, 500)
	u := h.begin(t, upload.New{Size: 500})
	stuck = u.ID
	done := make(chan struct{})
	go func() { h.Write(ctx, u.ID, piece(want, extent.Extent{End: 500})); close(done) }()
	<-asked
	h.clock.add(time.Minute)
	swept := make(chan struct{})
	go func() { h.Sweep(ctx); close(swept) }()
	select {
	case <-swept:
	case <-time.After(30 * time.Second):
		t.Errorf("Sweep waits for one upload that somebody else is finishing")
	}
	close(release)
	<-done
	<-swept
}

// Numbered parts may come in any order, the shorter last one first.
func TestShortPartFirst(t *testing.T) {
	for _, size := range []int64{-1, 3700} {
		h := newHouse(mem.Options{})
		want := content(1, 3700)
		u := h.begin(t, upload.New{Size: size})
		for _, n := range []int64{4, 1, 2, 3} {
			e := extent.Extent{Start: (n - 1) * 1000, End: min(n*1000, 3700)}
			if _, err := h.WriteNumbered(ctx, u.ID, n, piece(want, e)); err != nil {
				t.Fatal(err)
			}
		}
		v, err := h.Complete(ctx, u.ID, []int64{1, 2, 3, 4})
		if err != nil {
			t.Errorf("size %d: every part was acknowledged: %v %v", size, v, err)
			continue
		}
		h.wantDone(t, u.ID, want)
	}
}

// A numbered part whose sending was cut off can be sent again at once.
func TestAPartSetAsideMayBeSentAgain(t *testing.T) {
	h := newHouse(mem.Options{})
	want := content(1, 3700)
	u := h.begin(t, upload.New{Size: -1})
	if _, err := h.WriteNumbered(ctx, u.ID, 1, piece(want, extent.Extent{End: 1000})); err != nil {
		t.Fatal(err)
	}
	last := extent.Extent{Start: 1000, End: 1700}
	f := &fault{n: 2, dies: true}
	dying := &upload.Service{Store: faultyStore{h.mem, f}, State: faultyState{h.state, &fault{n: 1 << 30}}, Now: h.Now}
	_, err := dying.WriteNumbered(ctx, u.ID, 2, piece(want, last))
	// the state too: emulate death by leaving the record there
	t.Log(f.name, err)
	dying = &upload.Service{Store: h.mem, State: faultyState{h.state, &fault{n: 7, dies: true}}, Now: h.Now}
	_, err = dying.WriteNumbered(ctx, u.ID, 3, piece(want, last))
	t.Log(err)
	if _, err := h.WriteNumbered(ctx, u.ID, 3, piece(want, last)); err != nil {
		t.Errorf("the part cannot be sent again: %v", err)
	}
}

// At the end a hook sees the last bytes also of a file whose size nobody had
// declared.
func TestLastBytesOfUnknownSize(t *testing.T) {
	h := newHouse(mem.Options{})
	want := content(1, 20_000)
	var last []byte
	h.Hook = func(_ context.Context, turn upload.Turn) (upload.Verdict, error) {
		if turn.Kind == upload.Completing {
			last = turn.Last
		}
		return upload.Verdict{}, nil
	}
	u := h.begin(t, upload.New{Size: -1})
	c := piece(want, extent.Extent{End: 20_000})
	c.Last = true
	if _, err := h.Write(ctx, u.ID, c); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(last, want[20_000-upload.Window:]) {
		t.Errorf("the hook was asked with %d last bytes", len(last))
	}
}

// A chunk with a wrong checksum leaves nothing, not even the size it declared.
func TestAWrongChecksumKeepsNothing(t *testing.T) {
	h := newHouse(mem.Options{})
	u := h.begin(t, upload.New{Size: -1})
	c := piece(content(1, 100), extent.Extent{End: 100})
	c.Size = 100
	c.Verify = func() error { return upload.ErrChecksum }
	h.Write(ctx, u.ID, c)
	if v, _ := h.Get(ctx, u.ID); v.Size != -1 {
		t.Errorf("nothing was kept of the request, but its size %d", v.Size)
	}
}

// Sizes that disagree are not taken.
func TestSizesThatDisagree(t *testing.T) {
	h := newHouse(mem.Options{})
	c := piece(content(1, 10), extent.Extent{End: 10})
	c.Size = 5
	_, err := h.Take(ctx, upload.New{Size: 10}, c)
	if err == nil {
		t.Error("10 bytes of 5 were taken")
	}
}

// A concatenation that turns out too large ends, and is not tried for ever.
func TestConcatenationThatTurnsOutTooLarge(t *testing.T) {
	h := newHouse(mem.Options{})
	h.MaxSize = 150
	a := h.begin(t, upload.New{Size: -1, Partial: true})
	u := h.begin(t, upload.New{Size: -1, Sources: []string{a.ID, a.ID}})
	c := piece(content(1, 100), extent.Extent{End: 100})
	c.Last = true
	if _, err := h.Write(ctx, a.ID, c); err != nil {
		t.Fatal(err)
	}
	failed := 0
	for range 10 {
		h.clock.add(time.Minute)
		if _, err := h.Sweep(ctx); err != nil {
			failed++
		}
	}
	v, err := h.Get(ctx, u.ID)
	if err == nil {
		t.Errorf("still %v after %d failed sweeps", v.Phase, failed)
	}
}

// An event that was put off for a second is tried again after one.
func TestTheNextDeliveryKnowsOfEvents(t *testing.T) {
	h := newHouse(mem.Options{})
	h.Hook = func(_ context.Context, turn upload.Turn) (upload.Verdict, error) {
		if turn.EventID != "" {
			return upload.Verdict{}, errors.New("away")
		}
		return upload.Verdict{}, nil
	}
	h.begin(t, upload.New{Size: 0})
	next, _ := h.Deliver(ctx)
	if d := next.Sub(h.clock.now()); d < time.Second || d > 2*time.Second {
		t.Errorf("the event is due in a second, the next delivery in %v", d)
	}
	// Whoever comes next knows of it too, though nothing is due.
	if next, _ = h.Deliver(ctx); next.Sub(h.clock.now()) > 2*time.Second {
		t.Errorf("the event is due in a second, the next delivery is at %v", next)
	}
}

// lostOnJoin has lost its parts.
type lostOnJoin struct{ *mem.Store }

func (s lostOnJoin) Join(context.Context, store.Object, []store.Part) (store.Final, error) {
	return store.Final{}, store.ErrGone
}

// That an upload was lost is told.
func TestALostUploadIsTold(t *testing.T) {
	h := newHouse(mem.Options{Cell: 1000, MinPart: 1000})
	hook := &told{}
	h.Hook = hook.hook
	want := content(1, 2000)
	u := h.begin(t, upload.New{Size: 2000})
	if _, err := h.Write(ctx, u.ID, piece(want, extent.Extent{End: 1000})); err != nil {
		t.Fatal(err)
	}
	f := &lostOnJoin{h.mem}
	h.Store = f
	_, err := h.Write(ctx, u.ID, piece(want, extent.Extent{Start: 1000, End: 2000}))
	wantErr(t, err, upload.ErrGone)
	for range 5 {
		h.clock.add(time.Minute)
		h.sweep(t)
	}
	if hook.ids(upload.Removed, u.ID) != 1 {
		t.Error("an upload ended and nobody was told")
	}
}

// overlapping notices two copies of the same bytes at once.
type overlapping struct {
	*mem.Store
	mu   sync.Mutex
	at   map[string]int
	both chan struct{}
	bad  bool
}

func (s *overlapping) Copy(ctx context.Context, o store.Object, at int64, src store.Object, parts []store.Part, done func(store.Part) error) error {
	k := fmt.Sprint(o.ID, at)
	s.mu.Lock()
	s.at[k]++
	if s.at[k] == 2 {
		s.bad = true
		close(s.both)
	}
	s.mu.Unlock()
	select {
	case <-s.both:
	case <-time.After(2 * time.Second):
	}
	defer func() { s.mu.Lock(); s.at[k]--; s.mu.Unlock() }()
	return s.Store.Copy(ctx, o, at, src, parts, done)
}

// Two who complete an upload at once do not write the same bytes at once.
func TestCompleteTwiceAtOnce(t *testing.T) { synctest.Test(t, completeTwice) }

func completeTwice(t *testing.T) {
	h := newHouse(mem.Options{})
	s := &overlapping{Store: h.mem, at: map[string]int{}, both: make(chan struct{})}
	h.Store = s
	want := content(1, 1700)
	u := h.begin(t, upload.New{Size: -1})
	h.WriteNumbered(ctx, u.ID, 1, piece(want, extent.Extent{End: 1000}))
	if _, err := h.WriteNumbered(ctx, u.ID, 2, piece(want, extent.Extent{Start: 1000, End: 1700})); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			if _, err := h.Complete(ctx, u.ID, []int64{1, 2}); err != nil {
				t.Log(err)
			}
		})
	}
	wg.Wait()
	if s.bad {
		t.Error("two Puts of the same bytes of one object at once")
	}
}

// Who removes or asks for an upload that somebody is slow to finish is answered
// in time, and leaves nothing that runs.
func TestNobodyWaitsForASlowHook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(mem.Options{})
		release, asked := make(chan struct{}), make(chan struct{}, 1)
		h.Hook = func(_ context.Context, turn upload.Turn) (upload.Verdict, error) {
			if turn.Kind == upload.Completing {
				asked <- struct{}{}
				<-release
			}
			return upload.Verdict{}, nil
		}
		want := content(2, 500)
		u := h.begin(t, upload.New{Size: 500})
		wrote := make(chan error, 1)
		go func() {
			_, err := h.Write(ctx, u.ID, piece(want, extent.Extent{End: 500}))
			wrote <- err
		}()
		<-asked
		wantErr(t, <-wrote, upload.ErrBusy)
		for range 3 {
			began := time.Now()
			_, err := h.Settle(ctx, u.ID)
			wantErr(t, err, upload.ErrBusy)
			if d := time.Since(began); d > time.Second {
				t.Errorf("a look took %v", d)
			}
		}
		began := time.Now()
		wantErr(t, h.Remove(ctx, u.ID), upload.ErrBusy)
		if d := time.Since(began); d > time.Minute {
			t.Errorf("the removal took %v", d)
		}
		close(release)
		synctest.Wait()
		h.wantDone(t, u.ID, want)
	})
}

// A panic of a hook stays with the request, or with the sweep, in which it is.
func TestAPanicIsContained(t *testing.T) {
	h := newHouse(mem.Options{})
	panics := true
	h.Hook = func(_ context.Context, turn upload.Turn) (upload.Verdict, error) {
		if panics && (turn.Kind == upload.Completing || turn.EventID != "") {
			panic("a hook's bug")
		}
		return upload.Verdict{}, nil
	}
	want := content(3, 100)
	u := h.begin(t, upload.New{Size: 100})
	if _, err := h.Write(ctx, u.ID, piece(want, extent.Extent{End: 100})); err == nil {
		t.Error("nobody noticed")
	}
	h.clock.add(time.Minute)
	if _, err := h.Sweep(ctx); err == nil {
		t.Error("nobody noticed in the sweep")
	}
	panics = false
	h.clock.add(time.Minute)
	h.sweep(t)
	h.wantDone(t, u.ID, want)
}
