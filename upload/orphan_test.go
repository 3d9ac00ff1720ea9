package upload_test

import (
	"context"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/store"
	"github.com/muleteer/muleteer/store/mem"
	"github.com/muleteer/muleteer/upload"
)

// litter is a store in which something lies beside the objects.
type litter struct {
	*mem.Store
	entries []store.Entry
	removed []store.Object
}

func (l *litter) Unfinished(context.Context) iter.Seq2[store.Entry, error] {
	return func(yield func(store.Entry, error) bool) {
		for _, e := range l.entries {
			if !yield(e, nil) {
				return
			}
		}
	}
}

func (l *litter) Remove(ctx context.Context, o store.Object) error {
	l.removed = append(l.removed, o)
	return l.Store.Remove(ctx, o)
}

// What is left beside a finished file is swept, the file is not; what belongs
// to unfinished and to hidden uploads stays.
func TestSweepOrphansBesideFinishedFiles(t *testing.T) {
	t.Parallel()
	h := newHouse(mem.Options{})
	l := &litter{Store: h.mem}
	h.Store = l
	body := content(1, 1000)
	finish := func(n upload.New) *upload.Record {
		n.Size = 1000
		u := h.begin(t, n)
		u, err := h.Write(ctx, u.ID, piece(body, extent.Extent{End: 1000}))
		if err != nil || u.Phase != upload.Done {
			t.Fatalf("%+v, %v", u, err)
		}
		return u
	}
	done, partial, open := finish(upload.New{}), finish(upload.New{Partial: true}), h.begin(t, upload.New{Size: 1000})
	now := h.clock.now()
	for i, id := range []string{done.ID, partial.ID, open.ID, "nobody-ever-heard-of-this"} {
		l.entries = append(l.entries,
			store.Entry{ID: id, Name: "old", Token: string(rune('a' + i)), Began: now},
			store.Entry{ID: id, Name: "young", Token: "young", Began: now.Add(2 * time.Hour)},
			store.Entry{ID: id, Name: "finished", Key: "a/file", Began: now})
	}
	h.clock.add(2 * time.Hour)
	n, err := h.SweepOrphans(ctx)
	want := []store.Object{{ID: done.ID, Token: "a"}, {ID: "nobody-ever-heard-of-this", Token: "d"}}
	if err != nil || n != 2 || !slices.Equal(l.removed, want) {
		t.Errorf("SweepOrphans: %d, %v, and %+v were removed", n, err, l.removed)
	}
	h.wantDone(t, done.ID, body)
}
