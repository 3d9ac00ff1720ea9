package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/muleteer/muleteer/upload"
)

// audit is where it is noted who did what, with which outcome: a line of JSON
// for each request that may see or change an upload, and none of its secrets.
type audit struct {
	log  *slog.Logger
	file io.Closer
}

// openAudit opens the file for appending; nil where none is wanted. "-" is
// standard output.
func openAudit(name string, out io.Writer) (*audit, error) {
	switch name {
	case "":
		return nil, nil
	case "-":
		return newAudit(out, io.NopCloser(nil)), nil
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("--audit-log cannot be written: %w", err)
	}
	return newAudit(f, f), nil
}

func newAudit(w io.Writer, c io.Closer) *audit {
	plain := func(_ []string, a slog.Attr) slog.Attr {
		switch a.Key {
		case slog.LevelKey:
			return slog.Attr{}
		case slog.TimeKey:
			return slog.Time(slog.TimeKey, a.Value.Time().UTC())
		}
		return a
	}
	return &audit{slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{ReplaceAttr: plain})), c}
}

// deeds are what a request has done, or tried to.
type deeds struct {
	mu      sync.Mutex
	verbs   []string
	uploads []string
}

// mostUploads is how many uploads one line names.
const mostUploads = 20

func (d *deeds) note(v upload.Verb, id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if v != "" && !slices.Contains(d.verbs, string(v)) {
		d.verbs = append(d.verbs, string(v))
	}
	if id != "" && len(d.uploads) < mostUploads && !slices.Contains(d.uploads, id) {
		d.uploads = append(d.uploads, id)
	}
}

// audited notes the requests at a place. The principal, once it is known, is
// put into what who returns.
func (h *house) audited(p place, next func(w http.ResponseWriter, r *http.Request) upload.Principal) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h.audit == nil {
			next(w, r)
			return
		}
		began, done := time.Now(), new(deeds)
		seen := &watched{ResponseWriter: w}
		w.Header().Set("X-Request-ID", requestID(r))
		var who upload.Principal
		defer func() {
			failed := recover()
			protocol := p.protocol
			if protocol == "" {
				protocol = "front door"
			}
			done.mu.Lock()
			defer done.mu.Unlock()
			h.audit.log.LogAttrs(context.WithoutCancel(r.Context()), slog.LevelInfo, "request",
				slog.String("request", w.Header().Get("X-Request-ID")), slog.String("owner", who.Owner), slog.String("from", r.RemoteAddr),
				slog.String("endpoint", h.name), slog.String("protocol", protocol), slog.String("method", r.Method), slog.String("path", r.URL.Path),
				slog.Any("verbs", done.verbs), slog.Any("uploads", done.uploads),
				slog.String("status", seen.code(failed)), slog.Float64("seconds", time.Since(began).Seconds()))
			if failed != nil {
				panic(failed)
			}
		}()
		who = next(seen, r.WithContext(upload.Noted(r.Context(), done.note)))
	})
}

// longestRequestID is how long a client's own name for its request may be, in
// bytes.
const longestRequestID = 36

// requestID is by what a request is found again in the logs: the client's word,
// if it is a short and plain one.
func requestID(r *http.Request) string {
	id := r.Header.Get("X-Request-ID")
	if id == "" || len(id) > longestRequestID {
		return rand.Text()
	}
	for _, c := range []byte(id) {
		if c <= ' ' || c > '~' || c == '"' || c == '\\' {
			return rand.Text()
		}
	}
	return id
}
