package upload_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/store/mem"
	"github.com/muleteer/muleteer/upload"
)

func manager() context.Context {
	return upload.By(ctx, upload.Principal{Owner: "app", Verbs: upload.Verbs()})
}

func (h *house) keys(t *testing.T) []string {
	t.Helper()
	var keys []string
	for e, err := range h.mem.Walk(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Key != "" {
			keys = append(keys, e.Key)
		}
	}
	return keys
}

// A file in quarantine is complete for its client, read by nobody but who
// manages, and appears when it is released; both are told.
func TestQuarantine(t *testing.T) {
	onEachGrid(t, func(t *testing.T, h *house) {
		var heard told
		h.Hold, h.Hook = true, heard.hook
		data := content(1, 2500)
		u, err := h.Take(ctx, upload.New{Size: 2500, Meta: upload.Meta{Name: "a.bin"}}, piece(data, extent.Extent{End: 2500}))
		if err != nil || u.Phase != upload.Held || !u.Whole() {
			t.Fatalf("%v: %v", u.Phase, err)
		}
		if v, err := h.Settle(ctx, u.ID); err != nil || v.Offset != 2500 || v.Phase != upload.Held {
			t.Fatalf("%+v: %v", v, err)
		}
		_, _, err = h.Open(ctx, u.ID, extent.Extent{End: 1})
		wantErr(t, err, upload.ErrIncomplete)
		_, err = h.Release(ctx, u.ID)
		wantErr(t, err, upload.ErrDenied)
		r, _, err := h.Open(manager(), u.ID, extent.Extent{End: 2500})
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := io.ReadAll(r); string(got) != string(data) {
			t.Error("who manages reads other bytes")
		}
		h.clock.add(30 * 24 * time.Hour)
		h.sweep(t)
		if got := h.keys(t); len(got) > 0 {
			t.Errorf("%q appeared before its release", got)
		}
		for range 2 {
			if v, err := h.Release(manager(), u.ID); err != nil || v.Phase != upload.Done || v.Hidden {
				t.Fatalf("released, it is %+v: %v", v, err)
			}
		}
		if got := h.keys(t); !slices.Equal(got, []string{u.ID + "/a.bin"}) {
			t.Errorf("after the release there is %q", got)
		}
		r, _, err = h.Open(ctx, u.ID, extent.Extent{End: 2500})
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := io.ReadAll(r); string(got) != string(data) {
			t.Error("other bytes appeared")
		}
		h.sweep(t)
		if heard.ids(upload.Quarantined, u.ID) != 1 || heard.ids(upload.Completed, u.ID) != 1 {
			t.Errorf("heard %v", heard.turns)
		}
	})
}

// A crash between the words of a release, at any call, leaves an upload that
// appears by itself.
func TestReleaseSurvivesCrashes(t *testing.T) {
	for n := 1; n < 12; n++ {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprint(n, after), func(t *testing.T) {
				t.Parallel()
				h := newHouse(mem.Options{})
				h.Hold = true
				u, err := h.Take(ctx, upload.New{Size: 100}, piece(content(2, 100), extent.Extent{End: 100}))
				if err != nil {
					t.Fatal(err)
				}
				f := &fault{n: n, after: after, dies: true}
				dying := &upload.Service{Store: faultyStore{h.mem, f}, State: faultyState{h.state, f}, Now: h.clock.now}
				_, _ = dying.Release(manager(), u.ID)
				h.clock.add(time.Minute)
				for range 3 {
					h.sweep(t)
					h.clock.add(time.Minute)
				}
				v, err := h.Get(manager(), u.ID)
				if err != nil {
					t.Fatal(err)
				}
				if v.Phase == upload.Held && !v.Meta.Released {
					if v, err = h.Release(manager(), u.ID); err != nil {
						t.Fatal(err)
					}
				}
				if v.Phase != upload.Done || len(h.keys(t)) != 1 {
					t.Errorf("it is %v, and there is %q", v.Phase, h.keys(t))
				}
			})
		}
	}
}

// What is in quarantine can be thrown away.
func TestQuarantineRemoved(t *testing.T) {
	onEachGrid(t, func(t *testing.T, h *house) {
		h.Hold = true
		u, err := h.Take(ctx, upload.New{Size: 100}, piece(content(2, 100), extent.Extent{End: 100}))
		if err != nil {
			t.Fatal(err)
		}
		if err := h.Remove(manager(), u.ID); err != nil {
			t.Fatal(err)
		}
		for range h.mem.Walk(ctx) {
			t.Error("something is left")
		}
	})
}

// A finished file stays for ever, or as long as is said; one that somebody has
// to confirm goes if nobody does.
func TestRetention(t *testing.T) {
	const day = 24 * time.Hour
	for _, c := range []struct {
		keep, unconfirmed time.Duration
		confirm           bool
		days              int // until it is gone; 0: never
	}{
		{0, 0, false, 0}, {0, 0, true, 0}, {5 * day, 0, false, 5}, {5 * day, 0, true, 5},
		{0, 2 * day, false, 2}, {0, 2 * day, true, 0}, {5 * day, 2 * day, false, 2}, {5 * day, 2 * day, true, 5},
		{2 * day, 2 * day, true, 2}, {2 * day, 5 * day, false, 2},
	} {
		for _, size := range []int64{0, 100} {
			t.Run(fmt.Sprint(c, size), func(t *testing.T) {
				t.Parallel()
				h := newHouse(mem.Options{})
				h.Keep, h.Unconfirmed = c.keep, c.unconfirmed
				u, err := h.Take(ctx, upload.New{Size: size}, piece(content(2, size), extent.Extent{End: size}))
				if err != nil {
					t.Fatal(err)
				}
				if _, err := h.Confirm(ctx, u.ID); err == nil {
					t.Error("its owner may confirm it")
				}
				if c.confirm {
					for range 2 {
						if v, err := h.Confirm(manager(), u.ID); err != nil || !v.Meta.Confirmed {
							t.Fatalf("%+v: %v", v, err)
						}
					}
				}
				for passed := range 40 {
					h.sweep(t)
					_, err := h.Get(ctx, u.ID)
					if gone := err != nil; gone != (c.days > 0 && passed >= c.days) {
						t.Fatalf("after %d days: %v", passed, err)
					}
					h.clock.add(day)
				}
			})
		}
	}
}

// What was promised when an upload began is kept when the rules change.
func TestExpiryNeverMovesBackwards(t *testing.T) {
	t.Parallel()
	h := newHouse(mem.Options{})
	h.Expire, h.Longest = 10*time.Hour, 24*time.Hour
	u, err := h.Create(ctx, upload.New{Size: 100})
	if err != nil {
		t.Fatal(err)
	}
	began, last := h.clock.now(), time.Time{}
	strict := &upload.Service{Store: h.mem, State: h.state, Now: h.clock.now, Expire: time.Minute}
	strict.Succeed(h.Service)
	for i, want := range []time.Duration{10, 19, 24, 24} {
		v, err := strict.Get(ctx, u.ID)
		if err != nil {
			t.Fatal(err)
		}
		at := strict.Expires(v)
		if at.Before(last) || !at.Equal(began.Add(want*time.Hour)) {
			t.Errorf("step %d: it expires %v after it began", i, at.Sub(began))
		}
		last = at
		h.clock.add(9*time.Hour - time.Duration(i)*3*time.Hour/2)
		if _, err := strict.Sweep(ctx); err != nil {
			t.Fatal(err)
		}
		if _, err := strict.Write(ctx, u.ID, upload.Chunk{At: int64(i), Len: 1, Size: -1, Body: strings.NewReader("a")}); err != nil && i < 3 {
			t.Fatalf("step %d: %v", i, err)
		}
	}
}

// TestSchedules: whatever the order of things and the passing of time, nothing
// live or finished is removed, and what is dead is.
func TestSchedules(t *testing.T) {
	t.Parallel()
	for seed := range uint64(10_000) {
		schedule(t, seed)
	}
}

func schedule(t *testing.T, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 6))
	h := newHouse(mem.Options{})
	h.Expire, h.Longest = 3*time.Hour, 8*time.Hour
	type known struct {
		id             string
		size, here     int64
		began, touched time.Time
	}
	var all []*known
	live := func(v *known) bool {
		now := h.clock.now()
		return v.here == v.size || now.Before(v.touched.Add(h.Expire)) && now.Before(v.began.Add(h.Longest))
	}
	for step := range 24 {
		switch k := rnd.IntN(10); {
		case k < 2 || len(all) == 0:
			size := rnd.Int64N(5)
			u, err := h.Create(ctx, upload.New{Size: size})
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, &known{id: u.ID, size: size, began: h.clock.now(), touched: h.clock.now()})
		case k < 5:
			v := all[rnd.IntN(len(all))]
			if v.here == v.size {
				continue
			}
			u, err := h.Write(ctx, v.id, upload.Chunk{At: v.here, Len: 1, Size: -1, Body: strings.NewReader("a"), Append: true})
			if err == nil {
				v.here, v.touched = u.Offset, h.clock.now()
			} else if live(v) {
				t.Fatalf("seed %d, step %d: a live upload: %v", seed, step, err)
			}
		case k < 8:
			h.clock.add(time.Duration(rnd.IntN(90)) * time.Minute)
		default:
			h.sweep(t)
			all = slices.DeleteFunc(all, func(v *known) bool {
				_, err := h.Get(ctx, v.id)
				if (err == nil) != live(v) {
					now := h.clock.now()
					t.Fatalf("seed %d, step %d: %d of %d bytes, begun %v and touched %v ago: %v", seed, step, v.here, v.size, now.Sub(v.began), now.Sub(v.touched), err)
				}
				return err != nil
			})
		}
	}
}

// A file whose content may not come is refused by its first bytes, however it
// comes, and nothing of it stays.
func TestTypes(t *testing.T) {
	for _, watched := range []bool{false, true} {
		for _, granted := range []bool{false, true} {
			onEachGrid(t, func(t *testing.T, h *house) {
				who := ctx
				if h.Sniff = http.DetectContentType; granted {
					who = upload.By(ctx, upload.Principal{Grant: upload.Grant{Types: []string{"image/*", "text/plain"}}})
				} else {
					h.Types = []string{"image/*", "text/plain"}
				}
				if watched {
					h.Hook = func(context.Context, upload.Turn) (upload.Verdict, error) { return upload.Verdict{}, nil }
				}
				good := append([]byte("GIF89a"), content(1, 5000)...)
				bad := append([]byte("%PDF-"), content(1, 5000)...)
				for _, size := range []int64{10, 5000} {
					for _, at := range []int64{size, 3} { // in one request; in two, the first one too short to tell
						take := func(data []byte) (*upload.Record, error) {
							u, err := h.Take(who, upload.New{Size: size}, piece(data, extent.Extent{End: at}))
							if err != nil || at == size {
								return u, err
							}
							return h.Write(who, u.ID, piece(data, extent.Extent{Start: at, End: size}))
						}
						if u, err := take(good); err != nil || u.Phase != upload.Done {
							t.Errorf("an image, %d of %d bytes first: %v", at, size, err)
						}
						if _, err := take(bad); !errors.Is(err, upload.ErrRefused) {
							t.Errorf("a PDF, %d of %d bytes first: %v", at, size, err)
						}
					}
				}
				if got := len(h.keys(t)); got != 4 {
					t.Errorf("%d files are there", got)
				}
			})
		}
	}
}

// What a store has lost in quarantine is gone when it is released, and never
// complete.
func TestQuarantineLost(t *testing.T) {
	onEachGrid(t, func(t *testing.T, h *house) {
		h.Hold = true
		u, err := h.Take(ctx, upload.New{Size: 100}, piece(content(2, 100), extent.Extent{End: 100}))
		if err != nil {
			t.Fatal(err)
		}
		if err := h.mem.Remove(ctx, u.Object); err != nil {
			t.Fatal(err)
		}
		_, err = h.Release(manager(), u.ID)
		wantErr(t, err, upload.ErrGone)
		v, err := h.Get(manager(), u.ID)
		wantErr(t, err, upload.ErrGone)
		if v.Phase != upload.Gone || len(h.keys(t)) > 0 {
			t.Errorf("it is %v, and there is %q", v.Phase, h.keys(t))
		}
	})
}
