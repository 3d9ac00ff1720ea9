package mule_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"sync"
	"testing"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/protocol/wiretest"
	"github.com/muleteer/muleteer/state"
	"github.com/muleteer/muleteer/store"
	"github.com/muleteer/muleteer/upload"
)

// pattern is what a file of any size consists of, again and again. Its length
// has no factor in common with that of a chunk, so no chunk is like another one.
func pattern() []byte { return wiretest.Rand(65_537, 1, 0) }

// from is the pattern from an offset to its end.
func from(pattern []byte, at int64) []byte { return pattern[at%int64(len(pattern)):] }

// endless reads the bytes e of a file that consists of a pattern.
type endless struct {
	pattern []byte
	e       extent.Extent
}

func (r *endless) Read(b []byte) (n int, err error) {
	if r.e.Empty() {
		return 0, io.EOF
	}
	b = b[:min(int64(len(b)), r.e.Len())]
	for n < len(b) {
		n += copy(b[n:], from(r.pattern, r.e.Start+int64(n)))
	}
	r.e.Start += int64(n)
	return n, nil
}

// counting is a store that keeps no byte: it wants each to be the one of a
// pattern, and counts them. It is cut as the client sends, as a bucket is.
type counting struct {
	pattern []byte
	mu      sync.Mutex
	puts    int
	bytes   int64
	final   store.Final
}

func (s *counting) Begin(_ context.Context, id string, spec store.Spec) (store.Object, error) {
	return store.Object{ID: id, Key: spec.Key, Type: spec.Type, Size: spec.Size, Grid: store.Grid{Cell: spec.Chunk}}, nil
}

func (s *counting) Put(_ context.Context, o store.Object, e extent.Extent, r io.Reader, done func(store.Part) error) error {
	b := make([]byte, 256<<10)
	for piece := range o.Grid.Cut(e) {
		p := store.Part{Extent: piece, Receipt: fmt.Sprint("at ", piece.Start)}
		for at := piece.Start; at < piece.End; {
			n, err := io.ReadFull(r, b[:min(int64(len(b)), piece.End-at)])
			if err != nil {
				return nil // the one who reads knows of it
			}
			for k := 0; k < n; {
				same := from(s.pattern, at+int64(k))
				same = same[:min(len(same), n-k)]
				if !bytes.Equal(b[k:k+len(same)], same) {
					return fmt.Errorf("other bytes at %d than were sent", at)
				}
				k += len(same)
			}
			p.CRC, at = p.CRC.Update(b[:n]), at+int64(n)
		}
		s.mu.Lock()
		s.puts, s.bytes = s.puts+1, s.bytes+piece.Len()
		s.mu.Unlock()
		if !o.Grid.Fills(piece, o.Size) {
			return fmt.Errorf("%v does not fill its cell", piece)
		}
		if err := done(p); err != nil {
			return err
		}
	}
	return nil
}

func (s *counting) Join(_ context.Context, o store.Object, parts []store.Part) (store.Final, error) {
	final := store.Final{Key: o.Key}
	for _, p := range parts {
		if p.Start != final.Size || p.Receipt != fmt.Sprint("at ", p.Start) {
			return final, fmt.Errorf("%v with %s after %d bytes: %w", p.Extent, p.Receipt, final.Size, store.ErrParts)
		}
		final.Size, final.CRC = p.End, final.CRC.Append(p.CRC, p.Len())
	}
	if final.Size != o.Size {
		return final, fmt.Errorf("%d bytes of %d: %w", final.Size, o.Size, store.ErrParts)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.final = final
	return final, nil
}

func (s *counting) Open(context.Context, store.Object, extent.Extent) (io.ReadCloser, error) {
	return nil, errors.New("nothing is kept")
}

func (s *counting) Remove(context.Context, store.Object) error { return nil }

// within is a line to a handler of this process.
type within struct{ http.Handler }

func (l within) RoundTrip(req *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	r := httptest.NewRequest(req.Method, req.URL.String(), req.Body)
	r.Header, r.ContentLength = req.Header, req.ContentLength
	l.ServeHTTP(w, r)
	return w.Result(), nil
}

// A file of 8,534 chunks, which at the usual 6 MiB are 50 GiB, arrives: in two
// visits, with no chunk sent twice. With MULETEER_LONG they are as large as that,
// else smaller.
func TestFiftyGiB(t *testing.T) {
	t.Parallel()
	size, piece, generations := 50<<30, 6<<20, []generation{g2014, g120}
	if os.Getenv("MULETEER_LONG") != "1" {
		size, piece, generations = size/96, piece/96, generations[1:]
	}
	for _, g := range generations {
		t.Run(g.String(), func(t *testing.T) {
			t.Parallel()
			s := &counting{pattern: pattern()}
			clock := new(wiretest.Clock)
			service := &upload.Service{Store: s, State: state.Memory(clock.Now), Now: clock.Now}
			line := within{mountWith(service, int64(piece))}
			visit := func() *client {
				return &client{generation: g, t: t, backend: "http://up.example/upload-backend", name: "film", modified: "1400000000123", chunk: piece, workers: 4,
					now: clock.Now, line: line, size: size,
					source: func(from, to int) io.Reader {
						return &endless{s.pattern, extent.Extent{Start: int64(from), End: int64(to)}}
					}}
			}
			first := visit()
			if first.stop = 5000; first.run(false) {
				t.Fatal("the page was not closed")
			}
			second := visit()
			if !second.run(false) || second.did != nil {
				t.Fatalf("it was not uploaded: %v", second.did)
			}
			all := slices.Sorted(slices.Values(slices.Concat(first.sent, second.sent)))
			if !slices.Equal(all, numbers(8534)) || len(second.session.Chunks) != 5000 {
				t.Errorf("sent %d and %d chunks", len(first.sent), len(second.sent))
			}
			var want store.CRC
			buffer := make([]byte, 1<<20)
			for r := (&endless{s.pattern, extent.Extent{End: int64(size)}}); ; {
				n, err := r.Read(buffer)
				if want = want.Update(buffer[:n]); err != nil {
					break
				}
			}
			if s.puts != 8534 || s.bytes != int64(size) || s.final.Size != int64(size) || s.final.CRC != want {
				t.Errorf("the store has taken %d bytes by %d puts, and made %d of CRC %v, want %v", s.bytes, s.puts, s.final.Size, s.final.CRC, want)
			}
		})
	}
}
