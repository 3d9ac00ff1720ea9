package wire_test

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/muleteer/muleteer/internal/wire"
	"github.com/muleteer/muleteer/upload"
)

// TestWord: the client's own word comes before the one that is made for it.
func TestWord(t *testing.T) {
	t.Parallel()
	const own = wire.WordHeader
	all := map[string]string{"lastModified": "1700000000123", "fingerprint": "field"}
	long := strings.Repeat("a", upload.WordLimit)
	for _, c := range []struct {
		name   string
		header []string
		fields map[string]string
		file   string
		size   int64
		word   string
		bad    bool
	}{
		{"header", []string{"header"}, all, "a", 1, "header", false},
		{"field", nil, all, "a", 1, "field", false},
		{"made", nil, map[string]string{"lastModified": "1700000000123"}, "a.bin", 12, "a.bin,12,1700000000123", false},
		{"last_modified", nil, map[string]string{"last_modified": "1700000000123"}, "a", 0, "a,0,1700000000123", false},
		{"mtime", nil, map[string]string{"mtime": "-1"}, "a", 0, "a,0,-1", false},
		{"a date", nil, map[string]string{"mtime": "2023-11-14T22:13:20.123Z"}, "a", 1, "a,1,1700000000123", false},
		{"with a fraction", nil, map[string]string{"mtime": "1.700000000123e12"}, "a", 1, "a,1,1700000000123", false},
		{"no time", nil, nil, "a", 1, "", false},
		{"a time that is not known", nil, map[string]string{"last_modified": "0"}, "a", 1, "", false},
		{"a time of another form", nil, map[string]string{"mtime": "yesterday"}, "a", 1, "", false},
		{"too far away", nil, map[string]string{"mtime": "1e300"}, "a", 1, "", false},
		{"no size", nil, map[string]string{"mtime": "5"}, "a", -1, "", false},
		{"no name", nil, map[string]string{"mtime": "5"}, "", 1, "", false},
		{"a comma", nil, map[string]string{"mtime": "5"}, "a,1", 1, "a%2C1,1,5", false},
		{"as encodeURIComponent", nil, map[string]string{"mtime": "5"}, "ü -_.!~*'()/%🎒", 1, "%C3%BC%20-_.!~*'()%2F%25%F0%9F%8E%92,1,5", false},
		{"a long name", nil, map[string]string{"mtime": "5"}, strings.Repeat("ü", 255), 1, "", false},
		{"the longest", []string{long}, nil, "", -1, long, false},
		{"too long", []string{long + "a"}, nil, "", -1, "", true},
		{"too long in a field", nil, map[string]string{"fingerprint": long + "a"}, "", -1, "", true},
		{"empty", []string{""}, all, "", -1, "", true},
		{"two", []string{"a", "a"}, nil, "", -1, "", true},
		{"control", nil, map[string]string{"fingerprint": "a\nb"}, "", -1, "", true},
		{"no text", []string{"\xff"}, nil, "", -1, "", true},
	} {
		word, err := wire.Word(http.Header{own: c.header}, wire.Field(c.fields), c.file, c.size)
		if word != c.word || errors.Is(err, upload.ErrInvalid) != c.bad || (err != nil) != c.bad {
			t.Errorf("%s: %q, %v; want %q", c.name, word, err, c.word)
		}
	}
}

// FuzzWord: what the server makes of a name, a size and a time are these and no
// others, and what it takes for a word is one.
func FuzzWord(f *testing.F) {
	f.Add("", "a.bin", int64(12), "1700000000123")
	f.Add("word", "a,b\xff", int64(-1), "2023-11-14T22:13:20.123+01:00")
	f.Add("a\nb", strings.Repeat("%", 400), int64(1), "-8.64e15")
	f.Fuzz(func(t *testing.T, own, name string, size int64, modified string) {
		word, err := wire.Word(nil, wire.Field(map[string]string{"fingerprint": own, "mtime": modified}), name, size)
		switch {
		case err != nil && (word != "" || !errors.Is(err, upload.ErrInvalid)):
			t.Fatalf("%q, %v", word, err)
		case err != nil || word == "":
			return
		case upload.CheckWord(word) != nil:
			t.Fatalf("%q is no word", word)
		case own != "":
			if word != own {
				t.Fatalf("%q was told, and is %q", own, word)
			}
			return
		}
		fields := strings.Split(word, ",")
		if len(fields) != 3 {
			t.Fatalf("%q has %d fields", word, len(fields))
		}
		got, err := url.PathUnescape(fields[0])
		n, err2 := strconv.ParseInt(fields[1], 10, 64)
		ms, err3 := strconv.ParseInt(fields[2], 10, 64)
		if err != nil || err2 != nil || err3 != nil || got != name || n != size || ms == 0 || wire.FileWord(name, size, ms) != word {
			t.Fatalf("%q of %q, %d, %q", word, name, size, modified)
		}
	})
}
