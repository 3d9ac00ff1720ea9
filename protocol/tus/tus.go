// Package tus serves the tus resumable upload protocol 1.0.0 with all of its
// extensions, https://tus.io/protocols/resumable-upload.
//
// Where the specification leaves a choice, the handler does what the clients
// that are in use can live with; tests are named with the line of the
// checklist that they check.
package tus

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/muleteer/muleteer/internal/wire"
	"github.com/muleteer/muleteer/upload"
)

// Version is the protocol's.
const Version = "1.0.0"

const extensions = "creation,creation-with-upload,creation-defer-length,expiration," +
	"checksum,checksum-trailer,termination,concatenation,concatenation-unfinished"

// Options say where the handler is.
type Options struct {
	// Base is the path at which it is mounted, with slashes around it; "" is
	// "/tus/". It sees whole paths, so nothing may be stripped off.
	Base string
	// URL makes an absolute URL of a path; nil: as the request says.
	URL func(r *http.Request, path string) string
}

// Handler serves tus for the uploads of s. It leaves CORS and authentication to
// whoever stands before it, who must look at the method that Override gives;
// see RequestHeaders and ResponseHeaders.
func Handler(s *upload.Service, o Options) http.Handler {
	if o.Base == "" {
		o.Base = "/tus/"
	}
	return &handler{service: s, base: o.Base, links: o.URL}
}

type handler struct {
	service *upload.Service
	base    string
	links   wire.Links
}

// Methods returns the methods that the handler knows.
func Methods() []string {
	return []string{"POST", "HEAD", "PATCH", "OPTIONS", "GET", "DELETE"}
}

// RequestHeaders returns the headers that a client may send from another
// origin.
func RequestHeaders() []string {
	return []string{
		"Tus-Resumable", "Upload-Offset", "Upload-Length", "Upload-Defer-Length", "Upload-Metadata",
		"Upload-Concat", "Upload-Checksum", "Upload-Complete", "Upload-Draft-Interop-Version",
		"Content-Type", "Content-Digest", "Repr-Digest", "Idempotency-Key",
		"Authorization", "X-Requested-With", "X-Request-ID", "X-HTTP-Method-Override",
	}
}

// ResponseHeaders returns the headers that such a client must be able to read.
func ResponseHeaders() []string {
	return []string{
		"Location", "Tus-Resumable", "Tus-Version", "Tus-Extension", "Tus-Max-Size", "Tus-Checksum-Algorithm",
		"Upload-Offset", "Upload-Length", "Upload-Defer-Length", "Upload-Metadata", "Upload-Concat",
		"Upload-Expires", wire.AnswerHeader, "Upload-Complete", "Upload-Limit", "Upload-Draft-Interop-Version", "Retry-After",
	}
}

// Override returns r with the method that X-HTTP-Method-Override asks for,
// whatever the real one is. Everything that decides by the method has to look
// at this one.
func Override(r *http.Request) *http.Request {
	method, present, _ := wire.Header(r.Header, "X-HTTP-Method-Override")
	if !present || method == r.Method {
		return r
	}
	o := *r // two methods are none, and are refused as such
	o.Method = method
	return &o
}

// These have a status of their own in this protocol.
var (
	errVersion = errors.New("this server speaks tus " + Version + ", and the request must say so in Tus-Resumable")
	errMedia   = errors.New("the body must be of type " + mediaType)
	errMethod  = errors.New("the method makes no sense here")
	errFinal   = errors.New("a concatenation takes no bytes")
)

// ServeHTTP parses nothing itself: it finds out what is asked for, and turns
// errors into answers.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r = Override(r)
	if r.Method == http.MethodOptions {
		h.options(w)
		return
	}
	w.Header().Set("Tus-Resumable", Version)
	if err := h.route(w, r); err != nil {
		h.fail(w, r, err)
	}
}

func (h *handler) route(w http.ResponseWriter, r *http.Request) error {
	id, below := strings.CutPrefix(r.URL.Path, h.base)
	if below && id != "" && r.Method == http.MethodGet { // any browser may read
		return wire.Serve(w, r, h.service, id)
	}
	if version, _, err := wire.Header(r.Header, "Tus-Resumable"); err != nil || version != Version {
		return errVersion
	}
	if id == "" || r.URL.Path+"/" == h.base {
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", "OPTIONS, POST")
			return errMethod
		}
		return h.create(w, r)
	}
	if !below || !wire.ID(id) {
		return upload.ErrNotFound
	}
	switch r.Method {
	case http.MethodHead:
		return h.head(w, r, id)
	case http.MethodPatch:
		return h.patch(w, r, id)
	case http.MethodDelete:
		return h.delete(w, r, id)
	}
	w.Header().Set("Allow", "DELETE, GET, HEAD, OPTIONS, PATCH")
	return errMethod
}

// fail is the table of statuses.
func (h *handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	status, known := wire.Status(err)
	switch {
	case errors.Is(err, errVersion):
		status, known = http.StatusPreconditionFailed, true
		w.Header().Set("Tus-Version", Version)
	case errors.Is(err, errMedia):
		status, known = http.StatusUnsupportedMediaType, true
	case errors.Is(err, errMethod):
		status, known = http.StatusMethodNotAllowed, true
	case errors.Is(err, errFinal):
		status, known = http.StatusForbidden, true
	}
	detail := err.Error()
	if !known {
		wire.Log(h.service, r, err)
		detail = ""
	}
	if status == http.StatusRequestEntityTooLarge {
		h.maxSize(w.Header())
	}
	if r.Method == http.MethodHead {
		// Clients take any other failure of a HEAD for the end of the upload and
		// begin a new one.
		if status >= 500 || status == http.StatusConflict {
			status = http.StatusLocked
		}
		w.Header().Set("Cache-Control", "no-store")
		wire.Retry(w.Header(), status)
		w.WriteHeader(status)
		return
	}
	var refusal *upload.Refusal
	if errors.As(err, &refusal) && refusal.Response != nil {
		wire.Respond(w, status, refusal.Response)
		return
	}
	wire.Problem(w, status, "", detail)
}

func (h *handler) options(w http.ResponseWriter) {
	w.Header().Set("Tus-Version", Version)
	w.Header().Set("Tus-Extension", extensions)
	w.Header().Set("Tus-Checksum-Algorithm", algorithmNames)
	h.maxSize(w.Header())
	w.WriteHeader(http.StatusOK)
}

func (h *handler) maxSize(header http.Header) {
	if h.service.MaxSize > 0 {
		header.Set("Tus-Max-Size", strconv.FormatInt(h.service.MaxSize, 10))
	}
}

// expires tells when the upload is removed if nothing more comes.
func (h *handler) expires(header http.Header, u *upload.Record) {
	if t := h.service.Expires(u); !t.IsZero() {
		header.Set("Upload-Expires", t.UTC().Format(http.TimeFormat))
	}
}

// offset tells where the upload stands, unless that would say that it is
// complete while it is not, or it is a concatenation that is not.
func offset(header http.Header, u *upload.Record) {
	if !u.Whole() && (len(u.Sources) > 0 || u.Offset == u.Size) {
		return
	}
	header.Set("Upload-Offset", strconv.FormatInt(u.Offset, 10))
}
