package upload_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/upload"
)

// What people say of a file is kept whenever they say it: while bytes come,
// while the file is being finished, and afterwards. Nothing of it is lost, and
// the file is finished all the same.
func TestDescribe(t *testing.T) {
	onEachGrid(t, func(t *testing.T, h *house) {
		want := content(1, 2000)
		u := h.begin(t, upload.New{Size: 2000, Meta: upload.Meta{Fields: map[string]string{"a": "first", "b": "stays"}}})
		var all sync.WaitGroup
		for i := range 10 {
			all.Go(func() {
				if _, err := h.Describe(ctx, u.ID, map[string]string{fmt.Sprint(i): "x"}); err != nil {
					t.Error(err)
				}
				if _, err := h.Write(ctx, u.ID, piece(want, extent.At(int64(i)*200, 200))); err != nil {
					t.Error(err)
				}
				if _, err := h.Describe(ctx, u.ID, map[string]string{fmt.Sprint("late ", i): "y"}); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		h.wantDone(t, u.ID, want)
		if _, err := h.Describe(ctx, u.ID, map[string]string{"a": "last"}); err != nil {
			t.Error(err)
		}
		v, err := h.Get(ctx, u.ID)
		if err != nil || len(v.Meta.Fields) != 22 || v.Meta.Fields["a"] != "last" || v.Meta.Fields["b"] != "stays" {
			t.Errorf("%v, %v", v.Meta.Fields, err)
		}
		h.wantDone(t, u.ID, want)
	})
}

// Strangers say nothing of it, and nobody of what is gone.
func TestDescribeOwner(t *testing.T) {
	h := newHouse(grids["none"])
	u := h.begin(t, upload.New{Size: 10})
	_, err := h.Describe(upload.As(ctx, "somebody else"), u.ID, map[string]string{"a": "b"})
	wantErr(t, err, upload.ErrNotFound)
	if err := h.Remove(ctx, u.ID); err != nil {
		t.Fatal(err)
	}
	_, err = h.Describe(ctx, u.ID, map[string]string{"a": "b"})
	wantErr(t, err, upload.ErrGone)
}
