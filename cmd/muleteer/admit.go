package main

import (
	"cmp"
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/muleteer/muleteer/access"
	"github.com/muleteer/muleteer/internal/wire"
	"github.com/muleteer/muleteer/protocol/companion"
	"github.com/muleteer/muleteer/upload"
)

// admitted lets those through who may use a protocol, and tells it who they
// are. OPTIONS tells what there is, and may do nothing.
func (h *house) admitted(p place) http.Handler {
	return h.audited(p, func(w http.ResponseWriter, r *http.Request) (who upload.Principal) {
		if r.Method == http.MethodOptions {
			p.handler.ServeHTTP(w, as(r, upload.Principal{Verbs: []upload.Verb{}}))
			return who
		}
		if p.signed(r) { // the protocol finds out who has permitted it
			p.handler.ServeHTTP(w, as(r, upload.Principal{Verbs: []upload.Verb{}}))
			return
		}
		who, err := h.gate.Admit(r, subject(r, p), func() string { return tokenField(w, r) })
		if p.protocol == "socketio" && errors.Is(err, access.ErrNone) && h.gate.Tokens != nil {
			who, err = upload.Principal{Verbs: []upload.Verb{}}, nil // until its connection says more
		}
		if err != nil {
			access.Refuse(w, r, err)
			discard(w, r)
			return who
		}
		if h.gate.Tokens != nil {
			r = access.Stripped(r)
		}
		r, who = h.limit(r, h.local(r, who))
		p.handler.ServeHTTP(w, as(r, who))
		return who
	})
}

// foreign tells whether a page of another site has a browser ask, which --cors
// may permit.
func foreign(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "cross-site", "same-site":
		return true
	}
	origin := r.Header.Get("Origin")
	if origin == "" {
		return false
	}
	u, err := url.Parse(origin)
	return err != nil || u.Host != r.Host
}

// local lets who is at this machine manage uploads, as the application would,
// where nobody has to be known.
func (h *house) local(r *http.Request, who upload.Principal) upload.Principal {
	if !h.settings.Allow.asks(h.settings.TLS.ClientCA != "") && access.WayOf(r).Local && !foreign(r) {
		who.Verbs = upload.Verbs()
	}
	return who
}

func as(r *http.Request, p upload.Principal) *http.Request {
	return r.WithContext(upload.By(r.Context(), p))
}

// public tells whether everybody sees what is at a place.
func (p place) public() bool {
	switch p.protocol {
	case "page", "health", "metrics":
		return true
	}
	return false
}

// signed tells whether a request brings a permission that its protocol has given
// and signed itself, for clients that send bytes without any header or cookie.
func (p place) signed(r *http.Request) bool {
	return p.path == mulesBucket || p.protocol == "companion" && companion.Ticketed(r)
}

// tokenField is the token in a form, before its file.
func tokenField(w http.ResponseWriter, r *http.Request) string {
	if r.Method != http.MethodPost && r.Method != http.MethodPut && r.Method != http.MethodPatch {
		return ""
	}
	p := &peeked{ReadCloser: r.Body, control: http.NewResponseController(w)}
	known := func(*http.Request, wire.Glimpse) bool { return true } // the fields after the file are of no interest
	g, _ := door{speaks: known}.look(p, r)
	return g.Before[access.Field]
}

// discardLimit is how many bytes of a body are read that nobody wants: one
// chunk. A browser that is answered before it has sent its body often sees no
// answer at all.
const discardLimit = 8 << 20

// discard reads what is left of a refused request. Who waits for a permission to
// send sends nothing.
func discard(w http.ResponseWriter, r *http.Request) {
	if r.Body != nil && r.Body != http.NoBody && r.Header.Get("Expect") == "" {
		_, _ = io.CopyN(io.Discard, wire.Body(w, r), discardLimit)
	}
}

// subject is what the headers of a request tell of its file.
func subject(r *http.Request, p place) access.Subject {
	s := access.Subject{Protocol: p.protocol, Size: -1, Type: r.Header.Get("Content-Type"), Long: p.protocol == "socketio"}
	if s.Protocol == "" {
		s.Protocol = strings.Trim(p.path, "/")
	}
	query := r.URL.Query()
	_, disposition, _ := mime.ParseMediaType(r.Header.Get("Content-Disposition"))
	for _, name := range []string{disposition["filename"], metadataName(r.Header.Get("Upload-Metadata")), query.Get("resumableFilename"), pathName(r)} {
		if name != "" && s.Name == "" {
			s.Name = name
		}
	}
	_, total, _ := strings.Cut(r.Header.Get("Content-Range"), "/")
	sizes := []string{r.Header.Get("Upload-Length"), total, query.Get("resumableTotalSize")}
	if r.Method == http.MethodPut && r.Header.Get("Content-Range") == "" {
		sizes = append(sizes, r.Header.Get("Content-Length"))
	}
	for _, text := range sizes {
		if n, err := wire.Int(text); err == nil && s.Size < 0 {
			s.Size = n
		}
	}
	return s
}

// pathName is the name that a path below /upload gives.
func pathName(r *http.Request) string {
	if !named(r) || !strings.HasPrefix(r.URL.Path, "/upload/") {
		return ""
	}
	return path.Base(r.URL.Path)
}

// metadataName is the name of a file in a tus client's metadata.
func metadataName(header string) string {
	for pair := range strings.SplitSeq(header, ",") {
		key, value, _ := strings.Cut(strings.TrimSpace(pair), " ")
		if name, err := base64.StdEncoding.DecodeString(value); err == nil && (key == "filename" || key == "name") {
			return string(name)
		}
	}
	return ""
}

// arrived finds out how a request came, before anybody looks at it: through
// which proxy, and with a token in its path.
func (h *house) arrived(next http.Handler) http.Handler {
	tokens := slices.ContainsFunc(h.all(), func(e *house) bool { return e.gate.Tokens != nil })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r = h.proxies.Believe(r)
		if !h.isHere(r) {
			wire.Problem(w, http.StatusMisdirectedRequest, "", "This server is for this machine only, and is not called "+quotedHost(r.Host)+
				". If it is reached by that name, its owner can say so by --public-url.")
			return
		}
		if tokens {
			var ok bool
			if r, ok = access.FromPath(r); !ok {
				nowhere(w, r)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// nowhere answers where nothing is.
func nowhere(w http.ResponseWriter, _ *http.Request) {
	wire.Problem(w, http.StatusNotFound, "", "There is nothing at this path; / tells what there is.")
}

// isHere tells whether a request was meant for this server. A page of a stranger
// can have its own name point at this machine, and its browser then takes it
// for ours (DNS rebinding).
func (h *house) isHere(r *http.Request) bool {
	if h.settings.shared() || access.WayOf(r).Relayed {
		return true
	}
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	if loopback(host) || strings.HasSuffix(host, ".localhost") {
		return true
	}
	if slices.ContainsFunc(h.settings.TLS.ACME.Hosts, func(name string) bool { return strings.EqualFold(name, host) }) {
		return true
	}
	public, err := url.Parse(h.settings.PublicURL)
	return err == nil && public.Hostname() != "" && host == strings.ToLower(public.Hostname())
}

// quotedHost is a host as it can be shown.
func quotedHost(host string) string {
	if len(host) > 100 {
		host = host[:100] + "…"
	}
	return strings.ToValidUTF8(host, "?")
}

// welcomed gives browsers that open a page what tells them apart later.
func (h *house) welcomed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.gate.Welcome(w, r)
		next.ServeHTTP(w, r)
	})
}

// apart tells people without a name apart by the token that a page has sent along
// with a file, which is nobody's here: what one of them sends, those with other
// tokens do not find by a word for the file.
func apart(r *http.Request, fields map[string]string) *http.Request {
	token, p := cmp.Or(fields[access.Field], r.URL.Query().Get(access.Field)), upload.Caller(r.Context())
	if token == "" || p.Named() {
		return r
	}
	p.Scope += "\x00" + token
	return as(r, p)
}

// unlisted keeps from people without a name which uploads others without one
// have; whoever knows an id may still use it, and who has a word for a file finds
// it as far as people without a name meet at all.
func (h *house) unlisted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if path := strings.TrimSuffix(r.URL.Path, "/"); path != "/uploads" {
			next.ServeHTTP(w, r)
			return
		}
		r = apart(r, nil)
		if !h.gate.Lists(r) && !r.URL.Query().Has(wire.WordField) {
			p := upload.Caller(r.Context())
			p.Owner = upload.Nobody + "nobody at all"
			r = as(r, p)
		}
		next.ServeHTTP(w, r)
	})
}
