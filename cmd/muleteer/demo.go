package main

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/muleteer/muleteer/access"
	"github.com/muleteer/muleteer/internal/wire"
	"github.com/muleteer/muleteer/protocol/chunkform"
	"github.com/muleteer/muleteer/protocol/contentrange"
	"github.com/muleteer/muleteer/protocol/photo"
	"github.com/muleteer/muleteer/protocol/plain"
	"github.com/muleteer/muleteer/web"
)

// demo is which of the old systems have their surroundings here.
type demo struct {
	Demo       list   `yaml:"demo" env:"MULETEER_DEMO" placeholder:"NAME" help:"Serve what surrounded an older system: resumable (Resumable.js: a page at /resumable, the paths of its samples), mule (Mule Uploader: a page at /mule); may be given several times."`
	PreviewCmd string `name:"preview-cmd" yaml:"preview-cmd" env:"MULETEER_PREVIEW_CMD" placeholder:"PROGRAM" help:"Makes a picture of a film for --demo resumable: words with blanks between, without a shell; {file} is the film, which else comes on standard input, {time} the second; the picture goes to standard output."`
}

const (
	demoResumable = "resumable"
	demoMule      = "mule"
)

// has tells whether a demo is served.
func (d demo) has(name string) bool { return slices.Contains(d.Demo, name) }

func (d demo) check() error {
	for _, name := range d.Demo {
		if name != demoResumable && name != demoMule {
			return fmt.Errorf("--demo %q is not known: there are %s and %s", name, demoResumable, demoMule)
		}
	}
	if d.PreviewCmd == "" {
		return nil
	}
	if !d.has(demoResumable) {
		return errors.New("--preview-cmd makes pictures for --demo resumable: give that as well")
	}
	if _, err := photo.NewPreview(d.PreviewCmd); err != nil {
		return fmt.Errorf("--preview-cmd %q cannot be run: %w", d.PreviewCmd, err)
	}
	return nil
}

// Where the samples of Resumable.js send to.
const (
	redeemPath = "/api/photo/redeem-upload-token"
	flaskPath  = "/resumable_upload"
)

// demo is the part of the table of paths that is there for older systems.
func (h *house) demo() (places []place) {
	if h.settings.Old.has(demoMule) {
		site := web.Mule(h.settings.Clients.mule(), int64(h.settings.ChunkSize))
		places = append(places, place{mulePage, "page", crossing{}, h.welcomed(only(site))}, place{"/assets/mule/", "page", crossing{}, only(site)})
	}
	if h.settings.Old.has(demoResumable) {
		places = append(places, h.photos()...)
	}
	return places
}

// mulePage is where the page is that speaks as Mule Uploader does.
const mulePage = "/mule"

// shown leads people who have opened the bucket of Mule Uploader to that page.
func (h *house) shown(bucket http.Handler) http.Handler {
	if !h.settings.Old.has(demoMule) {
		return bucket
	}
	links := wire.Public(h.settings.PublicURL)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && r.URL.Path == mulesBucket {
			http.Redirect(w, r, links.To(r, mulePage), http.StatusSeeOther)
			return
		}
		bucket.ServeHTTP(w, r)
	})
}

// photos is what surrounded Resumable.js.
func (h *house) photos() []place {
	site := web.Demo()
	preview, _ := photo.NewPreview(h.settings.Old.PreviewCmd) // settings.check has tried it; "" is none
	photos := photo.New(h.service, photo.Options{
		URL: wire.Public(h.settings.PublicURL), Preview: preview, Placeholder: site.Placeholder(),
	})
	redeem, flask := h.through(h.sample(redeemPath)), h.through(h.sample(flaskPath))
	words := crossing{methods: "POST, OPTIONS"}
	return []place{
		{"/resumable", "page", crossing{}, h.welcomed(only(site))},
		{"/resources/", "page", crossing{}, only(site)},
		{flaskPath, "", frontCrossing(), flask},
		{flaskPath + "/", "", frontCrossing(), flask},
		{redeemPath, "", frontCrossing(), redeem},
		{redeemPath + "/", "", frontCrossing(), redeem},
		{"/api/photo/frame", "photo", readCrossing(), photos.Frame()},
		{"/api/photo/update-upload-token", "photo", words, photos.Words()},
		{"/actions", "photo", readCrossing(), photos.Link()},
	}
}

// sample is the door of a path to which pages with Resumable.js send: that
// library's own chunks, the ranges of ours, and forms where neither is there.
// The token that a page sends along tells its files from those of others.
func (h *house) sample(path string) door {
	links := wire.Public(h.settings.PublicURL)
	scope := func(r *http.Request) string { return h.gate.Scope(r) + "\x00" + r.URL.Query().Get(access.Field) }
	ranges := contentrange.Handler(h.service, contentrange.Options{Base: path + "/", URL: links, Scope: scope, Fields: photo.Fields})
	pieces := h.pieces()
	chunks := chunkform.Handler(h.service, pieces)
	forms := plain.Handler(h.service, plain.Options{URL: links, Piece: pieces.Piece})
	named := func(r *http.Request, _ wire.Glimpse) bool {
		return len(strings.TrimPrefix(r.URL.Path, path)) > 1 && !plain.Form(r)
	}
	return door{speaks: pieces.Speaks, waits: chunkform.Late, marks: photo.Marked, rows: []entrance{
		{"contentrange", named, ranges},
		{"plain", func(r *http.Request, g wire.Glimpse) bool { return plain.Form(r) && !pieces.Speaks(r, g) }, forms},
		{"chunkform", anything, chunks},
	}}
}
