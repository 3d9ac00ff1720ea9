// Package companion takes files from @uppy/aws-s3, versions 4 to 6, as Uppy's
// Companion does with a bucket behind it. Every store will do: the URLs that
// clients are given are our own, but for parts that go straight into a bucket.
//
//	GET    BASE/params?filename=&type=                  where a small file goes, as a form
//	POST   BASE/multipart                               begins a file in parts
//	GET    BASE/multipart/ID?key=                       the parts that are here
//	GET    BASE/multipart/ID/N?key=                     where a part goes
//	GET    BASE/multipart/ID/batch?key=&partNumbers=    where some go (Uppy 3 and before)
//	POST   BASE/multipart/ID/complete?key=              the file consists of these
//	DELETE BASE/multipart/ID?key=                       removes it
//	POST   BASE/sign                                    the URL of a request to S3, for signRequest (Uppy 6)
//	       BASE/object/KEY?ticket=                      those URLs
//	GET    BASE/object/KEY                              the finished file
//
// The clients send bytes without any header or cookie of theirs. So a URL for
// bytes carries a ticket: who asked for it, and what it is good for. It is signed
// by a key of the server, and short-lived.
//
// Where the store takes parts from clients, of which these have told nothing, the
// URL of a part is the store's own. All else stays as it is: what the store lists
// is what is here, and of that the file is made.
//
// Version 6 tries a JSON request once only, bytes four times where the status is
// 5xx; version 5 tries everything again but most of 4xx, and takes a new ticket
// when it is told that the old one has expired.
package companion

import (
	"errors"
	"net/http"
	"strings"

	"github.com/muleteer/muleteer/internal/wire"
	"github.com/muleteer/muleteer/upload"
)

// Protocol is the name of this protocol in records.
const Protocol = "companion"

// bucket is the name of the bucket that clients are told.
const bucket = "muleteer"

// Options tell where the handler is mounted, and by what it signs.
type Options struct {
	Base string     // path before the requests; "" is "/s3/"
	URL  wire.Links // nil: as the request says
	Key  []byte     // signs tickets; another key ends those that are there
}

type handler struct {
	Options
	s *upload.Service
}

// Handler takes files. A request of which Ticketed is true needs nobody who is
// known: its ticket says on whose behalf it comes. It may be called
// concurrently.
func Handler(s *upload.Service, o Options) http.Handler {
	if o.Base == "" {
		o.Base = "/s3/"
	}
	return &handler{o, s}
}

// ResponseHeaders returns the headers of answers that clients read.
func ResponseHeaders() []string { return []string{"ETag", "Location"} }

// errors of this protocol alone.
var (
	errMethod  = errors.New("there is no such request for this path")
	errNothing = errors.New("there is nothing at this path")
	errAnew    = errors.New("the storage takes no parts of this file any more, cancel it and add it again")
)

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if Ticketed(r) {
		if err := h.ticketed(w, r); err != nil {
			h.failS3(w, r, err)
		}
		return
	}
	if err := h.serve(w, r); err != nil {
		h.fail(w, r, err)
	}
}

func (h *handler) serve(w http.ResponseWriter, r *http.Request) error {
	what, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, h.Base), "/")
	id, more, _ := strings.Cut(rest, "/")
	at := r.Method + " " + what
	switch {
	case at == "GET params" && rest == "":
		return h.params(w, r)
	case at == "POST sign" && rest == "":
		return h.sign(w, r)
	case (at == "GET object" || at == "HEAD object") && rest != "":
		return h.read(w, r, rest)
	case what != "multipart":
		return errNothing
	case id == "" && at == "POST multipart":
		return h.begin(w, r)
	case id == "":
		return errMethod
	case more == "" && at == "GET multipart":
		return h.list(w, r, id)
	case more == "" && at == "DELETE multipart":
		return h.abort(w, r, id)
	case more == "complete" && at == "POST multipart":
		return h.complete(w, r, id)
	case more == "batch" && at == "GET multipart":
		return h.batch(w, r, id)
	case at == "GET multipart":
		return h.part(w, r, id, more)
	}
	return errMethod
}

// fail answers with an error as Companion does. Version 6 shows the status
// only, version 5 what is said.
func (h *handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	status, known := wire.Status(err)
	line := err.Error()
	var refusal *upload.Refusal
	switch {
	case errors.Is(err, errMethod):
		status, known = http.StatusMethodNotAllowed, true
	case errors.Is(err, errNothing), errors.Is(err, errAnew):
		status, known = http.StatusNotFound, true
	case errors.Is(err, upload.ErrGone): // the page starts anew, as if there never was one
		status = http.StatusNotFound
	case errors.As(err, &refusal):
		line = refusal.Reason
	case errors.Is(err, upload.ErrBusy), errors.Is(err, upload.ErrInterrupted):
		status = http.StatusServiceUnavailable
	}
	switch {
	case !known:
		wire.Log(h.s, r, err)
		line = "This is a fault of the server, which has noted it."
	case status >= 500:
		line = "The server cannot do this now. What was acknowledged is safe; try again."
	}
	wire.Retry(w.Header(), status)
	wire.JSON(w, status, struct {
		Error   string `json:"error"`
		Message string `json:"message"`
	}{line, line})
}

// failS3 answers with an error as a bucket does.
func (h *handler) failS3(w http.ResponseWriter, r *http.Request, err error) {
	status, code, known := wire.S3Code(err)
	line := err.Error()
	switch {
	case errors.Is(err, errTicket):
		status, code, line, known = http.StatusForbidden, "AccessDenied", err.Error(), true
	case errors.Is(err, errLength):
		status, code, known = http.StatusLengthRequired, "MissingContentLength", true
	}
	switch {
	case !known:
		wire.Log(h.s, r, err)
		line = "This is a fault of the server, which has noted it."
	case status >= 500:
		line = "The server cannot take this now. What was acknowledged is safe; try again."
	}
	wire.S3Error(w, status, code, line)
}
