// Package contentrange speaks PUT with Content-Range: the protocol of
// node-s3-resumable-upload, of curl -T and curl -C, of Google's resumable
// uploads in its plainest form, and of muleteer put.
//
//	PUT  /upload/{name}                            the body is the file
//	PUT  /upload/{name}  Content-Range: bytes */*  how much of it is here?
//	PUT  /upload/{name}  Content-Range: bytes F-L/T  these bytes of it
//
// POST is taken for PUT. The answer is 200 with the file as JSON when the file
// is whole, and 308 with "Range: bytes=0-N" while bytes are missing, N+1 of them
// being here from the start on. Ranges may come in any order, overlap, and come
// over any number of connections at once; a query is also told all that is here
// in X-Upload-Ranges, as far as that fits into a header. An answer with 308 never carries a Location, which clients would follow;
// X-Upload-Location names the status of the upload as JSON.
//
// A range with "X-Upload-Checksum: crc64nvme BASE64" counts as a whole or not at
// all, and a mismatch is 460; every answer to a body carries our checksum of it.
// 409 says that another request took over or that the sizes contradict, 503 that
// the same request will succeed later.
//
// Where the store takes parts from clients, "X-Upload-Direct: sign" asks by POST,
// with all headers of a piece and without its bytes, for the request that puts
// them there: {"put": {"url", "headers", "expires"}}. "X-Upload-Direct: sent" tells
// in the same way that it was done, and is answered as the piece would be. 501 says
// that all bytes have to come here, 422 that these have to, since they are not a part
// as the store wants it (of X-Upload-Cell bytes, or the last one). What was put and not
// told is counted by the next query.
//
// What belongs together is told by the name. A client that may send two files
// of one name sends X-Upload-Fingerprint, which it chooses, with all requests
// of one file: then nothing is ever replaced, and what is repeated after the
// end is told apart from a new file. Without it, a request without a
// Content-Range, or one with another total, begins the file anew.
package contentrange

import (
	"cmp"
	"net/http"
	"net/url"

	"github.com/muleteer/muleteer/internal/wire"
	"github.com/muleteer/muleteer/upload"
)

// Protocol is the name of this protocol in records.
const Protocol = "contentrange"

// Options tell where the handler is mounted and how old its clients are. Zero
// values are sensible.
type Options struct {
	Base string     // path before the name; "" is "/upload/"
	URL  wire.Links // makes a path of this server absolute; nil takes the request's host
	// Scope tells uploads apart that arrive by one name and owner, say those of
	// two hosts; nil tells none.
	Scope func(r *http.Request) string
	// Fields tells what else is kept of the request that begins an upload; nil
	// keeps nothing.
	Fields func(r *http.Request) map[string]string

	// Compat answers as node-s3-resumable-upload did where that refused more:
	// empty files, gaps, unknown methods and names are 400.
	Compat bool
	// BareRange says "Range: 0-N" instead of "Range: bytes=0-N", as that server
	// did, against its own documentation.
	BareRange bool
}

// methods are those that the protocol has a meaning for.
const methods = "GET, HEAD, PUT, POST, DELETE"

// base is where the handler is mounted if nothing else is said, and baseField
// where a record keeps what else was.
const (
	base      = "/upload/"
	baseField = "base"
)

// Resume returns the path at which an unfinished upload goes on, for whoever
// sends the fingerprint with which it began.
func Resume(u *upload.Record) string {
	return cmp.Or(u.Meta.Wire[baseField], base) + url.PathEscape(u.Meta.Name)
}

type handler struct {
	Options
	s *upload.Service
}

// Handler takes uploads under o.Base. It may be called concurrently.
func Handler(s *upload.Service, o Options) http.Handler {
	if o.Base == "" {
		o.Base = base
	}
	if o.Scope == nil {
		o.Scope = func(*http.Request) string { return "" }
	}
	if o.Fields == nil {
		o.Fields = func(*http.Request) map[string]string { return nil }
	}
	return &handler{o, s}
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a := &answer{handler: h, w: w, r: r, q: &request{}}
	if err := h.serve(a); err != nil {
		a.fail(err)
	}
}

func (h *handler) serve(a *answer) error {
	do, ok := map[string]func(*answer) error{
		http.MethodGet: h.status, http.MethodHead: h.status,
		http.MethodPut: h.send, http.MethodPost: h.send,
		http.MethodDelete: h.cancel,
	}[a.r.Method]
	if !ok {
		return errMethod
	}
	q, err := h.read(a.r)
	if err != nil {
		return err
	}
	switch a.q = q; {
	case q.direct != "":
		do = h.directly
	case q.query:
		do = h.query
	}
	return do(a)
}
