package wire

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/muleteer/muleteer/upload"
)

// How a client that begins an upload tells its word for the file, by any
// protocol: in this header, or in this field of its metadata.
const (
	WordHeader = "X-Upload-Fingerprint"
	WordField  = "fingerprint"
)

// times are the fields in which clients tell when a file was changed.
var times = [...]string{"lastModified", "last_modified", "mtime"}

// Word returns the word for a file of which an upload begins: the client's own,
// or, where it has none, what FileWord makes of the name, the size and the time
// that it tells; "" where that is not enough. A bad word is ErrInvalid. field
// returns a field of the metadata, "" if it is not there; nil: there is none.
func Word(h http.Header, field func(name string) string, name string, size int64) (string, error) {
	word, said, err := Header(h, WordHeader)
	if err != nil {
		return "", err
	}
	if field == nil {
		field = func(string) string { return "" }
	}
	if !said {
		word = field(WordField)
		said = word != ""
	}
	if said {
		if err := upload.CheckWord(word); err != nil {
			return "", fmt.Errorf("%s: %w", strings.ToLower(WordHeader), err)
		}
		return word, nil
	}
	for _, t := range times {
		if ms := milliseconds(field(t)); ms != 0 {
			return FileWord(name, size, ms), nil
		}
	}
	return "", nil
}

// Field makes of metadata what Word wants to ask.
func Field(fields map[string]string) func(string) string {
	return func(name string) string { return fields[name] }
}

// FileWord is the word that pages make of a file, and the server for clients that
// tell none (docs/resumable.md): its name as encodeURIComponent writes it
// (ECMA-262, section 19.2.6.4), its size in bytes, and when it was changed in
// milliseconds since 1970, with commas between them, of which the name has none.
// It is "" if one of them is not known, or the name is too long.
func FileWord(name string, size, modified int64) string {
	if name == "" || size < 0 || modified == 0 {
		return ""
	}
	var word strings.Builder
	for i := range len(name) {
		c := name[i]
		if 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || strings.IndexByte("-_.!~*'()", c) >= 0 {
			word.WriteByte(c)
		} else {
			fmt.Fprintf(&word, "%%%02X", c)
		}
	}
	fmt.Fprintf(&word, ",%d,%d", size, modified)
	if word.Len() > upload.WordLimit {
		return ""
	}
	return word.String()
}

// milliseconds reads a time as clients tell it: a number of milliseconds since
// 1970, or a date (RFC 3339); 0 if it is neither, or is not known.
func milliseconds(text string) int64 {
	const most = 8.64e15 // of a Date (ECMA-262, section 21.4.1.1)
	if n, err := strconv.ParseFloat(text, 64); err == nil && math.Abs(n) <= most {
		return int64(n)
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t.UnixMilli()
	}
	return 0
}
