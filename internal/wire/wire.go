// Package wire holds what two or more protocols share of HTTP: reading a body
// that can be interrupted, numbers and headers that mean one thing only, ids,
// error documents, links, and the serving of finished files.
//
// It knows no protocol; what only one of them needs is with that protocol.
package wire

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/upload"
)

// Int reads a number of bytes or an offset: decimal digits only, at most
// 2^63-1. A sign, a blank, hexadecimal or an empty string is an error, because
// two programs on the way may read such a thing differently.
func Int(s string) (int64, error) {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, fmt.Errorf("%w: %.40q is not a number", upload.ErrInvalid, s)
		}
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || n > extent.Max {
		return 0, fmt.Errorf("%w: %.40q is not a number from 0 to 2^63-1", upload.ErrInvalid, s)
	}
	return int64(n), nil
}

// Header returns the value of a header that may come once. A second line of
// that name is an error, even with the same value.
func Header(h http.Header, name string) (value string, present bool, err error) {
	v := h.Values(name)
	switch len(v) {
	case 0:
		return "", false, nil
	case 1:
		return v[0], true, nil
	}
	return "", true, fmt.Errorf("%w: the header %s comes %d times", upload.ErrInvalid, name, len(v))
}

// ID tells whether s, after decoding, can be the id of an upload:
// 22 to 64 characters of A-Z, a-z, 0-9, "_" and "-". Nothing else may get
// near a store.
func ID(s string) bool {
	if len(s) < 22 || len(s) > 64 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if !('A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '_' || c == '-') {
			return false
		}
	}
	return true
}

// Links makes an absolute URL of a path for the client of a request. A nil
// Links takes scheme and host from the request.
type Links func(r *http.Request, path string) string

// Public returns the Links of a server that is known outside as public, e.g.
// "https://example.org/up"; empty: as the request says.
func Public(public string) Links {
	return func(r *http.Request, path string) string { return Absolute(r, public, path) }
}

// To returns the absolute URL of path.
func (l Links) To(r *http.Request, path string) string {
	if l == nil {
		return Absolute(r, "", path)
	}
	return l(r, path)
}

// Absolute returns the absolute URL of path, which begins with a slash: below
// the public URL if that is not empty, else at the scheme and host of the
// request itself; and below the token in the request's path, see Below.
// X-Forwarded headers are not believed here; who trusts a proxy puts its word
// into the request before.
func Absolute(r *http.Request, public, path string) string {
	prefix, _ := r.Context().Value(belowKey{}).(string)
	path = prefix + path
	if public != "" {
		for len(public) > 0 && public[len(public)-1] == '/' {
			public = public[:len(public)-1]
		}
		return public + path
	}
	u := url.URL{Scheme: "http", Host: r.Host}
	if r.TLS != nil || r.URL.Scheme == "https" {
		u.Scheme = "https"
	}
	return u.String() + path
}

// TokenPath is the path below which the next segment is a token, for clients
// that can be given nothing but a URL.
const TokenPath = "/u/"

type belowKey struct{}

// Below returns r as one whose client has all paths below a prefix: it was taken
// off the path, and has to be put before the paths that it is told. What was
// taken off before stays before it.
func Below(r *http.Request, prefix string) *http.Request {
	before, _ := r.Context().Value(belowKey{}).(string)
	return r.WithContext(context.WithValue(r.Context(), belowKey{}, before+prefix))
}

// Tokenless returns URLs without the tokens in their paths.
func Tokenless(urls string) string {
	for from := 0; ; {
		at := strings.Index(urls[from:], TokenPath)
		if at < 0 {
			return urls
		}
		at += from
		n := strings.IndexAny(urls[at+len(TokenPath):], "/ ")
		if n < 0 {
			return urls[:at]
		}
		urls, from = urls[:at]+urls[at+len(TokenPath)+n:], at
	}
}

// Status returns the HTTP status on which all protocols agree for an error of
// upload or of a BodyReader, for their tables to start from; false if the
// error is none that a client can be told, which is a 500.
func Status(err error) (int, bool) {
	var refusal *upload.Refusal
	if errors.As(err, &refusal) && refusal.Status >= 400 && refusal.Status <= 599 {
		return refusal.Status, true
	}
	for _, s := range statuses {
		if errors.Is(err, s.err) {
			return s.status, true
		}
	}
	var body *BodyError
	if errors.As(err, &body) {
		return http.StatusBadRequest, true
	}
	return http.StatusInternalServerError, false
}

// statuses is in the order of precedence: a wrapped error may be several.
var statuses = [...]struct {
	err    error
	status int
}{
	{upload.ErrInterrupted, http.StatusConflict},
	{upload.ErrInvalid, http.StatusBadRequest},
	{upload.ErrSize, http.StatusBadRequest},
	{upload.ErrDenied, http.StatusForbidden},
	{upload.ErrRefused, http.StatusForbidden},
	{upload.ErrNotFound, http.StatusNotFound},
	{upload.ErrIncomplete, http.StatusNotFound},
	{upload.ErrExists, http.StatusConflict},
	{upload.ErrOffset, http.StatusConflict},
	{upload.ErrConflict, http.StatusConflict},
	{upload.ErrComplete, http.StatusConflict},
	{upload.ErrGone, http.StatusGone},
	{upload.ErrTooLarge, http.StatusRequestEntityTooLarge},
	{upload.ErrNoCell, http.StatusUnprocessableEntity},
	{upload.ErrBusy, http.StatusLocked},
	{upload.ErrChecksum, StatusChecksum},
	{upload.ErrTooMany, http.StatusTooManyRequests},
	{upload.ErrIndirect, http.StatusNotImplemented},
	{upload.ErrUnavailable, http.StatusServiceUnavailable},
	{upload.ErrFull, http.StatusInsufficientStorage},
	{os.ErrDeadlineExceeded, http.StatusRequestTimeout},
	{context.Canceled, http.StatusServiceUnavailable},
	{context.DeadlineExceeded, http.StatusServiceUnavailable},
}

// StatusChecksum is "Checksum Mismatch", which tus brought into use.
const StatusChecksum = 460

// Log notes an error that no protocol knows what to say of; the client is told
// a 500 and no more.
func Log(s *upload.Service, r *http.Request, err error) {
	log := s.Log
	if log == nil {
		log = slog.Default()
	}
	log.Error("unexpected", "method", r.Method, "proto", r.Proto, "error", err)
}
