package tus

import (
	"fmt"
	"mime"
	"net/http"

	"github.com/muleteer/muleteer/internal/wire"
	"github.com/muleteer/muleteer/upload"
)

const mediaType = "application/offset+octet-stream"

// number reads a header that is a number; -1 if it is not there.
func number(h http.Header, name string) (int64, error) {
	s, present, err := wire.Header(h, name)
	if err != nil || !present {
		return -1, err
	}
	n, err := wire.Int(s)
	if err != nil {
		return -1, fmt.Errorf("%s: %w", name, err)
	}
	return n, nil
}

// media tells whether the body is of the type that carries bytes of a file.
func media(h http.Header) bool {
	s, _, err := wire.Header(h, "Content-Type")
	if err != nil {
		return false
	}
	t, _, err := mime.ParseMediaType(s)
	return err == nil && t == mediaType
}

// creation is what a POST says.
type creation struct {
	length   int64 // -1: comes later, or with the sources
	metadata metadata
	concat   concat
	sum      *checksum // nil: none
	word     string    // for the file, "" if it has none
}

func (h *handler) parseCreation(r *http.Request) (c creation, err error) {
	if c.length, err = number(r.Header, "Upload-Length"); err != nil {
		return c, err
	}
	deferred, isDeferred, err := wire.Header(r.Header, "Upload-Defer-Length")
	if err != nil {
		return c, err
	}
	if isDeferred && deferred != "1" {
		return c, fmt.Errorf("%w: Upload-Defer-Length can only be 1", upload.ErrInvalid)
	}
	if c.concat, err = h.parseConcat(r); err != nil {
		return c, err
	}
	switch final := c.concat.sources != nil; {
	case final && (isDeferred || c.length >= 0):
		return c, fmt.Errorf("%w: a concatenation is as long as its parts", upload.ErrInvalid)
	case !final && isDeferred == (c.length >= 0):
		return c, fmt.Errorf("%w: either Upload-Length or Upload-Defer-Length must be given", upload.ErrInvalid)
	}
	if c.metadata, err = parseMetadata(r.Header); err != nil {
		return c, err
	}
	if c.word, err = wire.Word(r.Header, func(name string) string { return c.metadata.first(name) }, c.metadata.name(), c.length); err != nil {
		return c, err
	}
	if c.sum, err = parseChecksum(r); err != nil {
		return c, err
	}
	// What is clear before the body need not wait for it.
	if limit := h.service.MaxSize; limit > 0 && c.length > limit {
		return c, upload.ErrTooLarge
	}
	if c.length >= 0 && r.ContentLength > c.length {
		return c, fmt.Errorf("%w: a body of %d bytes for %d", upload.ErrTooLarge, r.ContentLength, c.length)
	}
	return c, nil
}

// empty tells whether the request has no body. Where only the body itself can
// tell, it is asked; b is then what to read instead of it.
func empty(w http.ResponseWriter, r *http.Request) (bool, error) {
	if r.ContentLength >= 0 {
		return r.ContentLength == 0, nil
	}
	var one [1]byte
	b := wire.Body(w, r)
	for {
		n, err := b.Read(one[:])
		switch {
		case n > 0:
			return false, nil
		case b.Ended():
			return true, nil
		case err != nil:
			return false, err
		}
	}
}

// new returns what the service has to know.
func (c creation) new(r *http.Request) upload.New {
	n := upload.New{
		Protocol: "tus",
		Size:     c.length,
		Type:     c.metadata.mediaType(),
		Meta: upload.Meta{
			Name:   c.metadata.name(),
			Path:   c.metadata.first("relativePath"),
			Fields: c.metadata.fields,
			Wire:   map[string]string{},
		},
		Word:    c.word,
		Partial: c.concat.partial,
		Sources: c.concat.sources,
	}
	if c.metadata.raw != "" {
		n.Meta.Wire["Upload-Metadata"] = c.metadata.raw
	}
	if c.concat.raw != "" {
		n.Meta.Wire["Upload-Concat"] = c.concat.raw
	}
	if r.ContentLength > 0 && r.ContentLength != c.length {
		n.Chunk = r.ContentLength // it will go on as it begins
	}
	return n
}

// append is what a PATCH says.
type appending struct {
	offset int64
	length int64 // of the whole file, -1 if it is not said
	sum    *checksum
}

func parseAppending(r *http.Request) (a appending, err error) {
	if !media(r.Header) {
		return a, errMedia
	}
	if a.offset, err = number(r.Header, "Upload-Offset"); err != nil {
		return a, err
	}
	if a.offset < 0 {
		return a, fmt.Errorf("%w: Upload-Offset is not there", upload.ErrInvalid)
	}
	if a.length, err = number(r.Header, "Upload-Length"); err != nil {
		return a, err
	}
	a.sum, err = parseChecksum(r)
	return a, err
}
