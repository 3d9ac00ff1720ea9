package ietf

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/dunglas/httpsfv"

	"github.com/muleteer/muleteer/internal/wire"
	"github.com/muleteer/muleteer/upload"
)

// answer is the response to one request.
type answer struct {
	*handler
	w http.ResponseWriter
	r *http.Request
	v version

	resumable bool           // the client speaks this protocol
	resumed   bool           // it goes on with an upload that was begun before
	at        int64          // where it goes on
	seen      *upload.Record // the upload, as far as it is known
	body      *counted       // what the request carried, nil if nothing was read
	inform    *interim       // nil: no 104
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }

// location is where the upload is.
func (a *answer) location() string { return a.links.To(a.r, a.Base+a.seen.ID) }

// told answers with what a body has come to.
func (a *answer) told(c content, err error) error {
	a.inform.end()
	u, h := a.seen, a.w.Header()
	if u == nil || u.Phase == upload.Gone {
		return err
	}
	if !a.resumed && (a.resumable || err == nil) {
		h.Set("Location", a.location())
	}
	if err != nil {
		return err
	}
	if c.complete && !u.Whole() {
		return upload.ErrBusy // all bytes are here, but not yet the file
	}
	if a.resumable {
		a.v.setComplete(h, c.complete)
		setLimits(h, a.limits(u))
	}
	if a.resumable && a.v.offsets {
		h.Set(offset, decimal(u.Offset))
	}
	switch {
	case c.complete:
		return a.file(u)
	case a.resumed:
		a.w.WriteHeader(a.v.appended)
	default:
		a.w.WriteHeader(http.StatusCreated)
	}
	return nil
}

// file is the answer of the resource to which the whole file was sent. It can
// be given again and again.
func (a *answer) file(u *upload.Record) error {
	a.tellDigest(u)
	code := http.StatusCreated
	if u.Phase == upload.Held {
		code = http.StatusAccepted
	}
	wire.JSON(a.w, code, wire.ViewOf(a.r, a.links, a.service, u))
	return nil
}

// most is the largest integer of a structured field.
const most = 999_999_999_999_999

// limits returns what a client has to keep to, for one upload or, if u is nil,
// for all; "" where its version knows no limits.
func (a *answer) limits(u *upload.Record) string {
	if !a.v.limits {
		return ""
	}
	d := httpsfv.NewDictionary()
	add := func(name string, n int64) {
		if n > 0 && n <= most {
			d.Add(name, httpsfv.NewItem(n))
		}
	}
	add("max-size", a.service.MaxSize)
	add("max-append-size", a.MaxAppend)
	add("min-append-size", a.MinAppend)
	if u != nil {
		if t := a.service.Expires(u); !t.IsZero() {
			add(a.v.age, int64(t.Sub(a.now())/time.Second))
		}
	}
	if len(d.Names()) == 0 {
		d.Add("min-size", httpsfv.NewItem(int64(0))) // that is how "none" is said
	}
	s, _ := httpsfv.Marshal(d) // the numbers are in range
	return s
}

func setLimits(h http.Header, limits string) {
	if limits != "" {
		h.Set(limit, limits)
	}
}

func (a *answer) now() time.Time {
	if a.service.Now != nil {
		return a.service.Now()
	}
	return time.Now()
}

// These have a status of their own in this protocol.
var (
	errMedia  = errors.New("an append must be of type " + mediaType)
	errMethod = errors.New("the method makes no sense here")
	errLong   = errors.New("the body is larger than one request may bring")
	errBare   = errors.New("this request must not have " + offset + ", " + complete + " or " + length)
)

// A problemID is the type of an error document (RFC 9457).
type problemID string

const (
	mismatching  problemID = "https://iana.org/assignments/http-problem-types#mismatching-upload-offset"
	completed    problemID = "https://iana.org/assignments/http-problem-types#completed-upload"
	inconsistent problemID = "https://iana.org/assignments/http-problem-types#inconsistent-upload-length"
	blank        problemID = "about:blank"
)

// problem is an error document.
type problem struct {
	Type     problemID `json:"type"`
	Title    string    `json:"title"`
	Status   int       `json:"status"`
	Detail   string    `json:"detail,omitempty"`
	Expected *int64    `json:"expected-offset,omitempty"`
	Provided *int64    `json:"provided-offset,omitempty"`
}

// judge is the protocol's table of errors: the status, the type of the error
// document, and whether it is one that a client can be told.
func (a *answer) judge(err error) (code int, id problemID, known bool) {
	is := func(target error) bool { return errors.Is(err, target) }
	u := a.seen
	switch {
	case u != nil && a.resumed && u.Whole() && (is(upload.ErrComplete) || is(upload.ErrOffset) || is(upload.ErrSize) || is(upload.ErrTooLarge)):
		return http.StatusBadRequest, a.v.completed, true
	case is(errMedia):
		return http.StatusUnsupportedMediaType, blank, true
	case is(errMethod):
		return http.StatusMethodNotAllowed, blank, true
	case is(errLong):
		return http.StatusRequestEntityTooLarge, blank, true
	case is(errBare):
		return http.StatusBadRequest, blank, true
	case is(upload.ErrOffset):
		return http.StatusConflict, mismatching, true
	case is(upload.ErrSize), is(upload.ErrComplete), is(upload.ErrTooLarge) && a.overflowed():
		return http.StatusBadRequest, inconsistent, true
	case is(upload.ErrChecksum):
		return http.StatusBadRequest, blank, true
	case is(upload.ErrBusy), is(context.Canceled), is(upload.ErrInterrupted):
		return http.StatusServiceUnavailable, blank, true
	}
	code, known = wire.Status(err)
	return code, blank, known
}

// overflowed tells whether it is the file's own length that was too small, not
// what we allow.
func (a *answer) overflowed() bool { return a.seen != nil && a.seen.Size >= 0 }

// fail answers with an error.
func (a *answer) fail(err error) {
	a.inform.end()
	code, id, known := a.judge(err)
	if a.resumes(err) {
		panic(http.ErrAbortHandler)
	}
	a.state(err, code)
	h := a.w.Header()
	if a.r.Method == http.MethodHead {
		if code >= 500 || code == http.StatusLocked || code == http.StatusConflict {
			code = a.v.busy
		}
		wire.Retry(h, code)
		a.w.WriteHeader(code)
		return
	}
	p := problem{Type: id, Title: wire.Text(code), Status: code, Detail: err.Error()}
	switch {
	case !known:
		wire.Log(a.service, a.r, err)
		p.Detail = ""
	case code == http.StatusRequestEntityTooLarge:
		setLimits(h, a.limits(nil))
	case id == mismatching:
		p.Expected, p.Provided = &a.seen.Offset, &a.at
	}
	wire.Retry(h, code)
	h.Set("Content-Type", "application/problem+json")
	wire.JSON(a.w, code, p)
}

// resumes tells whether the connection is rather closed than answered: where
// trouble passes by itself, a client that knows its upload goes on with it.
// Apple's does so only after a connection that broke, and takes every answer,
// also a 5xx, for the last word.
func (a *answer) resumes(err error) bool {
	if a.inform == nil || a.v.interop == 0 || !a.resumed && a.seen == nil {
		return false
	}
	for _, passing := range []error{upload.ErrUnavailable, upload.ErrBusy, upload.ErrInterrupted, context.Canceled, os.ErrDeadlineExceeded} {
		if errors.Is(err, passing) {
			return true
		}
	}
	return false
}

// state tells how the upload stands that a request has failed to continue, and
// ends it where the protocol says so.
func (a *answer) state(err error, code int) {
	u, h := a.seen, a.w.Header()
	if u == nil || u.ID == "" || !a.resumable {
		return
	}
	verdict := errors.Is(err, upload.ErrRefused) || errors.Is(err, upload.ErrChecksum) && u.Phase == upload.Gone
	switch {
	case verdict:
		// The file has come, and was not wanted: sending it again would not help.
		a.v.setComplete(h, true)
		return
	case u.Phase == upload.Gone || u.Phase == 0:
		return
	case a.v.invalidates && code == http.StatusBadRequest && errors.Is(err, upload.ErrTooLarge) && u.Phase == upload.Receiving:
		// What cannot be removed now expires.
		_ = a.service.Withdraw(context.WithoutCancel(a.r.Context()), u.ID)
		return
	case u.Whole():
		return
	}
	a.v.setComplete(h, false)
	h.Set(offset, decimal(u.Offset))
}
