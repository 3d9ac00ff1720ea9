package main

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/muleteer/muleteer/internal/wire"
	"github.com/muleteer/muleteer/protocol/companion"
	"github.com/muleteer/muleteer/protocol/contentrange"
	"github.com/muleteer/muleteer/protocol/filepond"
	"github.com/muleteer/muleteer/protocol/files"
	"github.com/muleteer/muleteer/protocol/ietf"
	"github.com/muleteer/muleteer/protocol/mule"
	"github.com/muleteer/muleteer/protocol/plain"
	"github.com/muleteer/muleteer/protocol/socketio"
	"github.com/muleteer/muleteer/protocol/tus"
	"github.com/muleteer/muleteer/upload"
)

// place is one row of the table of paths. A path that ends with a slash stands
// for all below it.
type place struct {
	path     string
	protocol string // in the metrics; "" for a door, which counts by itself
	crossing crossing
	handler  http.Handler
}

// places is the table of paths: what a protocol's own path is, is said here
// and nowhere else.
func (h *house) places() []place {
	links := wire.Public(h.settings.PublicURL)
	resumable := tus.Handler(h.service, tus.Options{Base: "/tus/", URL: links})
	likeTusd := tus.Handler(h.service, tus.Options{Base: "/files/", URL: links})
	standard := h.standard()
	ponds := filepond.Handler(h.service, filepond.Options{Base: "/filepond/"})
	uppy := companion.Handler(h.service, companion.Options{Base: "/s3/", URL: links, Key: h.signs})
	likeMule := mule.Options{
		Base: h.settings.Clients.mule(), Bucket: mulesBucket, URL: links, Chunk: int64(h.settings.ChunkSize), Scope: h.gate.Scope,
	}
	front, side := h.through(h.front()), h.through(h.side())
	reading := files.Handler(h.service, files.Options{URL: links, List: true, Resume: h.resume})
	finished := either(speaksTus, likeTusd, reading)

	page := h.page()

	return append(h.demo(), []place{
		{"/tus/", "tus", tusCrossing(), resumable},
		{"/tus", "tus", tusCrossing(), at("/tus/", resumable)},
		{"/files/", "files", tusCrossing().and(readCrossing()), finished},
		{"/files", "files", tusCrossing(), at("/files/", finished)},
		{"/rufh/", "ietf", ietfCrossing(), standard},
		{"/rufh", "ietf", ietfCrossing(), standard},
		{"/upload/", "", frontCrossing(), front},
		{"/upload", "", frontCrossing(), front},
		{"/form/", "", formCrossing(), side},
		{"/form", "", formCrossing(), side},
		{"/filepond/", "filepond", pondCrossing(), ponds},
		{"/filepond", "filepond", pondCrossing(), ponds},
		{"/s3/", "companion", bucketCrossing(), uppy},
		{"/sign", "companion", bucketCrossing(), at("/s3/sign", uppy)},
		{likeMule.Base, "mule", bucketCrossing(), h.unforged(mule.Handler(h.service, likeMule))},
		{likeMule.Bucket, "mule", bucketCrossing(), h.shown(mule.Bucket(h.service, likeMule))},
		{"/socket.io/", "socketio", streamCrossing(), h.streams},
		{"/socket.io", "socketio", streamCrossing(), h.streams},
		{"/uploads/", "uploads", readCrossing(), h.unlisted(reading)},
		{"/uploads", "uploads", readCrossing(), h.unlisted(reading)},
		{"/events/", "events", crossing{}, h.outbox()},
		{"/events", "events", crossing{}, h.outbox()},
		{"/healthz", "health", crossing{}, only(http.HandlerFunc(healthy))},
		{"/readyz", "health", crossing{}, only(http.HandlerFunc(h.ready))},
		{"/metrics", "metrics", crossing{}, only(h.metrics.handler())},
		{"/assets/", "page", crossing{}, only(page)},
		{"/streams", "page", crossing{}, h.welcomed(only(page))},
		{"/", "page", crossing{}, h.welcomed(only(newHome(h.settings, page)))},
	}...)
}

// resume is the path at which an unfinished upload goes on in the protocol by
// which it was begun; "" if that has none. In the family of clients that send
// chunks as forms, each has its own name in records.
func (h *house) resume(u *upload.Record) string {
	switch u.Protocol {
	case "tus":
		return "/tus/" + u.ID
	case ietf.Protocol:
		return "/rufh/" + u.ID
	case contentrange.Protocol:
		return contentrange.Resume(u)
	case filepond.Protocol:
		return "/filepond/?patch=" + u.ID
	case companion.Protocol:
		return companion.Resume("/s3/", u)
	case mule.Protocol:
		return h.settings.Clients.mule()
	case socketio.Protocol:
		return socketio.Resume("/socket.io/", u)
	case plain.Protocol:
		return ""
	}
	return "/upload"
}

// handler is the whole server: the table of paths behind what is the same for
// all of them. It stands in for http.ServeMux, which would clean the paths of
// clients and redirect them.
func (h *house) handler() http.Handler {
	tables := map[string]http.Handler{}
	for name, e := range h.named {
		tables[name] = e.table()
	}
	return secured(h.arrived(h.logged(h.recovered(h.drained(h.below(tables, h.table()))))))
}

// table is the table of paths of one endpoint.
func (h *house) table() http.Handler {
	table := map[string]http.Handler{}
	for _, p := range h.places() {
		handler := p.handler
		if !p.public() {
			handler = h.admitted(p)
		}
		table[p.path] = h.crossed(p.crossing, h.samesite(h.settings.Notices.noticed(handler)))
		if p.protocol != "" {
			table[p.path] = h.metrics.count(p.protocol, table[p.path])
		}
	}
	elsewhere := h.metrics.count("none", http.HandlerFunc(nowhere))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		find(table, r.URL.EscapedPath(), elsewhere).ServeHTTP(w, r)
	})
}

// deepest is how many segments a path in the table has at most that stands for
// all below it.
const deepest = 4

// find returns what is at path exactly, or else what it is below, the longest of
// these.
func find(table map[string]http.Handler, path string, nowhere http.Handler) http.Handler {
	if found := table[path]; found != nil {
		return found
	}
	found := nowhere
	for end, n := 1, 0; n < deepest; n++ { // "/" itself stands for nothing below it
		next := strings.IndexByte(path[min(end, len(path)):], '/')
		if next < 0 {
			break
		}
		end += next + 1
		if below := table[path[:end]]; below != nil {
			found = below
		}
	}
	return found
}

// mulesBucket is what Mule Uploader takes for its bucket. Its name is ours: the
// script has it from us.
const mulesBucket = "/mule/"

// clash tells what else is where a setting wants Mule Uploader's backend.
func (h *house) clash() error {
	ours := h.settings.Clients.mule()
	taken := []string{wire.TokenPath}
	for _, p := range h.places() {
		if p.path != "/" { // which stands for itself alone
			taken = append(taken, p.path)
		}
	}
	own := slices.Index(taken, ours) // the first one of that path
	for _, path := range slices.Delete(taken, own, own+1) {
		if strings.HasPrefix(path, ours) || strings.HasSuffix(path, "/") && strings.HasPrefix(ours, path) || path+"/" == ours {
			return fmt.Errorf("--mule-path %s cannot be: something else is at %s; write another one, as %s", strings.TrimSuffix(ours, "/"), path, usualMule)
		}
	}
	return nil
}

// either chooses between two protocols that share a path.
func either(first func(*http.Request) bool, a, b http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if first(r) {
			a.ServeHTTP(w, r)
			return
		}
		b.ServeHTTP(w, r)
	})
}

// speaksTus tells tus from reading at tusd's default path.
func speaksTus(r *http.Request) bool {
	switch r.Method {
	case http.MethodPost, http.MethodPatch, http.MethodOptions:
		return true
	}
	return r.Header.Get("Tus-Resumable") != ""
}

// at hands a request on as if it had been for path.
func at(path string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		moved := *r
		moved.URL = new(url.URL)
		*moved.URL = *r.URL
		moved.URL.Path, moved.URL.RawPath = path, ""
		next.ServeHTTP(w, &moved)
	})
}

// only lets GET and HEAD through.
func only(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			wire.Problem(w, http.StatusMethodNotAllowed, "", "This can only be read.")
			return
		}
		next.ServeHTTP(w, r)
	})
}
