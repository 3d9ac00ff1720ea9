package access

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/muleteer/muleteer/internal/wire"
	"github.com/muleteer/muleteer/upload"
)

// Field is the name of a token in a form, in the query of pages that were made
// for Resumable.js, and of a cookie.
const Field = "upload_token"

// queryNames are the names of a token in the query.
func queryNames() []string { return []string{Field, "token"} }

// given returns the token that a request brings, "" if there is none, and
// whether it stands where an application's own may stand. Two that differ are
// an error: nobody could say which one was meant.
func (g *Gate) given(r *http.Request) (token string, foreign bool, err error) {
	authorization, _, err := wire.Header(r.Header, "Authorization")
	if err != nil || g.Tokens == nil {
		return "", false, err
	}
	take := func(t string) {
		switch {
		case token != "" && token != t:
			err = fmt.Errorf("%w: it brings several tokens", upload.ErrInvalid)
		case token == "":
			token = t
		}
	}
	if scheme, t, _ := strings.Cut(authorization, " "); strings.EqualFold(scheme, "Bearer") {
		if t = strings.TrimSpace(t); t == "" {
			return "", false, fmt.Errorf("%w: its Authorization has no token", upload.ErrInvalid)
		}
		take(t)
		foreign = true
	}
	if t, ok := r.Context().Value(pathKey{}).(string); ok {
		take(t)
		foreign = false
	}
	query, bad := url.ParseQuery(r.URL.RawQuery)
	for _, name := range queryNames() {
		for _, t := range query[name] {
			take(t)
			foreign = false
		}
	}
	if bad != nil && err == nil && token == "" {
		err = fmt.Errorf("%w: its query cannot be read", upload.ErrInvalid)
	}
	return token, foreign, err
}

// cookie returns the token of a cookie. A browser sends cookies along whoever
// asks it to, so what another site's page makes it send has none.
func (g *Gate) cookie(r *http.Request) string {
	if g.Tokens == nil || new(http.CrossOriginProtection).Check(r) != nil {
		return ""
	}
	if c := r.CookiesNamed(Field); len(c) == 1 {
		return c[0].Value
	}
	return ""
}

// Stripped returns r without the tokens in its query, for those who keep or
// compare what a client says there.
func Stripped(r *http.Request) *http.Request {
	query := r.URL.Query()
	before := len(query)
	for _, name := range queryNames() {
		query.Del(name)
	}
	if len(query) == before {
		return r
	}
	s := *r
	s.URL = new(url.URL)
	*s.URL = *r.URL
	s.URL.RawQuery = query.Encode()
	return &s
}

type pathKey struct{}

// FromPath takes the token out of a path /u/TOKEN/…: the rest is served as if it
// was not there, and wire.Links put it before the paths that they make. Other
// requests are returned as they are. It is false if there is a token and
// nothing after it, or something that no token can be.
func FromPath(r *http.Request) (*http.Request, bool) {
	below, ok := strings.CutPrefix(r.URL.EscapedPath(), wire.TokenPath)
	if !ok {
		return r, true
	}
	token, rest, ok := strings.Cut(below, "/")
	path, err := url.PathUnescape("/" + rest)
	if !ok || token == "" || strings.Trim(token, tokenAlphabet) != "" || err != nil {
		return r, false
	}
	s := *r
	s.URL = new(url.URL)
	*s.URL = *r.URL
	s.URL.Path, s.URL.RawPath = path, "/"+rest
	return wire.Below(s.WithContext(context.WithValue(r.Context(), pathKey{}, token)), wire.TokenPath+token), true
}

// tokenAlphabet is of what tokens consist (RFC 7515, section 7.1).
const tokenAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."
