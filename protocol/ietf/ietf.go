// Package ietf serves resumable uploads as the IETF makes them a part of HTTP
// (draft-ietf-httpbis-resumable-upload, "RUFH"): interop versions 3 to 8, which
// Apple's URLSession and tus-js-client speak, and requests that name no
// version, as it will be in the RFC.
//
//	POST  /rufh/     Upload-Complete: ?1   begins an upload; PUT and PATCH do, too
//	HEAD  /rufh/ID                         where does it stand?
//	PATCH /rufh/ID   Upload-Offset: N      goes on there
//	DELETE /rufh/ID                        ends it
//
// While a body comes, informational responses (104) tell where its upload is
// and how much of it is safe. A request without Upload-Complete is an upload in
// one piece.
//
// An upload of which every byte has come is complete, even if the client has
// not said that it is: nothing else could come.
package ietf

import (
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/muleteer/muleteer/internal/wire"
	"github.com/muleteer/muleteer/upload"
)

// Protocol is the name of this protocol in records.
const Protocol = "ietf"

// Options say where the handler is and what it asks of its clients. The zero
// value is sensible.
type Options struct {
	// Base is the path below which uploads are, with slashes around it; "" is
	// "/rufh/". New ones are begun there too, and at every path that is not
	// below it and at which the handler is mounted.
	Base string
	// URL makes an absolute URL of a path; nil: as the request says.
	URL func(r *http.Request, path string) string
	// MaxAppend and MinAppend bound the bytes of one request, for proxies that
	// do; 0: no bound. An empty creation and the last append may be smaller.
	MaxAppend, MinAppend int64
	// Inform sends 104 to clients that name no version too. Drafts forbid it,
	// the RFC will not.
	Inform bool
	// Pace is the least time between two 104 that tell of progress; 0: a
	// second.
	Pace time.Duration
}

// Handler serves the protocol for the uploads of s. It leaves CORS and
// authentication to whoever stands before it; see RequestHeaders and
// ResponseHeaders.
func Handler(s *upload.Service, o Options) http.Handler {
	if o.Base == "" {
		o.Base = "/rufh/"
	}
	if o.Pace == 0 {
		o.Pace = time.Second
	}
	return &handler{Options: o, service: s, links: o.URL}
}

type handler struct {
	Options
	service *upload.Service
	links   wire.Links
}

// Methods returns the methods that the handler knows.
func Methods() []string {
	return []string{"POST", "PUT", "PATCH", "HEAD", "GET", "DELETE", "OPTIONS"}
}

// RequestHeaders returns the headers that a client may send from another
// origin.
func RequestHeaders() []string {
	return []string{
		complete, "Upload-Incomplete", offset, length, interop, "Content-Type", "Content-Disposition",
		"Content-Encoding", "Content-Digest", "Repr-Digest", "Want-Repr-Digest",
	}
}

// ResponseHeaders returns the headers that such a client must be able to read.
func ResponseHeaders() []string {
	return []string{"Location", complete, "Upload-Incomplete", offset, length, limit, interop, "Accept-Patch", "Repr-Digest", "Retry-After"}
}

const (
	mediaType = "application/partial-upload"
	methods   = "DELETE, GET, HEAD, OPTIONS, PATCH" // of an upload
)

// Speaks tells whether a request that arrives where several protocols do is one
// of this one. It looks at the header only.
//
// URLSession adds the fields of this protocol to whatever it uploads. So
// another protocol that says more of the body wins: tus, a range, a form.
func Speaks(r *http.Request) bool {
	for _, other := range []string{"Tus-Resumable", "Content-Range", "X-Goog-Upload-Protocol"} {
		if r.Header.Get(other) != "" {
			return false
		}
	}
	if media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); strings.HasPrefix(media, "multipart/") {
		return false
	}
	v := negotiate(r.Header)
	switch r.Method {
	case http.MethodPost, http.MethodPut, http.MethodPatch:
		_, said := v.completeness(r.Header)
		return said == valid || r.Method == http.MethodPatch && media(r.Header) == mediaType
	case http.MethodHead, http.MethodGet, http.MethodDelete:
		return v.interop > 0
	}
	return false
}

// ServeHTTP finds out what is asked for, and turns errors into answers.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a := &answer{handler: h, w: w, r: r, v: negotiate(r.Header)}
	if a.v.interop > 0 {
		w.Header().Set(interop, decimal(a.v.interop))
	}
	w.Header().Set("Cache-Control", "no-store")
	if err := a.route(); err != nil {
		a.fail(err)
	}
}

func (a *answer) route() error {
	id, below := strings.CutPrefix(a.r.URL.Path, a.Base)
	if !below || id == "" {
		switch a.r.Method {
		case http.MethodPost, http.MethodPut, http.MethodPatch:
			return a.create()
		case http.MethodOptions:
			return a.options("OPTIONS, PATCH, POST, PUT")
		}
		a.w.Header().Set("Allow", "OPTIONS, PATCH, POST, PUT")
		return errMethod
	}
	if !wire.ID(id) {
		return upload.ErrNotFound
	}
	switch a.r.Method {
	case http.MethodHead, http.MethodGet:
		return a.head(id)
	case http.MethodPatch:
		return a.append(id)
	case http.MethodDelete:
		return a.delete(id)
	case http.MethodOptions:
		return a.options(methods)
	}
	a.w.Header().Set("Allow", methods)
	return errMethod
}
