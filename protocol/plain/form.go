package plain

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/muleteer/muleteer/internal/wire"
	"github.com/muleteer/muleteer/upload"
)

// form takes the files of a form as they pass.
func (h *handler) form(w http.ResponseWriter, r *http.Request) (files []*upload.Record, err error) {
	form, err := wire.NewForm(w, r)
	if err != nil {
		return nil, err
	}
	fields := map[string]string{}
	for {
		part, err := form.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return files, err
		}
		if !part.File {
			if fields[part.Name], err = part.Text(); err != nil {
				return files, err
			}
			continue
		}
		if files, err = h.file(r, files, fields, part); err != nil {
			return files, err
		}
	}
	if h.Piece != nil && h.Piece(fields) {
		return files, fmt.Errorf("this is a chunk of a file, and not understood here: it may be too large, or has to be sent to /form/: %w", upload.ErrTooLarge)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("the form has no file: %w", upload.ErrInvalid)
	}
	return files, form.Drain()
}

// file takes one part. A browser sends a part without a name and without a
// byte for a field in which nobody has chosen a file.
func (h *handler) file(r *http.Request, files []*upload.Record, fields map[string]string, part *wire.FormPart) ([]*upload.Record, error) {
	if part.Filename == "" {
		first := make([]byte, 1)
		n, err := io.ReadFull(part, first)
		if err == io.EOF {
			return files, nil
		}
		if err != nil {
			return files, err
		}
		part.Reader = io.MultiReader(strings.NewReader(string(first[:n])), part.Reader)
	}
	m, err := meta(part.Filename, fields)
	if err != nil {
		return files, err
	}
	word, err := wire.Word(r.Header, wire.Field(fields), m.Name, -1)
	if err != nil {
		return files, err
	}
	return h.one(r.Context(), files, upload.New{Meta: m, Word: word, Type: part.Type}, upload.Chunk{
		Len: -1, Size: -1, Last: true, Body: part,
	})
}

// meta is what a form says of a file.
func meta(filename string, fields map[string]string) (m upload.Meta, err error) {
	m.Fields = map[string]string{}
	for name, value := range fields {
		if name == "upload_token" {
			continue // it says who sends the form, and is nobody else's
		}
		if utf8.ValidString(name) && utf8.ValidString(value) {
			m.Fields[name] = value
		}
	}
	m.Name, m.Path, err = wire.Name(wire.Unescape(filename))
	return m, err
}
