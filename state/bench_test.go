package state

import (
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/store"
	"github.com/muleteer/muleteer/upload"
)

// BenchmarkAdd measures durable commits, one part each, by 1 and 64 writers,
// each with an upload of its own.
func BenchmarkAdd(b *testing.B) {
	for _, level := range []Options{{}, {Process: true}} {
		for _, writers := range []int{1, 64} {
			b.Run(fmt.Sprintf("process=%t/writers=%d", level.Process, writers), func(b *testing.B) {
				s := open(b, filepath.Join(b.TempDir(), "state.db"), level)
				for w := range writers {
					if err := s.Create(b.Context(), record(fmt.Sprint(w)), upload.Quota{}); err != nil {
						b.Fatal(err)
					}
				}
				var next atomic.Int64
				var wg sync.WaitGroup
				b.ResetTimer()
				for w := range writers {
					wg.Go(func() {
						for at := int64(0); next.Add(1) <= int64(b.N); at += 10 {
							p := part(at, at+10)
							p.Receipt = ""
							if _, err := s.Add(b.Context(), fmt.Sprint(w), 0, p); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				wg.Wait()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
			})
		}
	}
}

// BenchmarkParts measures Load and Add where many parts are there already.
func BenchmarkParts(b *testing.B) {
	for _, n := range []int64{10, 1000, 100_000} {
		for name, s := range map[string]State{
			"memory": Memory(nil), "sqlite": open(b, filepath.Join(b.TempDir(), "state.db"), Options{Process: true}),
		} {
			u := record("u")
			for i := range n {
				u.Parts = append(u.Parts, part(i*20, i*20+10))
			}
			if err := s.Create(b.Context(), u, upload.Quota{}); err != nil {
				b.Fatal(err)
			}
			load := func(e extent.Extent) func(b *testing.B) {
				return func(b *testing.B) {
					for range b.N {
						if _, err := s.Load(b.Context(), "u", e); err != nil {
							b.Fatal(err)
						}
					}
				}
			}
			b.Run(fmt.Sprintf("%s/parts=%d/Load", name, n), load(extent.Extent{}))
			b.Run(fmt.Sprintf("%s/parts=%d/LoadNear", name, n), load(extent.At(n/2*20, 10)))
			flip := 0
			b.Run(fmt.Sprintf("%s/parts=%d/Add", name, n), func(b *testing.B) {
				for range b.N { // replaces a part in the middle, so that their number stays
					flip++
					p := part(n/2*20, n/2*20+10)
					p.CRC = store.CRC(flip)
					if _, err := s.Add(b.Context(), "u", 0, p); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkFind measures how the upload of a fingerprint is found.
func BenchmarkFind(b *testing.B) {
	s := open(b, filepath.Join(b.TempDir(), "state.db"), Options{})
	const many = 1000
	for i := range many {
		u := record(fmt.Sprint(i))
		u.Fingerprint = "f" + u.ID
		if err := s.Create(b.Context(), u, upload.Quota{}); err != nil {
			b.Fatal(err)
		}
	}
	owner := record("").Owner
	for i := 0; b.Loop(); i++ {
		q := upload.Query{Owner: &owner, Fingerprint: fmt.Sprintf("f%d", i%many), Phases: []upload.Phase{upload.Receiving}, Limit: 1}
		n := 0
		for _, err := range s.Find(b.Context(), q) {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
		if n != 1 {
			b.Fatalf("%d found", n)
		}
	}
}
