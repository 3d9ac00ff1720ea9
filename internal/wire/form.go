package wire

import (
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/textproto"

	"github.com/muleteer/muleteer/upload"
)

// The limits of a form, beside its files.
const (
	formFields = 32       // fields, all together
	formField  = 4 << 10  // bytes of a field's value
	formHead   = 64 << 10 // bytes between two parts: the boundary and the next part's headers, or garbage
)

// A Form reads a multipart/form-data body (RFC 7578) part by part as it passes.
// It keeps nothing of it; one goroutine uses it.
type Form struct {
	body   *BodyReader
	passed *limited
	parts  *parts
	fields int
}

// NewForm returns the form of a request; ErrInvalid if it is none.
func NewForm(w http.ResponseWriter, r *http.Request) (*Form, error) {
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" || params["boundary"] == "" {
		return nil, fmt.Errorf("the form names no boundary: %w", upload.ErrInvalid)
	}
	body := Body(w, r)
	passed := &limited{r: body}
	return &Form{body: body, passed: passed, parts: newParts(passed, params["boundary"])}, nil
}

// Next returns the next part, io.EOF after the last one. What was not read of
// the one before is skipped, within the bound.
func (f *Form) Next() (*FormPart, error) {
	f.passed.left = formHead
	head, content, err := f.parts.next()
	if err == io.EOF {
		return nil, io.EOF
	}
	if err != nil {
		return nil, f.broken(err)
	}
	p, err := formPart(head, content)
	if err != nil {
		return nil, err
	}
	p.form = f
	if p.File {
		f.passed.left = -1
		return p, nil
	}
	if f.fields++; f.fields > formFields {
		return nil, fmt.Errorf("the form has more than %d fields: %w", formFields, upload.ErrInvalid)
	}
	f.passed.left = formHead
	return p, nil
}

// Drain reads what may follow the last boundary (RFC 2046, 5.1.1: an epilogue
// is ignored), so that the connection can be used again.
func (f *Form) Drain() error {
	f.passed.left = formHead
	_, err := io.Copy(io.Discard, f.passed)
	return f.broken(err)
}

// Body is the body of the form as it comes.
func (f *Form) Body() *BodyReader { return f.body }

// broken says that an error of the parser is the client's, unless it came from
// further below.
func (f *Form) broken(err error) error {
	if err == nil {
		return nil
	}
	if _, known := Status(err); known {
		return err
	}
	if line := f.body.Err(); line != nil {
		return line
	}
	return fmt.Errorf("the form is broken: %w: %w", upload.ErrInvalid, err)
}

// FormPart is a field of a form, or a file in it.
type FormPart struct {
	io.Reader        // its content; an error is the body's, or io.ErrUnexpectedEOF
	Name      string // of the field, never empty
	File      bool   // it has a file name, if only an empty one
	Filename  string // as the client wrote it
	Type      string // media type, "" if it names none
	form      *Form
}

// formPart reads the head of a part.
func formPart(head textproto.MIMEHeader, content io.Reader) (*FormPart, error) {
	kind, params, err := mime.ParseMediaType(head.Get("Content-Disposition"))
	if err != nil || kind != "form-data" || params["name"] == "" {
		return nil, fmt.Errorf("a part of the form has no name: %w", upload.ErrInvalid)
	}
	p := &FormPart{Reader: content, Name: params["name"], Type: head.Get("Content-Type")}
	p.Filename, p.File = params["filename"]
	return p, nil
}

// Interrupt ends a Read in another goroutine, as upload.Chunk wants it.
func (p *FormPart) Interrupt() { p.form.body.Interrupt() }

// Text reads the value of a field; ErrTooLarge if it is longer than fields are.
func (p *FormPart) Text() (string, error) {
	value, err := io.ReadAll(io.LimitReader(p, formField+1))
	switch {
	case err != nil:
		return "", p.form.broken(err)
	case len(value) > formField:
		return "", fmt.Errorf("a field of the form has more than %d bytes: %w", formField, upload.ErrTooLarge)
	}
	return string(value), nil
}

// Long lets any number of bytes pass, where a field holds a file's content.
func (p *FormPart) Long() { p.form.passed.left = -1 }

// limited lets left bytes pass; all if left is negative.
type limited struct {
	r    io.Reader
	left int
}

func (l *limited) Read(p []byte) (int, error) {
	if l.left == 0 {
		return 0, fmt.Errorf("the form has more than %d bytes between its files: %w", formHead, upload.ErrTooLarge)
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
