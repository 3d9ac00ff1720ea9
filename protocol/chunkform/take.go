package chunkform

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/muleteer/muleteer/internal/wire"
	"github.com/muleteer/muleteer/upload"
)

// take answers a request that brings a chunk, or asks for the result.
func (h *handler) take(a *answer) error {
	s := a.said
	kind, _, _ := mime.ParseMediaType(a.r.Header.Get("Content-Type"))
	switch {
	case strings.HasPrefix(kind, "multipart/"):
		return h.form(a, s)
	case kind == "application/json", kind == "application/x-www-form-urlencoded":
		return h.conclude(a, s)
	}
	a.body = wire.Body(a.w, a.r)
	q, err := h.request(s, nil)
	if a.q = q; err != nil {
		return err
	}
	if q.length < 0 && a.r.ContentLength >= 0 {
		q.length = a.r.ContentLength
	}
	if q.kind == "" {
		q.kind = a.r.Header.Get("X-Mime-Type")
	}
	u, err := h.write(a.r.Context(), q, a.content(a.body, a.body.Interrupt))
	return a.told(u, err)
}

// form takes the chunk of a form. Fields that come before the file tell where
// it belongs as it passes; else it waits for them.
func (h *handler) form(a *answer, s *said) error {
	form, err := wire.NewForm(a.w, a.r)
	if err != nil {
		return err
	}
	a.form, a.body = form, form.Body()
	var file *wire.FormPart
	var c *content
	var u *upload.Record
	for {
		part, err := form.Next()
		if err == io.EOF {
			break
		}
		if err != nil && u != nil && a.body.Err() != nil {
			return a.told(u, nil) // the line broke, but the chunk is here
		}
		if err != nil {
			return err
		}
		bytes, err := a.bytes(s, part)
		switch {
		case err != nil:
			return err
		case bytes == nil:
			continue
		case file != nil:
			return fmt.Errorf("a form with a chunk has one file: %w", upload.ErrInvalid)
		}
		file, c = part, bytes
		if _, _, known := s.speaker(); !known {
			if err := c.hold(a.r.Context()); err != nil {
				return held(c, err)
			}
			continue
		}
		if a.q, err = h.request(s, file); err != nil {
			return err
		}
		if u, err = h.write(a.r.Context(), a.q, c); err != nil || a.body.Err() != nil {
			return a.told(u, err) // without an error, another request has brought the chunk
		}
	}
	switch {
	case file == nil && a.concludes(s):
		return h.result(a, s)
	case file == nil:
		return fmt.Errorf("the form has no file: %w", upload.ErrInvalid)
	case a.q == nil:
		if a.q, err = h.request(s, file); err != nil {
			return err
		}
		if u, err = h.write(a.r.Context(), a.q, c); err != nil {
			return a.told(u, err)
		}
	}
	_ = form.Drain() // the chunk is here, whatever comes after it
	return a.told(u, nil)
}

// content returns the bytes of the chunk that a request brings.
func (a *answer) content(r io.Reader, interrupt func()) *content {
	a.release() // a form with two files is refused
	a.chunk = &content{r: r, interrupt: interrupt, most: a.r.ContentLength, memory: a.Memory}
	return a.chunk
}

// held tells why a chunk could not be held.
func held(c *content, err error) error {
	if err != errHeld {
		return err
	}
	limit := int(min(HoldLimit, c.memory.Size()))
	buf := make([]byte, 32<<10)
	var n int
	for {
		k, err := c.Read(buf)
		if n += k; n > limit {
			return fmt.Errorf("a chunk that comes before the fields that tell of it has at most %d bytes: %w", limit, upload.ErrTooLarge)
		}
		if err != nil {
			return err
		}
	}
}

// bytes returns the content of the file, if a part has it; other fields are
// kept.
func (a *answer) bytes(s *said, part *wire.FormPart) (*content, error) {
	if strings.HasPrefix(strings.ToLower(part.Type), "multipart/") {
		return nil, fmt.Errorf("a form within a form: %w", upload.ErrInvalid)
	}
	if part.File {
		return a.content(part, part.Interrupt), nil
	}
	if c, _, known := s.speaker(); known && c.namespace && (part.Name == s.prefix+fileField || a.Rename[part.Name] == fileField) {
		return a.text(part)
	}
	value, err := part.Text()
	if err == nil {
		s.add(part.Name, value)
	}
	return nil, err
}

// text returns the content of a field that holds a data URL.
func (a *answer) text(part *wire.FormPart) (*content, error) {
	part.Long()
	start := make([]byte, len(dataURL))
	var line *wire.BodyError
	if _, err := io.ReadFull(part, start); errors.As(err, &line) {
		return nil, err
	} else if err != nil || string(start) != dataURL {
		return nil, fmt.Errorf("the chunk is no file and no data URL: %w", upload.ErrInvalid)
	}
	r, err := decoded(part)
	return a.content(r, part.Interrupt), err
}

// concludes tells whether a form without a file asks for the result.
func (a *answer) concludes(s *said) bool {
	c, at, known := s.speaker()
	_, chunk := at.get(c.fields.number)
	return known && !chunk && (c.alone || merges(a.r))
}

// merges tells whether a page calls this to have its chunks put together.
func merges(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/merge") }
