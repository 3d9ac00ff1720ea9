package main

import (
	"errors"
	"io/fs"
	"mime"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/muleteer/muleteer/upload"
)

// source is a file to be sent.
type source struct {
	path  string // where it is; "-" is standard input
	name  string // how it is called at the server
	rel   string // its path within the directory that is sent, with slashes; else ""
	size  int64  // bytes; -1 of standard input
	mtime time.Time
	id    string // X-Upload-Fingerprint
}

// errChanged is what a file is refused with that does not hold still.
var errChanged = errors.New("the file changed while it was sent; send it again when nobody writes to it")

// expand finds all files that are meant by the arguments. What cannot be sent
// is told to complain, and the rest goes on.
func expand(arguments []string, name string, complain func(path string, err error)) []*source {
	var found []*source
	for _, a := range arguments {
		if a == "-" {
			found = append(found, standardInput(name))
			continue
		}
		info, err := os.Stat(a)
		switch {
		case err != nil:
			complain(a, missing(err))
		case info.IsDir():
			found = append(found, walk(a, complain)...)
		case !info.Mode().IsRegular():
			complain(a, errors.New("this is no file; standard input is sent as -"))
		default:
			s, err := newSource(a, info, "")
			if err != nil {
				complain(a, err)
				continue
			}
			if name != "" {
				s.name = name
			}
			found = append(found, s)
		}
	}
	return found
}

func missing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return errors.New("there is no such file")
	}
	return reason(err)
}

// walk finds the files below a directory. Links are not followed, as they may
// lead out of it.
func walk(root string, complain func(string, error)) []*source {
	var found []*source
	whole, err := filepath.Abs(root)
	if err != nil {
		complain(root, err)
		return nil
	}
	parent := filepath.Dir(whole)
	_ = filepath.WalkDir(whole, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			complain(path, missing(err))
			return nil
		case d.IsDir():
			return nil
		case !d.Type().IsRegular():
			complain(path, errors.New("this is no file and is left out"))
			return nil
		}
		info, err := d.Info()
		if err != nil {
			complain(path, missing(err))
			return nil
		}
		rel, err := filepath.Rel(parent, path)
		if err != nil {
			rel = d.Name()
		}
		s, err := newSource(path, info, sendable(filepath.ToSlash(rel)))
		if err != nil {
			complain(path, err)
			return nil
		}
		found = append(found, s)
		return nil
	})
	return found
}

// newSource describes a file. Its fingerprint is the same whenever the same
// file is sent again, so that an upload is found again after this program died.
func newSource(path string, info fs.FileInfo, rel string) (*source, error) {
	whole, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	host, _ := os.Hostname() // without a name, the path alone has to do
	s := &source{path: path, name: sendable(filepath.Base(whole)), rel: rel, size: info.Size(), mtime: info.ModTime()}
	s.id = upload.Fingerprint(host, "put", whole, s.name, strconv.FormatInt(s.size, 10), strconv.FormatInt(s.mtime.UnixNano(), 10))
	return s, nil
}

// sendable is a name as every server takes it.
func sendable(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return '_'
		}
		return r
	}, strings.ToValidUTF8(name, "_"))
}

// changed tells whether the file is not the one any more that was to be sent.
func (s *source) changed(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size() != s.size || !info.ModTime().Equal(s.mtime) {
		return errChanged
	}
	return nil
}

// kind is the media type by the name, or "" if it says nothing.
func (s *source) kind() string { return mime.TypeByExtension(filepath.Ext(s.name)) }

// relHeader is rel as X-Upload-Path has it.
func (s *source) relHeader() string {
	segments := strings.Split(s.rel, "/")
	for i, segment := range segments {
		segments[i] = url.PathEscape(segment)
	}
	return strings.Join(segments, "/")
}

// title is the file as the person who sends it knows it.
func (s *source) title() string {
	switch {
	case s.rel != "":
		return s.rel
	case utf8.ValidString(s.path) && s.path != "-":
		return s.path
	}
	return s.name
}
