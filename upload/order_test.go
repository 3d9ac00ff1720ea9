package upload_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/upload"
)

// Pieces in any order, overlapping, torn, sent twice, from many senders at
// once, of known and unknown size: the bytes are equal, what a sender was told
// stays true, and the completion is told once.
func TestAnyOrder(t *testing.T) {
	for seed := range uint64(20) {
		for name, o := range grids {
			t.Run(fmt.Sprintf("%s/seed=%d", name, seed), func(t *testing.T) {
				t.Parallel()
				anyOrder(t, seed, o.Cell, newHouse(o))
			})
		}
	}
}

func anyOrder(t *testing.T, seed uint64, cell int64, h *house) {
	rnd := rand.New(rand.NewPCG(seed, uint64(cell)))
	hook := &told{}
	if seed%2 == 0 {
		h.Hook = hook.hook
	}
	want := content(seed, rnd.Int64N(9000))
	size, declared := int64(len(want)), int64(len(want))
	if seed%3 == 0 {
		declared = -1
	}
	u := h.begin(t, upload.New{Size: declared, Meta: upload.Meta{Name: "a.bin"}})

	type job struct {
		e    extent.Extent
		torn int64 // how many bytes arrive; -1: all, and the length is not said
	}
	var jobs []job
	cover := extent.Set{}
	for !cover.Has(extent.Extent{End: size}) {
		start := rnd.Int64N(size)
		e := extent.At(start, 1+rnd.Int64N(1500))
		e.End = min(e.End, size)
		j := job{e: e, torn: e.Len()}
		switch rnd.IntN(4) {
		case 0:
			j.torn = rnd.Int64N(e.Len())
		case 1:
			j.torn = -1
		}
		jobs = append(jobs, j)
		if j.torn < 0 || j.torn == e.Len() {
			cover = cover.Add(e)
		}
	}
	rnd.Shuffle(len(jobs), func(i, k int) { jobs[i], jobs[k] = jobs[k], jobs[i] })

	queue := make(chan job, len(jobs)*50)
	for _, j := range jobs {
		queue <- j
	}
	close(queue)
	var mu sync.Mutex
	var acked extent.Set
	var senders sync.WaitGroup
	send := func(j job) {
		for again := true; again; {
			c := piece(want, j.e)
			switch {
			case j.torn < 0:
				c.Len = -1
				c.Body = bytes.NewBuffer(want[j.e.Start:j.e.End])
			case j.torn < j.e.Len():
				c.Body = io.LimitReader(c.Body, j.torn)
			}
			_, err := h.Write(ctx, u.ID, c)
			again = errors.Is(err, upload.ErrInterrupted) // by another sender, whose bytes overlap
			switch {
			case err == nil:
				mu.Lock()
				acked = acked.Add(j.e)
				mu.Unlock()
			case !again && !errors.Is(err, io.ErrUnexpectedEOF):
				t.Errorf("write %v: %v", j.e, err)
			}
		}
	}
	for range 1 + rnd.IntN(4) {
		senders.Go(func() {
			for j := range queue {
				send(j)
			}
		})
	}
	senders.Wait()
	v, err := h.Get(ctx, u.ID)
	if err != nil {
		t.Fatal(err)
	}
	if v.Phase != upload.Done {
		for _, e := range acked {
			if !v.Ranges().Has(e) {
				t.Fatalf("acknowledged, but not here: %v", e)
			}
		}
	}
	if declared < 0 {
		if _, err := h.SetSize(ctx, u.ID, size); err != nil {
			t.Fatal(err)
		}
	}
	h.wantDone(t, u.ID, want)
	h.sweep(t)
	if n := hook.ids(upload.Completed, u.ID); h.Hook != nil && n != 1 {
		t.Errorf("the completion was told %d times", n)
	}
}
