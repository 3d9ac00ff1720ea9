package photo

import (
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"unicode/utf8"

	"github.com/muleteer/muleteer/internal/wire"
	"github.com/muleteer/muleteer/upload"
)

// wordNames are what people say of a file. They become fields of its record.
func wordNames() []string {
	return []string{"title", "description", "album_id", "album_label", "tags", "publish"}
}

// wordsLimit is how many bytes all of it may have.
const wordsLimit = 64 << 10

// Words keeps what a person says of a file, and answers with all that was said.
func (h *Handler) Words() http.Handler {
	return h.answering(http.MethodPost, func(w http.ResponseWriter, r *http.Request) error {
		said, err := form(w, r)
		if err != nil {
			return err
		}
		fields := map[string]string{}
		for _, name := range wordNames() {
			if !said.Has(name) {
				continue
			}
			if fields[name] = said.Get(name); !utf8.ValidString(fields[name]) {
				return fmt.Errorf("%s is not UTF-8: %w", name, upload.ErrInvalid)
			}
		}
		if p, ok := fields["publish"]; ok && p != "0" && p != "1" {
			return fmt.Errorf("publish is 0 or 1: %w", upload.ErrInvalid)
		}
		u, err := h.find(r.Context(), said)
		if err != nil {
			return err
		}
		if u, err = h.s.Describe(r.Context(), u.ID, fields); err != nil {
			return err
		}
		saved := map[string]string{}
		for _, name := range wordNames() {
			if v, ok := u.Meta.Fields[name]; ok {
				saved[name] = v
			}
		}
		wire.JSON(w, http.StatusOK, map[string]any{"ok": true, "id": u.ID, "saved": saved})
		return nil
	})
}

// form reads an urlencoded form. What the query says is not part of it: words
// do not belong into the logs of proxies.
func form(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/x-www-form-urlencoded" {
		return nil, fmt.Errorf("send application/x-www-form-urlencoded: %w", upload.ErrInvalid)
	}
	body, err := io.ReadAll(io.LimitReader(wire.Body(w, r), wordsLimit+1))
	if err != nil {
		return nil, err
	}
	if len(body) > wordsLimit {
		return nil, fmt.Errorf("this has more than %d bytes: %w", wordsLimit, upload.ErrTooLarge)
	}
	said, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, fmt.Errorf("the form is broken: %w", upload.ErrInvalid)
	}
	return said, nil
}
