// Package photo has what pages with Resumable.js ask for beside their chunks, as
// the system that it was made for has it:
//
//	GET   frame     ?upload_token= &resumableIdentifier= &time=   a small picture of a file
//	POST  words     upload_token, resumableIdentifier, title …    what a person says of it
//	GET   link      ?upload_token= &resumableIdentifier=          goes to the finished file
//
// A file is found by the token and the identifier with which it is sent. Both
// are the client's; they are never kept, only a hash of the two, see Marked. Who
// knows both may see the file. Where the token tells who its owner is, a newer
// token of the same owner will do.
package photo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/muleteer/muleteer/internal/wire"
	"github.com/muleteer/muleteer/upload"
)

// Options tell what the requests do not. Zero values are sensible.
type Options struct {
	URL         wire.Links // makes a path of this server absolute; nil takes the request's host
	Preview     Preview    // makes pictures of films; the zero value makes none
	Placeholder []byte     // a PNG, for files of which there is no picture
}

// Handler answers what is asked of a file. Its methods may be called
// concurrently.
type Handler struct {
	Options
	s     *upload.Service
	slots chan struct{} // one token for each picture that is being made
}

// New returns a Handler.
func New(s *upload.Service, o Options) *Handler {
	return &Handler{o, s, make(chan struct{}, slots)}
}

// The names of the parameters by which a file is found, and of the field of its
// record that has their hash.
const (
	token      = "upload_token"
	identifier = "resumableIdentifier"
	label      = "photo_label"
)

// Marked returns r, which brings a file or a piece of it, with a mark in its
// query by which the file is found again; see Fields. Without a token there is
// none: identifiers can be guessed.
func Marked(r *http.Request, g wire.Glimpse) *http.Request {
	q := r.URL.Query()
	q.Del(label) // it is not the client's to say
	said := func(name string) string {
		if v, ok := g.Fields[name]; ok {
			return v
		}
		return q.Get(name)
	}
	if t, id := whose(r.Context(), said(token)), said(identifier); t != "" && id != "" {
		q.Set(label, mark(t, id))
	}
	marked := *r
	marked.URL = new(url.URL)
	*marked.URL = *r.URL
	marked.URL.RawQuery = q.Encode()
	return &marked
}

// Fields is what the record of a file has to keep of a request that Marked
// returned. Protocols that keep all fields of a client keep it by themselves.
func Fields(r *http.Request) map[string]string {
	if m := r.URL.Query().Get(label); m != "" {
		return map[string]string{label: m}
	}
	return nil
}

func mark(t, id string) string { return upload.Fingerprint("", "photo", "", t, id) }

// whose tells by what a file is told from those of others: by the token, unless
// that has told already who its owner is.
func whose(ctx context.Context, token string) string {
	if upload.Caller(ctx).Named() {
		return "owner"
	}
	return token
}

// lookLimit is how many uploads are looked at to find one. It is the newest
// that are asked for, by pages that are sending them.
const lookLimit = 1000

// find returns the newest upload that was sent with the token and identifier of
// q, without its parts.
func (h *Handler) find(ctx context.Context, q url.Values) (*upload.Record, error) {
	t, id := whose(ctx, q.Get(token)), q.Get(identifier)
	if t == "" || id == "" {
		return nil, fmt.Errorf("%s and %s say which file is meant: %w", token, identifier, upload.ErrInvalid)
	}
	m := mark(t, id)
	phases := []upload.Phase{upload.Receiving, upload.Joining, upload.Accepting, upload.Held, upload.Done}
	for u, err := range h.s.Find(ctx, upload.Query{Phases: phases, Limit: lookLimit}) {
		if err != nil {
			return nil, err
		}
		if u.Meta.Fields[label] == m {
			return u, nil
		}
	}
	return nil, upload.ErrNotFound
}

var errMethod = errors.New("this method is not for this address")

// answering lets one method through, and tells errors.
func (h *Handler) answering(methods string, serve func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := errMethod
		if read := r.Method == http.MethodGet || r.Method == http.MethodHead; read && methods == "GET, HEAD" || r.Method == methods {
			err = serve(w, r)
		}
		if err == nil {
			return
		}
		status, known := wire.Status(err)
		detail := err.Error()
		switch {
		case errors.Is(err, errMethod):
			w.Header().Set("Allow", methods)
			status = http.StatusMethodNotAllowed
		case !known:
			wire.Log(h.s, r, err)
			detail = ""
		case status >= 500:
			detail = ""
		}
		wire.Problem(w, status, "", detail)
	})
}

// Link goes to the finished file.
func (h *Handler) Link() http.Handler {
	return h.answering("GET, HEAD", func(w http.ResponseWriter, r *http.Request) error {
		q := r.URL.Query()
		if q.Get("action") != "resumable-upload-redirect" {
			return fmt.Errorf("there is no such action: %w", upload.ErrNotFound)
		}
		u, err := h.find(r.Context(), q)
		switch {
		case err != nil:
			return err
		case u.Phase != upload.Done && u.Size > 0:
			return fmt.Errorf("%w: %d %% of it are here; try again when it has arrived", upload.ErrIncomplete, 100*(u.Here/1024)/max(u.Size/1024, 1))
		case u.Phase != upload.Done:
			return upload.ErrIncomplete
		}
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Location", h.URL.To(r, "/files/"+u.ID))
		w.WriteHeader(http.StatusSeeOther)
		return nil
	})
}
