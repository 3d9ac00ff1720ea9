package contentrange

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/internal/wire"
	"github.com/muleteer/muleteer/upload"
)

// answer is the response to one request.
type answer struct {
	*handler
	w    http.ResponseWriter
	r    *http.Request
	q    *request
	body *body          // what the request carried, nil if nothing was read
	seen *upload.Record // the upload, as far as it is known
}

// rangesLimit is how many bytes X-Upload-Ranges may have. Proxies refuse
// answers with long headers; what is left out is sent again and harms nobody.
const rangesLimit = 3 << 10

// more answers 308: bytes are missing. The ranges are told where somebody asked
// for them: with every chunk, their telling would cost more than the chunk.
func (a *answer) more(u *upload.Record, all bool) {
	h := a.w.Header()
	a.about(u)
	if all {
		h.Set("X-Upload-Ranges", fitting(u.Ranges(), rangesLimit))
	}
	h.Set("Content-Length", "0")
	a.w.WriteHeader(http.StatusPermanentRedirect)
}

// about sets the headers that tell of an upload whatever the status.
func (a *answer) about(u *upload.Record) {
	h := a.w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Upload-Location", a.URL.To(a.r, "/uploads/"+u.ID))
	if u.Offset > 0 {
		value := extent.Extent{End: u.Offset}.String()
		if !a.BareRange {
			value = "bytes=" + value
		}
		h.Set("Range", value)
	}
	a.check()
}

// check tells the checksum of the body that was read.
func (a *answer) check() {
	if a.body != nil {
		a.w.Header().Set("X-Upload-Checksum", "crc64nvme "+a.body.sum.String())
	}
}

// file answers with the upload as JSON.
func (a *answer) file(status int, u *upload.Record) {
	a.about(u)
	a.w.Header().Del("Range") // of a whole file it would say nothing
	wire.JSON(a.w, status, wire.ViewOf(a.r, a.URL, a.s, u))
}

// told answers with what a chunk has come to.
func (a *answer) told(u *upload.Record, all bool) error {
	switch {
	case u.Phase == upload.Receiving && (u.Size < 0 || u.Here < u.Size):
		a.more(u, all)
	case u.Phase == upload.Held:
		a.file(http.StatusAccepted, u)
	case u.Phase == upload.Done:
		a.file(http.StatusOK, u)
	default:
		return upload.ErrBusy // all bytes are here, but not yet the file
	}
	return nil
}

// fail answers with an error.
func (a *answer) fail(err error) {
	status, known := a.code(err)
	if a.seen != nil {
		a.about(a.seen) // the client goes on from there
	}
	a.check()
	detail := ""
	var line *wire.BodyError // it names addresses, and who sent the body knows what became of it
	switch {
	case !known:
		log := a.s.Log
		if log == nil {
			log = slog.Default()
		}
		log.ErrorContext(a.r.Context(), "an error that no client can be told", "protocol", Protocol, "error", err)
	case status < 500 && !errors.As(err, &line):
		detail = err.Error()
	}
	if status == http.StatusMethodNotAllowed {
		a.w.Header().Set("Allow", methods)
	}
	if status == http.StatusServiceUnavailable {
		a.w.Header().Set("Retry-After", "1")
	}
	wire.Problem(a.w, status, "", detail)
}

var errMethod = errors.New("files are sent by PUT or POST")

// code is the protocol's table of errors: what it says otherwise than the
// others do.
func (a *answer) code(err error) (status int, known bool) {
	if a.Compat && (errors.Is(err, errMethod) || errors.Is(err, upload.ErrNotFound)) {
		return http.StatusBadRequest, true
	}
	switch {
	case errors.Is(err, errMethod):
		return http.StatusMethodNotAllowed, true
	case errors.Is(err, errForm):
		return http.StatusUnsupportedMediaType, true
	case errors.Is(err, upload.ErrSize), errors.Is(err, upload.ErrGone):
		// Another total is another file; an upload that goes while it is being
		// sent was replaced or cancelled.
		return http.StatusConflict, true
	case errors.Is(err, upload.ErrTooLarge) && a.body != nil && !a.q.start && a.body.n > a.q.Len():
		return http.StatusBadRequest, true // the body is longer than its range
	case errors.Is(err, io.ErrUnexpectedEOF):
		return http.StatusBadRequest, true
	case errors.Is(err, upload.ErrBusy), errors.Is(err, upload.ErrExists):
		return http.StatusServiceUnavailable, true // these clients ask again after 503, and give up at 423
	}
	return wire.Status(err)
}

// fitting writes as many ranges, from the first on, as fit into limit bytes.
func fitting(s extent.Set, limit int) string {
	value := s.String()
	if len(value) <= limit {
		return value
	}
	return value[:strings.LastIndexByte(value[:limit+1], ',')]
}
