package store

import (
	"math/rand/v2"
	"testing"
)

func TestCRC(t *testing.T) {
	// The check value of the CRC catalogue for CRC-64/NVME.
	if got := CRC(0).Update([]byte("123456789")); got != 0xae8b14860a799888 {
		t.Fatalf("check value: got %#x", uint64(got))
	}
	if got, want := CRC(0xae8b14860a799888).String(), "rosUhgp5mIg="; got != want {
		t.Errorf("String: got %s, want %s", got, want)
	}
	if c, err := ParseCRC("rosUhgp5mIg="); err != nil || c != 0xae8b14860a799888 {
		t.Errorf("ParseCRC: got %#x, %v", uint64(c), err)
	}
	for _, s := range []string{"", "rosUhgp5mIg", "AAAA", "rosUhgp5mIg= "} {
		if _, err := ParseCRC(s); err == nil {
			t.Errorf("ParseCRC(%q): no error", s)
		}
	}
}

// CRCs of parts that arrived in any order combine to the CRC of the whole.
func TestCRCAppend(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		b := make([]byte, rnd.IntN(5000))
		for i := range b {
			b[i] = byte(rnd.Uint32())
		}
		k := rnd.IntN(len(b) + 1)
		got := CRC(0).Update(b[:k]).Append(CRC(0).Update(b[k:]), int64(len(b)-k))
		if want := CRC(0).Update(b); got != want {
			t.Fatalf("%d+%d bytes: got %#x, want %#x", k, len(b)-k, uint64(got), uint64(want))
		}
	}
	if got := CRC(7).Append(0, 0); got != 7 {
		t.Errorf("appending nothing: got %#x", uint64(got))
	}
}
