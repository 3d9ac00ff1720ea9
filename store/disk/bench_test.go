package disk

import (
	"crypto/rand"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/store"
)

// source returns a connection from which n bytes come.
func source(b *testing.B, n int64) net.Conn {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	go func() {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			return
		}
		defer c.Close()
		io.CopyBuffer(struct{ io.Writer }{c}, io.LimitReader(zeros{}, n), make([]byte, 1<<20))
	}()
	c, err := l.Accept()
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.Close() })
	return c
}

const gib = 1 << 30

// BenchmarkPut takes 1 GiB from a socket; the other side of the ratio is
// BenchmarkCopy, which neither syncs nor checks anything.
func BenchmarkPut(b *testing.B) {
	for _, chunk := range []int64{gib, 8 << 20} {
		for _, d := range []Durability{Power, Process} {
			b.Run(strconv.Itoa(int(chunk>>20))+"MiB/"+[]string{"power", "process"}[d], func(b *testing.B) {
				s, err := Open(b.TempDir(), Options{Durability: d})
				if err != nil {
					b.Fatal(err)
				}
				defer s.Close()
				b.SetBytes(gib)
				for range b.N {
					o, _ := s.Begin(b.Context(), rand.Text(), store.Spec{Key: "x", Size: gib})
					c := source(b, gib)
					for at := int64(0); at < gib; at += chunk {
						if err := s.Put(b.Context(), o, extent.At(at, chunk), c, func(store.Part) error { return nil }); err != nil {
							b.Fatal(err)
						}
					}
					s.Remove(b.Context(), o)
				}
			})
		}
	}
}

func BenchmarkCopy(b *testing.B) {
	dir := b.TempDir()
	b.SetBytes(gib)
	for range b.N {
		f, err := os.Create(filepath.Join(dir, "x"))
		if err != nil {
			b.Fatal(err)
		}
		if n, err := io.CopyBuffer(struct{ io.Writer }{f}, struct{ io.Reader }{source(b, gib)}, make([]byte, 32<<10)); n != gib {
			b.Fatal(n, err)
		}
		f.Close()
		os.Remove(f.Name())
	}
}

// BenchmarkPutWhole takes files of 16 KiB, 64 at a time, each under a directory
// of its own.
func BenchmarkPutWhole(b *testing.B) {
	for _, d := range []Durability{Power, Process} {
		b.Run([]string{"power", "process"}[d], func(b *testing.B) {
			s, err := Open(b.TempDir(), Options{Durability: d})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			body := make([]byte, 16<<10)
			var left atomic.Int64
			left.Store(int64(b.N))
			var wg sync.WaitGroup
			for range 64 {
				wg.Go(func() {
					for left.Add(-1) >= 0 {
						id := rand.Text()
						if _, _, err := s.PutWhole(b.Context(), id, store.Spec{Key: id + "/file.bin"}, body); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
		})
	}
}
