// Package plain takes files from clients that cannot resume: an HTML form, or
// the body of a PUT or POST.
//
//	POST  multipart/form-data  fields first, then any number of files
//	PUT or POST  anything else  the body is one file, without a name
//
// The answer is 201 with the file as JSON, and with "files", a list, for a form. A browser that sends a form by itself gets a page with links. What
// breaks in the middle leaves nothing, as nobody could go on with it.
package plain

import (
	"context"
	"errors"
	"log/slog"
	"mime"
	"net/http"
	"strings"

	"github.com/muleteer/muleteer/internal/wire"
	"github.com/muleteer/muleteer/upload"
)

// Protocol is the name of this protocol in records.
const Protocol = "plain"

// Options tell what the requests do not. Zero values are sensible.
type Options struct {
	URL wire.Links // makes a path of this server absolute; nil takes the request's host
	// Piece tells by the fields of a form whether it has only a piece of a file,
	// sent by a client that is not understood here; nil tells of none.
	Piece func(fields map[string]string) bool
}

type handler struct {
	Options
	s *upload.Service
}

// Handler takes files at any path. It may be called concurrently.
func Handler(s *upload.Service, o Options) http.Handler {
	return &handler{o, s}
}

// Form tells whether a request carries a form and is therefore for this
// package, whatever its path says.
func Form(r *http.Request) bool {
	t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return t == "multipart/form-data" && (err == nil || errors.Is(err, mime.ErrInvalidMediaParameter))
}

var errMethod = errors.New("files are sent by POST or PUT")

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	files, err := h.take(w, r)
	if err != nil {
		h.discard(r.Context(), files)
		h.fail(w, r, err)
		return
	}
	h.answer(w, r, files)
}

// take returns the files of a request. With an error it returns those that it
// has begun.
func (h *handler) take(w http.ResponseWriter, r *http.Request) ([]*upload.Record, error) {
	switch {
	case r.Method != http.MethodPost && r.Method != http.MethodPut:
		return nil, errMethod
	case Form(r):
		return h.form(w, r)
	}
	return h.raw(w, r)
}

// raw takes a body that is a file.
func (h *handler) raw(w http.ResponseWriter, r *http.Request) ([]*upload.Record, error) {
	kind := r.Header.Get("Content-Type")
	if t, _, _ := mime.ParseMediaType(kind); t == "application/x-www-form-urlencoded" {
		kind = "" // curl says so of every --data-binary
	}
	word, err := wire.Word(r.Header, nil, "", r.ContentLength)
	if err != nil {
		return nil, err
	}
	return h.one(r.Context(), nil, upload.New{Word: word, Type: kind}, upload.Chunk{
		Len: r.ContentLength, Size: r.ContentLength, Last: true, Body: wire.Body(w, r),
	})
}

// one adds one file to files.
func (h *handler) one(ctx context.Context, files []*upload.Record, n upload.New, c upload.Chunk) ([]*upload.Record, error) {
	if t, _, err := mime.ParseMediaType(n.Type); err != nil || !strings.Contains(t, "/") || len(n.Type) > wire.NameLimit {
		n.Type = ""
	}
	n.Protocol, n.Size = Protocol, c.Size
	u, err := h.s.Take(ctx, n, c)
	if u != nil {
		files = append(files, u)
	}
	return files, err
}

// discard removes what was begun: nobody was told of it, and nobody can go on
// with it.
func (h *handler) discard(ctx context.Context, files []*upload.Record) {
	ctx = context.WithoutCancel(ctx)
	for _, u := range files {
		if err := h.s.Withdraw(ctx, u.ID); err != nil {
			h.log().WarnContext(ctx, "a broken upload stays until it expires", "id", u.ID, "error", err)
		}
	}
}

func (h *handler) log() *slog.Logger {
	if h.s.Log != nil {
		return h.s.Log
	}
	return slog.Default()
}
