package contentrange_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/muleteer/muleteer/protocol/contentrange"
	"github.com/muleteer/muleteer/state"
	"github.com/muleteer/muleteer/store/mem"
	"github.com/muleteer/muleteer/upload"
)

// The ranges of a file that was refused for what it is do not begin it anew,
// when they come after the first; the file itself may come again.
func TestRangesOfARefusedFile(t *testing.T) {
	t.Parallel()
	s := &upload.Service{Store: mem.New(mem.Options{}), State: state.Memory(nil), Types: []string{"image/*"}, Sniff: http.DetectContentType}
	h := contentrange.Handler(s, contentrange.Options{})
	put := func(span, body string) int {
		r := httptest.NewRequest("PUT", "/upload/a", strings.NewReader(body))
		r.Header.Set("Content-Range", "bytes "+span)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code
	}
	bad := strings.Repeat("%PDF-1.4", 1000)
	for _, c := range []struct {
		span, body string
		status     int
	}{
		{"0-7999/16000", bad, 415},
		{"8000-15999/16000", bad, 415},
		{"12000-15999/16000", bad[:4000], 415},
		{"0-7999/16000", bad, 415},
		{"0-7999/16000", "GIF89a" + strings.Repeat("x", 7994), 308},
		{"8000-15999/16000", bad, 200},
	} {
		if got := put(c.span, c.body); got != c.status {
			t.Errorf("%s: %d, want %d", c.span, got, c.status)
		}
	}
	n := 0
	for u, err := range s.Find(t.Context(), upload.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		if u.Phase != upload.Gone {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d uploads are there", n)
	}
}
