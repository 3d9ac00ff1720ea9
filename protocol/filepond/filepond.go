// Package filepond takes files from FilePond, versions 4 and 5.
//
//	POST    a form with a file                the file; its id as text
//	POST    Upload-Length, no file            begins a file in chunks; its id as text
//	PATCH   ?patch=ID or ?id=ID, or …/ID      a chunk, at Upload-Offset
//	HEAD    likewise                          Upload-Offset: how much is here
//	POST    ?id=ID                            the end of a file in chunks
//	DELETE  the id as body, or likewise       removes the file (revert)
//	GET     ?load=ID, ?restore=ID             the file
//
// A chunk counts as a whole or not at all: the client takes one for sent as
// soon as its beginning lies before the offset that it is told. Version 4
// (patch) sends one chunk after the other, version 5 (id) two at once. Both
// send an empty chunk after the last one if that was full.
//
// The client shows what an error says, so errors are short text. It tries every
// failed chunk again, a few times.
package filepond

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/muleteer/muleteer/internal/wire"
	"github.com/muleteer/muleteer/upload"
)

// Protocol is the name of this protocol in records.
const Protocol = "filepond"

// field is what the client calls its field unless the page does otherwise.
const field = "filepond"

// Options tell where the handler is mounted. Zero values are sensible.
type Options struct {
	Base string // path before an id; "" is "/filepond/"
}

type handler struct {
	Options
	s *upload.Service
}

// Handler takes files. It may be called concurrently.
func Handler(s *upload.Service, o Options) http.Handler {
	if o.Base == "" {
		o.Base = "/filepond/"
	}
	return &handler{o, s}
}

// RequestHeaders returns the headers that the client sends, for CORS.
func RequestHeaders() []string { return []string{"Upload-Length", "Upload-Name", "Upload-Offset"} }

// ResponseHeaders returns the headers of answers that the client reads.
func ResponseHeaders() []string {
	return []string{"Content-Disposition", "Upload-Length", "Upload-Offset", wire.AnswerHeader}
}

// Speaks tells whether a request is for this package, by its headers, its query
// and what its body begins with. A request of tus has headers of the same
// names, but it says that it is one.
func Speaks(r *http.Request, g wire.Glimpse) bool {
	if r.Header.Get("Tus-Resumable") != "" {
		return false
	}
	q := r.URL.Query()
	id := q.Has("patch") || q.Has("id")
	switch r.Method {
	case http.MethodPost:
		return r.Header.Get("Upload-Length") != "" || g.First == field || id && wire.ID(q.Get("id"))
	case http.MethodPatch:
		return id && r.Header.Get("Upload-Offset") != ""
	case http.MethodHead:
		return id || q.Has("load") || q.Has("restore")
	case http.MethodGet:
		return q.Has("load") || q.Has("restore") || q.Has("fetch")
	case http.MethodDelete:
		return true // nothing else is removed without a name
	}
	return false
}

// errors of this protocol alone.
var (
	errMethod = errors.New("files are sent by POST and PATCH")
	errFetch  = errors.New("files at other addresses are not fetched")
)

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if err := h.serve(w, r); err != nil {
		h.fail(w, r, err)
	}
}

func (h *handler) serve(w http.ResponseWriter, r *http.Request) error {
	switch r.Method {
	case http.MethodPost:
		if id, err := h.id(r); err == nil {
			return h.end(w, r, id)
		}
		return h.begin(w, r)
	case http.MethodPatch:
		return h.chunk(w, r)
	case http.MethodHead, http.MethodGet:
		return h.look(w, r)
	case http.MethodDelete:
		return h.revert(w, r)
	}
	return errMethod
}

// id is the upload that a request names.
func (h *handler) id(r *http.Request) (string, error) {
	q := r.URL.Query()
	for _, id := range [...]string{q.Get("patch"), q.Get("id"), strings.TrimPrefix(r.URL.Path, h.Base)} {
		if id != "" && wire.ID(id) {
			return id, nil
		}
	}
	return "", upload.ErrNotFound
}

// look answers HEAD for a chunk that failed, and reads files back.
func (h *handler) look(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	for _, name := range [...]string{"load", "restore"} {
		if q.Has(name) {
			return wire.Serve(w, r, h.s, q.Get(name))
		}
	}
	if q.Has("fetch") {
		return errFetch
	}
	if r.Method != http.MethodHead {
		return errMethod
	}
	u, err := h.find(r)
	if err != nil {
		return err
	}
	tell(w.Header(), u)
	w.WriteHeader(http.StatusOK)
	return nil
}

// find returns the upload that a request names. Only those of this protocol have
// their offset where a chunk begins.
func (h *handler) find(r *http.Request) (*upload.Record, error) {
	id, err := h.id(r)
	if err != nil {
		return nil, err
	}
	return h.s.Get(r.Context(), id)
}

// end answers the request by which version 5 may end a file. Its last chunk has
// done that.
func (h *handler) end(w http.ResponseWriter, r *http.Request, id string) error {
	u, err := h.s.Get(r.Context(), id)
	if err != nil {
		return err
	}
	if u.Phase == upload.Receiving {
		return fmt.Errorf("%w: %d bytes are here", upload.ErrIncomplete, u.Here)
	}
	text(w, http.StatusOK, id)
	return nil
}

// idLimit is how many bytes the body of a removal has at most.
const idLimit = 256

// revert removes a file. What is not there any more is as good as removed.
func (h *handler) revert(w http.ResponseWriter, r *http.Request) error {
	id, err := h.id(r)
	if err != nil {
		body, err := io.ReadAll(io.LimitReader(wire.Body(w, r), idLimit))
		if err != nil {
			return err
		}
		if id = strings.TrimSpace(string(body)); !wire.ID(id) {
			return upload.ErrNotFound
		}
	}
	if err := h.s.Remove(r.Context(), id); err != nil && !errors.Is(err, upload.ErrGone) {
		return err
	}
	text(w, http.StatusOK, "")
	return nil
}
