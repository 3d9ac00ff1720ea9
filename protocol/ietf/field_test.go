package ietf

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/muleteer/muleteer/state"
	"github.com/muleteer/muleteer/store/mem"
	"github.com/muleteer/muleteer/upload"
)

// TestD7Speaks: at a path of several protocols, tus wins over the fields that
// URLSession adds to everything, and so does whatever says more of its body.
func TestD7Speaks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		method, header string
		want           bool
	}{
		{"POST", "Upload-Complete: ?1", true},
		{"PUT", "Upload-Complete: ?0", true},
		{"PATCH", "Upload-Complete: ?0", true},
		{"POST", "Upload-Complete: ?1;a=b", true},
		{"POST", "Upload-Draft-Interop-Version: 8|Upload-Complete: ?1", true},
		{"POST", "Upload-Draft-Interop-Version: 3|Upload-Incomplete: ?0", true},
		{"POST", "Upload-Draft-Interop-Version: 99|Upload-Complete: ?1", true},
		{"PATCH", "Content-Type: application/partial-upload", true},
		{"HEAD", "Upload-Draft-Interop-Version: 6", true},
		{"DELETE", "Upload-Draft-Interop-Version: 8", true},

		{"POST", "Tus-Resumable: 1.0.0|Upload-Draft-Interop-Version: 6|Upload-Complete: ?1", false},
		{"PATCH", "Tus-Resumable: 1.0.0|Upload-Draft-Interop-Version: 8|Upload-Complete: ?1|Upload-Offset: 0", false},
		{"HEAD", "Tus-Resumable: 1.0.0|Upload-Draft-Interop-Version: 8", false},
		{"PUT", "Content-Range: bytes 0-9/10|Upload-Draft-Interop-Version: 8|Upload-Complete: ?1", false},
		{"POST", "X-Goog-Upload-Protocol: resumable|Upload-Draft-Interop-Version: 8|Upload-Complete: ?1", false},
		{"POST", "Content-Type: multipart/form-data; boundary=x|Upload-Draft-Interop-Version: 8|Upload-Complete: ?1", false},
		{"POST", "Upload-Complete: true", false},
		{"POST", "Upload-Complete: ?1|Upload-Complete: ?1", false},
		{"POST", "Upload-Draft-Interop-Version: 8", false},
		{"POST", "Upload-Incomplete: ?0", false},
		{"POST", "Upload-Draft-Interop-Version: 3|Upload-Complete: ?1", false},
		{"POST", "", false},
		{"GET", "", false},
		{"HEAD", "Upload-Draft-Interop-Version: 99", false},
		{"OPTIONS", "Upload-Draft-Interop-Version: 8", false},
	} {
		r := httptest.NewRequest(c.method, "/upload", http.NoBody)
		for line := range strings.SplitSeq(c.header, "|") {
			if name, value, ok := strings.Cut(line, ": "); ok {
				r.Header.Add(name, value)
			}
		}
		if got := Speaks(r); got != c.want {
			t.Errorf("%s with %s: %v", c.method, c.header, got)
		}
	}
}

// TestX5Fields: every value that is not the right one is ignored.
func TestX5Fields(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]int64{
		"0": 0, "7": 7, " 7 ": 7, "7;a": 7, "7;a=?1;b=\"x\"": 7, "007": 7, "-0": 0, "999999999999999": 999_999_999_999_999,
		"": -1, "-1": -1, "1000000000000000": -1, "9223372036854775808": -1, "7.0": -1, "7,7": -1, "7, 8": -1, "?1": -1,
		"\"7\"": -1, ":Nw==:": -1, "@7": -1, "seven": -1, "0x7": -1, "+7": -1, "7 7": -1, "7;": -1, "(7)": -1, "٧": -1, "7\x00": -1,
	} {
		n, said := integer(http.Header{"Upload-Offset": {value}}, offset)
		if want >= 0 && (said != valid || n != want) || want < 0 && said != ignored {
			t.Errorf("%q: %d, %v, want %d", value, n, said, want)
		}
	}
	if _, said := integer(http.Header{}, offset); said != absent {
		t.Error(said)
	}
	if _, said := integer(http.Header{"Upload-Offset": {"7", "7"}}, offset); said != ignored {
		t.Error(said)
	}
	for value, want := range map[string]presence{"?1": valid, "?0": valid, "?1;x": valid, "?2": ignored, "1": ignored, "true": ignored, "": ignored, "?1, ?1": ignored} {
		if _, said := boolean(http.Header{"Upload-Complete": {value}}, complete); said != want {
			t.Errorf("%q: %v", value, said)
		}
	}
}

// final keeps a recorder from taking a 104 for the answer.
type final struct{ *httptest.ResponseRecorder }

func (f final) WriteHeader(code int) {
	if code >= 200 {
		f.ResponseRecorder.WriteHeader(code)
	}
}

// FuzzFields: whatever the header says, what is understood of it makes sense,
// and the handler answers without a panic and keeps nothing but what it told of.
func FuzzFields(f *testing.F) {
	f.Add("8", "?1", "", "0", "10", "application/partial-upload", "sha-256=:AAAA:", "inline; filename*=UTF-8''a")
	f.Add("3", "", "?0", "5", "", "", "", "")
	f.Add("", "?0;a=b", "?1", "-1", "99999999999999999999", "text/plain; charset=\"", "a=(1 2);b, sha-512=?1", "x; filename=\"\xff\"")
	f.Fuzz(func(t *testing.T, version, yes, no, at, size, media, digest, disposition string) {
		h := http.Header{}
		for name, value := range map[string]string{
			interop: version, complete: yes, "Upload-Incomplete": no, offset: at, length: size,
			"Content-Type": media, "Content-Digest": digest, "Repr-Digest": digest, "Want-Repr-Digest": digest, "Content-Disposition": disposition,
		} {
			if value != "" {
				h[name] = []string{value}
			}
		}
		s := &upload.Service{Store: mem.New(mem.Options{}), State: state.Memory(nil), MaxSize: 1 << 20}
		handler := Handler(s, Options{})
		location := ""
		for _, method := range []string{"POST", "PATCH", "HEAD", "DELETE"} {
			r := httptest.NewRequest(method, "/rufh/", strings.NewReader("hello"))
			if method != "POST" {
				if location == "" {
					break
				}
				r.URL.Path = location
			}
			r.Header = h.Clone()
			w := httptest.NewRecorder()
			Speaks(r)
			handler.ServeHTTP(final{w}, r)
			if w.Code < 200 || w.Code == 500 || w.Code >= 600 {
				t.Errorf("%s: %d", method, w.Code)
			}
			if n, said := integer(w.Header(), offset); said == ignored || n > 10 {
				t.Errorf("%s: %s: %s", method, offset, w.Header().Get(offset))
			}
			if l := w.Header().Get("Location"); method == "POST" && l != "" {
				location = l[strings.Index(l, "/rufh/"):]
			}
		}
	})
}
