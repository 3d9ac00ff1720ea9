package upload_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/store/mem"
	"github.com/muleteer/muleteer/upload"
)

// receiver notes what it is told, and answers what the test says.
type receiver struct {
	mu     sync.Mutex
	heard  []upload.Turn
	answer func(upload.Turn) error
}

func (r *receiver) hook(_ context.Context, t upload.Turn) (upload.Verdict, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.heard = append(r.heard, t)
	if r.answer == nil {
		return upload.Verdict{}, nil
	}
	return upload.Verdict{}, r.answer(t)
}

// kinds are those of the turns of one upload that were heard, in order.
func (r *receiver) kinds(id string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var kinds []string
	for _, t := range r.heard {
		if t.Record.ID == id {
			kinds = append(kinds, string(t.Kind))
		}
	}
	return strings.Join(kinds, " ")
}

func (r *receiver) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.heard)
}

// take has a small file arrive in one request.
func (h *house) take(t *testing.T, seed uint64) *upload.Record {
	t.Helper()
	u, err := h.Take(ctx, upload.New{Size: 10}, piece(content(seed, 10), extent.Extent{End: 10}))
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// The whole life of an upload is told, by the same turns whether its file came
// in one request or in several.
func TestTurnsOfALife(t *testing.T) {
	onEachGrid(t, func(t *testing.T, h *house) {
		r := new(receiver)
		h.Hook = r.hook
		want := content(4, 50_000)
		u := h.begin(t, upload.New{Size: 50_000})
		if _, err := h.Write(ctx, u.ID, piece(want, extent.Extent{End: 50_000})); err != nil {
			t.Fatal(err)
		}
		small := h.take(t, 1)
		h.sweep(t)
		for _, id := range []string{u.ID, small.ID} {
			if err := h.Remove(ctx, id); err != nil {
				t.Fatal(err)
			}
		}
		h.sweep(t)
		asked := "firstbytes lastbytes completing"
		for id, want := range map[string]string{
			u.ID:     "creating " + asked + " created completed removing removed",
			small.ID: "creating " + asked + " created completed removing removed",
		} {
			if got := r.kinds(id); got != want {
				t.Errorf("heard %q, want %q", got, want)
			}
		}
	})
}

// Nobody is asked or told of what it does not want to know.
func TestTurnsThatNobodyWants(t *testing.T) {
	h := newHouse(mem.Options{})
	r := new(receiver)
	h.Hook, h.Turns = r.hook, []upload.Kind{upload.Completed}
	u := h.take(t, 1)
	if u.Version != 1 {
		t.Errorf("a small file that nobody wants to see cost %d commits", u.Version)
	}
	if err := h.Remove(ctx, u.ID); err != nil {
		t.Fatal(err)
	}
	h.sweep(t)
	if got := r.kinds(u.ID); got != "completed" {
		t.Errorf("heard %q", got)
	}
	for e := range h.state.Events(ctx, "") {
		t.Errorf("%v is left", e)
	}
}

// A removal that is refused does not happen.
func TestRemovingMayBeRefused(t *testing.T) {
	h := newHouse(mem.Options{})
	r := &receiver{answer: func(turn upload.Turn) error {
		if turn.Kind == upload.Removing {
			return &upload.Refusal{Status: 409, Reason: "it is being printed"}
		}
		return nil
	}}
	h.Hook = r.hook
	u := h.take(t, 1)
	wantErr(t, h.Remove(ctx, u.ID), upload.ErrRefused)
	h.wantDone(t, u.ID, content(1, 10))
	// A protocol that begins anew, or an expiry, asks nobody.
	if err := h.Withdraw(ctx, u.ID); err != nil {
		t.Fatal(err)
	}
}

// A rename by the hook is one of the file, too, but takes nothing else from the
// record.
func TestCreatingRenames(t *testing.T) {
	h := newHouse(mem.Options{})
	h.Hook = func(_ context.Context, turn upload.Turn) (upload.Verdict, error) {
		return upload.Verdict{Meta: &upload.Meta{Name: "new.txt"}, Key: "///"}, nil
	}
	granted := upload.By(ctx, upload.Principal{Owner: "ann", Grant: upload.Grant{Prefix: "ann", MaxSize: 5, Data: `{"a":1}`}})
	u, err := h.Create(granted, upload.New{Size: 1, Meta: upload.Meta{Name: "old.txt"}})
	if err != nil {
		t.Fatal(err)
	}
	if u.Key != "ann/"+u.ID+"/new.txt" || u.Meta.MaxSize != 5 || u.Meta.Data == "" {
		t.Errorf("%q %+v", u.Key, u.Meta)
	}
}

// A receiver that does not answer delays neither the sweep nor other events.
func TestASlowReceiverHoldsUpNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(mem.Options{})
		h.Now = nil
		var mu sync.Mutex
		told := map[string]bool{}
		stuck := ""
		h.Turns = []upload.Kind{upload.Completed, upload.Removed}
		h.Hook = func(ctx context.Context, turn upload.Turn) (upload.Verdict, error) {
			mu.Lock()
			hang := turn.Record.ID == stuck
			told[turn.Record.ID] = !hang
			mu.Unlock()
			if hang {
				<-ctx.Done()
				return upload.Verdict{}, ctx.Err()
			}
			return upload.Verdict{}, nil
		}
		running, stop := context.WithCancel(ctx)
		ended := make(chan struct{})
		go func() { defer close(ended); h.Run(running) }()
		first := h.take(t, 1)
		mu.Lock()
		stuck = first.ID
		mu.Unlock()
		expiring := h.begin(t, upload.New{Size: 10})
		var ids []string
		for i := range 100 {
			ids = append(ids, h.take(t, uint64(i)).ID)
		}
		synctest.Wait()
		mu.Lock()
		for _, id := range ids {
			if !told[id] {
				t.Errorf("%s was not told", id)
			}
		}
		mu.Unlock()
		time.Sleep(8 * 24 * time.Hour) // of the bubble
		synctest.Wait()
		if _, err := h.Get(ctx, expiring.ID); !errors.Is(err, upload.ErrGone) && !errors.Is(err, upload.ErrNotFound) {
			t.Errorf("nothing expires: %v", err)
		}
		stop()
		<-ended
		for e, err := range h.state.Events(ctx, "") {
			if err == nil && e.Attempts > 0 {
				t.Errorf("an attempt that we ended ourselves counts: %+v", e)
			}
		}
	})
}

// Events of several uploads are told at once, but never two of one upload.
func TestEventsAreToldAtOnceAndInOrder(t *testing.T) {
	h := newHouse(mem.Options{})
	var mu sync.Mutex
	now, most := map[string]int{}, 0
	last := map[string]time.Time{}
	full := make(chan struct{})
	enough := sync.OnceFunc(func() { close(full) })
	h.Hook = func(_ context.Context, turn upload.Turn) (upload.Verdict, error) {
		if turn.EventID == "" {
			return upload.Verdict{}, nil
		}
		id := turn.Record.ID
		mu.Lock()
		now[id]++
		if now[id] > 1 {
			t.Errorf("two events of %s at once", id)
		}
		if turn.At.Before(last[id]) {
			t.Errorf("%s of %s out of order", turn.Kind, id)
		}
		last[id] = turn.At
		if len(now) > most {
			if most = len(now); most == 16 {
				enough()
			}
		}
		mu.Unlock()
		select {
		case <-full:
		case <-time.After(30 * time.Second):
			enough()
		}
		mu.Lock()
		defer mu.Unlock()
		if now[id]--; now[id] == 0 {
			delete(now, id)
		}
		return upload.Verdict{}, nil
	}
	for i := range 40 {
		u := h.take(t, uint64(i))
		h.clock.add(time.Second)
		if err := h.Remove(ctx, u.ID); err != nil {
			t.Fatal(err)
		}
	}
	h.sweep(t)
	if most != 16 {
		t.Errorf("%d at once", most)
	}
	for e := range h.state.Events(ctx, "") {
		t.Errorf("%v is left", e)
	}
}

// An event rests for a second, then twice as long each time, up to an hour, and
// is dead when that has lasted for as long as was said. The later events of its
// upload then pass it; it can be replayed, and dropped.
func TestEventsRestAndDie(t *testing.T) {
	h := newHouse(mem.Options{})
	down := errors.New("the receiver is\xff down")
	r := &receiver{answer: func(turn upload.Turn) error {
		if turn.Kind == upload.Completed {
			return down
		}
		return nil
	}}
	h.Hook, h.Turns, h.Tries = r.hook, []upload.Kind{upload.Completed, upload.Removed}, 24*time.Hour
	u := h.take(t, 1)
	if err := h.Remove(ctx, u.ID); err != nil {
		t.Fatal(err)
	}
	began := h.clock.now()
	var rests []time.Duration
	event := func() upload.Event {
		for e, err := range h.Events(manager(), "") {
			if err != nil {
				t.Fatal(err)
			}
			return e
		}
		return upload.Event{}
	}
	for range 100 {
		before := h.clock.now()
		h.sweep(t)
		e := event()
		if !e.Dead.IsZero() {
			break
		}
		rests = append(rests, e.Due.Sub(before))
		h.clock.add(e.Due.Sub(before))
	}
	for i, rest := range rests {
		least := min(time.Second<<i, time.Hour)
		if rest < least || rest > least*3/2 {
			t.Errorf("rest %d: %v", i, rest)
		}
	}
	if d := h.clock.now().Sub(began); d < 23*time.Hour || d > 37*time.Hour {
		t.Errorf("dead after %v", d)
	}
	dead := event()
	if dead.Error != "the receiver is\uFFFD down" || dead.Attempts != len(rests)+1 || dead.Kind != upload.Completed {
		t.Errorf("%+v", dead)
	}
	h.sweep(t)
	if got := strings.Fields(r.kinds(u.ID)); got[len(got)-1] != "removed" || slices.Index(got, "removed") != len(rests)+1 {
		t.Errorf("heard %v", got)
	}
	heard := r.count()
	h.sweep(t)
	if r.count() != heard {
		t.Error("a dead event was tried")
	}

	if err := h.Replay(ctx, dead.ID); !errors.Is(err, upload.ErrDenied) {
		t.Errorf("anybody may replay: %v", err)
	}
	wantErr(t, h.Replay(manager(), "nosuch"), upload.ErrNotFound)
	if err := h.Replay(manager(), dead.ID); err != nil {
		t.Fatal(err)
	}
	h.sweep(t)
	if e := event(); e.ID != dead.ID || e.Attempts != 1 || !e.Dead.IsZero() {
		t.Errorf("after the replay: %+v", e)
	}
	wantErr(t, h.Drop(manager(), ""), upload.ErrNotFound)
	if err := h.Drop(manager(), dead.ID); err != nil {
		t.Fatal(err)
	}
	if e := event(); e.ID != "" {
		t.Errorf("%+v is left", e)
	}
}

// A receiver that wants to be left alone is.
func TestLaterIsHeeded(t *testing.T) {
	for after, want := range map[time.Duration]time.Duration{
		0: time.Second, 10 * time.Minute: 10 * time.Minute, 1000 * time.Hour: 24 * time.Hour, -time.Hour: time.Second,
	} {
		h := newHouse(mem.Options{})
		r := &receiver{answer: func(upload.Turn) error {
			return fmt.Errorf("hook: %w", &upload.Later{After: after, Err: errors.New("not now")})
		}}
		h.Hook, h.Turns = r.hook, []upload.Kind{upload.Completed}
		h.take(t, 1)
		h.sweep(t)
		for e := range h.state.Events(ctx, "") {
			if d := e.Due.Sub(h.clock.now()); d < want || d > want*3/2 {
				t.Errorf("%v: again in %v, want %v", after, d, want)
			}
		}
	}
}

// Events of one endpoint are nobody's at another one.
func TestEventsOfAnotherEndpoint(t *testing.T) {
	h := newHouse(mem.Options{})
	r := new(receiver)
	h.Hook = func(context.Context, upload.Turn) (upload.Verdict, error) {
		return upload.Verdict{}, errors.New("down")
	}
	h.Turns = []upload.Kind{upload.Completed}
	h.take(t, 1)
	h.sweep(t)
	other := &upload.Service{Store: h.mem, State: h.state, Now: h.clock.now, Endpoint: "other", Hook: r.hook}
	h.clock.add(time.Hour)
	if _, err := other.Deliver(ctx); err != nil || r.count() > 0 {
		t.Errorf("told %d, %v", r.count(), err)
	}
	for e := range h.state.Events(ctx, "") {
		for range other.Events(manager(), "") {
			t.Error("another endpoint's event is shown")
		}
		wantErr(t, other.Replay(manager(), e.ID), upload.ErrNotFound)
		wantErr(t, other.Drop(manager(), e.ID), upload.ErrNotFound)
	}
}
