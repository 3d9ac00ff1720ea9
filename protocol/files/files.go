// Package files lets clients read finished files and see how uploads stand,
// whatever protocol brought them.
//
//	GET, HEAD  /files/{id}    the file: Range, If-Range, If-None-Match …
//	DELETE     /files/{id}    removes it
//	GET, HEAD  /uploads       the caller's uploads as JSON, the newest first; ?state=open or done, ?limit=
//	GET, HEAD  /uploads?fingerprint=WORD  those of one file, by its client's word for it; unless ?state=done, the open ones
//	GET, HEAD  /uploads/{id}  one of them
//	DELETE     /uploads/{id}  removes it, finished or not
//	POST       /uploads/{id}/confirm  keeps a finished file that else is removed
//	POST       /uploads/{id}/release  ends its quarantine
//
// The last two are for who may manage uploads.
//
// A Range with several ranges is answered as multipart/byteranges (RFC 9110,
// section 14.6), one that asks for more than the file has with the whole file.
package files

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/muleteer/muleteer/internal/wire"
	"github.com/muleteer/muleteer/upload"
)

// Options tell what clients may see. Zero values are sensible.
type Options struct {
	URL  wire.Links // makes a path of this server absolute; nil takes the request's host
	List bool       // whether /uploads lists anything: strangers share one owner and must not see each other's files
	// Resume returns the path at which an unfinished upload goes on in its
	// protocol, "" if it cannot; nil: none can.
	Resume func(u *upload.Record) string
}

type handler struct {
	Options
	s *upload.Service
}

// Handler answers below /files/ and /uploads. It may be called concurrently.
func Handler(s *upload.Service, o Options) http.Handler { return &handler{o, s} }

var (
	errMethod = errors.New("this can be read and deleted")
	errList   = errors.New("this can be read")
	errManage = errors.New("this is done by POST")
)

// The number of uploads in a list.
const (
	listDefault = 100
	listMost    = 1000
)

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := h.serve(w, r); err != nil {
		h.fail(w, r, err)
	}
}

// serve looks at the decoded path itself. An id that is none gets no further
// than wire.ID, so that nobody has to know who cleans which path when.
func (h *handler) serve(w http.ResponseWriter, r *http.Request) error {
	read := r.Method == http.MethodGet || r.Method == http.MethodHead
	if p := r.URL.Path; p == "/uploads" || p == "/uploads/" {
		if !read {
			return errList
		}
		return h.list(w, r)
	}
	id, file := strings.CutPrefix(r.URL.Path, "/files/")
	if !file {
		var ok bool
		if id, ok = strings.CutPrefix(r.URL.Path, "/uploads/"); !ok {
			return upload.ErrNotFound
		}
	}
	id, deed, _ := strings.Cut(id, "/")
	if deed != "" && !file {
		return h.manage(w, r, id, deed)
	}
	switch {
	case !wire.ID(id) || deed != "":
		return upload.ErrNotFound
	case r.Method == http.MethodDelete:
		return h.remove(w, r, id)
	case !read:
		return errMethod
	case file:
		return wire.Serve(w, r, h.s, id)
	}
	u, err := h.s.Get(r.Context(), id)
	if err != nil {
		return err
	}
	wire.JSON(w, http.StatusOK, h.view(r, u))
	return nil
}

// view is how an upload is told here.
func (h *handler) view(r *http.Request, u *upload.Record) wire.View {
	v := wire.ViewOf(r, h.URL, h.s, u)
	if h.Resume != nil && u.Phase == upload.Receiving {
		if path := h.Resume(u); path != "" {
			v.Resume = h.URL.To(r, path)
		}
	}
	return v
}

// manage does what the application decides of a finished file.
func (h *handler) manage(w http.ResponseWriter, r *http.Request, id, deed string) error {
	do := map[string]func(context.Context, string) (*upload.Record, error){"confirm": h.s.Confirm, "release": h.s.Release}[deed]
	switch {
	case do == nil || !wire.ID(id):
		return upload.ErrNotFound
	case r.Method != http.MethodPost:
		return errManage
	}
	u, err := do(r.Context(), id)
	if err != nil {
		return err
	}
	wire.JSON(w, http.StatusOK, wire.ViewOf(r, h.URL, h.s, u))
	return nil
}

func (h *handler) remove(w http.ResponseWriter, r *http.Request, id string) error {
	if err := h.s.Remove(r.Context(), id); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// list tells of the caller's uploads.
func (h *handler) list(w http.ResponseWriter, r *http.Request) error {
	q, err := h.query(r)
	if err != nil {
		return err
	}
	only := upload.Caller(r.Context()).Upload
	if only != "" {
		q.Limit = 0 // it is one of them, and may be the oldest
	}
	views := []wire.View{}
	for u, err := range h.s.Find(r.Context(), q) {
		if !h.List && q.File == "" {
			break
		}
		if err == nil && only != "" && u.ID != only {
			continue
		}
		if err == nil {
			u, err = h.whole(r.Context(), u)
		}
		if errors.Is(err, upload.ErrNotFound) || errors.Is(err, upload.ErrGone) {
			continue // it went while the list was made
		}
		if err != nil {
			return err
		}
		if u.Partial {
			continue // a piece of another one
		}
		views = append(views, h.view(r, u))
	}
	wire.JSON(w, http.StatusOK, views)
	return nil
}

// whole returns the record with what its view needs: Find leaves the parts
// out, and only of unfinished uploads do they say more than the size.
func (h *handler) whole(ctx context.Context, u *upload.Record) (*upload.Record, error) {
	if u.Phase == upload.Done {
		return u, nil
	}
	return h.s.Get(ctx, u.ID)
}

// query reads ?state, ?limit and ?fingerprint. Who asks for a file wants to go on
// with it, so the state is then open unless it is told.
func (h *handler) query(r *http.Request) (upload.Query, error) {
	q := upload.Query{Limit: listDefault}
	open := []upload.Phase{upload.Receiving, upload.Joining, upload.Accepting, upload.Held}
	v := r.URL.Query()
	state := v.Get("state")
	if v.Has(wire.WordField) {
		word := v.Get(wire.WordField)
		if err := upload.CheckWord(word); err != nil || len(v[wire.WordField]) > 1 {
			return q, fmt.Errorf("one fingerprint is asked for at once, of 1 to %d bytes: %w", upload.WordLimit, upload.ErrInvalid)
		}
		q.File = h.s.File(r.Context(), word)
		state = cmp.Or(state, "open")
	}
	switch state {
	case "":
		q.Phases = append(open, upload.Done)
	case "open":
		q.Phases = open
	case "done":
		q.Phases = []upload.Phase{upload.Done}
	default:
		return q, fmt.Errorf("the state is open or done, not %.40q: %w", state, upload.ErrInvalid)
	}
	if v.Has("limit") {
		n, err := wire.Int(v.Get("limit"))
		if err != nil || n < 1 || n > listMost {
			return q, fmt.Errorf("the limit is a number from 1 to %d: %w", listMost, upload.ErrInvalid)
		}
		q.Limit = int(n)
	}
	return q, nil
}

// fail answers with an error.
func (h *handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	status, known := wire.Status(err)
	switch {
	case errors.Is(err, errMethod):
		status, known = http.StatusMethodNotAllowed, true
		w.Header().Set("Allow", "GET, HEAD, DELETE")
	case errors.Is(err, errList):
		status, known = http.StatusMethodNotAllowed, true
		w.Header().Set("Allow", "GET, HEAD")
	case errors.Is(err, errManage):
		status, known = http.StatusMethodNotAllowed, true
		w.Header().Set("Allow", "POST")
	}
	detail := ""
	switch {
	case !known:
		log := h.s.Log
		if log == nil {
			log = slog.Default()
		}
		log.ErrorContext(r.Context(), "an error that no client can be told", "error", err)
	case status < 500:
		detail = err.Error()
	}
	wire.Problem(w, status, "", detail)
}
