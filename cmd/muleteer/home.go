package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/muleteer/muleteer/internal/wire"
	"github.com/muleteer/muleteer/web"
)

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

// page serves the page and what it loads.
func (h *house) page() http.Handler {
	s, limit := h.settings, "any size"
	if s.MaxSize > 0 {
		limit = "up to " + s.MaxSize.String()
	}
	return web.Handler(web.Options{MaxSize: int64(s.MaxSize), ChunkSize: int64(s.ChunkSize), Limit: limit, Direct: h.bucket()})
}

// bucket is the origin of the bucket into which pages send pieces themselves, or
// empty. What has to be asked for that was asked when the store was opened.
func (h *house) bucket() string {
	signs, err := h.service.Direct(context.Background())
	if err != nil {
		h.log.Warn("the page sends all through this server, because the store does not say what it signs", "error", err)
	}
	return signs.Origin
}

// newHome answers at /: browsers with the page, everybody else with a few lines
// of text.
func newHome(s settings, page http.Handler) http.Handler {
	links := wire.Public(s.PublicURL)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Vary", "Accept")
		if strings.Contains(r.Header.Get("Accept"), "text/html") {
			page.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Cache-Control", "no-cache")
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		fmt.Fprintf(w, howto, links.To(r, ""))
	})
}
