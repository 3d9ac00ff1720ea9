package upload_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/store/mem"
	"github.com/muleteer/muleteer/upload"
)

// Events are written with the phase, delivered at least once with one id, in
// order per upload, and outlive the process.
func TestEventsAreDeliveredAtLeastOnce(t *testing.T) {
	h := newHouse(mem.Options{})
	var heard []string
	deaf := 3
	h.Turns = []upload.Kind{upload.Completed, upload.Removed}
	h.Hook = func(_ context.Context, turn upload.Turn) (upload.Verdict, error) {
		if turn.EventID == "" {
			return upload.Verdict{}, nil
		}
		heard = append(heard, fmt.Sprintf("%s %s", turn.Kind, turn.EventID))
		if deaf--; deaf >= 0 {
			return upload.Verdict{}, errors.New("receiver is down")
		}
		return upload.Verdict{}, nil
	}
	u, err := h.Take(ctx, upload.New{Size: 10}, piece(content(1, 10), extent.Extent{End: 10}))
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Remove(ctx, u.ID); err != nil {
		t.Fatal(err)
	}
	// Another process takes the house over.
	h.Service = &upload.Service{Store: h.mem, State: h.state, Now: h.clock.now, Hook: h.Hook, Turns: h.Turns}
	for range 10 {
		h.sweep(t)
		h.clock.add(time.Minute)
	}
	if len(heard) != 5 || len(slices.Compact(slices.Clone(heard))) != 2 || heard[4][:7] != "removed" {
		t.Errorf("heard %q", heard)
	}
	h.clock.add(48 * time.Hour)
	h.sweep(t)
	_, err = h.Get(ctx, u.ID)
	wantErr(t, err, upload.ErrNotFound)
}

// A failing completing hook leaves the upload waiting, never "complete"; a
// retry asks again. A refusal ends it.
func TestCompletingMayFailOrRefuse(t *testing.T) {
	onEachGrid(t, func(t *testing.T, h *house) {
		var mu sync.Mutex
		answer := errors.New("scanner is away")
		h.Hook = func(_ context.Context, turn upload.Turn) (upload.Verdict, error) {
			mu.Lock()
			defer mu.Unlock()
			if turn.Kind == upload.Completing {
				return upload.Verdict{Answer: &upload.Answer{Fields: map[string]string{"said": "yes"}}}, answer
			}
			return upload.Verdict{}, nil
		}
		set := func(err error) { mu.Lock(); answer = err; mu.Unlock() }
		want := content(1, 1500)
		u := h.begin(t, upload.New{Size: 1500})
		_, err := h.Write(ctx, u.ID, piece(want, extent.Extent{End: 1500}))
		wantErr(t, err, upload.ErrUnavailable)
		_, err = h.Settle(ctx, u.ID)
		wantErr(t, err, upload.ErrUnavailable)
		_, _, err = h.Open(ctx, u.ID, extent.Extent{End: 1})
		wantErr(t, err, upload.ErrIncomplete)
		set(nil)
		v, err := h.Write(ctx, u.ID, piece(want, extent.Extent{End: 1500}))
		if err != nil || v.Phase != upload.Done || v.Meta.Answer.Fields["said"] != "yes" {
			t.Fatalf("%v %v", v, err)
		}
		// Who did not get the answer gets it when it asks again.
		if v, err = h.Settle(ctx, u.ID); err != nil || v.Meta.Answer.Fields["said"] != "yes" {
			t.Fatalf("%v %v", v, err)
		}
		h.wantDone(t, u.ID, want)

		u = h.begin(t, upload.New{Size: 1500})
		set(&upload.Refusal{Status: 415, Reason: "a virus"})
		_, err = h.Write(ctx, u.ID, piece(want, extent.Extent{End: 1500}))
		wantErr(t, err, upload.ErrRefused)
		_, err = h.Get(ctx, u.ID)
		wantErr(t, err, upload.ErrGone)
	})
}

// A creating hook may refuse, and may choose key and metadata.
func TestCreatingMayChoose(t *testing.T) {
	h := newHouse(mem.Options{})
	h.Hook = func(_ context.Context, turn upload.Turn) (upload.Verdict, error) {
		if turn.Record.Meta.Name == "no" {
			return upload.Verdict{}, &upload.Refusal{Reason: "not that"}
		}
		return upload.Verdict{Key: "chosen/../x", Meta: &upload.Meta{Name: "renamed"}}, nil
	}
	_, err := h.Create(ctx, upload.New{Size: 1, Meta: upload.Meta{Name: "no"}})
	wantErr(t, err, upload.ErrRefused)
	u := h.begin(t, upload.New{Size: 1, Meta: upload.Meta{Name: "yes"}})
	if u.Key != "chosen/x" || u.Meta.Name != "renamed" {
		t.Errorf("%q %q", u.Key, u.Meta.Name)
	}
}

// First bytes that are refused end the upload before the rest has come.
func TestFirstBytesMayBeRefused(t *testing.T) {
	h := newHouse(mem.Options{})
	h.Hook = func(_ context.Context, turn upload.Turn) (upload.Verdict, error) {
		if turn.Kind == upload.FirstBytes {
			return upload.Verdict{}, &upload.Refusal{Status: 415, Reason: "no such type"}
		}
		return upload.Verdict{}, nil
	}
	want := content(2, 50_000)
	u := h.begin(t, upload.New{Size: 50_000})
	_, err := h.Write(ctx, u.ID, piece(want, extent.Extent{End: 10_000}))
	wantErr(t, err, upload.ErrRefused)
	_, err = h.Write(ctx, u.ID, piece(want, extent.Extent{Start: 10_000, End: 20_000}))
	wantErr(t, err, upload.ErrGone)
}
