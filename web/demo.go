package web

import (
	"bytes"
	"html"
	"image/png"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
)

// Demo serves the page that shows Resumable.js' interface at work, at
// "/resumable", and below "/resources/um/" what pages made for it load:
//
//	script/resumable.js             the constructor Resumable
//	script/resumable-uploader.js    the constructor ResumableUploader
//	graphics/uploader/*.png         icons
//
// It is used as Handler is.
func Demo() *Site {
	const resources = "/resources/um/"
	s := site{}
	for at, name := range map[string]string{
		"/resumable":                               "demo/index.html",
		resources + "script/resumable.js":          "resumable.global.js",
		resources + "script/resumable-uploader.js": "demo/uploader.js",
		resources + "script/demo.js":               "demo/demo.js",
		resources + "style/demo.css":               "demo/demo.css",
	} {
		body, err := fs.ReadFile(Dist(), name)
		if err != nil {
			panic(err) // it is embedded
		}
		s[at] = newAsset(path.Base(name), body)
	}
	icons := icons()
	for name, m := range icons {
		var b bytes.Buffer
		if err := png.Encode(&b, m); err != nil {
			panic(err) // memory takes everything
		}
		s[resources+"graphics/uploader/"+name+".png"] = newAsset(name+".png", b.Bytes())
	}
	return &Site{s}
}

// Site is what Demo serves.
type Site struct{ site }

// Placeholder is the PNG that stands for a file of which there is no picture.
func (s *Site) Placeholder() []byte {
	return s.site["/resources/um/graphics/uploader/placeholder.png"].body
}

// Mule serves the page that speaks as Mule Uploader does, at "/mule", and what it
// loads, below "/assets/mule/". backend is the path of the backend, with a slash
// at both ends; chunk is the bytes of a chunk. All its links are relative, so that
// it may be below any path. It is used as Handler is.
func Mule(backend string, chunk int64) http.Handler {
	s := site{}
	for at, name := range map[string]string{"/mule": "index.html", "/assets/mule/page.js": "page.js", "/assets/mule/page.css": "page.css"} {
		body, err := fs.ReadFile(Dist(), "mule/"+name)
		if err != nil {
			panic(err) // it is embedded
		}
		if at == "/mule" {
			words := strings.NewReplacer("{{backend}}", "."+html.EscapeString(backend), "{{chunk-size}}", strconv.FormatInt(chunk, 10))
			body = []byte(words.Replace(string(body)))
		}
		s[at] = newAsset(name, body)
	}
	return s
}
