package storetest

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/store"
)

var putPromises = []promise{
	{"Put takes parts in any order", putAnyOrder},
	{"Put takes concurrent parts of one object", putConcurrent},
	{"Put takes a run of many cells", putRuns},
	{"Put keeps what arrived when the body ends early or breaks", putBroken},
	{"Put takes bodies in pieces of any size", putSlow},
	{"Put must not read beyond the extent", putReadsNoMore},
	{"Put must never overwrite bytes outside the extent", putNeighbours},
	{"Put ends with the error of done", putDoneError},
	{"Put may be repeated for bytes that were not acknowledged", putAgain},
	{"Put of nothing acknowledges nothing", putNothing},
	{"Put takes an object of unknown size", putUnknownSize},
	{"Put refuses extents beyond the size", putBeyond},
	{"Put takes a large object in odd pieces", putLarge},
	{"What Put has acknowledged survives", putSurvives},
	{"A stale epoch never replaces what a newer one wrote", putStale},
}

// pieces cuts n bytes at random places, at most most bytes each.
func pieces(rnd *rand.Rand, n, most int64) []extent.Extent {
	var r []extent.Extent
	for pos := int64(0); pos < n; {
		e := extent.Extent{Start: pos, End: min(n, pos+1+rnd.Int64N(most))}
		r, pos = append(r, e), e.End
	}
	return r
}

func putAnyOrder(t *testing.T, s store.Store) {
	for i, size := range sizes(t, s) {
		seed := uint64(i)
		rnd := rand.New(rand.NewPCG(seed, 7))
		x := send(t, s, size, store.Spec{})
		all := pieces(rnd, size, size/5+2)
		rnd.Shuffle(len(all), func(i, k int) { all[i], all[k] = all[k], all[i] })
		for _, e := range all {
			x.put(e)
		}
		x.verifyAcknowledged()
		x.join()
		x.verify()
	}
}

func putConcurrent(t *testing.T, s store.Store) {
	c := cell(begin(t, s, store.Spec{Size: -1, Key: "probe"}))
	x := send(t, s, 3*c+5, store.Spec{})
	var wg sync.WaitGroup
	for _, e := range pieces(rand.New(rand.NewPCG(1, 8)), 3*c+5, c/3+1) {
		wg.Go(func() { x.put(e) })
	}
	wg.Wait()
	x.join()
	x.verify()
}

// The store cuts, whatever the run, its beginning and its end.
func putRuns(t *testing.T, s store.Store) {
	c := cell(begin(t, s, store.Spec{Size: -1, Key: "probe"}))
	size := 3*c + c/2
	x := send(t, s, size, store.Spec{})
	runs := []extent.Extent{{Start: c / 3, End: 2*c + c/3}, {Start: 2*c + c/3, End: size}, {End: c / 3}}
	for _, e := range runs {
		if n := x.putFrom(e, bytes.NewReader(x.data[e.Start:e.End])); n != e.Len() {
			t.Errorf("Put %s: %d bytes were acknowledged", e, n)
		}
	}
	x.verifyAcknowledged()
	x.join()
	x.verify()

	y := send(t, s, size, store.Spec{Key: "broken"}) // in the third of four cells
	got := 2*c + c/5
	if n := y.putFrom(extent.Extent{End: size}, io.MultiReader(bytes.NewReader(y.data[:got]), iotest.ErrReader(errBroken))); n != got {
		t.Errorf("Put of a body that broke at %d: %d bytes were acknowledged", got, n)
	}
	y.putFrom(extent.Extent{Start: got, End: size}, bytes.NewReader(y.data[got:]))
	y.join()
	y.verify()

	z := send(t, s, size, store.Spec{Key: "refused"}) // done's error ends all of it
	calls := 0
	if _, err := z.try(extent.Extent{End: size}, bytes.NewReader(z.data), func(store.Part) error { calls++; return errBroken }); !errors.Is(err, errBroken) || calls != 1 {
		t.Errorf("Put: %v after %d calls of done, want done's own error after the first", err, calls)
	}
	z.whole()
	z.verify()
}

var errBroken = errors.New("the line broke")

func putBroken(t *testing.T, s store.Store) {
	for _, n := range []int64{0, 1, 4095, 4096, 70_001} {
		for name, end := range map[string]error{"EOF": io.EOF, "unexpected EOF": io.ErrUnexpectedEOF, "broken": errBroken} {
			x := send(t, s, 80_000, store.Spec{})
			cut, _ := x.o.Grid.At(0)
			e := extent.Extent{End: min(cut.End, 80_000)}
			n := min(n, e.Len()-1)
			bodies := map[string]io.Reader{
				"after the bytes":     io.MultiReader(bytes.NewReader(x.data[:n]), iotest.ErrReader(end)),
				"with the last bytes": iotest.DataErrReader(io.MultiReader(bytes.NewReader(x.data[:n]), iotest.ErrReader(end))),
			}
			for when, r := range bodies {
				x.parts = nil
				if got := x.putFrom(e, r); got != n {
					t.Errorf("%s %s at %d: %d bytes were acknowledged", name, when, n, got)
				}
			}
			x.verifyAcknowledged()
			x.put(extent.Extent{Start: n, End: 80_000})
			x.join()
			x.verify()
		}
	}
}

func putSlow(t *testing.T, s store.Store) {
	for name, slow := range map[string]func(io.Reader) io.Reader{
		"one byte at a time":     iotest.OneByteReader,
		"half at a time":         iotest.HalfReader,
		"with empty reads":       func(r io.Reader) io.Reader { return &hesitant{r: r} },
		"the end with the bytes": iotest.DataErrReader,
	} {
		x := send(t, s, 30_001, store.Spec{})
		for e := range x.o.Grid.Cut(extent.Extent{End: 30_001}) {
			if n := x.putFrom(e, slow(bytes.NewReader(x.data[e.Start:e.End]))); n != e.Len() {
				t.Errorf("%s: %d of %d bytes were acknowledged", name, n, e.Len())
			}
		}
		x.join()
		x.verify()
	}
}

// hesitant answers every other Read with nothing, which a Reader may.
type hesitant struct {
	r     io.Reader
	reads int
}

func (h *hesitant) Read(b []byte) (int, error) {
	if h.reads++; h.reads%2 == 0 {
		return 0, nil
	}
	return h.r.Read(b[:min(len(b), 1000)])
}

func putReadsNoMore(t *testing.T, s store.Store) {
	x := send(t, s, 20_000, store.Spec{})
	body := bytes.NewReader(append(bytes.Clone(x.data), "and more"...))
	for e := range x.o.Grid.Cut(extent.Extent{End: 20_000}) {
		if n := x.putFrom(e, body); n != e.Len() {
			t.Errorf("Put %s: %d bytes were acknowledged", e, n)
		}
	}
	if rest, _ := io.ReadAll(body); string(rest) != "and more" {
		t.Errorf("of what follows the extent, %q was left", rest)
	}
	x.join()
	x.verify()
}

func putNeighbours(t *testing.T, s store.Store) {
	x := send(t, s, 30_000, store.Spec{})
	x.put(extent.Extent{Start: 0, End: 9_999})
	x.put(extent.Extent{Start: 20_001, End: 30_000})
	x.verifyAcknowledged()
	x.put(extent.Extent{Start: 9_999, End: 20_001})
	x.join()
	x.verify()
}

func putDoneError(t *testing.T, s store.Store) {
	x := send(t, s, 20_000, store.Spec{})
	cut, _ := x.o.Grid.At(0)
	e := extent.Extent{End: min(cut.End, 20_000)}
	calls := 0
	_, err := x.try(e, bytes.NewReader(x.data[:e.End]), func(store.Part) error { calls++; return errBroken })
	if !errors.Is(err, errBroken) || calls != 1 {
		t.Errorf("Put: %v after %d calls of done, want done's own error after the first", err, calls)
	}
	x.whole()
	x.verify()
}

func putAgain(t *testing.T, s store.Store) {
	x := send(t, s, 20_000, store.Spec{})
	right := x.data
	x.data = random(20_000, 99) // these bytes are refused, so they must leave no trace
	for e := range x.o.Grid.Cut(extent.Extent{End: 20_000}) {
		if _, err := x.try(e, bytes.NewReader(x.data[e.Start:e.End]), func(store.Part) error { return errBroken }); !errors.Is(err, errBroken) {
			t.Errorf("Put: %v", err)
		}
	}
	x.data = right
	x.whole()
	x.verify()
}

func putNothing(t *testing.T, s store.Store) {
	x := send(t, s, 10, store.Spec{})
	for _, off := range []int64{0, 5, 10} {
		if n := x.putFrom(extent.Extent{Start: off, End: off}, iotest.ErrReader(errBroken)); n != 0 {
			t.Errorf("%d bytes of nothing were acknowledged", n)
		}
	}
	x.whole()
	x.verify()
}

// A body of unknown length is put cell by cell until it ends; the size is told
// afterwards, and only then can the last cell be filled.
func putUnknownSize(t *testing.T, s store.Store) {
	for _, size := range sizes(t, s) {
		x := send(t, s, -1, store.Spec{})
		x.data = random(size, 3)
		body := bytes.NewReader(x.data)
		for e := range x.o.Grid.Cut(extent.Extent{End: extent.Max}) {
			if n := x.putFrom(e, body); n < e.Len() {
				break
			}
		}
		x.o.Size = size
		x.join()
		x.verify()
	}
}

func putBeyond(t *testing.T, s store.Store) {
	x := send(t, s, 1000, store.Spec{})
	for _, e := range []extent.Extent{{Start: 0, End: 1001}, {Start: 1000, End: 1001}, {Start: -1, End: 1}, {Start: 5, End: 4}} {
		parts, err := x.try(e, bytes.NewReader(make([]byte, 2000)), func(store.Part) error { return nil })
		if err == nil || len(parts) > 0 {
			t.Errorf("Put %d to %d of 1000 bytes: %v with %d parts, want an error", e.Start, e.End, err, len(parts))
		}
	}
	x.whole()
	x.verify()
}

func putLarge(t *testing.T, s store.Store) {
	const size = 40<<20 + 12_345
	x := send(t, s, size, store.Spec{})
	rnd := rand.New(rand.NewPCG(2, 9))
	var wg sync.WaitGroup
	turns := make(chan struct{}, 4)
	all := pieces(rnd, size, 9<<20)
	rnd.Shuffle(len(all), func(i, k int) { all[i], all[k] = all[k], all[i] })
	for _, e := range all {
		turns <- struct{}{}
		wg.Go(func() { x.put(e); <-turns })
	}
	wg.Wait()
	x.join()
	x.verify()
	x.verifyAt(extent.Extent{Start: 12<<20 - 1, End: 25<<20 + 1})
}

func putSurvives(t *testing.T, s store.Store) {
	x := send(t, s, 200_000, store.Spec{})
	x.put(extent.Extent{Start: 150_000, End: 180_000})
	x.put(extent.Extent{Start: 0, End: 5_001})
	x.s = reopen(x.s)
	x.verifyAcknowledged()
	x.put(extent.Extent{Start: 5_001, End: 150_000})
	x.s = reopen(x.s)
	x.put(extent.Extent{Start: 180_000, End: 200_000})
	x.s = reopen(x.s)
	x.join()
	x.s = reopen(x.s)
	x.verify()
}

// Where there is no grid, one process owns the store and nobody is stale.
func putStale(t *testing.T, s store.Store) {
	x := send(t, s, cell(begin(t, s, store.Spec{Size: -1, Key: "probe"})), store.Spec{})
	x.o.Epoch = 2
	x.whole()
	if x.o.Grid.Cell == 0 {
		x.verify()
		return
	}
	y := send(t, s, int64(len(x.data)), store.Spec{Key: "other"})
	y.o.Epoch = 2
	y.put(extent.Extent{End: y.o.Size})
	stale := &sender{t: t, s: s, o: y.o, data: random(y.o.Size, 5)}
	stale.o.Epoch = 1
	stale.put(extent.Extent{End: y.o.Size})
	y.join()
	y.verify()
}
