package main

import (
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/muleteer/muleteer/internal/wire"
)

// recovered confines a panic to its request. What was not answered yet is 500;
// an answer that has begun is broken off, so that nobody takes it for whole.
func (h *house) recovered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen := &watched{ResponseWriter: w}
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if p == http.ErrAbortHandler {
				panic(p)
			}
			h.metrics.panics.Inc()
			h.log.Error("a request ended in a panic", "panic", p, "method", r.Method, "stack", string(debug.Stack()))
			if seen.status != 0 {
				panic(http.ErrAbortHandler)
			}
			w.Header().Set("Connection", "close")
			wire.Problem(w, http.StatusInternalServerError, "", "This is a fault of the server, which has noted it. Trying again may help.")
		}()
		next.ServeHTTP(seen, r)
	})
}

// logged notes each request at debug level: without its query, which may carry
// secrets, and without its headers.
func (h *house) logged(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !h.log.Enabled(r.Context(), slog.LevelDebug) {
			next.ServeHTTP(w, r)
			return
		}
		began := time.Now()
		seen := &watched{ResponseWriter: w}
		defer func() {
			p := recover()
			h.log.Debug("request", "method", r.Method, "path", r.URL.Path, "from", r.RemoteAddr,
				"range", r.Header.Get("Content-Range"), "status", seen.code(p), "took", time.Since(began).Round(time.Microsecond))
			if p != nil {
				panic(p)
			}
		}()
		next.ServeHTTP(seen, r)
	})
}

// secured sets what every answer says to browsers, and closes the connection
// after a chunked request: net/http drops a Content-Length that comes along
// with chunks before anybody can object, and a proxy that went by the
// Content-Length would take the rest of the body for a request (request
// smuggling).
func secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("X-Frame-Options", "DENY")
		header.Set("Referrer-Policy", "same-origin") // with no-referrer, our own form would have no origin
		header.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		if r.ProtoMajor == 1 && len(r.TransferEncoding) > 0 {
			header.Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

// drained lets the bodies of requests be cut when the server ends.
func (h *house) drained(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		release := h.drain.wrap(w, r)
		defer release()
		next.ServeHTTP(w, r)
	})
}

// samesite refuses what a page of another site makes a browser send, unless
// that site is among the origins that may.
func (h *house) samesite(next http.Handler) http.Handler {
	protection := http.NewCrossOriginProtection()
	for _, o := range h.settings.Cors {
		if o == "*" {
			return next
		}
		if err := protection.AddTrustedOrigin(o); err != nil {
			panic(err) // settings.check has tried it
		}
	}
	protection.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		wire.Problem(w, http.StatusForbidden, "", "A page of another site sent this. The server's owner can allow that site by --cors.")
	}))
	return protection.Handler(next)
}

// unforged is samesite for what a GET changes: a picture in a page of another
// site could else begin uploads in somebody's name.
func (h *house) unforged(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		posted := *r
		posted.Method = http.MethodPost
		h.samesite(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { next.ServeHTTP(w, r) })).ServeHTTP(w, &posted)
	})
}
