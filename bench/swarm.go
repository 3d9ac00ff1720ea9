//go:build linux

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"
)

// A chunk of P7 and the distance to the next one: there are gaps, so that no
// two parts become one.
const (
	piece  = int64(1 << 10)
	stride = 2 * piece
)

// heap is an upload that has many parts, and the places that are still free.
type heap struct {
	name  string
	slots []int // of the whole file, shuffled
}

// swarm is P7. It runs with durability "process", because the disk's part of
// an acknowledgement is the same for all and would only hide the rest. Uploads
// take turns, so that what else happens on the machine happens to all.
func (p *plan) swarm(ctx context.Context, r *report, parts []int, samples int) ([]row, error) {
	took := map[int][]float64{}
	for pair := range p.pairs {
		once, err := p.acks(ctx, parts, samples)
		if err != nil {
			return nil, err
		}
		for _, n := range parts {
			took[n] = append(took[n], median(once[n]))
			fmt.Printf("  pair %d  %7d parts  %8.0f µs per acknowledgement\n", pair+1, n, median(once[n]))
		}
	}
	var runs []run
	for _, n := range parts {
		for pair, us := range took[n] {
			runs = append(runs, run{Side: fmt.Sprintf("%d parts", n), Pair: pair, Units: 1, Seconds: us / 1e6})
		}
	}
	r.add("P7", runs)
	var rows []row
	few := fmt.Sprintf("%d parts", parts[0])
	for _, n := range parts[1:] {
		many := fmt.Sprintf("%d parts", n)
		rows = append(rows, compare("P7", "µs per acknowledgement, "+many+" against "+few, runs, many, few,
			func(r run) float64 { return r.Seconds * 1e6 }).atMost(1.3))
	}
	return rows, nil
}

// acks returns the times of acknowledgements in µs by the number of parts that
// were there.
func (p *plan) acks(ctx context.Context, parts []int, samples int) (map[int][]float64, error) {
	s, err := p.start(ctx, p.ours("process"))
	if err != nil {
		return nil, err
	}
	defer s.stop()
	most := slices.Max(parts) + samples
	total := int64(most) * stride
	chunk := noise(int(piece))
	put := func(c *client, h *heap, slot int) error {
		at := int64(slot) * stride
		_, err := c.expect(http.StatusPermanentRedirect, http.MethodPut, "/upload/"+h.name, body{chunk},
			fmt.Sprintf("Content-Range: bytes %d-%d/%d", at, at+piece-1, total))
		return err
	}
	// An upload of few parts has many soon: it gets few samples, and there are
	// as many such uploads as it takes.
	heaps := map[int][]*heap{}
	for _, n := range parts {
		each := max(1, min(samples, n/10))
		for i := 0; i*each < samples; i++ {
			h := &heap{name: fmt.Sprintf("swarm-%d-%d.bin", n, i), slots: rand.New(rand.NewPCG(uint64(n), uint64(i))).Perm(most)}
			err := s.parallel(1, 1, func(c *client, _ int) error { return put(c, h, h.slots[0]) })
			if err != nil {
				return nil, err
			}
			if err := s.parallel(16, n-1, func(c *client, k int) error { return put(c, h, h.slots[k+1]) }); err != nil {
				return nil, err
			}
			h.slots = h.slots[n:]
			heaps[n] = append(heaps[n], h)
		}
	}
	c, err := s.dial()
	if err != nil {
		return nil, err
	}
	defer c.close()
	took := map[int][]float64{}
	for i := range samples {
		for _, n := range parts {
			h := heaps[n][i%len(heaps[n])]
			start := time.Now()
			if err := put(c, h, h.slots[0]); err != nil {
				return nil, err
			}
			took[n] = append(took[n], float64(time.Since(start).Nanoseconds())/1e3)
			h.slots = h.slots[1:]
		}
	}
	s.stop()
	return took, s.forget()
}
