package main

import (
	"context"
	"io"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/muleteer/muleteer/internal/wire"
	"github.com/muleteer/muleteer/protocol/chunkform"
	"github.com/muleteer/muleteer/protocol/contentrange"
	"github.com/muleteer/muleteer/protocol/filepond"
	"github.com/muleteer/muleteer/protocol/ietf"
	"github.com/muleteer/muleteer/protocol/plain"
	"github.com/muleteer/muleteer/protocol/tus"
	"github.com/muleteer/muleteer/store"
)

// entrance is one row of a door: a protocol, and how its requests show that
// they are for it.
type entrance struct {
	protocol string // in the metrics
	speaks   func(*http.Request, wire.Glimpse) bool
	handler  http.Handler
}

// door is a path that takes several protocols. The first row that a request
// speaks gets it, so the order of the rows is their precedence.
type door struct {
	rows []entrance
	// speaks tells of a chunk as a form that its place is known.
	speaks func(*http.Request, wire.Glimpse) bool
	// waits tells of a form that begins with a file whether the fields after it
	// may say that it is a chunk: it is then read, within a bound, before
	// anybody is asked.
	waits func(wire.Glimpse) bool
	// marks, if set, says of each request what only this door knows.
	marks func(*http.Request, wire.Glimpse) *http.Request
}

// front is the door of /upload, which takes every client.
func (h *house) front() door {
	links := wire.Public(h.settings.PublicURL)
	resumable := below("/tus/", tus.Handler(h.service, tus.Options{Base: "/tus/", URL: links}))
	standard := h.standard()
	ranges := contentrange.Handler(h.service, contentrange.Options{Base: "/upload/", URL: links, Scope: h.gate.Scope})
	ponds := filepond.Handler(h.service, filepond.Options{Base: "/upload/"})
	pieces := h.pieces()
	chunks := chunkform.Handler(h.service, pieces)
	forms := plain.Handler(h.service, plain.Options{URL: links, Piece: pieces.Piece})
	return door{speaks: pieces.Speaks, waits: chunkform.Late, rows: []entrance{
		{"tus", func(r *http.Request, _ wire.Glimpse) bool { return r.Header.Get("Tus-Resumable") != "" }, resumable},
		{"tus", asks, both(standard, resumable)},
		{"ietf", func(r *http.Request, _ wire.Glimpse) bool { return ietf.Speaks(r) }, namedByPath(standard)},
		{"contentrange", isNamedRange, ranges},
		{"filepond", func(r *http.Request, g wire.Glimpse) bool {
			return !named(r) && filepond.Speaks(r, g) && !(r.Method == http.MethodDelete && pieces.Speaks(r, g))
		}, ponds},
		{"chunkform", pieces.Speaks, chunks},
		{"contentrange", isRange, http.HandlerFunc(nameless)},
		{"plain", func(r *http.Request, _ wire.Glimpse) bool { return !named(r) || plain.Form(r) }, forms},
		{"contentrange", anything, ranges},
	}}
}

// side is the door of /form/, which takes chunks, and forms that have none.
func (h *house) side() door {
	links := wire.Public(h.settings.PublicURL)
	pieces := h.pieces()
	chunks := chunkform.Handler(h.service, pieces)
	forms := plain.Handler(h.service, plain.Options{URL: links, Piece: pieces.Piece})
	late := func(wire.Glimpse) bool { return true }
	return door{speaks: pieces.Speaks, waits: late, rows: []entrance{
		{"chunkform", func(r *http.Request, g wire.Glimpse) bool { return pieces.Speaks(r, g) || !plain.Form(r) }, chunks},
		{"plain", anything, forms},
	}}
}

// pieces is how chunks are taken that come as forms.
func (h *house) pieces() chunkform.Options {
	return chunkform.Options{
		URL: wire.Public(h.settings.PublicURL), Scope: h.gate.Scope, Memory: h.held,
		Rename: h.settings.Clients.renamed(), ExactStatus: h.settings.Clients.ExactStatus, Compat: len(h.settings.Clients.Compat) > 0,
	}
}

// standard takes uploads as the IETF has them.
func (h *house) standard() http.Handler {
	c := h.settings.Clients
	return ietf.Handler(h.service, ietf.Options{
		Base: "/rufh/", URL: wire.Public(h.settings.PublicURL),
		MaxAppend: int64(c.MaxAppend), MinAppend: int64(c.MinAppend), Inform: c.Inform,
	})
}

// passage is a door as a handler.
type passage struct {
	http.Handler
	rows []entrance
}

// through is the way through a door.
func (h *house) through(d door) passage {
	rows := make([]entrance, len(d.rows))
	for i, e := range d.rows {
		rows[i] = entrance{e.protocol, e.speaks, h.metrics.count(e.protocol, e.handler)}
	}
	busy := h.metrics.count("chunkform", http.HandlerFunc(crowded))
	return passage{rows: rows, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := &peeked{ReadCloser: r.Body, control: http.NewResponseController(w), memory: h.held}
		defer p.release()
		g, err := d.look(p, r)
		if err != nil {
			busy.ServeHTTP(w, r)
			return
		}
		if p.room > 0 {
			r = g.With(r)
		}
		r = apart(r, g.Fields)
		if d.marks != nil {
			r = d.marks(r, g)
		}
		for _, e := range rows {
			if e.speaks(r, g) {
				e.handler.ServeHTTP(w, r)
				return
			}
		}
	})}
}

func anything(*http.Request, wire.Glimpse) bool { return true }

// asks tells of who wants to know what there is.
func asks(r *http.Request, _ wire.Glimpse) bool { return r.Method == http.MethodOptions }

// both answers OPTIONS with what either of two protocols tells of itself.
func both(first, second http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		first.ServeHTTP(onlyHeader{w}, r)
		second.ServeHTTP(w, r)
	})
}

// onlyHeader takes the header of an answer and leaves the rest to another one.
type onlyHeader struct{ http.ResponseWriter }

func (onlyHeader) WriteHeader(int)             {}
func (onlyHeader) Write(b []byte) (int, error) { return len(b), nil }

// namedByPath tells a protocol that has no names in its paths the name that a
// request to /upload/NAME gives, unless it says another one itself.
func namedByPath(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if named(r) && r.Header.Get("Content-Disposition") == "" {
			r = r.Clone(r.Context())
			r.Header.Set("Content-Disposition", wire.Disposition("attachment", path.Base(r.URL.Path)))
		}
		next.ServeHTTP(w, r)
	})
}

// named tells whether a request to /upload names its file.
func named(r *http.Request) bool {
	return strings.Trim(strings.TrimPrefix(r.URL.Path, "/upload"), "/") != ""
}

// isRange tells a piece of a file from a file.
func isRange(r *http.Request, _ wire.Glimpse) bool {
	return r.Header.Get("Content-Range") != "" && !plain.Form(r)
}

func isNamedRange(r *http.Request, g wire.Glimpse) bool { return named(r) && isRange(r, g) }

// nameless refuses a piece of a file of which nothing else is told.
func nameless(w http.ResponseWriter, r *http.Request) {
	wire.Problem(w, http.StatusBadRequest, "", "A range needs the name of its file: /upload/NAME.")
}

// below hands a request to /upload on as if it had been for a place below base.
func below(base string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		moved := *r
		moved.URL = new(url.URL)
		*moved.URL = *r.URL
		moved.URL.Path = base + strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/upload"), "/")
		moved.URL.RawPath = ""
		next.ServeHTTP(w, &moved)
	})
}

// How many bytes of a body are looked at before anybody is asked.
const (
	firstLook  = 4 << 10
	secondLook = 64 << 10
	wholeLook  = chunkform.HoldLimit + secondLook
)

// look reads the beginning of a body that has fields, and puts it back. It is
// an error if there is no memory for that.
func (d door) look(p *peeked, r *http.Request) (wire.Glimpse, error) {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case r.Body == nil || r.Body == http.NoBody || r.Header.Get("Tus-Resumable") != "":
		return wire.Glimpse{}, nil
	case kind != "multipart/form-data" && kind != "application/json" && kind != "application/x-www-form-urlencoded":
		return wire.Glimpse{}, nil
	}
	r.Body = p
	var g wire.Glimpse
	for _, n := range [...]int{firstLook, secondLook} {
		p.fill(n)
		if g = wire.Glance(r, p.head, p.err == io.EOF); g.File != nil || g.Whole || p.err != nil {
			break
		}
	}
	if g.File != nil && !g.Whole && !d.speaks(r, g) && d.waits(g) {
		if err := p.hold(r); err != nil {
			return g, err
		}
		p.fill(cap(p.head))
		g = wire.Glance(r, p.head, p.err == io.EOF)
	}
	if p.err == nil || p.err == io.EOF {
		_ = p.control.SetReadDeadline(time.Time{}) // who reads on sets another
	}
	return g, nil
}

// crowded refuses what cannot be looked at now. Its body is read, as a browser
// that is still sending would not see the answer.
func crowded(w http.ResponseWriter, r *http.Request) {
	_, _ = io.CopyN(io.Discard, wire.Body(w, r), wholeLook)
	wire.Problem(w, http.StatusServiceUnavailable, "", "Too much is being sent at once. Try again soon.")
}

// peeked is a body of which the beginning was read already.
type peeked struct {
	io.ReadCloser
	control *http.ResponseController
	head    []byte
	err     error         // by which reading has ended
	memory  *store.Budget // for more than a second look
	room    int64         // bytes that are taken of it
}

// lookPatience is how long a body waits for the memory in which it is looked at.
const lookPatience = 20 * time.Second

// hold makes room for all of a body, or as much of it as is looked at. Who sends
// waits as long.
func (p *peeked) hold(r *http.Request) error {
	room := min(wholeLook, p.memory.Size())
	if r.ContentLength >= 0 {
		room = min(room, r.ContentLength+1) // to see that no more comes
	}
	wait, cancel := context.WithTimeout(r.Context(), lookPatience)
	defer cancel()
	if err := p.memory.Take(wait, room); err != nil {
		return err
	}
	p.room = room
	p.head = append(make([]byte, 0, max(int(room), len(p.head))), p.head...)
	return nil
}

// release gives the memory back. What was put back of the body is lost.
func (p *peeked) release() {
	p.head = nil
	p.memory.Give(p.room)
	p.room = 0
}

// fill reads until n bytes are here, or no more come.
func (p *peeked) fill(n int) {
	for len(p.head) < n && p.err == nil {
		if free := cap(p.head) - len(p.head); free == 0 {
			p.head = append(p.head, make([]byte, max(len(p.head), firstLook))...)[:len(p.head)]
		}
		_ = p.control.SetReadDeadline(time.Now().Add(wire.Idle)) // a connection without deadlines is a test's
		var k int
		k, p.err = p.ReadCloser.Read(p.head[len(p.head):min(cap(p.head), n)])
		p.head = p.head[:len(p.head)+k]
	}
}

// Read gives back what was read, and then the rest.
func (p *peeked) Read(b []byte) (int, error) {
	if len(p.head) > 0 {
		n := copy(b, p.head)
		if p.head = p.head[n:]; len(p.head) == 0 {
			p.release() // it may be large, and the request long
		}
		return n, nil
	}
	if p.err != nil {
		return 0, p.err
	}
	return p.ReadCloser.Read(b)
}
