package ietf

import (
	"net/http"

	"github.com/dunglas/httpsfv"
)

// presence tells what became of a field. What a structured field must not be
// is to be ignored as a whole (RFC 9651 §4.2, and this protocol for its own):
// most readers take ignored for absent.
type presence int

const (
	absent  presence = iota
	ignored          // it is there and is not what it has to be
	valid
)

// item reads a field that is an Item, with any parameters. Several lines of it
// are none.
func item[T bool | int64](h http.Header, name string) (value T, p presence) {
	lines := h.Values(name)
	if len(lines) == 0 {
		return value, absent
	}
	i, err := httpsfv.UnmarshalItem(lines)
	value, ok := i.Value.(T)
	if err != nil || !ok {
		return value, ignored
	}
	return value, valid
}

func boolean(h http.Header, name string) (bool, presence) { return item[bool](h, name) }

// integer reads a number from 0 to 999,999,999,999,999; there are no others in
// structured fields.
func integer(h http.Header, name string) (int64, presence) {
	n, p := item[int64](h, name)
	if n < 0 {
		return 0, ignored
	}
	return n, p
}

// dictionary reads a field that is a Dictionary; nil if it is not there or is
// none.
func dictionary(h http.Header, name string) *httpsfv.Dictionary {
	lines := h.Values(name)
	if len(lines) == 0 {
		return nil
	}
	d, err := httpsfv.UnmarshalDictionary(lines)
	if err != nil {
		return nil
	}
	return d
}

// setDictionary writes a dictionary, if it has anything in it.
func setDictionary(h http.Header, name string, d *httpsfv.Dictionary) {
	if len(d.Names()) == 0 {
		return
	}
	if s, err := httpsfv.Marshal(d); err == nil { // what we put in can be written
		h.Set(name, s)
	}
}
