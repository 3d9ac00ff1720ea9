package main

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"github.com/muleteer/muleteer/internal/wire"
	"github.com/muleteer/muleteer/protocol/chunkform"
	"github.com/muleteer/muleteer/protocol/companion"
	"github.com/muleteer/muleteer/protocol/filepond"
	"github.com/muleteer/muleteer/protocol/ietf"
	"github.com/muleteer/muleteer/protocol/tus"
)

// crossing is what pages of other origins may send to a path, and see of its
// answers.
type crossing struct {
	methods string
	send    []string // request headers; "*" for any
	see     []string // response headers
	age     string   // seconds for which a browser keeps the answer to a preflight; "" is crossingAge
}

// and is what c or d lets through, by the methods of c.
func (c crossing) and(d crossing) crossing {
	union := func(a, b []string) []string { return slices.Compact(slices.Sorted(slices.Values(slices.Concat(a, b)))) }
	return crossing{c.methods, union(c.send, d.send), union(c.see, d.see), c.age}
}

func tusCrossing() crossing {
	return crossing{methods: strings.Join(tus.Methods(), ", "), send: tus.RequestHeaders(), see: tus.ResponseHeaders()}
}

func ietfCrossing() crossing {
	return crossing{methods: strings.Join(ietf.Methods(), ", "), send: ietf.RequestHeaders(), see: ietf.ResponseHeaders()}
}

func rangeCrossing() crossing {
	return crossing{
		methods: "PUT, POST, GET, HEAD, DELETE, OPTIONS",
		send:    []string{"Content-Range", "X-Upload-Fingerprint", "X-Upload-Path", "X-Upload-Checksum", "X-Upload-Direct"},
		see:     []string{"Range", "X-Upload-Ranges", "X-Upload-Checksum", "X-Upload-Location", "X-Upload-Cell"},
	}
}

func readCrossing() crossing {
	return crossing{
		methods: "GET, HEAD, DELETE, OPTIONS",
		send:    []string{"Range", "If-Range", "If-None-Match"},
		see:     []string{"Accept-Ranges", "Content-Range", "Content-Disposition", "ETag"},
	}
}

func formCrossing() crossing {
	return crossing{methods: "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS", send: chunkform.RequestHeaders(), see: chunkform.ResponseHeaders()}
}

func streamCrossing() crossing { return crossing{methods: "GET, POST, OPTIONS"} }

func pondCrossing() crossing {
	return crossing{methods: "GET, HEAD, POST, PATCH, DELETE, OPTIONS", send: filepond.RequestHeaders(), see: filepond.ResponseHeaders()}
}

// bucketCrossing is for clients that speak to a bucket, and take us for one.
func bucketCrossing() crossing {
	return crossing{methods: "GET, HEAD, POST, PUT, DELETE, OPTIONS", send: []string{"*"}, see: companion.ResponseHeaders(), age: "3000"}
}

// frontCrossing is what any of the clients at /upload may need.
func frontCrossing() crossing {
	all := crossing{methods: "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"}
	for _, c := range [...]crossing{tusCrossing(), ietfCrossing(), rangeCrossing(), formCrossing(), pondCrossing()} {
		all = all.and(c)
	}
	return all
}

const crossingAge = "86400" // seconds for which a browser keeps the answer to a preflight

// crossed lets pages of the configured origins use a path. The headers are set
// before anything else is done, so that errors carry them too: a page cannot
// see the status of an answer without them, and would try for ever.
func (h *house) crossed(c crossing, next http.Handler) http.Handler {
	if len(h.settings.Cors) == 0 {
		return next
	}
	c = c.and(crossing{
		// Beside what clients send, what applications add to all of their requests.
		send: []string{"Authorization", "B3", "Cache-Control", "Content-Type", "Traceparent", "Tracestate", "X-CSRF-Token", "X-Request-ID", "X-Requested-With", wire.WordHeader},
		see:  []string{"Location", "Retry-After"},
	})
	send, see := strings.Join(c.send, ", "), strings.Join(c.see, ", ")
	whatever, age := slices.Contains(c.send, "*"), cmp.Or(c.age, crossingAge)
	everybody := h.settings.Cors[0] == "*"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header, origin := w.Header(), r.Header.Get("Origin")
		if !everybody {
			header.Add("Vary", "Origin")
		}
		switch {
		case origin == "" || !everybody && !slices.Contains(h.settings.Cors, origin):
			next.ServeHTTP(w, r)
			return
		case everybody:
			header.Set("Access-Control-Allow-Origin", "*")
		default:
			// A page that is named may send the cookies by which its application
			// knows people: whoever else could is refused by samesite.
			header.Set("Access-Control-Allow-Origin", origin)
			header.Set("Access-Control-Allow-Credentials", "true")
		}
		header.Set("Access-Control-Expose-Headers", see)
		if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
			header.Set("Access-Control-Allow-Methods", c.methods)
			header.Set("Access-Control-Allow-Headers", send)
			if asked := r.Header.Get("Access-Control-Request-Headers"); whatever && asked != "" {
				header.Set("Access-Control-Allow-Headers", asked) // "*" would not stand for Authorization
				header.Add("Vary", "Access-Control-Request-Headers")
			}
			header.Set("Access-Control-Max-Age", age)
			w.WriteHeader(http.StatusNoContent)
			return
		}
		next.ServeHTTP(w, r)
	})
}
