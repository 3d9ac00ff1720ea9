package wire

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/url"
)

// A Glimpse is what the beginning of a request's body shows, for those who
// have to tell protocols apart before one of them reads it.
type Glimpse struct {
	Fields map[string]string // that are whole, but for files; those of a form, or of a JSON object
	Before map[string]string // those of Fields that come before the first file
	First  string            // name of the first part of a form, "" if there is none
	File   *FormPart         // the head of the first file of a form, without its content; nil if none is seen
	Whole  bool              // the body has no more
}

type glimpseKey struct{}

// With returns r for somebody who can use what was seen of its body before.
func (g Glimpse) With(r *http.Request) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), glimpseKey{}, g))
}

// Glimpsed returns what was seen of a request's body before; nothing, if nobody
// has said.
func Glimpsed(r *http.Request) Glimpse {
	g, _ := r.Context().Value(glimpseKey{}).(Glimpse)
	return g
}

// Glance looks at the first bytes of a request's body; whole tells that there
// are no more.
func Glance(r *http.Request, head []byte, whole bool) Glimpse {
	g := Glimpse{Fields: map[string]string{}, Before: map[string]string{}, Whole: whole}
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return g
	}
	switch kind {
	case "multipart/form-data":
		g.form(newParts(bytes.NewReader(head), params["boundary"]))
	case "application/x-www-form-urlencoded":
		values, err := url.ParseQuery(string(head))
		for name := range values {
			if whole && err == nil {
				g.Fields[name] = values.Get(name)
			}
		}
		g.Before = g.Fields
	case "application/json":
		if whole {
			g.Fields = Object(head)
			g.Before = g.Fields
		}
	}
	return g
}

// form looks at the parts of a form. The value of a field is believed when the
// next part shows that it has ended.
func (g *Glimpse) form(parts *parts) {
	var name, value string
	for fields := 0; fields < formFields; fields++ {
		head, body, err := parts.next()
		if name != "" && (err == nil || err == io.EOF && g.Whole) {
			if g.Fields[name] = value; g.File == nil {
				g.Before[name] = value
			}
		}
		if err != nil {
			return
		}
		p, err := formPart(head, body)
		if err != nil {
			return
		}
		if g.First == "" {
			g.First = p.Name
		}
		if name = ""; p.File {
			if p.Reader = nil; g.File == nil { // the bytes are not kept for it
				g.File = p
			}
			continue
		}
		content, err := io.ReadAll(io.LimitReader(body, formField+1))
		if err != nil || len(content) > formField {
			return
		}
		name, value = p.Name, string(content)
	}
}

// Object returns the members of a JSON object that are strings, numbers or
// booleans, as text; none if it is no object.
func Object(document []byte) map[string]string {
	fields := map[string]string{}
	var members map[string]any
	d := json.NewDecoder(bytes.NewReader(document))
	d.UseNumber()
	if d.Decode(&members) != nil {
		return fields
	}
	for name, member := range members {
		switch v := member.(type) {
		case string:
			fields[name] = v
		case json.Number:
			fields[name] = v.String()
		case bool:
			fields[name] = map[bool]string{true: "true", false: "false"}[v]
		}
	}
	return fields
}
