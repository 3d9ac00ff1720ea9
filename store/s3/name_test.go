package s3

import (
	"errors"
	"strings"
	"testing"

	"github.com/muleteer/muleteer/store"
)

const (
	anID  = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	other = "ZYXWVUTSRQPONMLKJIHGFEDCBA"
)

// An object is made under its own key only where nobody else can have it, and
// where nobody can take it for another upload's.
func TestDirect(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		o    store.Object
		want bool
	}{
		{store.Object{ID: anID, Key: anID + "/a.txt"}, true},
		{store.Object{ID: anID, Key: anID + "/a.txt", Hidden: true}, false},
		{store.Object{ID: anID, Key: anID}, false}, // "ID (1)" could be a name beside it
		{store.Object{ID: anID, Key: "a/" + anID}, false},
		{store.Object{ID: anID, Key: "a.txt"}, false},
		{store.Object{ID: anID, Key: "a.txt", Overwrite: true}, true},
		{store.Object{ID: anID, Key: other + "/a.txt"}, false},
		{store.Object{ID: anID, Key: other + "/a.txt", Overwrite: true}, false}, // it would be swept as the other's
		{store.Object{ID: anID, Key: other, Overwrite: true}, false},
		{store.Object{ID: "an-id-of-another-kind-123456", Key: "an-id-of-another-kind-123456/a"}, false},
	} {
		if got := direct(c.o); got != c.want {
			t.Errorf("%+v: %v, want %v", c.o, got, c.want)
		}
	}
}

func TestToken(t *testing.T) {
	t.Parallel()
	for _, h := range []handle{{2, true, "a"}, {4, false, "x:y z/é"}} {
		if got, err := parseToken(h.token()); err != nil || got != h {
			t.Errorf("%+v became %q and %+v, %v", h, h.token(), got, err)
		}
	}
	for _, token := range []string{"", ":", "2:a", "d:a", "2x:a", "2d:", "0d:a", "-1s:a", "999s:a"} {
		if h, err := parseToken(token); err == nil {
			t.Errorf("%q is taken for %+v", token, h)
		}
	}
}

func TestReceipt(t *testing.T) {
	t.Parallel()
	n, etag, err := parseReceipt(partReceipt(7, `"a b"`))
	if n != 7 || etag != `"a b"` || err != nil {
		t.Errorf("%d, %s, %v", n, etag, err)
	}
	for _, receipt := range []string{"", "7", "0 a", "10001 a", "x a", " a"} {
		if _, _, err := parseReceipt(receipt); !errors.Is(err, store.ErrParts) {
			t.Errorf("%q: %v, want ErrParts", receipt, err)
		}
	}
}

func TestBesidePrefix(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"a", "a.txt", "dir/a.txt", "dir.d/a", "x (1)", strings.Repeat("ä", 125) + ".tar", strings.Repeat("n", 255)} {
		p := besidePrefix(key)
		for _, n := range []int{1, 2, 9, 10, 99, 12345, 99_999_999} {
			if b := store.Beside(key, n); !strings.HasPrefix(b, p) {
				t.Errorf("%q does not begin with %q", b, p)
			}
		}
		if len(p) < len(key)/2 {
			t.Errorf("of %q only %q is left", key, p)
		}
	}
}
