package upload_test

import (
	"slices"
	"testing"
	"time"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/store/mem"
	"github.com/muleteer/muleteer/upload"
)

func (h *house) partial(t *testing.T, b []byte, here int64) *upload.Record {
	t.Helper()
	u := h.begin(t, upload.New{Size: int64(len(b)), Partial: true})
	if _, err := h.Write(ctx, u.ID, piece(b, extent.Extent{End: here})); err != nil {
		t.Fatal(err)
	}
	return u
}

// A concatenation has the bytes of its sources, in order, as often as they are
// named, and its sources stay what they are.
func TestConcatenation(t *testing.T) {
	onEachGrid(t, func(t *testing.T, h *house) {
		a, b := content(1, 1700), content(2, 950)
		pa, pb := h.partial(t, a, 1700), h.partial(t, b, 950)
		for _, order := range [][]*upload.Record{{pa, pb}, {pb, pa}, {pa, pb, pa}, {pb}} {
			var ids []string
			var want []byte
			for _, p := range order {
				ids = append(ids, p.ID)
				want = append(want, map[string][]byte{pa.ID: a, pb.ID: b}[p.ID]...)
			}
			u := h.begin(t, upload.New{Size: -1, Sources: ids, Meta: upload.Meta{Name: "joined"}})
			if u.Phase != upload.Done || !slices.Equal(u.Sources, ids) {
				t.Errorf("%v", u)
			}
			h.wantDone(t, u.ID, want)
		}
		for e, err := range h.mem.Walk(ctx) {
			if err != nil || (e.ID == pa.ID || e.ID == pb.ID) && e.Key != "" {
				t.Errorf("a source appears as a file: %v %v", e, err)
			}
		}
		_, _, err := h.Open(ctx, pa.ID, extent.Extent{End: 1})
		wantErr(t, err, upload.ErrIncomplete)
		h.clock.add(8 * 24 * time.Hour)
		h.sweep(t)
		_, err = h.Get(ctx, pa.ID)
		wantErr(t, err, upload.ErrGone) // a source is no finished file
	})
}

// A concatenation of unfinished sources becomes whole with the last of them,
// once.
func TestConcatenationOfUnfinished(t *testing.T) {
	onEachGrid(t, func(t *testing.T, h *house) {
		hook := &told{}
		h.Hook = hook.hook
		a, b := content(3, 1200), content(4, 800)
		pa, pb := h.partial(t, a, 700), h.partial(t, b, 0)
		u := h.begin(t, upload.New{Size: -1, Sources: []string{pa.ID, pb.ID}})
		if u.Phase != upload.Receiving || u.Size != 2000 {
			t.Fatalf("%v", u)
		}
		if _, err := h.Write(ctx, pb.ID, piece(b, extent.Extent{End: 800})); err != nil {
			t.Fatal(err)
		}
		h.clock.add(2 * time.Minute)
		h.sweep(t)
		if v, err := h.Get(ctx, u.ID); err != nil || v.Phase != upload.Receiving {
			t.Fatalf("%v %v", v, err)
		}
		if _, err := h.Write(ctx, pa.ID, piece(a, extent.Extent{End: 1200})); err != nil {
			t.Fatal(err)
		}
		h.wantDone(t, u.ID, append(slices.Clone(a), b...))
		h.sweep(t)
		if n := hook.ids(upload.Completed, u.ID); n != 1 {
			t.Errorf("completed was told %d times", n)
		}
		if n := hook.ids(upload.Completed, pa.ID); n != 0 {
			t.Errorf("a source was told as a finished file")
		}
	})
}

// What cannot be a concatenation is refused and leaves nothing.
func TestConcatenationRefused(t *testing.T) {
	h := newHouse(mem.Options{})
	h.MaxSize = 1500
	pa := h.partial(t, content(5, 1000), 1000)
	whole := h.begin(t, upload.New{Size: 10})
	for name, c := range map[string]struct {
		n    upload.New
		want error
	}{
		"an unknown source":    {upload.New{Size: -1, Sources: []string{"AAAAAAAAAAAAAAAAAAAAAAAAAA"}}, upload.ErrNotFound},
		"an upload of its own": {upload.New{Size: -1, Sources: []string{whole.ID}}, upload.ErrInvalid},
		"too large together":   {upload.New{Size: -1, Sources: []string{pa.ID, pa.ID}}, upload.ErrTooLarge},
		"a size of its own":    {upload.New{Size: 1000, Sources: []string{pa.ID}}, upload.ErrInvalid},
		"a source itself":      {upload.New{Size: -1, Partial: true, Sources: []string{pa.ID}}, upload.ErrInvalid},
		"too many sources":     {upload.New{Size: -1, Sources: slices.Repeat([]string{pa.ID}, 1001)}, upload.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := h.Create(ctx, c.n)
			wantErr(t, err, c.want)
		})
	}
	_, err := h.Create(upload.As(ctx, "stranger"), upload.New{Size: -1, Sources: []string{pa.ID}})
	wantErr(t, err, upload.ErrNotFound)
	n := 0
	for range h.Find(ctx, upload.Query{}) {
		n++
	}
	if n != 2 {
		t.Errorf("%d records, want 2", n)
	}
}

// A source that is removed takes a waiting concatenation with it.
func TestConcatenationWithoutItsSource(t *testing.T) {
	h := newHouse(mem.Options{})
	pa := h.partial(t, content(6, 100), 50)
	u := h.begin(t, upload.New{Size: -1, Sources: []string{pa.ID}})
	if err := h.Remove(ctx, pa.ID); err != nil {
		t.Fatal(err)
	}
	h.clock.add(2 * time.Minute)
	h.sweep(t)
	_, err := h.Get(ctx, u.ID)
	wantErr(t, err, upload.ErrGone)
}
