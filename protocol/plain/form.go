package plain

import (
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/muleteer/muleteer/internal/wire"
	"github.com/muleteer/muleteer/upload"
)

// The limits of a form, beside its files.
const (
	fieldsLimit = 32       // fields, all together
	fieldLimit  = 4 << 10  // bytes of a field's value
	headLimit   = 64 << 10 // bytes between two parts: the boundary and the next part's headers, or garbage
	nameLimit   = 255      // bytes of a name
	pathLimit   = 4096     // bytes of a path
)

// form takes the files of a multipart/form-data body (RFC 7578) as they pass.
func (h *handler) form(w http.ResponseWriter, r *http.Request) (files []*upload.Record, err error) {
	_, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || params["boundary"] == "" {
		return nil, fmt.Errorf("the form names no boundary: %w", upload.ErrInvalid)
	}
	body := wire.Body(w, r)
	head := &limited{r: body}
	parts := multipart.NewReader(head, params["boundary"])
	fields, count := map[string]string{}, 0
	for {
		head.left = headLimit
		part, err := parts.NextRawPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			return files, broken(err)
		}
		d, ok := disposition(part)
		if !ok {
			return files, fmt.Errorf("a part of the form has no name: %w", upload.ErrInvalid)
		}
		filename, isFile := d["filename"]
		if !isFile {
			if count++; count > fieldsLimit {
				return files, fmt.Errorf("the form has more than %d fields: %w", fieldsLimit, upload.ErrInvalid)
			}
			head.left = headLimit
			value, err := field(part)
			if err != nil {
				return files, err
			}
			fields[d["name"]] = value
			continue
		}
		head.left = -1
		if files, err = h.file(r, files, fields, filename, part, body); err != nil {
			return files, err
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("the form has no file: %w", upload.ErrInvalid)
	}
	return files, h.drain(head)
}

// drain reads what may follow the last boundary (RFC 2046, 5.1.1: an epilogue
// is ignored), so that the connection can be used again.
func (h *handler) drain(r *limited) error {
	r.left = headLimit
	_, err := io.Copy(io.Discard, r)
	return broken(err)
}

// file takes one part. A browser sends a part without a name and without a
// byte for a field in which nobody has chosen a file.
func (h *handler) file(r *http.Request, files []*upload.Record, fields map[string]string, filename string, part *multipart.Part, body *wire.BodyReader) ([]*upload.Record, error) {
	c := content{part, body}
	if filename == "" {
		first := make([]byte, 1)
		n, err := io.ReadFull(part, first)
		if err == io.EOF {
			return files, nil
		}
		if err != nil {
			return files, broken(err)
		}
		c.Reader = io.MultiReader(strings.NewReader(string(first[:n])), part)
	}
	m, err := meta(filename, fields)
	if err != nil {
		return files, err
	}
	return h.one(r.Context(), files, m, part.Header.Get("Content-Type"), upload.Chunk{
		Len: -1, Size: -1, Last: true, Body: c,
	})
}

// field reads the value of a field.
func field(part *multipart.Part) (string, error) {
	value, err := io.ReadAll(io.LimitReader(part, fieldLimit+1))
	switch {
	case err != nil:
		return "", broken(err)
	case len(value) > fieldLimit:
		return "", fmt.Errorf("a field of the form has more than %d bytes: %w", fieldLimit, upload.ErrTooLarge)
	}
	return string(value), nil
}

// disposition reads the name of a part and of its file. The library would cut
// the file's name at its last slash.
func disposition(part *multipart.Part) (map[string]string, bool) {
	kind, params, err := mime.ParseMediaType(part.Header.Get("Content-Disposition"))
	return params, err == nil && kind == "form-data" && params["name"] != ""
}

// meta is what a form says of a file. Browsers write only the quote and the
// line ends of a name in another way (HTML, section 4.10.21.8); a directory
// comes as a path with slashes, and some clients tell the path on their disk.
func meta(filename string, fields map[string]string) (upload.Meta, error) {
	filename = strings.NewReplacer("%22", `"`, "%0D", "_", "%0A", "_").Replace(filename)
	filename = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return '_'
		}
		return r
	}, strings.ToValidUTF8(filename, "_"))
	m := upload.Meta{Fields: map[string]string{}}
	for name, value := range fields {
		if utf8.ValidString(name) && utf8.ValidString(value) {
			m.Fields[name] = value
		}
	}
	if windows(filename) {
		filename = filename[strings.LastIndexByte(filename, '\\')+1:]
	}
	if m.Name = path.Base(filename); m.Name == "." || m.Name == "/" || m.Name == ".." {
		m.Name = ""
	}
	if clean := path.Clean("/" + filename)[1:]; strings.Contains(clean, "/") {
		m.Path = clean
	}
	if len(m.Name) > nameLimit || len(m.Path) > pathLimit {
		return m, fmt.Errorf("the file's name has more than %d bytes: %w", nameLimit, upload.ErrInvalid)
	}
	return m, nil
}

// windows tells whether a name is a path on a disk of Windows. A backslash
// elsewhere is a character like any other.
func windows(name string) bool {
	return len(name) > 2 && name[1] == ':' && name[2] == '\\' || strings.HasPrefix(name, `\\`)
}

// content is the body of a part.
type content struct {
	io.Reader
	body *wire.BodyReader
}

// Interrupt ends a Read in another goroutine, as upload.Chunk wants it.
func (c content) Interrupt() { c.body.Interrupt() }

// limited lets left bytes pass; all if left is negative.
type limited struct {
	r    io.Reader
	left int
}

func (l *limited) Read(p []byte) (int, error) {
	if l.left == 0 {
		return 0, fmt.Errorf("the form has more than %d bytes between its files: %w", headLimit, upload.ErrTooLarge)
	}
	if l.left > 0 {
		p = p[:min(len(p), l.left)]
	}
	n, err := l.r.Read(p)
	if l.left > 0 {
		l.left -= n
	}
	return n, err
}

// broken says that an error of the form's parser is the client's, unless it
// came from further below.
func broken(err error) error {
	if err == nil {
		return nil
	}
	if _, known := wire.Status(err); known {
		return err
	}
	return fmt.Errorf("the form is broken: %w: %w", upload.ErrInvalid, err)
}
