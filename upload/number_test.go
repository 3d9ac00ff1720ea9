package upload_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/upload"
)

// Numbered parts find their places in any order; one that does not fit is kept
// under its number, of which the last writer wins, and placed when the order is
// told.
func TestNumberedParts(t *testing.T) {
	for name, size := range map[string]int64{"of known size": 3700, "of unknown size": -1} {
		onEachGrid(t, func(t *testing.T, h *house) {
			want := content(1, 3700)
			u := h.begin(t, upload.New{Size: size, Meta: upload.Meta{Name: name}})
			part := func(number int64, e extent.Extent, from []byte) {
				t.Helper()
				if _, err := h.WriteNumbered(ctx, u.ID, number, piece(from, e)); err != nil {
					t.Fatalf("part %d: %v", number, err)
				}
			}
			part(2, extent.Extent{Start: 1000, End: 2000}, want)
			if size < 0 {
				part(4, extent.Extent{Start: 2900, End: 3700}, content(2, 3700)) // another last part, which is replaced
			}
			part(4, extent.Extent{Start: 3000, End: 3700}, want)
			part(1, extent.Extent{Start: 0, End: 1000}, want)
			if size < 0 {
				_, err := h.Complete(ctx, u.ID, []int64{1, 2, 3, 4})
				wantErr(t, err, upload.ErrInvalid) // the third is not here
			}
			part(3, extent.Extent{Start: 2000, End: 3000}, want)
			for _, wrong := range [][]int64{{}, {2, 1, 3, 4}, {1, 1, 2, 3, 4}} {
				if _, err := h.Complete(ctx, u.ID, wrong); size < 0 && err == nil {
					t.Fatalf("the order %v was taken", wrong)
				}
			}
			for range 2 { // the answer may be lost
				v, err := h.Complete(ctx, u.ID, []int64{1, 2, 3, 4})
				if err != nil || v.Phase != upload.Done {
					t.Fatalf("%v %v", v, err)
				}
			}
			h.wantDone(t, u.ID, want)
			for e, err := range h.mem.Walk(ctx) {
				if err != nil || e.ID != u.ID {
					t.Errorf("%s stays, %v", e.Name, err)
				}
			}
		})
	}
	h := newHouse(grids["none"])
	u := h.begin(t, upload.New{Size: -1})
	for _, number := range []int64{0, -1, 10_001} {
		_, err := h.WriteNumbered(ctx, u.ID, number, piece(content(1, 10), extent.Extent{End: 10}))
		wantErr(t, err, upload.ErrInvalid)
	}
}

// What is told of numbered parts is what is here, whatever the order in which
// they came and whoever placed them.
func TestNumberedTellsWhatIsHere(t *testing.T) {
	onEachGrid(t, func(t *testing.T, h *house) {
		want := content(3, 4500)
		for name, size := range map[string]int64{"known": 4500, "unknown": -1} {
			u := h.begin(t, upload.New{Size: size})
			tell := func(phase upload.Phase, parts ...upload.Numbered) {
				t.Helper()
				v, got, err := h.Numbered(ctx, u.ID)
				if err != nil || v.Phase != phase || !slices.Equal(got, parts) {
					t.Fatalf("%s size: %v in %v, %v, want %v", name, got, v, err, parts)
				}
			}
			part := func(number, from, to int64) {
				t.Helper()
				if _, err := h.WriteNumbered(ctx, u.ID, number, piece(want, extent.Extent{Start: from, End: to})); err != nil {
					t.Fatalf("part %d: %v", number, err)
				}
			}
			tell(upload.Receiving)
			part(5, 4000, 4500)
			tell(upload.Receiving, upload.Numbered{5, 500})
			part(2, 1000, 2000)
			part(1, 0, 1000)
			part(4, 3000, 4000)
			tell(upload.Receiving, upload.Numbered{1, 1000}, upload.Numbered{2, 1000}, upload.Numbered{4, 1000}, upload.Numbered{5, 500})
			part(2, 1000, 2000) // now it is in its place, and no longer aside
			tell(upload.Receiving, upload.Numbered{1, 1000}, upload.Numbered{2, 1000}, upload.Numbered{4, 1000}, upload.Numbered{5, 500})
			part(3, 2000, 3000)
			all := []upload.Numbered{{1, 1000}, {2, 1000}, {3, 1000}, {4, 1000}, {5, 500}}
			tell(upload.Receiving, all...)
			if _, err := h.Complete(ctx, u.ID, []int64{1, 2, 3, 4, 5}); err != nil {
				t.Fatal(err)
			}
			tell(upload.Done, all...)
			h.wantDone(t, u.ID, want)
		}
		if _, _, err := h.Numbered(ctx, "nothing-of-that-name-here"); !errors.Is(err, upload.ErrNotFound) {
			t.Error(err)
		}
	})
}

// A part that is refused fixes nothing for those that come after it.
func TestAPartThatIsTooLargeChangesNothing(t *testing.T) {
	for _, size := range []int64{-1, 3000} {
		h := newHouse(grids["none"])
		h.MaxSize = 3000
		want := content(4, 3500)
		u := h.begin(t, upload.New{Size: size})
		_, err := h.WriteNumbered(ctx, u.ID, 1, piece(want, extent.Extent{End: 3500}))
		wantErr(t, err, upload.ErrTooLarge)
		if u, err = h.Get(ctx, u.ID); err != nil || u.Meta.PartSize != 0 {
			t.Errorf("parts of %d bytes, %v", u.Meta.PartSize, err)
		}
	}
}

// A file of no parts is empty, if none was sent, and so is one of an empty part.
func TestCompleteOfNoParts(t *testing.T) {
	onEachGrid(t, func(t *testing.T, h *house) {
		u := h.begin(t, upload.New{Size: -1})
		if _, err := h.Complete(ctx, u.ID, nil); err != nil {
			t.Fatal(err)
		}
		h.wantDone(t, u.ID, nil)
		u = h.begin(t, upload.New{Size: -1})
		if _, err := h.WriteNumbered(ctx, u.ID, 1, piece(nil, extent.Extent{})); err != nil {
			t.Fatal(err)
		}
		if _, got, err := h.Numbered(ctx, u.ID); err != nil || !slices.Equal(got, []upload.Numbered{{1, 0}}) {
			t.Errorf("%v, %v, and not an empty part", got, err)
		}
		if _, err := h.Complete(ctx, u.ID, []int64{1}); err != nil {
			t.Fatal(err)
		}
		h.wantDone(t, u.ID, nil)
		u = h.begin(t, upload.New{Size: -1})
		if _, err := h.WriteNumbered(ctx, u.ID, 2, piece(content(1, 10), extent.Extent{End: 10})); err != nil {
			t.Fatal(err)
		}
		_, err := h.Complete(ctx, u.ID, nil)
		wantErr(t, err, upload.ErrInvalid)
	})
}

// Parts that are more than the file are refused as a whole.
func TestCompleteOfTooMuch(t *testing.T) {
	onEachGrid(t, func(t *testing.T, h *house) {
		want := content(5, 3500)
		u := h.begin(t, upload.New{Size: 2500})
		for number, e := range map[int64]extent.Extent{2: {Start: 1000, End: 2000}, 3: {Start: 2000, End: 3000}, 9: {Start: 500, End: 1000}} {
			if _, err := h.WriteNumbered(ctx, u.ID, number, piece(want, e)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := h.WriteNumbered(ctx, u.ID, 1, piece(want, extent.Extent{End: 1000})); err != nil {
			t.Fatal(err)
		}
		for _, wrong := range [][]int64{{1, 2, 3}, {1, 2, 3, 9}, {1, 2, 9, 10}} {
			if _, err := h.Complete(ctx, u.ID, wrong); err == nil {
				t.Errorf("%v was taken", wrong)
			} else if !errors.Is(err, upload.ErrInvalid) {
				t.Errorf("%v: %v", wrong, err)
			}
		}
	})
}
