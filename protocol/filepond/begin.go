package filepond

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/muleteer/muleteer/internal/wire"
	"github.com/muleteer/muleteer/upload"
)

// begin takes a file, or begins one of which the chunks will come.
func (h *handler) begin(w http.ResponseWriter, r *http.Request) error {
	size, err := number(r.Header, "Upload-Length")
	if err != nil {
		return err
	}
	n := upload.New{Protocol: Protocol, Size: size, Meta: upload.Meta{Fields: map[string]string{}}}
	if n.Meta.Name, _, err = wire.Name(utf(r.Header.Get("Upload-Name"))); err != nil {
		return err
	}
	if media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); media != "multipart/form-data" {
		if r.ContentLength != 0 {
			return fmt.Errorf("a file comes as a form, or in chunks by PATCH: %w", upload.ErrInvalid)
		}
		return h.create(w, r, n)
	}
	form, err := wire.NewForm(w, r)
	if err != nil {
		return err
	}
	file, err := metadata(form, n.Meta.Fields)
	switch {
	case err != nil:
		return err
	case file == nil:
		if err := form.Drain(); err != nil {
			return err
		}
		return h.create(w, r, n)
	}
	return h.file(w, r, n, form, file)
}

// metadata reads the fields of a form up to its file; nil if there is none.
func metadata(form *wire.Form, fields map[string]string) (*wire.FormPart, error) {
	for {
		part, err := form.Next()
		if err == io.EOF {
			return nil, nil
		}
		if err != nil || part.File {
			return part, err
		}
		value, err := part.Text()
		if err != nil {
			return nil, err
		}
		if utf8.ValidString(part.Name) && utf8.ValidString(value) && value != "{}" {
			fields[part.Name] = value
		}
	}
}

// said looks for a field of the metadata that a page has set, which the client
// sends as a JSON object, or of the form.
func said(fields map[string]string) func(name string) string {
	all := maps.Clone(fields)
	for _, value := range fields {
		maps.Copy(all, wire.Object([]byte(value)))
	}
	return wire.Field(all)
}

// create begins a file in chunks.
func (h *handler) create(w http.ResponseWriter, r *http.Request, n upload.New) (err error) {
	if n.Word, err = wire.Word(r.Header, said(n.Meta.Fields), n.Meta.Name, n.Size); err != nil {
		return err
	}
	u, err := h.s.Create(r.Context(), n)
	if err != nil {
		return err
	}
	tell(w.Header(), u)
	text(w, http.StatusCreated, u.ID)
	return nil
}

// file takes the one file of a form. What breaks leaves nothing, as nobody
// could go on with it.
func (h *handler) file(w http.ResponseWriter, r *http.Request, n upload.New, form *wire.Form, file *wire.FormPart) (err error) {
	if n.Meta.Name, n.Meta.Path, err = wire.Name(wire.Unescape(file.Filename)); err != nil {
		return err
	}
	if t, _, err := mime.ParseMediaType(file.Type); err == nil && strings.Contains(t, "/") && len(file.Type) <= wire.NameLimit {
		n.Type = file.Type
	}
	if n.Word, err = wire.Word(r.Header, said(n.Meta.Fields), n.Meta.Name, n.Size); err != nil {
		return err
	}
	n.Size = -1 // a form's own length says nothing of it
	u, err := h.s.Take(r.Context(), n, upload.Chunk{Len: -1, Size: -1, Last: true, Body: file})
	if err == nil {
		err = rest(form)
	}
	if err != nil {
		if u != nil {
			err = errors.Join(err, h.s.Withdraw(context.WithoutCancel(r.Context()), u.ID))
		}
		return err
	}
	wire.Answer(w.Header(), u)
	text(w, http.StatusCreated, u.ID)
	return nil
}

// rest reads a form to its end, in which nothing may come but fields.
func rest(form *wire.Form) error {
	file, err := metadata(form, map[string]string{})
	if err == nil && file != nil {
		err = fmt.Errorf("a form has one file, as it has one answer: %w", upload.ErrInvalid)
	}
	if err == nil {
		err = form.Drain()
	}
	return err
}
