package store

import (
	"path"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Beside returns the n-th name beside a key that is taken, as people know it:
// "a.txt", "a (1).txt", "a (2).txt" …; for 0 it is the key itself. Its last
// segment is never longer than 255 bytes.
func Beside(key string, n int) string {
	if n == 0 {
		return key
	}
	dir, name := path.Split(key)
	ext := path.Ext(name)
	if ext == name || len(ext) > 32 || strings.Contains(ext, " (") {
		ext = ""
	}
	stem, tail := strings.TrimSuffix(name, ext), " ("+strconv.Itoa(n)+")"+ext
	for len(stem)+len(tail) > 255 {
		_, last := utf8.DecodeLastRuneInString(stem)
		stem = stem[:len(stem)-last]
	}
	return dir + stem + tail
}
