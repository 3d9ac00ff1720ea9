package access

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net"
	"net/http"
	"strings"

	"github.com/muleteer/muleteer/upload"
)

// Nobody says how people without a name may upload. They are known by the ids of
// their uploads, which nobody can guess; a browser also by a cookie.
type Nobody struct {
	// Key signs cookies. It has to survive a restart.
	Key []byte
	// Shared lets all meet in one upload by its name, and keeps no cookies; Apart
	// lets none do so. With neither, those do who are at this machine.
	Shared, Apart bool
}

const cookieName = "muleteer"

// cookieAge is for how many seconds a browser keeps its cookie: 90 days.
const cookieAge = 90 * 24 * 3600

// shares tells whether who sends r is one of those who meet by name.
func (n *Nobody) shares(r *http.Request) bool {
	return n.Shared || !n.Apart && WayOf(r).Local
}

func (n *Nobody) admit(r *http.Request) upload.Principal {
	if n.shares(r) {
		return upload.Principal{}
	}
	return upload.Principal{Owner: n.known(r)}
}

// known is the owner that a cookie of ours stands for, "" without one.
func (n *Nobody) known(r *http.Request) string {
	for _, c := range r.CookiesNamed(cookieName) {
		id, sign, _ := strings.Cut(c.Value, ".")
		if len(id) >= 26 && len(id) <= 64 && hmac.Equal([]byte(sign), []byte(n.sign(id))) {
			return upload.Nobody + id
		}
	}
	return ""
}

func (n *Nobody) sign(id string) string {
	return base64.RawURLEncoding.EncodeToString(mac(n.Key, "cookie", id))
}

// Welcome gives a cookie to a browser that opens a page, where one is of use. It
// is not given to what a page sends: several of those may be the first at once,
// and each would be somebody else.
func (g *Gate) Welcome(w http.ResponseWriter, r *http.Request) {
	n := g.Nobody
	if n == nil || n.shares(r) || !navigates(r) || n.known(r) != "" {
		return
	}
	id := rand.Text()
	http.SetCookie(w, &http.Cookie{
		Name: cookieName, Value: id + "." + n.sign(id), Path: "/", MaxAge: cookieAge,
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: r.TLS != nil || r.URL.Scheme == "https",
	})
	w.Header().Set("Cache-Control", "private, no-cache")
}

// navigates tells whether a browser asks for a page that a person wants to see.
func navigates(r *http.Request) bool {
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" {
		return mode == "navigate"
	}
	return strings.Contains(r.Header.Get("Accept"), "text/html")
}

// Scope tells apart those who have no name and no cookie, for protocols that
// find an upload by what its client calls it: by their address, or not at all
// where they share. Who is admitted has to stand in the context of r.
func (g *Gate) Scope(r *http.Request) string { return g.scope(r, upload.Owner(r.Context())) }

func (g *Gate) scope(r *http.Request, owner string) string {
	if owner != "" || g.Nobody != nil && g.Nobody.shares(r) {
		return ""
	}
	return address(r)
}

// Lists tells whether who sends r may see which uploads it has: not if it has
// them together with people that it does not know.
func (g *Gate) Lists(r *http.Request) bool {
	return upload.Owner(r.Context()) != "" || g.Nobody != nil && g.Nobody.shares(r) && WayOf(r).Local
}

// address is the network address of the client, without its port.
func address(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// mac signs fields for a purpose. Their lengths stand before them, so that none
// can pass for a part of another one.
func mac(key []byte, purpose string, fields ...string) []byte {
	m := hmac.New(sha256.New, key)
	for _, f := range append([]string{purpose}, fields...) {
		writeField(m, f)
	}
	return m.Sum(nil)
}
