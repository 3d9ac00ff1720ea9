package companion

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/muleteer/muleteer/internal/wire"
	"github.com/muleteer/muleteer/upload"
)

// begin begins a file in parts. Its size nobody tells.
func (h *handler) begin(w http.ResponseWriter, r *http.Request) error {
	var said struct {
		Filename, Type string
		Metadata       map[string]any
	}
	if err := read(w, r, &said); err != nil {
		return err
	}
	meta := fields{}
	for name, value := range said.Metadata {
		if text, ok := value.(string); ok {
			meta[name] = text
		} else if text, err := json.Marshal(value); err == nil && value != nil {
			meta[name] = string(text)
		}
	}
	if err := meta.word(r); err != nil {
		return err
	}
	key := rand.Text()
	n, err := h.parted(r.Context(), key, said.Filename, said.Type, meta)
	if err != nil {
		return err
	}
	u, err := h.s.Create(r.Context(), n)
	if err != nil {
		return err
	}
	wire.JSON(w, http.StatusOK, struct {
		Key      string `json:"key"`
		UploadID string `json:"uploadId"`
		Bucket   string `json:"bucket"`
	}{key, u.ID, bucket})
	return nil
}

// parted is describe of a file in parts. Clients put these into the store
// themselves, where that takes parts of which they have told nothing.
func (h *handler) parted(ctx context.Context, key, name, kind string, meta fields) (upload.New, error) {
	n, err := h.describe(ctx, key, name, kind, meta)
	if err != nil {
		return n, err
	}
	signs, err := h.s.Direct(ctx)
	n.Blind = signs.Blind
	return n, err
}

// describe says what is begun under a key, once.
func (h *handler) describe(ctx context.Context, key, name, kind string, meta fields) (n upload.New, err error) {
	n = upload.New{Protocol: Protocol, Size: -1, Once: true, Fingerprint: h.fingerprint(ctx, key), Meta: upload.Meta{
		Fields: map[string]string{}, Wire: map[string]string{keyField: key},
	}}
	if n.Meta.Name, n.Meta.Path, err = wire.Name(name); err != nil {
		return n, err
	}
	if t, _, err := mime.ParseMediaType(kind); err == nil && strings.Contains(t, "/") && len(kind) <= wire.NameLimit {
		n.Type = kind
	}
	if len(meta) > fieldLimit {
		return n, fmt.Errorf("a file has %d fields at most: %w", fieldLimit, upload.ErrInvalid)
	}
	for name, value := range meta {
		if !utf8.ValidString(name) || !utf8.ValidString(value) {
			return n, fmt.Errorf("a field of the file is no text: %w", upload.ErrInvalid)
		}
		if name != "name" && name != "type" { // they are known
			n.Meta.Fields[name] = value
		}
	}
	n.Word, err = wire.Word(nil, wire.Field(meta), n.Meta.Name, n.Size)
	return n, err
}

// word has the word for a file stand with its other fields, where a page tells it
// in a header: the request that begins the upload may be another one.
func (f fields) word(r *http.Request) error {
	word, said, err := wire.Header(r.Header, wire.WordHeader)
	if said {
		f[wire.WordField] = word
	}
	if said && word == "" {
		err = upload.CheckWord(word)
	}
	return err
}

// keyField is where a record keeps its key, for an owner who has lost it.
const keyField = "companion-key"

// Resume returns the path below base at which an unfinished upload goes on: its
// parts are there, and where others go.
func Resume(base string, u *upload.Record) string {
	return base + "multipart/" + u.ID + "?key=" + url.QueryEscape(u.Meta.Wire[keyField])
}

// fieldLimit is how many fields are kept of a file.
const fieldLimit = 32

func (h *handler) fingerprint(ctx context.Context, key string) string {
	return h.s.Fingerprint(ctx, Protocol, key)
}

// parts returns an upload with its parts, if the key is its own.
func (h *handler) parts(ctx context.Context, id, key string) (*upload.Record, []wire.S3Part, error) {
	if !wire.ID(id) {
		return nil, nil, upload.ErrNotFound
	}
	u, parts, err := h.s.Numbered(ctx, id)
	if err = h.has(u, key, err); err != nil {
		return nil, nil, err
	}
	return u, wire.S3Parts(id, parts), nil
}

// has is ErrNotFound unless an upload was begun here under a key, or the error
// of looking for it.
func (h *handler) has(u *upload.Record, key string, err error) error {
	if err == nil && (u.Protocol != Protocol || u.Fingerprint != upload.Fingerprint(u.Owner, Protocol, h.s.Endpoint, key)) {
		err = upload.ErrNotFound
	}
	return err
}

// list tells which parts are here.
func (h *handler) list(w http.ResponseWriter, r *http.Request, id string) error {
	_, parts, err := h.parts(r.Context(), id, r.URL.Query().Get("key"))
	if err != nil {
		return err
	}
	wire.JSON(w, http.StatusOK, parts)
	return nil
}

// owned returns an upload, if the key is its own.
func (h *handler) owned(ctx context.Context, id, key string) (*upload.Record, error) {
	if !wire.ID(id) {
		return nil, upload.ErrNotFound
	}
	u, err := h.s.Glance(ctx, id)
	return u, h.has(u, key, err)
}

// may tells whether the caller was granted what a ticket would permit: nobody
// gets one to no use.
func may(ctx context.Context, v upload.Verb) error {
	if p := upload.Caller(ctx); !p.May(v) || v == upload.MayCreate && p.Upload != "" {
		return fmt.Errorf("%w: %s was not permitted", upload.ErrDenied, v)
	}
	return nil
}

// complete makes a file of parts.
func (h *handler) complete(w http.ResponseWriter, r *http.Request, id string) error {
	var said struct{ Parts []wire.S3Part }
	if err := read(w, r, &said); err != nil {
		return err
	}
	key := r.URL.Query().Get("key")
	u, err := h.join(r.Context(), id, key, said.Parts)
	if err != nil {
		return err
	}
	wire.JSON(w, http.StatusOK, struct {
		Location string `json:"location"`
		Key      string `json:"key"`
		Bucket   string `json:"bucket"`
	}{h.URL.To(r, "/files/"+u.ID), key, bucket})
	return nil
}

// join makes a file of parts, however long that takes: version 6 asks once.
func (h *handler) join(ctx context.Context, id, key string, wanted []wire.S3Part) (*upload.Record, error) {
	u, err := h.owned(ctx, id, key)
	if err != nil || u.Whole() { // the answer may have been lost
		return u, err
	}
	numbers, err := h.numbers(ctx, u, wanted)
	if err != nil {
		return nil, err
	}
	err = wire.Patiently(ctx, func() error {
		u, err = h.s.Complete(ctx, id, numbers)
		return err
	})
	return u, err
}

// numbers returns the numbers of the parts of which a client completes an upload,
// if they are those that are here. Of parts that went straight into the store
// the client knows the ETags that this gave them; what the store lists is what
// counts, and Complete looks there.
func (h *handler) numbers(ctx context.Context, u *upload.Record, wanted []wire.S3Part) ([]int64, error) {
	if !u.Meta.Blind {
		_, here, err := h.s.Numbered(ctx, u.ID)
		if err != nil {
			return nil, err
		}
		return wire.S3Same(wanted, wire.S3Parts(u.ID, here))
	}
	numbers := make([]int64, len(wanted))
	for i, p := range wanted {
		numbers[i] = p.PartNumber
	}
	return numbers, nil
}

// abort removes a file. What is not there any more is as good as removed.
func (h *handler) abort(w http.ResponseWriter, r *http.Request, id string) error {
	if err := h.remove(r.Context(), id, r.URL.Query().Get("key")); err != nil {
		return err
	}
	wire.JSON(w, http.StatusOK, struct{}{})
	return nil
}

func (h *handler) remove(ctx context.Context, id, key string) error {
	_, err := h.owned(ctx, id, key)
	if err == nil {
		err = h.s.Remove(ctx, id)
	}
	if errors.Is(err, upload.ErrGone) {
		return nil
	}
	return err
}

// read reads a body of JSON.
func read(w http.ResponseWriter, r *http.Request, v any) error {
	text, err := wire.S3Body(wire.Body(w, r))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, v); err != nil {
		return fmt.Errorf("the request is no JSON as it should be: %w: %w", upload.ErrInvalid, err)
	}
	return nil
}
