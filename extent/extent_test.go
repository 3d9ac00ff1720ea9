package extent

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// world is the file that the model speaks of: one bool per byte. It is small,
// so that random extents touch, overlap and cover each other all the time.
const world = 48

type model [world]bool

func (m *model) set(e Extent) {
	for i := e.Start; i < e.End; i++ {
		m[i] = true
	}
}

// where returns the bytes of e for which the model says what is asked.
func (m *model) where(e Extent, here bool) model {
	var r model
	for i := e.Start; i < e.End; i++ {
		r[i] = m[i] == here
	}
	return r
}

func (m *model) count() (n int64) {
	for _, here := range m {
		if here {
			n++
		}
	}
	return n
}

func (m *model) prefix() (n int64) {
	for n < world && m[n] {
		n++
	}
	return n
}

// extents is the slow way to write the model as a set.
func (m *model) extents() Set {
	var s Set
	for i := int64(0); i < world; i++ {
		switch {
		case !m[i]:
		case i > 0 && m[i-1]:
			s[len(s)-1].End = i + 1
		default:
			s = append(s, Extent{i, i + 1})
		}
	}
	return s
}

// FuzzSet looks for a script that nobody thought of.
func FuzzSet(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0, 10, 20, 30, 10, 20})             // the gap between two neighbours
	f.Add([]byte{0, 48})                             // everything
	f.Add([]byte{47, 48, 0, 1})                      // the ends
	f.Add([]byte{5, 5, 9, 3})                        // empty ones
	f.Add([]byte{1, 2, 3, 4, 5, 6, 7, 8, 0, 9})      // one covers many
	f.Add([]byte{10, 20, 12, 14, 10, 20, 9, 10})     // within, again, touching
	f.Add([]byte{0, 4, 8, 12, 16, 20, 2, 18, 30, 9}) // across several
	f.Fuzz(play)
}

// TestSet plays thousands of random scripts each time.
func TestSet(t *testing.T) {
	t.Parallel()
	var seed uint64
	defer func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	}()
	for ; seed < 5000; seed++ {
		r := rand.New(rand.NewPCG(seed, 1))
		ops := make([]byte, 2*r.IntN(24))
		for i := range ops {
			ops[i] = byte(r.UintN(256))
		}
		play(t, ops)
	}
}

// play takes every two bytes of ops as an extent that is added, and holds each
// answer against the model's.
func play(t *testing.T, ops []byte) {
	var s Set
	var m model
	var all []Extent
	for len(ops) >= 2 && len(all) < 100 {
		e := Extent{int64(ops[0] % (world + 1)), int64(ops[1] % (world + 1))}
		if e.End < e.Start && ops[1] < 200 { // the rest stay the wrong way round: empty
			e.Start, e.End = e.End, e.Start
		}
		ops = ops[2:]

		before := s.String()
		compare(t, s, &m, e)
		next := s.Add(e)
		if s.String() != before {
			t.Fatalf("Add(%v) changed its receiver from %s to %s", e, before, s)
		}
		if had := m.where(e, false); s.Missing(e).Len() != next.Len()-s.Len() || had.count() != next.Len()-s.Len() {
			t.Fatalf("Add(%v) to %s brought %d bytes, Missing says %d, the model %d",
				e, s, next.Len()-s.Len(), s.Missing(e).Len(), had.count())
		}
		s, all = next, append(all, e)
		m.set(e)
		compare(t, s, &m, e)
		same(t, "Add", s, m.extents())
	}
	if len(all) > 0 {
		first := all[0]
		same(t, "Of", Of(all...), s)
		if all[0] != first {
			t.Fatal("Of changed its arguments")
		}
	}
}

// compare asks the set and the model everything about e.
func compare(t *testing.T, s Set, m *model, e Extent) {
	t.Helper()
	gaps := m.where(e, false)
	same(t, "Missing", s.Missing(e), gaps.extents())
	if got, want := s.Has(e), gaps.count() == 0; got != want {
		t.Fatalf("%s.Has(%v) = %v, want %v", s, e, got, want)
	}
	if got, want := s.Prefix(), m.prefix(); got != want {
		t.Fatalf("%s.Prefix() = %d, want %d", s, got, want)
	}
	if got, want := s.Len(), m.count(); got != want {
		t.Fatalf("%s.Len() = %d, want %d", s, got, want)
	}
	for _, f := range s {
		var a, b, both model
		a.set(e)
		b.set(f)
		for i := range both {
			both[i] = a[i] && b[i]
		}
		got := e.Intersect(f)
		same(t, "Intersect", Of(got), both.extents())
		if got.Empty() != (both.count() == 0) || e.Overlaps(f) != (both.count() > 0) || f.Overlaps(e) != e.Overlaps(f) {
			t.Fatalf("%v and %v have %d bytes in common: Intersect %v, Overlaps %v", e, f, both.count(), got, e.Overlaps(f))
		}
		if want := both.count() == a.count(); f.Contains(e) != want {
			t.Fatalf("%v.Contains(%v) = %v, want %v", f, e, f.Contains(e), want)
		}
	}
}

// same also holds the set to its form: sorted, disjoint, nothing empty,
// nothing touching, because that is what the model's own form is.
func same(t *testing.T, what string, got, want Set) {
	t.Helper()
	if got.String() != want.String() || len(got) != len(want) {
		t.Fatalf("%s: got %q, want %q", what, got, want)
	}
}

// FuzzAt holds the arithmetic of offsets and lengths from the wire against
// numbers that cannot overflow.
func FuzzAt(f *testing.F) {
	for _, start := range []int64{0, 1, Max / 2, Max - 1, Max} {
		for _, n := range []int64{-1, 0, 1, Max / 2, Max - 1, Max} {
			f.Add(start, n)
		}
	}
	f.Fuzz(func(t *testing.T, start, n int64) {
		if start < 0 {
			return // not an offset
		}
		want := uint64(Max)
		if n >= 0 {
			want = min(want, uint64(start)+uint64(n))
		}
		if e := At(start, n); e.Start != start || uint64(e.End) != want || e.Len() < 0 {
			t.Fatalf("At(%d, %d) = {%d %d}, want {%d %d}", start, n, e.Start, e.End, start, want)
		}
	})
}

func TestSetNearMax(t *testing.T) {
	t.Parallel()
	s := Of(Extent{Max - 10, Max}, Extent{0, 10}, Extent{Max - 20, Max - 10})
	same(t, "Of", s, Set{{0, 10}, {Max - 20, Max}})
	same(t, "Missing", s.Missing(At(0, -1)), Set{{10, Max - 20}})
	same(t, "Add", s.Add(At(5, -1)), Set{{0, Max}})
	if !s.Has(Extent{Max - 1, Max}) || s.Has(Extent{Max - 21, Max}) {
		t.Errorf("%s: Has is wrong about the last bytes", s)
	}
}

func TestString(t *testing.T) {
	t.Parallel()
	for want, s := range map[string]Set{
		"":             nil,
		"0-0":          {{0, 1}},
		"0-99,200-299": {{0, 100}, {200, 300}},
	} {
		if got := s.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got := (Extent{7, 7}).String(); strings.ContainsAny(got, "0123456789") {
		t.Errorf("an empty extent has no first byte, but is written %q", got)
	}
}
