package filepond

import (
	"errors"
	"io"
	"net/http"
	"strconv"

	"github.com/muleteer/muleteer/internal/wire"
	"github.com/muleteer/muleteer/upload"
)

// text answers with a line as it stands, which the client keeps as the id of
// its file, or shows.
func text(w http.ResponseWriter, status int, line string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, line) // who has left needs no answer
}

// tell sets the headers that say how an upload stands.
func tell(h http.Header, u *upload.Record) {
	offset := u.Offset
	if u.Phase > upload.Receiving && u.Phase < upload.Gone {
		offset = u.Size
	}
	h.Set("Upload-Offset", strconv.FormatInt(offset, 10))
	wire.Answer(h, u)
	if u.Size >= 0 {
		h.Set("Upload-Length", strconv.FormatInt(u.Size, 10))
	}
}

// fail answers with an error.
func (h *handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	status, known := wire.Status(err)
	line := err.Error()
	var refusal *upload.Refusal
	switch {
	case errors.Is(err, errMethod):
		status, known = http.StatusMethodNotAllowed, true
		w.Header().Set("Allow", "DELETE, GET, HEAD, PATCH, POST")
	case errors.Is(err, errFetch):
		status, known = http.StatusForbidden, true
	case errors.As(err, &refusal):
		line = refusal.Reason
		if refusal.Status == 0 {
			status = http.StatusUnsupportedMediaType
		}
	case errors.Is(err, upload.ErrBusy):
		status = http.StatusServiceUnavailable
	case errors.Is(err, io.ErrUnexpectedEOF):
		status, known, line = http.StatusBadRequest, true, "The request is shorter than it says."
	}
	switch {
	case !known:
		wire.Log(h.s, r, err)
		line = "This is a fault of the server, which has noted it."
	case status >= 500:
		line = "The server cannot take this now. What was acknowledged is safe; try again."
	}
	wire.Retry(w.Header(), status)
	text(w, status, line)
}
