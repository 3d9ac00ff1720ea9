package ietf

import (
	"fmt"
	"mime"
	"net/http"
	"strings"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/internal/wire"
	"github.com/muleteer/muleteer/upload"
)

// content is what a request with a body says of it.
type content struct {
	at       int64 // offset of its first byte
	len      int64 // bytes, -1 if unknown
	size     int64 // of the whole file, -1 if this request does not say
	complete bool  // the file ends where the body ends
}

// sized finds out how long the file is. There are two ways to say so, and they
// must not contradict.
func (c *content) sized(h http.Header) error {
	c.size = -1
	if n, said := integer(h, length); said == valid {
		c.size = n
	}
	if !c.complete || c.len < 0 {
		return nil
	}
	if c.len > extent.Max-c.at {
		return fmt.Errorf("%w: %d bytes at %d", upload.ErrInvalid, c.len, c.at)
	}
	end := c.at + c.len
	if c.size >= 0 && c.size != end {
		return fmt.Errorf("%w: %s says %d bytes, and the last of them is number %d", upload.ErrSize, length, c.size, end)
	}
	c.size = end
	return nil
}

// bounded tells whether the body is one that may come in one request.
func (a *answer) bounded(c content) error {
	switch {
	case a.MaxAppend > 0 && c.len > a.MaxAppend:
		return fmt.Errorf("%w: at most %d bytes", errLong, a.MaxAppend)
	case a.MinAppend > 0 && c.len >= 0 && c.len < a.MinAppend && !c.complete:
		return fmt.Errorf("%w: at least %d bytes must come in one request, unless it is the last", upload.ErrInvalid, a.MinAppend)
	}
	return nil
}

// creation reads what a request that begins an upload says of its body.
func (a *answer) creation() (c content, resumable bool, err error) {
	last, said := a.v.completeness(a.r.Header)
	resumable = said == valid
	c = content{len: a.r.ContentLength, complete: last || !resumable}
	if !resumable {
		c.size = c.len // an ordinary request has no other length
		return c, false, a.fits(c)
	}
	if err := c.sized(a.r.Header); err != nil {
		return c, true, err
	}
	if c.size >= 0 && c.len > c.size {
		return c, true, fmt.Errorf("%w: a body of %d bytes for a file of %d", upload.ErrSize, c.len, c.size)
	}
	if c.len != 0 || c.complete {
		if err := a.bounded(c); err != nil {
			return c, true, err
		}
	}
	return c, true, a.fits(c)
}

// fits tells whether a file of that size may come at all.
func (a *answer) fits(c content) error {
	if most := a.service.MaxSize; most > 0 && max(c.size, c.len) > most {
		return upload.ErrTooLarge
	}
	return nil
}

// appending reads what a request that goes on with an upload says of its body.
func (a *answer) appending() (c content, err error) {
	if a.v.partial && media(a.r.Header) != mediaType {
		return c, errMedia
	}
	c.len = a.r.ContentLength
	var said presence
	if c.at, said = integer(a.r.Header, offset); said != valid {
		return c, fmt.Errorf("%w: %s must be a number of bytes", upload.ErrInvalid, offset)
	}
	switch c.complete, said = a.v.completeness(a.r.Header); {
	case said == absent && a.v.lenient:
		c.complete = true
	case said != valid:
		return c, fmt.Errorf("%w: %s must be ?0 or ?1", upload.ErrInvalid, a.v.field)
	}
	if err := c.sized(a.r.Header); err != nil {
		return c, err
	}
	return c, a.bounded(c)
}

// media returns the media type of the body, "" if it has none.
func media(h http.Header) string {
	s, _, err := wire.Header(h, "Content-Type")
	if err != nil {
		return ""
	}
	t, _, err := mime.ParseMediaType(s)
	if err != nil {
		return ""
	}
	return t
}

// maxCoding is how many bytes of Content-Encoding are kept.
const maxCoding = 256

// new returns what the service has to know of a file that begins.
func (a *answer) new(c content) (n upload.New, err error) {
	h := a.r.Header
	n = upload.New{Protocol: Protocol, Size: c.size}
	if t := media(h); t != "" && t != mediaType {
		n.Type = h.Get("Content-Type")
	}
	if s, _, err := wire.Header(h, "Content-Disposition"); err == nil {
		if _, params, err := mime.ParseMediaType(s); err == nil {
			n.Meta.Name = strings.ToValidUTF8(params["filename"], "\uFFFD")
		}
	}
	if coding, _, err := wire.Header(h, "Content-Encoding"); err == nil && coding != "" && len(coding) <= maxCoding {
		n.Meta.Fields = map[string]string{"content-encoding": strings.ToValidUTF8(coding, "\uFFFD")}
	}
	n.Meta.Digests = digests(h, "Repr-Digest")
	if !c.complete && c.len > 0 {
		n.Chunk = c.len // it will go on as it begins
	}
	n.Word, err = wire.Word(h, nil, n.Meta.Name, n.Size)
	return n, err
}
