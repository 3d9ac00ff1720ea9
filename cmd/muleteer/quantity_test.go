package main

import (
	"testing"
	"time"
)

func TestSize(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "1": 1, "6291456": 6291456, "100MB": 100e6, "5GiB": 5 << 30, "5 gib": 5 << 30, " 1.5TiB ": 3 << 39,
		"0.5KiB": 512, "1kB": 1000, "7EiB": -1, "": -1, "5G": -1, "-1": -1, "+1": -1, "1e6": -1, "GiB": -1, "1.2.3MB": -1,
		"9223372036854775807": 1<<63 - 1, "9223372036854775808": -1, "9000PB": 9000e15, "9999999999GiB": -1, "0x10": -1, "5GiBx": -1, "Inf": -1,
	} {
		var got size
		err := got.UnmarshalText([]byte(text))
		if (err != nil) != (want < 0) || err == nil && int64(got) != want {
			t.Errorf("%q: got %d, %v; want %d", text, int64(got), err, want)
		}
	}
	for n, want := range map[size]string{
		0: "0 B", 1023: "1023 B", 1024: "1 KiB", 1536: "1.5 KiB", 6291456: "6 MiB", 50 << 30: "50 GiB",
		1023 << 10: "1.0 MiB", 100_000_000: "95.4 MiB", 1<<63 - 1: "8.0 EiB", 5 << 40: "5 TiB",
	} {
		if got := n.String(); got != want && !(n == 1<<63-1 && got == "8 EiB") {
			t.Errorf("%d: got %s, want %s", int64(n), got, want)
		}
	}
}

func TestSpan(t *testing.T) {
	const day = 24 * time.Hour
	for text, want := range map[string]time.Duration{
		"7d": 7 * day, "24h": day, "90s": 90 * time.Second, "1d12h": 36 * time.Hour, "1h30m": 90 * time.Minute, "10ms": 10 * time.Millisecond,
		"": 0, "0": 0, "0d": 0, "-1h": 0, "-1d": 0, "7": 0, "7 days": 0, "d": 0, "1.5d": 0, "70000d": 0, "1d-24h": 0,
	} {
		var got span
		err := got.UnmarshalText([]byte(text))
		if (err != nil) != (want == 0) || err == nil && time.Duration(got) != want {
			t.Errorf("%q: got %v, %v; want %v", text, time.Duration(got), err, want)
		}
	}
	for d, want := range map[time.Duration]string{
		day: "1 day", 7 * day: "7 days", 36 * time.Hour: "36h", 90 * time.Minute: "1h30m", 90 * time.Second: "1m30s", 50 * time.Millisecond: "50ms",
	} {
		if got := span(d).String(); got != want {
			t.Errorf("%v: got %s, want %s", d, got, want)
		}
	}
}
