package contentrange

import (
	"math"
	"testing"

	"github.com/muleteer/muleteer/extent"
)

func TestParseFlavours(t *testing.T) {
	const most = math.MaxInt64
	for _, c := range []struct {
		value      string
		length     int64
		start, end int64 // -1, -1 if it is refused
	}{
		{"bytes 0-9/20", 10, 0, 10},  // inclusive: the body has all of it
		{"bytes 0-9/20", 9, 0, 9},    // exclusive: it has one byte less
		{"bytes 0-9/20", 8, -1, -1},  // neither
		{"bytes 0-9/20", 11, -1, -1}, // neither
		{"bytes 0-9/20", -1, 0, 10},  // unknown
		{"bytes 10-19/20", -1, 10, 20},
		{"bytes 10-20/20", -1, 10, 20}, // unknown, and the end is the total
		{"bytes 10-20/20", 10, 10, 20},
		{"bytes 10-20/20", 11, -1, -1}, // inclusive it would be beyond the total
		{"bytes 10-21/20", 11, -1, -1},
		{"bytes 10-21/20", -1, -1, -1},
		{"bytes 5-5/20", 0, 5, 5},
		{"bytes 5-5/20", 1, 5, 6},
		{"bytes 9223372036854775806-9223372036854775806/9223372036854775807", 1, most - 1, most},
		{"bytes 9223372036854775806-9223372036854775807/9223372036854775807", 1, most - 1, most},
		{"bytes 9223372036854775806-9223372036854775807/*", 2, -1, -1},
		{"bytes 9223372036854775806-9223372036854775807/*", -1, -1, -1},
	} {
		got, err := parse(c.value, c.length)
		if c.start < 0 {
			if err == nil {
				t.Errorf("%s with %d bytes is read as %v", c.value, c.length, got)
			}
		} else if want := (extent.Extent{Start: c.start, End: c.end}); err != nil || got.Extent != want {
			t.Errorf("%s with %d bytes is read as %v, %v, want %v", c.value, c.length, got, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("bytes 0-9/20", int64(10))
	f.Add("bytes */20", int64(0))
	f.Add("bytes 9223372036854775806-9223372036854775807/*", int64(-1))
	f.Fuzz(func(t *testing.T, value string, length int64) {
		s, err := parse(value, max(length, -1))
		switch {
		case err != nil:
		case s.query && length > 0:
			t.Errorf("%q is a query with %d bytes", value, length)
		case s.query:
		case s.Start < 0 || s.End < s.Start:
			t.Errorf("%q is %v", value, s)
		case s.total >= 0 && s.End > s.total:
			t.Errorf("%q is beyond its total: %v", value, s)
		case length >= 0 && s.Len() != length:
			t.Errorf("%q is %d bytes with a body of %d", value, s.Len(), length)
		}
	})
}

func TestRangesFitIntoAHeader(t *testing.T) {
	s := extent.Of(extent.Extent{Start: 0, End: 10}, extent.Extent{Start: 20, End: 30}, extent.Extent{Start: 40, End: 50})
	for limit, want := range map[int]string{100: "0-9,20-29,40-49", 15: "0-9,20-29,40-49", 14: "0-9,20-29", 9: "0-9,20-29", 8: "0-9", 3: "0-9"} {
		if got := fitting(s, limit); got != want {
			t.Errorf("%d bytes: %q, want %q", limit, got, want)
		}
	}
	if got := fitting(nil, 3); got != "empty" && got != "" {
		t.Errorf("nothing is %q", got)
	}
}
