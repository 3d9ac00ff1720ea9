package contentrange

import (
	"fmt"
	"strings"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/internal/wire"
	"github.com/muleteer/muleteer/upload"
)

// span is what a request says of the bytes that it carries.
type span struct {
	extent.Extent
	total int64 // of the whole file in bytes; -1 if the request does not say
	query bool  // it carries none and asks what is here
	start bool  // it has no Content-Range: its body is the file
}

// parse reads the value of a Content-Range (RFC 9110, section 14.4, as a
// request header) of a body with length bytes, -1 if that is not known.
//
// The RFC's last position is inclusive. The protocol's first server wanted it
// exclusive, and its clients still say it so; only the length of the body tells
// which of the two is meant.
func parse(value string, length int64) (span, error) {
	bad := func(why string) (span, error) {
		return span{}, fmt.Errorf("content-range %.100q: %s: %w", value, why, upload.ErrInvalid)
	}
	rest, ok := strings.CutPrefix(value, "bytes ")
	if !ok {
		return bad("the unit is not bytes")
	}
	positions, size, ok := strings.Cut(rest, "/")
	if !ok {
		return bad("there is no total")
	}
	total := int64(-1)
	if size != "*" {
		n, err := wire.Int(size)
		if err != nil {
			return bad("the total is not a number")
		}
		total = n
	}
	if positions == "*" {
		if length > 0 {
			return bad("a query has no body")
		}
		return span{total: total, query: true}, nil
	}
	f, l, ok := strings.Cut(positions, "-")
	if !ok {
		return bad("there is no range")
	}
	first, err1 := wire.Int(f)
	last, err2 := wire.Int(l)
	if err1 != nil || err2 != nil || first > last {
		return bad("the range is not one")
	}
	exclusive := length == last-first
	if length < 0 {
		exclusive = last == total
	}
	end := last
	if !exclusive {
		if last == extent.Max || length >= 0 && length != last-first+1 {
			return bad("the length of the body is another one")
		}
		end = last + 1
	}
	if total >= 0 && end > total {
		return bad("the range reaches beyond the total")
	}
	return span{Extent: extent.Extent{Start: first, End: end}, total: total}, nil
}
