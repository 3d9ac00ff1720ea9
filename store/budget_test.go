package store

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestBudgetServesInOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(10)
		if err := b.Take(t.Context(), 11); err == nil {
			t.Error("11 of 10 bytes were given out")
		}
		if err := b.Take(t.Context(), 8); err != nil {
			t.Fatal(err)
		}
		served := make([]bool, 3)
		for i, n := range []int64{5, 2, 3} { // 2 would fit now, but 5 came first
			go func() {
				if err := b.Take(t.Context(), n); err != nil {
					t.Error(err)
				}
				served[i] = true
			}()
			synctest.Wait()
		}
		if b.Try(1) {
			t.Error("somebody overtook those who wait")
		}
		for i, give := range []int64{3, 2, 3} {
			if served[i] {
				t.Errorf("the claim %d was served before its turn", i)
			}
			b.Give(give)
			synctest.Wait()
			if !served[i] {
				t.Errorf("the claim %d was not served in its turn", i)
			}
		}
		if b.Free() != 0 {
			t.Errorf("%d bytes are left", b.Free())
		}
	})
}

func TestBudgetGivesUpWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(10)
		if !b.Try(8) {
			t.Fatal("8 of 10 bytes are not to be had")
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		done := make(chan error, 1)
		go func() { done <- b.Take(ctx, 5) }()
		synctest.Wait()
		small := make(chan error, 1)
		go func() { small <- b.Take(t.Context(), 2) }()
		if err := <-done; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Take: %v", err)
		}
		if err := <-small; err != nil { // 5 is not in its way any more
			t.Error(err)
		}
	})
}

func TestBudgetReclaimsWhatOthersCanSpare(t *testing.T) {
	t.Parallel()
	b := NewBudget(10)
	spare := int64(0)
	b.Reclaim(func(n int64) {
		n = min(n, spare)
		spare -= n
		b.Give(n)
	})
	if !b.Try(10) {
		t.Fatal("10 of 10 bytes are not to be had")
	}
	if b.Try(1) {
		t.Error("1 byte of nothing was given out")
	}
	spare = 10
	if !b.Try(4) || !b.Try(6) || b.Try(1) || spare != 0 {
		t.Errorf("%d bytes can still be spared", spare)
	}
}

// Whoever waits already gets what is spared after that, too.
func TestBudgetReclaimsForWhoWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(10)
		asked := 0
		b.Reclaim(func(int64) {
			if asked++; asked == 2 { // it became sparable after the first question
				b.Give(10)
			}
		})
		if !b.Try(10) {
			t.Fatal("10 of 10 bytes are not to be had")
		}
		if err := b.Take(t.Context(), 4); err != nil {
			t.Error(err)
		}
		if b.Waiting() || b.Free() != 6 {
			t.Errorf("%d bytes are free", b.Free())
		}
	})
}

// TestBudgetIsNeverExceeded has many take, try and give up at random.
func TestBudgetIsNeverExceeded(t *testing.T) {
	t.Parallel()
	const size = 100
	b := NewBudget(size)
	var mu sync.Mutex
	held := int64(0)
	change := func(n int64) {
		mu.Lock()
		defer mu.Unlock()
		if held += n; held > size || held < 0 {
			t.Errorf("%d of %d bytes are held", held, size)
		}
	}
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(i), 1))
			for range 500 {
				n := 1 + rnd.Int64N(size)
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rnd.Int64N(int64(100*time.Microsecond))))
				if err := b.Take(ctx, n); err == nil {
					change(n)
					change(-n)
					b.Give(n)
				}
				cancel()
			}
		})
	}
	wg.Wait()
	if b.Free() != size {
		t.Errorf("%d bytes were lost", size-b.Free())
	}
}

// Who holds memory of a share and then needs some of the rest is not in the way
// of those for whose memory he waits, however many they are.
func TestBudgetShareLeavesTheRest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(100)
		held := b.Share(50)
		if held.Size() != 50 || b.Share(200).Size() != 100 {
			t.Errorf("a share has %d bytes", held.Size())
		}
		if err := held.Take(t.Context(), 51); err == nil {
			t.Error("51 of 50 bytes were given out")
		}
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if err := held.Take(t.Context(), 25); err != nil {
					t.Error(err)
				}
				time.Sleep(time.Second) // all who can have got theirs by then
				for range 3 {
					if err := b.Take(t.Context(), 40); err != nil {
						t.Error(err)
					}
					time.Sleep(time.Millisecond)
					b.Give(40)
				}
				held.Give(25)
			})
		}
		wg.Wait()
		if b.Free() != 100 || held.Free() != 50 {
			t.Errorf("%d and %d bytes were lost", 100-b.Free(), 50-held.Free())
		}
		if !b.Try(80) || held.Try(30) || !held.Try(20) || b.Try(1) {
			t.Error("a share is not taken out of the whole")
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := held.Take(ctx, 30); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		b.Give(80)
		if err := held.Take(t.Context(), 30); err != nil || b.Free() != 50 || held.Free() != 0 {
			t.Errorf("%v, %d, %d", err, b.Free(), held.Free())
		}
	})
}

// Without a budget there is no bound.
func TestBudgetOfNothing(t *testing.T) {
	t.Parallel()
	var b *Budget
	if err := b.Take(t.Context(), 1<<60); err != nil || !b.Share(1).Try(1<<60) || b.Size() < 1<<60 {
		t.Error(err)
	}
	b.Give(1 << 60)
}
