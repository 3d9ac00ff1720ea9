package chunkform

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/internal/wire"
	"github.com/muleteer/muleteer/upload"
)

// answer is the response to one request.
type answer struct {
	*handler
	w     http.ResponseWriter
	r     *http.Request
	said  *said
	q     *request         // nil while it is not known
	body  *wire.BodyReader // nil if there is none
	form  *wire.Form       // nil if it is none
	chunk *content         // what it brings of a file, nil if nothing
	probe bool             // it was only asked whether a chunk is here
}

// told answers with how an upload stands after a chunk. All bytes of a file
// being here is as good to its client as the file.
func (a *answer) told(u *upload.Record, err error) error {
	if err != nil && (!errors.Is(err, upload.ErrBusy) || u == nil || u.Here != u.Size) {
		return err
	}
	if a.Compat && a.q.client.name == resumable {
		a.w.Header().Set("Cache-Control", "no-store")
		a.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = io.WriteString(a.w, "OK") // who has left needs no answer
		return nil
	}
	fields := a.fields(u)
	if add := a.q.success; add != nil {
		add(a, u, fields)
	}
	if a.q.ranged && u.Offset > 0 {
		a.w.Header().Set("Range", extent.Extent{End: u.Offset}.String())
	}
	wire.JSON(a.w, http.StatusOK, fields)
	return nil
}

// fields are what every answer tells of an upload.
func (a *answer) fields(u *upload.Record) map[string]any {
	fields := map[string]any{
		"ok": true, "id": u.ID, "name": u.Meta.Name, "url": a.URL.To(a.r, "/files/"+u.ID),
		"size": nil, "received": u.Here, "complete": u.Whole(),
	}
	if u.Size >= 0 {
		fields["size"] = u.Size
	}
	if u.Meta.Answer != nil && u.Phase == upload.Done {
		for name, value := range u.Meta.Answer.Fields {
			if _, ours := fields[name]; !ours {
				fields[name] = value
			}
		}
	}
	return fields
}

// missing answers a probe for a chunk that is not here.
func (a *answer) missing() {
	a.w.Header().Set("Cache-Control", "no-store")
	if a.Compat && a.q.client.name == resumable {
		a.w.WriteHeader(http.StatusNotFound)
		return
	}
	a.w.WriteHeader(http.StatusNoContent) // 404 would end the upload of some
}

// failure is what a client is told of an error.
type failure struct {
	status int
	text   string // for the person who uploads
	again  bool   // the same request may succeed later
	reset  bool   // the client has to start over
}

// fail answers with an error.
func (a *answer) fail(err error) {
	if a.q == nil {
		a.q, _ = a.request(a.said, nil) // what it has said so far tells who it is
	}
	f := a.failure(err)
	if a.body != nil {
		// A browser that is still sending would not see the answer.
		_, _ = io.CopyN(io.Discard, a.body, drainLimit)
	}
	if f.again && !a.probe {
		a.pause()
	}
	fields := map[string]any{"ok": false, "error": f.text}
	if a.q != nil && a.q.client.failure != nil {
		a.q.client.failure(a, f, fields)
	}
	if f.status == http.StatusMethodNotAllowed {
		a.w.Header().Set("Allow", "DELETE, GET, HEAD, POST, PUT, PATCH")
	}
	wire.Retry(a.w.Header(), f.status)
	wire.JSON(a.w, f.status, fields)
}

// drainLimit is how many bytes of a refused request are read, so that its
// client gets to see why.
const drainLimit = 32 << 20

// pause makes a client wait that would try again at once.
func (a *answer) pause() {
	if a.Pause < 0 {
		return
	}
	t := time.NewTimer(a.Pause)
	defer t.Stop()
	select {
	case <-t.C:
	case <-a.r.Context().Done():
	}
}

const later = "The server cannot take this now. What was acknowledged is safe; it is tried again."

// failure is the protocol's table of errors. What passes is 503, because all of
// these clients try again then, or say so; what does not is told by the status
// at which this client ends the upload.
func (a *answer) failure(err error) failure {
	status, known := wire.Status(err)
	line := a.body != nil && a.body.Err() != nil // whatever else seems wrong then
	var refusal *upload.Refusal
	switch {
	case errors.Is(err, errReset):
		return failure{status: http.StatusOK, text: err.Error(), reset: true}
	case errors.Is(err, errMethod):
		return failure{status: http.StatusMethodNotAllowed, text: err.Error()}
	case errors.As(err, &refusal):
		return failure{status: a.final(cmp.Or(refusal.Status, http.StatusUnsupportedMediaType)), text: refusal.Reason}
	case errors.Is(err, upload.ErrInterrupted), errors.Is(err, upload.ErrUnavailable), errors.Is(err, upload.ErrBusy),
		errors.Is(err, upload.ErrExists), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded),
		errors.Is(err, os.ErrDeadlineExceeded):
		return failure{status: http.StatusServiceUnavailable, text: later, again: true}
	case errors.Is(err, errDamaged):
		return failure{status: http.StatusServiceUnavailable, text: "The chunk was damaged on its way. It is sent again.", again: true}
	case errors.Is(err, upload.ErrFull), errors.Is(err, upload.ErrTooMany):
		if a.q == nil || !a.q.only503 {
			return failure{status: status, text: err.Error(), again: true}
		}
		return failure{status: http.StatusServiceUnavailable, text: err.Error(), again: true}
	case line:
		return failure{status: http.StatusServiceUnavailable, text: later, again: true}
	case errors.Is(err, io.ErrUnexpectedEOF):
		return failure{status: a.final(http.StatusBadRequest), text: "The chunk is shorter than it says, or its form has no end."}
	case !known:
		wire.Log(a.s, a.r, err)
		return failure{status: status, text: "This is a fault of the server, which has noted it."}
	case errors.Is(err, upload.ErrRefused):
		status = http.StatusUnsupportedMediaType
	}
	return failure{status: a.final(status), text: err.Error()}
}

// final is the status by which a client ends an upload, whatever it is for.
func (a *answer) final(status int) int {
	if a.probe || a.ExactStatus || a.q == nil || a.q.client.final == 0 {
		return status
	}
	return a.q.client.final
}
