// Package web is the page, the element <upload-box> and the browser client, as
// `go generate` builds them into dist from the TypeScript in src.
package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"
)

//go:generate go run ./build

//go:embed dist
var dist embed.FS

// Dist has what is built: client.js, client.d.ts, direct.js, streams.js, box.js,
// resumable.js, page.js, page.css and index.html, and what belongs to Demo and to
// the page at /streams.
func Dist() fs.FS {
	sub, err := fs.Sub(dist, "dist")
	if err != nil {
		panic(err) // the name is a constant
	}
	return sub
}

// Policy is the Content-Security-Policy of the page: everything comes from this
// server, nothing is inline, and the one worker is made by the client itself.
const Policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; " +
	"connect-src 'self'; worker-src blob:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// Options is what the page says of the server.
type Options struct {
	MaxSize   int64  // bytes of the largest file, 0 for no limit
	ChunkSize int64  // bytes of one request, 0 for the client's own choice
	Limit     string // MaxSize for people: "up to 50 GiB", "any size"
	Direct    string // origin of the bucket into which the page sends pieces itself, "" for none
}

// asset is one file as it is served.
type asset struct {
	name, kind, tag string
	policy          string // of a page
	body            []byte
	immutable       bool
}

// site is the page and all that it loads, by path.
type site map[string]*asset

// Handler serves the page at "/", the one that sends over a socket at "/streams",
// and their assets below "/assets/": by a name
// with a hash, which browsers keep for ever, and by the plain name, for pages
// of others. It answers GET and HEAD, and may be called concurrently.
func Handler(o Options) http.Handler {
	s := site{}
	hashed := map[string]string{}
	entries, err := fs.ReadDir(Dist(), ".")
	if err != nil {
		panic(err) // it is embedded
	}
	for _, e := range entries {
		if e.IsDir() {
			continue // what Demo serves, and the page at /streams
		}
		body, err := fs.ReadFile(Dist(), e.Name())
		if err != nil {
			panic(err)
		}
		if e.Name() == "index.html" {
			continue
		}
		a := newAsset(e.Name(), body)
		forever := *a
		forever.immutable = true
		ext := path.Ext(a.name)
		hashed[a.name] = "assets/" + strings.TrimSuffix(a.name, ext) + "." + a.tag + ext
		s["/assets/"+a.name], s["/"+hashed[a.name]] = a, &forever
	}
	if page, err := fs.ReadFile(Dist(), "index.html"); err == nil {
		a := newAsset("index.html", fill(page, o, hashed))
		if o.Direct != "" {
			a.policy = strings.Replace(Policy, "connect-src 'self'", "connect-src 'self' "+o.Direct, 1)
		}
		s["/"] = a
	}
	for at, name := range map[string]string{
		"/streams":                 "streams/index.html",
		"/assets/streams/page.js":  "streams/page.js",
		"/assets/streams/page.css": "streams/page.css",
	} {
		body, err := fs.ReadFile(Dist(), name)
		if err != nil {
			panic(err) // it is embedded
		}
		s[at] = newAsset(path.Base(name), body)
	}
	return s
}

// newAsset describes a file. Its tag is a hash of its bytes.
func newAsset(name string, body []byte) *asset {
	sum := sha256.Sum256(body)
	kind, policy := mime.TypeByExtension(path.Ext(name)), ""
	switch path.Ext(name) { // whatever the machine's own table says
	case ".js":
		kind = "text/javascript; charset=utf-8"
	case ".css":
		kind = "text/css; charset=utf-8"
	case ".html":
		kind, policy = "text/html; charset=utf-8", Policy
	case ".png":
		kind = "image/png"
	case ".ts":
		kind = "text/plain; charset=utf-8"
	}
	return &asset{name: name, kind: kind, tag: hex.EncodeToString(sum[:8]), policy: policy, body: body}
}

// fill writes into the page what the server knows, and the names with a hash.
func fill(page []byte, o Options, hashed map[string]string) []byte {
	figure := func(n int64) string {
		if n <= 0 {
			return ""
		}
		return strconv.FormatInt(n, 10)
	}
	direct := ""
	if o.Direct != "" {
		direct = "1"
	}
	words := []string{
		"{{max-size}}", figure(o.MaxSize), "{{chunk-size}}", figure(o.ChunkSize), "{{direct}}", direct, "{{limit}}", html.EscapeString(o.Limit),
	}
	for name, with := range hashed {
		words = append(words, `"`+name+`"`, `"`+with+`"`)
	}
	return []byte(strings.NewReplacer(words...).Replace(string(page)))
}

func (s site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a := s[r.URL.Path]
	if a == nil {
		http.NotFound(w, r)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
		return
	}
	h := w.Header()
	h.Set("Content-Type", a.kind)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("ETag", strconv.Quote(a.tag))
	h.Set("Cache-Control", "no-cache")
	if a.immutable {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	if a.policy != "" {
		h.Set("Content-Security-Policy", a.policy)
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(a.body))
}
