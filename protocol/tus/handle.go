package tus

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/muleteer/muleteer/internal/wire"
	"github.com/muleteer/muleteer/upload"
)

// create begins an upload, with its first bytes if they come along.
func (h *handler) create(w http.ResponseWriter, r *http.Request) error {
	c, err := h.parseCreation(r)
	if err != nil {
		return err
	}
	withBody := r.ContentLength != 0 && media(r.Header)
	if !withBody || c.concat.sources != nil {
		none, err := empty(w, r)
		switch {
		case err != nil:
			return err
		case !none && c.concat.sources != nil:
			return errFinal
		case !none:
			return errMedia
		}
	}
	n := c.new(r)
	var u *upload.Record
	switch {
	case c.concat.sources != nil:
		u, err = h.concatenate(r.Context(), n)
	case withBody || c.sum != nil:
		u, err = h.take(w, r, n, c.sum)
		withBody = true
	default:
		u, err = h.service.Create(r.Context(), n)
	}
	if err != nil {
		return err
	}
	header := w.Header()
	header.Set("Location", h.links.To(r, h.base+u.ID))
	header.Set("Cache-Control", "no-store")
	h.expires(header, u)
	if withBody {
		offset(header, u)
	}
	answer(w, http.StatusCreated, u)
	return nil
}

// answer ends a request that went well, with what a hook has said of an upload
// that is complete.
func answer(w http.ResponseWriter, status int, u *upload.Record) {
	wire.Answer(w.Header(), u)
	if u.Meta.Answer == nil || u.Phase != upload.Done {
		w.WriteHeader(status)
		return
	}
	wire.Respond(w, status, u.Meta.Answer.Response)
}

// take begins an upload with its first bytes. Once it is begun it stays even if
// they could not all be kept, because the client can go on with it, unless they
// were wrong.
func (h *handler) take(w http.ResponseWriter, r *http.Request, n upload.New, sum *checksum) (*upload.Record, error) {
	body := wire.Body(w, r)
	c := upload.Chunk{Len: r.ContentLength, Size: -1, Body: body, Append: true}
	if sum != nil {
		c.Body, c.Verify = sum.verify(body, r)
	}
	u, err := h.service.Take(r.Context(), n, c)
	if err == nil || u == nil {
		return u, err
	}
	for _, wrong := range []error{upload.ErrInvalid, upload.ErrSize, upload.ErrTooLarge, upload.ErrChecksum, upload.ErrRefused} {
		if errors.Is(err, wrong) {
			// The client is told nothing but the error, so nothing may stay; what
			// cannot be removed now expires.
			_ = h.service.Withdraw(context.WithoutCancel(r.Context()), u.ID)
			return nil, err
		}
	}
	return u, nil
}

// patch takes bytes.
func (h *handler) patch(w http.ResponseWriter, r *http.Request, id string) error {
	a, err := parseAppending(r)
	if err != nil {
		return err
	}
	body := wire.Body(w, r)
	c := upload.Chunk{At: a.offset, Len: r.ContentLength, Size: a.length, Body: body, Append: true}
	if a.sum != nil {
		c.Body, c.Verify = a.sum.verify(body, r)
	}
	u, err := h.service.Write(r.Context(), id, c)
	if u != nil && u.Phase != upload.Gone {
		offset(w.Header(), u)
		h.expires(w.Header(), u)
	}
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	answer(w, http.StatusNoContent, u)
	return nil
}

// head tells from where a client has to go on.
func (h *handler) head(w http.ResponseWriter, r *http.Request, id string) error {
	u, err := h.service.Settle(r.Context(), id)
	if errors.Is(err, upload.ErrBusy) && u != nil && len(u.Sources) > 0 {
		err = nil // a concatenation has no offset before it is done
	}
	if err != nil {
		return err
	}
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	offset(header, u)
	h.expires(header, u)
	switch {
	case u.Size >= 0:
		header.Set("Upload-Length", strconv.FormatInt(u.Size, 10))
	case len(u.Sources) == 0:
		header.Set("Upload-Defer-Length", "1")
	}
	for _, name := range []string{"Upload-Metadata", "Upload-Concat"} {
		if v := u.Meta.Wire[name]; v != "" {
			header.Set(name, v)
		}
	}
	wire.Answer(header, u)
	w.WriteHeader(http.StatusOK)
	return nil
}

// delete ends an upload, finished or not.
func (h *handler) delete(w http.ResponseWriter, r *http.Request, id string) error {
	if err := h.service.Remove(r.Context(), id); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
