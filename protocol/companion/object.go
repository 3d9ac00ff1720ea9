package companion

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"

	"github.com/muleteer/muleteer/internal/wire"
	"github.com/muleteer/muleteer/upload"
)

var errLength = errors.New("a part needs a Content-Length")

// params tells where a file goes that comes as a form.
func (h *handler) params(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	t := ticket{Do: "form", Key: rand.Text(), Name: q.Get("filename"), Type: q.Get("type"), Fields: fields{}}
	for name, values := range q {
		if inner, ok := strings.CutPrefix(name, "metadata["); ok && strings.HasSuffix(inner, "]") {
			t.Fields[strings.TrimSuffix(inner, "]")] = values[0]
		}
	}
	if err := t.Fields.word(r); err != nil {
		return err
	}
	if _, err := h.describe(r.Context(), t.Key, t.Name, t.Type, t.Fields); err != nil {
		return err
	}
	if err := may(r.Context(), upload.MayCreate); err != nil {
		return err
	}
	wire.JSON(w, http.StatusOK, struct {
		Method  string            `json:"method"`
		URL     string            `json:"url"`
		Fields  map[string]string `json:"fields"`
		Expires int64             `json:"expires"` // seconds
	}{http.MethodPost, h.url(r, t), map[string]string{"key": t.Key, "success_action_status": "201"}, int64(objectLife.Seconds())})
	return nil
}

// given is the name that version 6 makes of a file's when it signs itself.
var given = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}-`)

// sign gives the URL of a request as version 6 would make it to S3. What begins
// gets a key of ours.
func (h *handler) sign(w http.ResponseWriter, r *http.Request) error {
	var said struct {
		Method, Key, UploadID, ContentType string
		PartNumber                         int64
	}
	if err := read(w, r, &said); err != nil {
		return err
	}
	t := ticket{Key: said.Key, Upload: said.UploadID, Number: said.PartNumber}
	at := ""
	switch {
	case said.UploadID == "" && (said.Method == http.MethodPut || said.Method == http.MethodPost):
		t = ticket{Do: "file", Key: rand.Text(), Name: given.ReplaceAllString(said.Key, ""), Type: said.ContentType, Fields: fields{}}
		if said.Method == http.MethodPost {
			t.Do = "begin"
		}
		if err := t.Fields.word(r); err != nil {
			return err
		}
		if _, err := h.describe(r.Context(), t.Key, t.Name, t.Type, t.Fields); err != nil {
			return err
		}
		if err := may(r.Context(), upload.MayCreate); err != nil {
			return err
		}
	case said.UploadID == "":
		return fmt.Errorf("no URLs are given to %.10q objects: %w", said.Method, upload.ErrInvalid)
	default:
		t.Do = map[string]string{http.MethodPut: "part", http.MethodGet: "list", http.MethodPost: "complete", http.MethodDelete: "abort"}[said.Method]
		u, err := h.owned(r.Context(), said.UploadID, said.Key)
		if err != nil && !(errors.Is(err, upload.ErrGone) && t.Do == "abort") {
			return err
		}
		if t.Do == "" || t.Do == "part" && (t.Number < 1 || t.Number > upload.MaxNumber) {
			return fmt.Errorf("there is no request %.10q for part %d: %w", said.Method, t.Number, upload.ErrInvalid)
		}
		verb := map[string]upload.Verb{"list": upload.MayLook, "abort": upload.MayRemove}[t.Do]
		if err := may(r.Context(), cmp.Or(verb, upload.MayWrite)); err != nil {
			return err
		}
		if t.Do == "part" {
			p, err := h.place(r, u, t.Key, t.Number)
			if err != nil {
				return err
			}
			at = p.URL
		}
	}
	wire.JSON(w, http.StatusOK, struct {
		URL string `json:"url"`
		Key string `json:"key"`
	}{cmp.Or(at, h.url(r, t)), t.Key})
	return nil
}

// ticketed does what a ticket permits.
func (h *handler) ticketed(w http.ResponseWriter, r *http.Request) error {
	t, ctx, err := h.ticket(r)
	if err != nil {
		return err
	}
	methods := map[string]string{
		"form": http.MethodPost, "file": http.MethodPut, "begin": http.MethodPost,
		"part": http.MethodPut, "list": http.MethodGet, "complete": http.MethodPost, "abort": http.MethodDelete,
	}
	if methods[t.Do] != r.Method {
		return errTicket
	}
	switch t.Do {
	case "form":
		return h.form(ctx, w, r, t)
	case "file":
		body := upload.Chunk{Len: r.ContentLength, Size: r.ContentLength, Last: true, Body: wire.Body(w, r)}
		u, err := h.take(ctx, t, t.Name, t.Type, body, func() error { return nil })
		if err != nil {
			return err
		}
		w.Header().Set("ETag", wire.ObjectETag(u))
		w.Header().Set("Location", h.URL.To(r, "/files/"+u.ID))
		w.WriteHeader(http.StatusOK)
		return nil
	case "begin":
		u, err := h.once(ctx, t)
		if err == nil {
			wire.S3Begun(w, bucket, t.Key, u.ID)
		}
		return err
	case "list":
		_, parts, err := h.parts(ctx, t.Upload, t.Key)
		if err == nil {
			wire.S3List(w, bucket, t.Key, t.Upload, parts)
		}
		return err
	case "complete":
		wanted, err := wire.S3Complete(wire.Body(w, r))
		if err != nil {
			return err
		}
		u, err := h.join(ctx, t.Upload, t.Key, wanted)
		if err == nil {
			wire.S3Completed(w, h.URL.To(r, "/files/"+u.ID), bucket, t.Key, wire.ObjectETag(u))
		}
		return err
	case "abort":
		if err := h.remove(ctx, t.Upload, t.Key); err != nil {
			return err
		}
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	return h.bytes(ctx, w, r, t)
}

// bytes takes a part. It counts as a whole or not at all, as nobody is told of
// half of it.
func (h *handler) bytes(ctx context.Context, w http.ResponseWriter, r *http.Request, t ticket) error {
	if r.ContentLength < 0 {
		return errLength
	}
	_, err := h.s.WriteNumbered(ctx, t.Upload, t.Number, upload.Chunk{Len: r.ContentLength, Size: -1, Body: wire.Body(w, r)})
	if err != nil {
		return err
	}
	w.Header().Set("ETag", wire.PartETag(t.Upload, t.Number, r.ContentLength))
	w.WriteHeader(http.StatusOK)
	return nil
}

// once begins the upload of a ticket, or finds that it has begun.
func (h *handler) once(ctx context.Context, t ticket) (*upload.Record, error) {
	n, err := h.parted(ctx, t.Key, t.Name, t.Type, t.Fields)
	if err != nil {
		return nil, err
	}
	u, err := h.s.Create(ctx, n)
	if errors.Is(err, upload.ErrExists) {
		return h.find(ctx, t.Key)
	}
	return u, err
}

// form takes a file that comes as a form, after its fields.
func (h *handler) form(ctx context.Context, w http.ResponseWriter, r *http.Request, t ticket) error {
	form, err := wire.NewForm(w, r)
	if err != nil {
		return err
	}
	for {
		part, err := form.Next()
		if err == io.EOF {
			return fmt.Errorf("the form has no file: %w", upload.ErrInvalid)
		}
		if err != nil {
			return err
		}
		if !part.File {
			value, err := part.Text()
			if err == nil && part.Name == "key" && value != t.Key {
				err = errTicket
			}
			if err != nil {
				return err
			}
			continue
		}
		u, err := h.take(ctx, t, t.Name, t.Type, upload.Chunk{Len: -1, Size: -1, Last: true, Body: part}, form.Drain)
		if err != nil {
			return err
		}
		at := h.URL.To(r, "/files/"+u.ID)
		w.Header().Set("ETag", wire.ObjectETag(u))
		w.Header().Set("Location", at)
		wire.S3Posted(w, at, bucket, t.Key, wire.ObjectETag(u))
		return nil
	}
}

// take takes a whole file, once for each ticket: a client that has lost the
// answer sends it again, and is told of the first. What breaks leaves nothing.
func (h *handler) take(ctx context.Context, t ticket, name, kind string, c upload.Chunk, rest func() error) (*upload.Record, error) {
	n, err := h.describe(ctx, t.Key, name, kind, t.Fields)
	if err != nil {
		return nil, err
	}
	switch before, err := h.find(ctx, t.Key); {
	case err == nil && before.Whole():
		if _, err := io.Copy(io.Discard, c.Body); err != nil {
			return nil, err
		}
		return before, nil
	case err == nil:
		if err := h.s.Withdraw(ctx, before.ID); err != nil && !errors.Is(err, upload.ErrGone) {
			return nil, err
		}
	case !errors.Is(err, upload.ErrNotFound):
		return nil, err
	}
	if n.Size = c.Size; c.Size < 0 {
		n.Size = -1
	}
	u, err := h.s.Take(ctx, n, c)
	if err == nil {
		err = rest()
	}
	if err != nil && u != nil {
		err = errors.Join(err, h.s.Withdraw(context.WithoutCancel(ctx), u.ID))
	}
	return u, err
}

// find returns the upload of a key.
func (h *handler) find(ctx context.Context, key string) (*upload.Record, error) {
	phases := []upload.Phase{upload.Receiving, upload.Joining, upload.Accepting, upload.Held, upload.Done}
	for u, err := range h.s.Find(ctx, upload.Query{Fingerprint: h.fingerprint(ctx, key), Phases: phases, Limit: 1}) {
		return u, err
	}
	return nil, upload.ErrNotFound
}

// read gives a finished file, where version 6 says that it is.
func (h *handler) read(w http.ResponseWriter, r *http.Request, key string) error {
	u, err := h.find(r.Context(), key)
	if err != nil {
		return err
	}
	return wire.Serve(w, r, h.s, u.ID)
}
