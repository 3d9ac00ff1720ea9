package main

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // for the page
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"

	"github.com/muleteer/muleteer/internal/wire"
)

//go:embed home.html
var page []byte

// howto is what a person with curl wants to know.
const howto = `muleteer takes uploads and resumes them.

curl        curl -T FILE %[1]s/upload/
            after a break: ask how much is there, then go on from there
            curl -X PUT -H 'Content-Range: bytes */*' -i %[1]s/upload/FILE
            curl -C OFFSET -T FILE %[1]s/upload/FILE
form        curl -F file=@FILE %[1]s/upload
muleteer    muleteer put FILE… %[1]s
tus         any tus 1.0 client; the endpoint is %[1]s/tus/

Files are at /files/ID, how an upload stands at /uploads/ID.
`

// newHome answers at /: browsers with a page whose form works without any
// script, everybody else with a few lines of text.
func newHome(s settings) http.Handler {
	policy := "default-src 'none'; style-src 'sha256-" + styleHash(page) + "'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
	limit := "any size"
	if s.MaxSize > 0 {
		limit = "up to " + s.MaxSize.String()
	}
	html := bytes.ReplaceAll(page, []byte("{{limit}}"), []byte(limit))
	links := wire.Public(s.PublicURL)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Vary", "Accept")
		h.Set("Cache-Control", "no-cache")
		if !strings.Contains(r.Header.Get("Accept"), "text/html") {
			h.Set("Content-Type", "text/plain; charset=utf-8")
			fmt.Fprintf(w, howto, links.To(r, ""))
			return
		}
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", policy)
		_, _ = w.Write(html) // who has left needs no page
	})
}

// styleHash is the hash by which the policy lets the page's own style in, and
// no other.
func styleHash(page []byte) string {
	_, after, _ := bytes.Cut(page, []byte("<style>"))
	style, _, _ := bytes.Cut(after, []byte("</style>"))
	sum := sha256.Sum256(style)
	return base64.StdEncoding.EncodeToString(sum[:])
}
