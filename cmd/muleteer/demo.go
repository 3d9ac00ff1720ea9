package main

import (
	"errors"
	"fmt"
	"net/http"
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
	Demo       list   `yaml:"demo" env:"MULETEER_DEMO" placeholder:"NAME" help:"Serve what surrounded an older system: resumable (Resumable.js: a page at /resumable, the paths of its samples)."`
	PreviewCmd string `name:"preview-cmd" yaml:"preview-cmd" env:"MULETEER_PREVIEW_CMD" placeholder:"PROGRAM" help:"Makes a picture of a film for --demo resumable: words with blanks between, without a shell; {file} is the film, which else comes on standard input, {time} the second; the picture goes to standard output."`
}

const demoResumable = "resumable"

func (d demo) check() error {
	for _, name := range d.Demo {
		if name != demoResumable {
			return fmt.Errorf("--demo %q is not known: there is %s", name, demoResumable)
		}
	}
	if d.PreviewCmd == "" {
		return nil
	}
	if len(d.Demo) == 0 {
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
func (h *house) demo() []place {
	if len(h.settings.Old.Demo) == 0 {
		return nil
	}
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
		{"/api/", "", frontCrossing(), under(redeemPath, redeem)},
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

// under leaves out what is not below path.
func under(path string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, path+"/") {
			nowhere(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}
