package plain

import (
	"errors"
	"html/template"
	"io"
	"net/http"
	"strings"

	"github.com/muleteer/muleteer/internal/wire"
	"github.com/muleteer/muleteer/upload"
)

// answer tells of files that are here. Of a form, which may have several, they
// are a list too; the fields of the first stand beside it, for clients that know
// of one only.
func (h *handler) answer(w http.ResponseWriter, r *http.Request, files []*upload.Record) {
	views := make([]wire.View, len(files))
	for i, u := range files {
		views[i] = wire.ViewOf(r, h.URL, h.s, u)
	}
	status := http.StatusCreated
	for _, u := range files {
		if u.Phase != upload.Done {
			status = http.StatusAccepted // somebody has to look at it first
		}
	}
	if status == http.StatusCreated && len(views) == 1 {
		w.Header().Set("Location", views[0].URL)
	}
	w.Header().Add("Vary", "Accept")
	if Form(r) && strings.Contains(r.Header.Get("Accept"), "text/html") {
		h.page(w, status, views)
		return
	}
	reply := struct {
		wire.View
		Files []wire.View `json:"files,omitempty"`
	}{View: views[0]}
	if Form(r) {
		reply.Files = views
	}
	wire.JSON(w, status, reply)
}

// page answers a browser that sent the form without any script.
func (h *handler) page(w http.ResponseWriter, status int, views []wire.View) {
	head := w.Header()
	head.Set("Content-Type", "text/html; charset=utf-8")
	head.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = received.Execute(w, views) // who has left needs no page
}

var received = template.Must(template.New("").Parse(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Received</title>
<h1>Received</h1>
<ul>
{{- range .}}
<li>{{if .URL}}<a href="{{.URL}}">{{or .Name .ID}}</a>{{else}}{{or .Name .ID}} (waits for approval){{end}}, {{.Size}} bytes</li>
{{- end}}
</ul>
</html>
`))

// fail answers with an error.
func (h *handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	status, known := wire.Status(err)
	switch {
	case errors.Is(err, errMethod):
		status, known = http.StatusMethodNotAllowed, true
		w.Header().Set("Allow", "POST, PUT")
	case !known && errors.Is(err, io.ErrUnexpectedEOF):
		status, known = http.StatusBadRequest, true
	}
	detail := ""
	var line *wire.BodyError // it names addresses, and who sent the body knows what became of it
	switch {
	case !known:
		h.log().ErrorContext(r.Context(), "an error that no client can be told", "protocol", Protocol, "error", err)
	case status < 500 && !errors.As(err, &line):
		detail = err.Error()
	}
	wire.Problem(w, status, "", detail)
}
