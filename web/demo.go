package web

import (
	"bytes"
	"image/png"
	"io/fs"
	"path"
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
