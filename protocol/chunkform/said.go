package chunkform

import (
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/muleteer/muleteer/internal/wire"
)

// said is all that a request says beside the bytes of a file.
type said struct {
	r      *http.Request
	query  url.Values
	form   map[string]string
	prefix string // before all names, where a page has chosen one
	rename map[string]string
}

func newSaid(r *http.Request, rename map[string]string) *said {
	s := &said{r: r, query: r.URL.Query(), form: map[string]string{}, rename: rename}
	for theirs, ours := range rename {
		if s.query.Has(theirs) {
			s.query.Set(ours, s.query.Get(theirs))
			s.query.Del(theirs)
		}
	}
	return s
}

// add notes a field of the form.
func (s *said) add(name, value string) {
	if ours, ok := s.rename[name]; ok {
		name = ours
	}
	s.form[name] = value
}

// get returns the first that is there of some names: the form's word comes
// before the query's.
func (s *said) get(names string) (string, bool) {
	for name := range strings.FieldsSeq(names) {
		if header, ok := strings.CutPrefix(name, "header:"); ok {
			if v := s.r.Header.Values(header); len(v) == 1 {
				return v[0], true
			}
			continue
		}
		for _, name := range [...]string{s.prefix + name, name} {
			if v, ok := s.form[name]; ok {
				return v, true
			}
			if s.query.Has(name) {
				return s.query.Get(name), true
			}
		}
	}
	return "", false
}

// field is get for who needs not know whether there is such a field.
func (s *said) field(names string) string {
	value, _ := s.get(names)
	return value
}

// has tells whether all of some names are there.
func (s *said) has(names string) bool {
	for name := range strings.FieldsSeq(names) {
		if _, ok := s.get(name); !ok {
			return false
		}
	}
	return true
}

// names yields the names of all fields.
func (s *said) names(yield func(string) bool) {
	for name := range s.form {
		if !yield(name) {
			return
		}
	}
	for name := range s.query {
		if _, twice := s.form[name]; !twice && !yield(name) {
			return
		}
	}
}

// speaker returns the client that says this, and where its fields are.
func (s *said) speaker() (client, *said, bool) {
	for _, c := range clients {
		for _, marks := range c.marks {
			at := s
			if c.json != "" {
				document, _ := s.get(c.json)
				at = &said{r: s.r, form: wire.Object([]byte(document))}
			}
			if at.has(marks) {
				return c, at, true
			}
			if prefix, ok := s.before(marks); c.namespace && ok {
				s.prefix = prefix
				return c, s, true
			}
		}
	}
	return client{}, s, false
}

// before returns what stands before a name, if something does.
func (s *said) before(name string) (prefix string, ok bool) {
	for n := range s.names {
		if prefix, ok := strings.CutSuffix(n, name); ok && prefix != "" {
			return prefix, true
		}
	}
	return "", false
}

// The limits of what is kept of further fields.
const (
	keptFields = 32
	keptField  = 4 << 10 // bytes
)

// meta is what is kept of the fields that are no client's own.
func (s *said) meta(c client) map[string]string {
	own := " " + strings.Join([]string{c.fields.number, c.fields.size, c.fields.length, c.fields.at, c.fields.total, c.fields.count,
		c.fields.id, c.fields.name, c.fields.path, c.fields.kind, c.json, everywhere, chunkSum, "qqresume probe"}, " ") + " "
	kept := map[string]string{}
	for name := range s.names {
		value, _ := s.get(name)
		plain := strings.TrimPrefix(name, s.prefix)
		if len(kept) < keptFields && !strings.Contains(own, " "+plain+" ") && len(plain)+len(value) <= keptField &&
			utf8.ValidString(plain) && utf8.ValidString(value) {
			kept[plain] = value
		}
	}
	return kept
}

// Speaks tells whether a request is for this package, by its headers, its
// query and what its body begins with.
func (o Options) Speaks(r *http.Request, g wire.Glimpse) bool {
	s := newSaid(r, o.Rename)
	for name, value := range g.Fields {
		s.add(name, value)
	}
	c, _, ok := s.speaker()
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		return ok && c.probes || s.query.Has("file")
	case http.MethodDelete:
		return ok && c.probes
	case http.MethodPost, http.MethodPut, http.MethodPatch:
		// A range without a form and without a name of its own is for another
		// protocol.
		return ok && (c.needs == "" || g.First != "")
	}
	return false
}

// Late tells whether the first file of a form may be a chunk whose fields come
// after it, by how those clients name it.
func Late(g wire.Glimpse) bool {
	return g.File != nil && (g.File.Filename == "blob" || g.File.Name == "UploadFiles" || g.File.Name == "files")
}

// Piece tells whether a form with these fields has a chunk of a file, and not a
// file.
func (o Options) Piece(fields map[string]string) bool {
	s := &said{r: &http.Request{}, form: map[string]string{}, rename: o.Rename}
	for name, value := range fields {
		s.add(name, value)
	}
	c, at, ok := s.speaker()
	_, numbered := at.get(c.fields.number + " " + c.fields.at)
	return ok && numbered
}

// fingerprint is the identity of an upload. What the client calls it never
// stands alone: its names for two files may be the same.
func (h *handler) fingerprint(q *request) string {
	return h.s.Fingerprint(q.said.r.Context(), q.client.name, append([]string{h.Scope(q.said.r)}, q.identity...)...)
}
