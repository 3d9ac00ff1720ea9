package chunkform

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"mime"
	"net/url"
	"strconv"
	"strings"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/internal/wire"
	"github.com/muleteer/muleteer/upload"
)

// request is what one request says, whatever its client calls it. Numbers are
// -1 where it does not say.
type request struct {
	client
	said *said

	index  int64 // of the chunk, from 0
	count  int64 // of chunks
	step   int64 // size of the chunks but the last, in bytes
	length int64 // of this chunk
	at     int64 // offset of its first byte
	total  int64 // of the file
	last   bool  // the file ends where this chunk does
	whole  bool  // the file is this chunk

	id       string // the client's own, for its answer
	sum      []byte // SHA-256 of the chunk, nil if it is not told
	meta     upload.Meta
	kind     string // media type
	identity []string
	key      string        // by which the upload is found
	near     extent.Extent // the upload comes with its parts there
}

var errUnknown = fmt.Errorf("the form is none of a client that is known here; its fields say which chunk of which file it has: %w", upload.ErrInvalid)

// request reads what is said; file is the head of the part with the bytes, nil
// if there is none.
func (h *handler) request(s *said, file *wire.FormPart) (*request, error) {
	c, at, ok := s.speaker()
	if !ok {
		return nil, errUnknown
	}
	q := &request{client: c, said: s}
	if err := q.numbers(at); err != nil {
		return q, err
	}
	if err := q.names(at, file); err != nil {
		return q, err
	}
	if c.needs != "" && !s.has(c.needs) {
		return q, fmt.Errorf("this client names its file by nothing else, so it has to send a field %s, which is another one for each file: %w", c.needs, upload.ErrInvalid)
	}
	q.key = h.fingerprint(q)
	return q, nil
}

// numbers reads where the chunk belongs, as far as the request says so.
func (q *request) numbers(s *said) error {
	for _, n := range []struct {
		names string
		value *int64
	}{
		{q.fields.number, &q.index}, {q.fields.size, &q.step}, {q.fields.length, &q.length},
		{q.fields.at, &q.at}, {q.fields.total, &q.total}, {q.fields.count, &q.count},
	} {
		*n.value = -1
		text, ok := s.get(n.names)
		if !ok || text == "" {
			continue
		}
		var err error
		if *n.value, err = wire.Int(text); err != nil {
			return fmt.Errorf("%s: %w", n.names, err)
		}
	}
	if q.index >= 0 {
		if q.index -= q.base; q.index < 0 {
			return fmt.Errorf("the first chunk has the number %d: %w", q.base, upload.ErrInvalid)
		}
	}
	if q.index == 0 && q.count == 0 {
		q.count = 1 // so some count the chunk of an empty file
	}
	if q.ranged {
		if err := q.contentRange(); err != nil {
			return err
		}
	}
	return q.check()
}

// contentRange reads "bytes first-last/total" (RFC 9110, section 14.4, as a
// request header). Some write a total of -1 for one that they do not know.
func (q *request) contentRange() error {
	value, _, err := wire.Header(q.said.r.Header, "Content-Range")
	if err != nil {
		return err
	}
	bad := fmt.Errorf("content-range %.100q: %w", value, upload.ErrInvalid)
	positions, ok := strings.CutPrefix(value, "bytes ")
	positions, total, ok2 := strings.Cut(positions, "/")
	f, l, ok3 := strings.Cut(positions, "-")
	first, err1 := wire.Int(f)
	last, err2 := wire.Int(l)
	if !ok || !ok2 || !ok3 || f == "" || l == "" || err1 != nil || err2 != nil || first > last || last == extent.Max {
		return bad
	}
	q.at, q.length = first, last-first+1
	if total == "*" || total == "-1" {
		return nil
	}
	if q.total, err = wire.Int(total); err != nil || total == "" {
		return bad
	}
	return nil
}

// check refuses what cannot be right, and finds the place of the chunk where
// the request alone tells it.
func (q *request) check() error {
	switch {
	case q.index >= 0 && q.count >= 0 && q.index >= q.count && (q.total < 0 || q.step < 0 || q.loose):
		return fmt.Errorf("chunk %d of %d: %w", q.index+q.base, q.count, upload.ErrInvalid)
	case q.at < 0 && q.index < 0 && q.alone:
		q.at, q.whole = 0, true
	case q.at < 0 && q.index < 0:
		return fmt.Errorf("the number of the chunk is missing: %w", upload.ErrInvalid)
	case q.at < 0 && q.step >= 0:
		if q.step == 0 && q.index > 0 || q.step > 0 && q.index > extent.Max/q.step {
			return fmt.Errorf("chunk %d of %d bytes each: %w", q.index+q.base, q.step, upload.ErrInvalid)
		}
		q.at = q.index * q.step
	}
	// The number of chunks is believed only where nothing better is told: some
	// clients send it before they have counted.
	guess := q.loose || q.total < 0 || q.at < 0
	q.last = q.whole || guess && q.count >= 0 && q.index == q.count-1
	q.whole = q.whole || q.first() && (q.last || !guess && q.length == q.total)
	if guess {
		return nil
	}
	if q.at > q.total || q.at == q.total && q.total > 0 || q.length > q.total-q.at {
		return fmt.Errorf("the chunk lies beyond the end of the file of %d bytes: %w", q.total, upload.ErrInvalid)
	}
	return nil
}

// size is the file's size for certain, or -1.
func (q *request) size() int64 {
	if q.loose {
		return -1
	}
	return q.total
}

// measured tells whether only the size of the chunks says where they belong.
func (q *request) measured() bool { return q.at < 0 }

// first tells whether the file begins with this chunk.
func (q *request) first() bool { return q.at == 0 || q.at < 0 && q.index == 0 }

// names reads what the client calls its file.
func (q *request) names(s *said, file *wire.FormPart) (err error) {
	q.id, _ = s.get(q.fields.id)
	name, named := s.get(q.fields.name)
	if !named {
		name = q.filename(file)
	}
	path, _ := s.get(q.fields.path)
	if q.id+name+path == "" && !q.said.has("upload_id") {
		return fmt.Errorf("nothing names the file, and it would be mixed with others: %w", upload.ErrInvalid)
	}
	q.identify(name, path)
	if err := q.sums(); err != nil {
		return err
	}
	if q.meta.Name, _, err = wire.Name(name); err != nil {
		return err
	}
	within := path
	if within == "" {
		within = name
	}
	if _, q.meta.Path, err = wire.Name(within); err != nil {
		return err
	}
	q.meta.Fields = q.said.meta(q.client)
	q.kind, _ = s.get(q.fields.kind)
	if q.kind == "" && file != nil {
		q.kind = file.Type
	}
	if t, _, err := mime.ParseMediaType(q.kind); err != nil || !strings.Contains(t, "/") || len(q.kind) > wire.NameLimit {
		q.kind = ""
	}
	return nil
}

// identify collects what tells this file from others.
func (q *request) identify(name, path string) {
	total := strconv.FormatInt(q.total, 10)
	switch {
	case q.lateName:
		q.identity = []string{q.id} // with the name comes whatever else a page says
		return
	case q.unique:
		q.identity = []string{q.id}
	case q.ranged && q.sequential:
		q.identity = []string{q.id, name, path, ""} // it asks for its upload without telling the size
	default:
		q.identity = []string{q.id, name, path, total}
	}
	for field := range strings.FieldsSeq(everywhere + " " + q.fields.also) {
		value, _ := q.said.get(field)
		if field == token && upload.Caller(q.said.r.Context()).Named() {
			value = "" // its owner is told by it, and the next token may be another one
		}
		q.identity = append(q.identity, value)
	}
}

// sums reads what the bytes have to be, where a page tells it. A sha256 of
// another form is a name like any other, as pages may mean something else by it.
func (q *request) sums() error {
	if said, ok := q.said.get(chunkSum); ok {
		sum, err := hex.DecodeString(said)
		if err != nil || len(sum) != sha256.Size {
			return fmt.Errorf("%s is no SHA-256 in hexadecimal: %w", chunkSum, upload.ErrInvalid)
		}
		q.sum = sum
	}
	said, _ := q.said.get(fileSum)
	if sum, err := hex.DecodeString(said); err == nil && len(sum) == sha256.Size {
		q.meta.Digests = map[string][]byte{"sha-256": sum}
	}
	return nil
}

// filename is the name that the file has where no field names it. Many call
// every chunk "blob".
func (q *request) filename(file *wire.FormPart) string {
	if _, params, err := mime.ParseMediaType(q.said.r.Header.Get("Content-Disposition")); err == nil && params["filename"] != "" {
		if name, err := url.PathUnescape(params["filename"]); err == nil {
			return name
		}
		return params["filename"]
	}
	if file == nil || file.Filename == "blob" {
		return ""
	}
	return wire.Unescape(file.Filename)
}
