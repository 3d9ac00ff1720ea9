package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// size is a number of bytes, as people write it: "5GiB", "100MB", "1.5 TiB" or
// plain bytes.
type size int64

// units are the names of sizes. A bare K or M is refused: some mean 1000 by it
// and some 1024.
var units = map[string]float64{
	"": 1, "b": 1,
	"kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12, "pb": 1e15,
	"kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40, "pib": 1 << 50,
}

func (s *size) UnmarshalText(text []byte) error {
	word := strings.TrimSpace(string(text))
	end := strings.LastIndexAny(word, "0123456789.") + 1
	number, unit := word[:end], strings.ToLower(strings.TrimSpace(word[end:]))
	factor, known := units[unit]
	if !known || number == "" || strings.Trim(number, "0123456789.") != "" {
		return fmt.Errorf("%q is no size: write bytes, or 100MB, 5GiB", text)
	}
	if n, err := strconv.ParseInt(number, 10, 64); err == nil && n <= math.MaxInt64/int64(factor) {
		*s = size(n * int64(factor))
		return nil
	}
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || n*factor >= math.MaxInt64 || n > 0 && n*factor < 1 { // zero would be no limit
		return fmt.Errorf("%q is no size, or too large or too small a one", text)
	}
	*s = size(n * factor)
	return nil
}

// String tells the size in the units that are exact powers of 1024.
func (s size) String() string {
	if s < 1<<10 {
		return fmt.Sprintf("%d B", int64(s))
	}
	n, unit := float64(s), ""
	for _, unit = range []string{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"} {
		if n /= 1 << 10; n < 1000 {
			break
		}
	}
	digits := 1
	if n >= 100 || n == math.Trunc(n) {
		digits = 0
	}
	return strconv.FormatFloat(n, 'f', digits, 64) + " " + unit
}

// span is a length of time, as people write it: "90s", "24h", "7d", "1d12h".
type span time.Duration

func (d *span) UnmarshalText(text []byte) error {
	rest, total := strings.TrimSpace(string(text)), time.Duration(0)
	if days, after, found := strings.Cut(rest, "d"); found {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil {
			return fmt.Errorf("%q is no length of time: write 90s, 24h or 7d", text)
		}
		rest, total = after, time.Duration(n)*24*time.Hour
	}
	if rest != "" || total == 0 {
		n, err := time.ParseDuration(rest)
		if err != nil || strings.ContainsAny(rest, "+-") {
			return fmt.Errorf("%q is no length of time: write 90s, 24h or 7d", text)
		}
		total += n
	}
	if total <= 0 {
		return fmt.Errorf("%q is no length of time that can pass", text)
	}
	*d = span(total)
	return nil
}

// String tells whole days as such.
func (d span) String() string {
	const day = 24 * time.Hour
	t := time.Duration(d)
	switch {
	case t == day:
		return "1 day"
	case t >= day && t%day == 0:
		return fmt.Sprintf("%d days", t/day)
	}
	s := t.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
