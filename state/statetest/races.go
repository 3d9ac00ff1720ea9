package statetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"github.com/muleteer/muleteer/store"
	"github.com/muleteer/muleteer/upload"
)

var races = []promise{
	{"Add commutes", func(t *tester) {
		for seed := range uint64(4) {
			rnd := rand.New(rand.NewPCG(seed, 0))
			u, parts, want := t.create(t.record(400)), []store.Part{}, []store.Part{}
			for at := int64(0); at < 400; {
				end := min(400, at+1+rnd.Int64N(12))
				p := plain(at, end)
				if at >= 200 {
					p = receipt(at, end, fmt.Sprint(at))
					want = append(want, p)
				}
				if at < 200 && end > 200 {
					p, end = plain(at, 200), 200
				}
				parts = append(parts, p, p)
				at = end
			}
			rnd.Shuffle(len(parts), func(i, k int) { parts[i], parts[k] = parts[k], parts[i] })
			t.together(len(parts), func(i int) error {
				_, err := t.Add(t.ctx, u.ID, 0, parts[i])
				return err
			})
			t.parts(u, append([]store.Part{plain(0, 200)}, want...)...)
			l := t.load(u.ID)
			t.equal("Offset, Here", []int64{l.Offset, l.Here}, []int64{400, 400})
		}
	}},
	{"Add tells exactly one of many that nothing is missing any more", func(t *tester) {
		const n = 64
		u := t.create(t.record(n))
		var last atomic.Int64
		t.together(n, func(i int) error {
			p, err := t.Add(t.ctx, u.ID, 0, plain(int64(i), int64(i)+1))
			if p.Missing == 0 && err == nil {
				last.Add(1)
			}
			return err
		})
		t.equal("who saw the last byte", last.Load(), int64(1))
	}},
	{"Refused calls do not spoil others at the same time", func(t *tester) {
		const n = 96
		u := t.create(t.record(n * 30))
		t.add(u, receipt(0, 10, "r"), receipt(n*20, n*20+10, "far"))
		var wrong atomic.Int64
		t.together(3*n, func(i int) error {
			k := int64(i / 3)
			switch i % 3 {
			case 0:
				_, err := t.Add(t.ctx, u.ID, 0, plain(n*10+k, n*10+k+1), receipt(n*20+5, n*20+15, "x"))
				if err == nil {
					wrong.Add(1)
				}
				return nil
			case 1:
				again := *u
				if t.Create(t.ctx, &again, upload.Quota{}) == nil {
					wrong.Add(1)
				}
				return nil
			}
			_, err := t.Add(t.ctx, u.ID, 0, receipt(k*10, k*10+10, "r"))
			return err
		})
		t.equal("refusals that were none", wrong.Load(), int64(0))
		t.equal("offset", t.load(u.ID).Offset, int64(n*10))
		t.equal("here", t.load(u.ID).Here, int64(n*10+10))
	}},
	{"Save lets exactly one of many win", func(t *tester) {
		u := t.create(t.record(1))
		t.winners(1, upload.ErrChanged, func(i int) error {
			c := *u
			c.Phase = upload.Joining
			return t.Save(t.ctx, &c, event(fmt.Sprint(i), u.ID))
		})
		t.equal("events", len(t.pending(noon)), 1)
		t.equal("version", t.load(u.ID).Version, int64(2))
	}},
	{"Create lets exactly one of many with one id win", func(t *tester) {
		u := t.record(1)
		t.winners(1, upload.ErrExists, func(int) error { c := *u; return t.Create(t.ctx, &c, upload.Quota{}) })
	}},
	{"Create lets exactly one of many with one fingerprint win", func(t *tester) {
		us := t.many()
		t.winners(1, upload.ErrExists, func(i int) error { return t.Create(t.ctx, us[i], upload.Quota{}) })
	}},
	{"Create lets no more win than the quota allows", func(t *tester) {
		us := t.many()
		t.winners(3, upload.ErrFull, func(i int) error {
			us[i].Fingerprint = ""
			return t.Create(t.ctx, us[i], upload.Quota{Open: 3})
		})
	}},
	{"No Add counts after a Save that ended Receiving", func(t *tester) {
		u := t.create(t.record(1000))
		var counted atomic.Int64
		t.together(65, func(i int) error {
			if i == 32 {
				c := *u
				c.Phase = upload.Gone
				return t.Save(t.ctx, &c)
			}
			if _, err := t.Add(t.ctx, u.ID, 0, plain(int64(i)*10, int64(i)*10+1)); err == nil {
				counted.Add(1)
			}
			return nil
		})
		t.equal("here", t.load(u.ID).Here, counted.Load())
	}},
}

const contenders = 32

// many returns records with one fingerprint.
func (t *tester) many() []*upload.Record {
	us := make([]*upload.Record, contenders)
	for i := range us {
		us[i] = t.record(1)
		us[i].Fingerprint = "f"
	}
	return us
}

// together calls f at once from n goroutines; each must succeed.
func (t *tester) together(n int, f func(i int) error) {
	t.Helper()
	errs := make([]error, n)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { <-start; errs[i] = f(i) })
	}
	close(start)
	wg.Wait()
	for i, err := range errs {
		if err != nil {
			t.Fatalf("%d of %d at once: %v", i, n, err)
		}
	}
}

// winners calls f at once from many goroutines, of which so many succeed and
// all others are told the error.
func (t *tester) winners(want int64, otherwise error, f func(i int) error) {
	t.Helper()
	var won atomic.Int64
	t.together(contenders, func(i int) error {
		err := f(i)
		if err == nil {
			won.Add(1)
			return nil
		}
		if errors.Is(err, otherwise) {
			return nil
		}
		return err
	})
	t.equal("winners", won.Load(), want)
}
