// Package access finds out who calls: it makes an upload.Principal of a request.
// What that principal may then do is decided in the package upload.
//
// A Gate has several sources. They are asked in this order, and the first one
// that knows the caller decides:
//
//	a token    in Authorization, the query, the path or a cookie   tokens.go
//	a proxy    that has asked for a password itself                proxy.go
//	TLS        the certificate of the client                       certificate.go
//	the application, which is told the headers of the request      ask.go
//	a token    in a form, before its file
//	nobody     people without a name, where they may upload        nobody.go
//
// A credential that is no good is never ignored: the request is refused, even
// where people without one may upload.
package access

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/muleteer/muleteer/internal/wire"
	"github.com/muleteer/muleteer/upload"
)

// These are what a caller can be told, beside upload.ErrInvalid (400, what was
// sent contradicts itself), upload.ErrDenied (403), upload.ErrUnavailable (503,
// whoever has to be asked does not answer) and *upload.Refusal (what the
// application said).
var (
	ErrNone = errors.New("this needs a token, or a login at the application that uploads are for") // 401
	ErrBad  = errors.New("the token is not valid here, or it has expired; get a new one")          // 401
)

// A Gate admits requests to one endpoint. Its fields must not change while it
// is in use; the zero value admits nobody. It may be used concurrently.
type Gate struct {
	Endpoint    string       // the target whose uploads these are, as tokens name it; "" is "default"
	Tokens      *Tokens      // nil: tokens are not looked at
	Application *Application // nil: it is not asked
	Header      string       // in which a trusted proxy tells who calls; "": none does
	Certificate string       // which name in a client's certificate is its owner, see CertificateNames; "": none
	Nobody      *Nobody      // nil: people without a name may do nothing
	Log         *slog.Logger // nil: slog.Default
}

// A Subject is what is known of a request before its body is read, for an
// application that decides by it.
type Subject struct {
	Long     bool // the request is many, as a socket is: the permission ends when it ends, also for what comes later
	Protocol string
	Name     string // of the file, "" if it is not told yet
	Size     int64  // bytes, -1 if it is not known
	Type     string // media type, "" if none is named
}

// Admit returns who sends a request. No body is read, but by field, which is
// called at most once and may look for a token in a form; nil: there is none.
//
// What a token or certificate permits is checked when the request begins; it may
// then go on for as long as it takes, unless it is a Long one.
func (g *Gate) Admit(r *http.Request, s Subject, field func() string) (upload.Principal, error) {
	p, err := g.admit(r, s, field)
	if err != nil {
		return upload.Principal{Verbs: []upload.Verb{}}, err
	}
	p.Ends = p.Until
	if !s.Long {
		p.Until = time.Time{}
	}
	p.Scope = g.scope(r, p.Owner)
	return p, nil
}

func (g *Gate) admit(r *http.Request, s Subject, field func() string) (upload.Principal, error) {
	token, foreign, err := g.given(r)
	if err != nil {
		return upload.Principal{}, err
	}
	proxied, err := g.proxied(r)
	switch {
	case err != nil:
		return upload.Principal{}, err
	case token != "":
		p, err := g.Token(r.Context(), token)
		// Where the application is asked too, the Authorization may be its own.
		if !(foreign && g.Application != nil && errors.Is(err, errForeign)) {
			return p, err
		}
	case proxied != "":
		return named(proxied)
	}
	if p, known, err := g.certified(r); known || err != nil {
		return p, err
	}
	last := ErrNone
	if t := g.cookie(r); t != "" {
		p, err := g.Token(r.Context(), t)
		if err == nil || !errors.Is(err, ErrBad) {
			return p, err
		}
		last = err
	}
	if g.Application != nil {
		p, err := g.Application.admit(r, s)
		if err == nil || !unauthorised(err) {
			return p, err
		}
		last = err
	}
	if g.Tokens != nil && field != nil {
		if t := field(); t != "" {
			return g.Token(r.Context(), t)
		}
	}
	if g.Nobody != nil && last == ErrNone {
		return g.Nobody.admit(r), nil
	}
	return upload.Principal{}, last
}

// Token returns whose a token is. It is for protocols that get one otherwise
// than by the headers of a request, as the first message of a WebSocket; they
// have to ask again, or look at Until, for every message.
func (g *Gate) Token(ctx context.Context, token string) (upload.Principal, error) {
	if g.Tokens == nil {
		return upload.Principal{}, ErrBad
	}
	c, err := g.Tokens.Verify(ctx, token)
	if err != nil {
		if errors.Is(err, upload.ErrUnavailable) && !errors.Is(err, errOften) {
			g.log().Error("a token cannot be verified", "error", fmt.Sprintf("%.300v", err)) // what was fetched may be long
		}
		return upload.Principal{}, err
	}
	return c.principal(g.Endpoint)
}

// unauthorised tells whether who calls might get in with another credential.
func unauthorised(err error) bool {
	var r *upload.Refusal
	return errors.Is(err, ErrNone) || errors.Is(err, ErrBad) || errors.As(err, &r) && r.Status == http.StatusUnauthorized
}

// named is a principal that is known by name only.
func named(owner string) (upload.Principal, error) {
	if !validOwner(owner) {
		return upload.Principal{}, fmt.Errorf("%w: its name is none that uploads can have", ErrBad)
	}
	return upload.Principal{Owner: owner}, nil
}

// validOwner tells whether somebody can be called so: 1 to 255 bytes, printable,
// and not as people without a name are.
func validOwner(s string) bool {
	if s == "" || len(s) > 255 || !utf8.ValidString(s) || s[:1] == upload.Nobody {
		return false
	}
	for _, c := range s {
		if !unicode.IsPrint(c) {
			return false
		}
	}
	return true
}

func (g *Gate) log() *slog.Logger {
	if g.Log == nil {
		return slog.Default()
	}
	return g.Log
}

// Refuse answers a request that was not admitted. No answer has what the request
// brought as a credential.
func Refuse(w http.ResponseWriter, r *http.Request, err error) {
	status, known := wire.Status(err)
	detail := ""
	switch {
	case errors.Is(err, ErrNone):
		status, detail = http.StatusUnauthorized, ErrNone.Error()
		w.Header().Set("WWW-Authenticate", `Bearer realm="muleteer"`)
	case errors.Is(err, ErrBad):
		status, detail = http.StatusUnauthorized, ErrBad.Error()
		w.Header().Set("WWW-Authenticate", `Bearer realm="muleteer", error="invalid_token"`)
	case status == http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Bearer realm="muleteer"`)
		detail = ErrNone.Error()
	case !known || status >= 500:
		status, detail = http.StatusServiceUnavailable, "Who you are cannot be found out now. Nothing that arrived is lost; try again."
	default:
		detail = err.Error()
	}
	if status >= 500 && r.Method == http.MethodHead && r.Header.Get("Tus-Resumable") != "" {
		status = http.StatusLocked // the clients of tus take any other failure for the upload's end
	}
	w.Header().Set("Vary", "Authorization, Cookie")
	wire.Problem(w, status, "", detail)
}
