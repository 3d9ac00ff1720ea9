package filepond

import (
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/muleteer/muleteer/internal/wire"
	"github.com/muleteer/muleteer/upload"
)

// chunk takes bytes of a file.
func (h *handler) chunk(w http.ResponseWriter, r *http.Request) error {
	id, err := h.id(r)
	if err != nil {
		return err
	}
	at, err := number(r.Header, "Upload-Offset")
	if err != nil {
		return err
	}
	if at < 0 {
		return fmt.Errorf("Upload-Offset is missing: %w", upload.ErrInvalid)
	}
	size, err := number(r.Header, "Upload-Length")
	if err != nil {
		return err
	}
	u, err := h.s.Get(r.Context(), id)
	if err != nil {
		return err
	}
	tell(w.Header(), u)
	if u, err = h.named(r, u); err != nil {
		return err
	}
	if next := r.URL.Query().Has("patch"); next && at > u.Offset {
		return upload.ErrOffset
	}
	// The empty chunk after a full last one is nothing new.
	if r.ContentLength == 0 && u.Phase != upload.Receiving && at == u.Size {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	u, err = h.s.Write(r.Context(), id, upload.Chunk{
		At: at, Len: r.ContentLength, Size: size, Atomic: true, Body: wire.Body(w, r),
	})
	if u != nil {
		tell(w.Header(), u)
	}
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// named keeps the name of a file, which comes with its chunks.
func (h *handler) named(r *http.Request, u *upload.Record) (*upload.Record, error) {
	said := r.Header.Get("Upload-Name")
	if said == "" || u.Meta.Name != "" {
		return u, nil
	}
	name, _, err := wire.Name(utf(said))
	if err != nil {
		return nil, err
	}
	return h.s.Amend(r.Context(), u.ID, func(m *upload.Meta) bool {
		if m.Name != "" || name == "" {
			return false
		}
		m.Name = name
		return true
	})
}

// utf reads a header that is UTF-8 (version 4), or of which each byte is a
// character (version 5, where that is no UTF-8 by chance).
func utf(said string) string {
	if utf8.ValidString(said) {
		return said
	}
	var b strings.Builder
	for i := range len(said) {
		b.WriteRune(rune(said[i]))
	}
	return b.String()
}

// number reads a header that is a number; -1 if it is not there.
func number(h http.Header, name string) (int64, error) {
	value, present, err := wire.Header(h, name)
	if err != nil || !present {
		return -1, err
	}
	n, err := wire.Int(value)
	if err != nil || value == "" {
		return -1, fmt.Errorf("%s is no number: %w", name, upload.ErrInvalid)
	}
	return n, nil
}
