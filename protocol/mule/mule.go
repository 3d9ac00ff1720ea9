// Package mule takes files from Mule Uploader, all versions from 2014 to 1.2.0.
// That client speaks to a bucket of S3 by itself; here it is led to us, and the
// key by which it signs is good for one upload with us and nothing else.
//
//	GET  BASE/signing_key/?filename=&filesize=&last_modified=   begins an upload, or finds it again
//	GET  BASE/chunk_loaded/?…                                   heard, and not needed: what is here is known
//	POST BUCKET/KEY?uploads=                                    the id of the upload
//	PUT  BUCKET/KEY?partNumber=&uploadId=                       a chunk
//	GET  BUCKET/KEY?uploadId=                                   which chunks are here
//	POST BUCKET/KEY?uploadId=                                   the file is whole
//
// BUCKET is /mule/NAME.s3.amazonaws.com: the client puts what it is told as the
// name of the bucket before ".s3.amazonaws.com", whatever it is.
//
// The client understands few answers. A chunk is tried again for ever, unless the
// answer is 2xx and comes within 15 s. A list is 200, or else 404, after which it
// begins anew. Whatever it is told at the end but 200 or 400 EntityTooSmall makes
// it upload the whole file again.
package mule

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/muleteer/muleteer/internal/wire"
	"github.com/muleteer/muleteer/upload"
)

// Protocol is the name of this protocol in records.
const Protocol = "mule"

// Options tell where the handlers are mounted. Zero values are sensible.
type Options struct {
	Base   string                       // path before signing_key; "" is "/upload-backend/"
	Bucket string                       // path before the name of the bucket; "" is "/mule/"
	URL    wire.Links                   // nil: as the request says
	Chunk  int64                        // bytes of the chunks that pages are set to; 0 is 6 MiB, as the client has it
	Scope  func(r *http.Request) string // tells apart those who have no name; nil: nobody is
}

type handler struct {
	Options
	s *upload.Service
}

func newHandler(s *upload.Service, o Options) *handler {
	o.Base, o.Bucket = cmp.Or(o.Base, "/upload-backend/"), cmp.Or(o.Bucket, "/mule/")
	o.Chunk = cmp.Or(o.Chunk, usualChunk)
	return &handler{o, s}
}

// usualChunk is the client's chunk_size, in bytes, where a page does not say
// another one.
const usualChunk = 6 << 20

// Handler answers at Options.Base, those who may upload. It may be called
// concurrently.
func Handler(s *upload.Service, o Options) http.Handler {
	h := newHandler(s, o)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		what := strings.Trim(strings.TrimPrefix(r.URL.Path, h.Base), "/")
		if r.Method != http.MethodGet || what != "signing_key" && what != "chunk_loaded" {
			wire.Problem(w, http.StatusNotFound, "", "There are GET signing_key/ and chunk_loaded/ here.")
			return
		}
		if what == "chunk_loaded" { // what is here is told by the list, and by nobody's word
			w.WriteHeader(http.StatusOK)
			return
		}
		if err := h.begin(w, r); err != nil {
			h.fail(w, r, err)
		}
	})
}

// fail says what is wrong, and notes it: the client shows nothing, and stops.
func (h *handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	status, known := wire.Status(err)
	line := err.Error()
	var refusal *upload.Refusal
	if errors.As(err, &refusal) {
		line = refusal.Reason
	}
	if !known {
		wire.Log(h.s, r, err)
		line = "This is a fault of the server, which has noted it."
	} else if status < http.StatusInternalServerError {
		h.log().Warn("a file is refused, and Mule Uploader does not show why", "reason", line, "size", fmt.Sprintf("%.20s", r.URL.Query().Get("filesize")), "status", status)
	}
	wire.Problem(w, status, "", line)
}

func (h *handler) now() time.Time {
	if h.s.Now != nil {
		return h.s.Now()
	}
	return time.Now()
}
