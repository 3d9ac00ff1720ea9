package upload

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Template says under which key a finished file appears in its store. It is a
// relative, slash-separated path in which {id}, {name}, {path}, {owner} and
// {date} stand for what is known of the upload when it begins: the key is
// fixed then.
//
// {path} is the file's path within a directory that is uploaded, or its name;
// {date} is the day, in UTC, as 2006-01-02. What clients said appears in a
// form that cannot leave its place: no empty, dot or dot-dot segments, no
// separators or control characters within a segment, at most 255 bytes each.
type Template string

// DefaultKey keeps the name and never collides.
const DefaultKey Template = "{id}/{name}"

var placeholder = regexp.MustCompile(`\{[^{}]*\}`)

// Check tells what is wrong with a template.
func (t Template) Check() error {
	for _, p := range placeholder.FindAllString(string(t), -1) {
		switch p {
		case "{id}", "{name}", "{path}", "{owner}", "{date}":
		default:
			return fmt.Errorf("the key template %q has %s: it may have {id}, {name}, {path}, {owner} and {date}", t, p)
		}
	}
	plain := placeholder.ReplaceAllString(string(t), "x")
	for segment := range strings.SplitSeq(plain, "/") {
		if segment != clean(segment) {
			return fmt.Errorf("the key template %q is no relative path: %q cannot be a part of it", t, segment)
		}
	}
	return nil
}

// key fills the template in for an upload that begins now.
func (t Template) key(u *Record, now time.Time) string {
	if t == "" {
		t = DefaultKey
	}
	name := clean(u.Meta.Name)
	path := cleanPath(u.Meta.Path)
	if path == "" {
		path = name
	}
	owner := u.Owner
	if owner == "" {
		owner = "anonymous"
	}
	key := strings.NewReplacer(
		"{id}", u.ID,
		"{name}", name,
		"{path}", path,
		"{owner}", clean(owner),
		"{date}", now.UTC().Format(time.DateOnly),
	).Replace(string(t))
	// What stood together in one segment may have become too long, or a dot.
	return cleanPath(key)
}

// cleanPath returns p with clean segments, without those that mean nothing.
func cleanPath(p string) string {
	var segments []string
	for segment := range strings.SplitSeq(strings.ReplaceAll(p, `\`, "/"), "/") {
		if segment == "" || segment == "." || segment == ".." {
			continue
		}
		segments = append(segments, clean(segment))
	}
	const deepest = 64
	if len(segments) > deepest {
		segments = segments[len(segments)-deepest:]
	}
	return strings.Join(segments, "/")
}

// maxSegment is what nearly all file systems take as one name, in bytes.
const maxSegment = 255

// clean returns s as one segment of a path that every store can keep.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '/' || r == '\\' || r == utf8.RuneError:
			return '_'
		case unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || unicode.Is(unicode.Bidi_Control, r):
			return -1
		}
		return r
	}, s)
	s = strings.TrimSpace(s)
	switch {
	case s == "":
		return "unnamed"
	case s == ".":
		return "_"
	case s == "..":
		return "__"
	case strings.EqualFold(s, ".muleteer"): // where stores keep what is on its way
		return "_" + s
	}
	if len(s) <= maxSegment {
		return s
	}
	// The end of a name says what it is, so it is kept.
	suffix := ""
	if dot := strings.LastIndexByte(s, '.'); dot > 0 && len(s)-dot <= 20 {
		suffix = s[dot:]
	}
	s = s[:maxSegment-len(suffix)]
	for !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s + suffix
}
