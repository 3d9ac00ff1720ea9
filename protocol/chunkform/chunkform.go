// Package chunkform takes files from the browser libraries that cut a file into
// chunks and send each of them as a form: Resumable.js, Flow.js,
// simple-uploader.js, Dropzone, Fine Uploader, WebUploader, Plupload,
// Syncfusion, DevExtreme, Kendo, huge-uploader, Cloudinary's, jQuery File
// Upload, react-uploady.
//
//	POST, PUT, PATCH  a form or the bytes alone   a chunk of a file
//	GET, HEAD         with a chunk's parameters   is it here? 200, or 204
//	POST …/merge      what some pages call at the end: the result
//	DELETE            with a chunk's parameters: removes its file
//	DELETE …/ID       likewise, by Fine Uploader's id; POST with _method=DELETE, too
//
// They differ in what they call things, which is one row each in the table of
// client.go; everything else is the same for all. A chunk is taken as it
// passes, wherever it belongs in the file, in any order, twice or at the same
// time. Where a client sends the file before the fields that tell of it, the
// chunk is held in memory first, and one larger than 16 MiB is refused.
//
// None of them says that it is done: the file is whole when its last byte has
// come. So every answer to a chunk is the same JSON: ok, id, url, name, size,
// received, complete, and what the client wants to hear beside it.
//
// What belongs together is told by the client's name for its file, the file's
// own name, path and size, and who sends it: none of these suffices alone.
package chunkform

import (
	"errors"
	"net/http"
	"time"

	"github.com/muleteer/muleteer/internal/wire"
	"github.com/muleteer/muleteer/store"
	"github.com/muleteer/muleteer/upload"
)

// Options tell what the requests do not. Zero values are sensible.
type Options struct {
	URL wire.Links // makes a path of this server absolute; nil takes the request's host
	// Scope tells uploads apart that have one name and owner, say those of two
	// hosts; nil tells none.
	Scope func(r *http.Request) string
	// Rename gives names that a page has chosen for its fields back the names
	// that its client has for them.
	Rename map[string]string
	// Memory is what chunks are held in that wait for what tells their place. A
	// store works while they are held, so it must not be all that the store has:
	// see store.Budget.Share. nil: no bound but HoldLimit for each.
	Memory *store.Budget

	// Pause is how long a client in passing trouble waits for its answer: many
	// try again at once, and not for ever. 0: 1.5 s; negative: not at all.
	Pause time.Duration
	// ExactStatus tells why an upload has to end even those clients that would
	// then try again, instead of the 415 at which all of them stop.
	ExactStatus bool
	// Compat answers as the sample server of Resumable.js did: "OK", and 404 for
	// a chunk that is missing.
	Compat bool
}

type handler struct {
	Options
	s *upload.Service
}

// Handler takes chunks at any path. It may be called concurrently.
func Handler(s *upload.Service, o Options) http.Handler {
	if o.Scope == nil {
		o.Scope = func(*http.Request) string { return "" }
	}
	if o.Pause == 0 {
		o.Pause = 1500 * time.Millisecond
	}
	return &handler{o, s}
}

// RequestHeaders returns the headers that these clients send, for CORS.
func RequestHeaders() []string {
	return []string{"Cache-Control", "Content-Disposition", "Content-Range", "Uploader-Chunk-Number",
		"Uploader-Chunks-Total", "Uploader-File-Id", "X-Mime-Type", "X-Unique-Upload-Id"}
}

// ResponseHeaders returns the headers of answers that these clients read.
func ResponseHeaders() []string { return []string{"Range"} }

var errMethod = errors.New("chunks are sent by POST, and asked for by GET")

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a := &answer{handler: h, w: w, r: r, said: newSaid(r, h.Rename)}
	defer a.release()
	for name, value := range wire.Glimpsed(r).Fields {
		a.said.add(name, value)
	}
	var err error
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		err = h.probe(a)
	case http.MethodPost, http.MethodPut, http.MethodPatch:
		err = h.take(a)
	case http.MethodDelete:
		err = h.cancel(a)
	default:
		err = errMethod
	}
	if err != nil {
		a.release() // before the client has to wait
		a.fail(err)
	}
}

// release gives back the memory that the request has taken.
func (a *answer) release() {
	if a.chunk != nil {
		a.chunk.release()
	}
}
