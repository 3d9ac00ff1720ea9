package contentrange

import (
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/muleteer/muleteer/internal/wire"
	"github.com/muleteer/muleteer/store"
	"github.com/muleteer/muleteer/upload"
)

// request is what the lines and headers of an HTTP request say.
type request struct {
	span
	name   string
	path   string     // within a directory that is uploaded
	kind   string     // media type, "" if it names none
	key    string     // by which its upload is found
	word   string     // the client's own for its file, "" if it has none
	pinned bool       // it has one, so that no other file can be meant
	sum    *store.CRC // the client's checksum of the body
	length int64      // of the body, -1 if unknown
	fields map[string]string
	direct string // what the client wants to do with the store itself, "" for nothing
}

// nameLimit and pathLimit are what file systems take, in bytes.
const (
	nameLimit = 255
	pathLimit = 4096
)

// read parses first, so that what follows only decides.
func (h *handler) read(r *http.Request) (*request, error) {
	q := &request{length: r.ContentLength}
	var err error
	if q.name, err = h.name(r); err != nil {
		return nil, err
	}
	if q.word, err = wire.Word(r.Header, nil, q.name, -1); err != nil {
		return nil, err
	}
	q.pinned = q.word != ""
	q.key = h.fingerprint(r, q)
	q.fields = h.Fields(r)
	if r.Method != http.MethodPut && r.Method != http.MethodPost {
		return q, nil
	}
	if q.path, err = path(r.Header); err != nil {
		return nil, err
	}
	if q.sum, err = checksum(r.Header); err != nil {
		return nil, err
	}
	if q.kind, err = kind(r.Header); err != nil {
		return nil, err
	}
	if q.direct = r.Header.Get("X-Upload-Direct"); q.direct != "" {
		q.length = -1 // of bytes that do not come here
	}
	value, ranged, err := wire.Header(r.Header, "Content-Range")
	if err != nil {
		return nil, fmt.Errorf("content-range: %w: %w", err, upload.ErrInvalid)
	}
	if !ranged {
		q.span = span{start: true, total: q.length}
		q.End = max(q.length, 0)
		return q, nil
	}
	q.span, err = parse(value, q.length)
	return q, err
}

// fingerprint is the identity of an upload: what the client calls it never
// stands alone, so that strangers do not meet in one upload.
func (h *handler) fingerprint(r *http.Request, q *request) string {
	ids := []string{q.name}
	if q.pinned {
		ids = append(ids, q.word)
	}
	return h.s.Fingerprint(r.Context(), Protocol, append([]string{h.Scope(r)}, ids...)...)
}

// name is the one path segment after the base. It is decoded here and not by
// net/http, because a slash that was encoded is part of a name, and refused.
func (h *handler) name(r *http.Request) (string, error) {
	raw, ok := strings.CutPrefix(r.URL.EscapedPath(), h.Base)
	if !ok || raw == "" {
		return "", upload.ErrNotFound
	}
	name, err := url.PathUnescape(raw)
	if err != nil || !clean(name, nameLimit) || strings.Contains(name, "/") || name == "." || name == ".." {
		return "", fmt.Errorf("the name has to be one path segment of at most %d bytes of UTF-8 without control characters: %w", nameLimit, upload.ErrInvalid)
	}
	return name, nil
}

// clean tells whether s can be shown to people.
func clean(s string, limit int) bool {
	return len(s) <= limit && utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// path reads X-Upload-Path: percent-encoded, slash-separated, relative.
func path(h http.Header) (string, error) {
	value, ok, err := wire.Header(h, "X-Upload-Path")
	if err != nil || !ok {
		return "", err
	}
	p, err := url.PathUnescape(value)
	if err != nil || !clean(p, pathLimit) || strings.HasPrefix(p, "/") || slices.Contains(strings.Split(p, "/"), "..") {
		return "", fmt.Errorf("x-upload-path has to be a relative path: %w", upload.ErrInvalid)
	}
	return p, nil
}

// checksum reads X-Upload-Checksum: an algorithm and base64.
func checksum(h http.Header) (*store.CRC, error) {
	value, ok, err := wire.Header(h, "X-Upload-Checksum")
	if err != nil || !ok {
		return nil, err
	}
	sum, ok := strings.CutPrefix(value, "crc64nvme ")
	if !ok {
		return nil, fmt.Errorf("x-upload-checksum: only crc64nvme is known: %w", upload.ErrInvalid)
	}
	c, err := store.ParseCRC(sum)
	if err != nil {
		return nil, fmt.Errorf("x-upload-checksum: %w: %w", err, upload.ErrInvalid)
	}
	return &c, nil
}

// errForm is the one thing that this protocol leaves to another one.
var errForm = fmt.Errorf("a form is no file: %w", upload.ErrInvalid)

// kind reads the media type. What curl says of every --data-binary is no
// statement about the file.
func kind(h http.Header) (string, error) {
	value := h.Get("Content-Type")
	t, _, err := mime.ParseMediaType(value)
	switch {
	case t == "multipart/form-data":
		return "", errForm
	case err != nil || !strings.Contains(t, "/") || !clean(value, nameLimit) || t == "application/x-www-form-urlencoded":
		return "", nil
	}
	return value, nil
}
