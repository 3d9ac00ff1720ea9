package photo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/internal/child"
)

// What a preview program gets and may give.
const (
	previewTime  = 15 * time.Second
	previewBytes = 16 << 20  // of its output
	filmHead     = 128 << 20 // bytes from the start of the film, and from its end: an index may be at either
	filmTail     = 32 << 20
)

// Preview is a program that makes an image of a film: its words, of which
// {file} stands for a file that has the film and {time} for seconds into it.
// Without {file} the film comes on standard input. The image is a JPEG, PNG or
// GIF on standard output. No shell is asked, and nothing that a client says is
// among the words.
type Preview []string

// NewPreview takes a program apart: words with blanks between. It tells if
// there is no such program.
func NewPreview(command string) (Preview, error) {
	p := Preview(strings.Fields(command))
	if len(p) == 0 {
		return nil, errors.New("it names no program")
	}
	path, err := exec.LookPath(p[0])
	if err != nil {
		return nil, err
	}
	p[0] = path
	return p, nil
}

func (p Preview) there() bool { return len(p) > 0 }

// picture has the program make an image of a film, and makes it small.
func (p Preview) picture(ctx context.Context, s *source, at int64) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, previewTime)
	defer cancel()
	words := slices.Clone(p)
	var film io.Reader
	if slices.ContainsFunc(words, func(w string) bool { return strings.Contains(w, "{file}") }) {
		path, err := s.film(ctx)
		if path != "" {
			defer os.Remove(path)
		}
		if err != nil {
			return nil, err
		}
		for i := range words {
			words[i] = strings.ReplaceAll(words[i], "{file}", path)
		}
	} else {
		first := s.u.Size
		if h := s.here(); len(h) > 0 {
			first = h[0].End
		}
		r, err := s.open(extent.Extent{End: first})
		if err != nil {
			return nil, err
		}
		defer r.Close()
		film = &patient{ctx, r}
	}
	for i := range words {
		words[i] = strings.ReplaceAll(words[i], "{time}", strconv.FormatInt(at, 10))
	}
	image, err := child.Run(ctx, child.Command{
		Words: words, In: film, Env: []string{"PATH=" + os.Getenv("PATH"), "LANG=C.UTF-8"}, // ours has secrets
		Dir: os.TempDir(), Most: previewBytes, Timeout: previewTime,
	})
	if err != nil {
		return nil, fmt.Errorf("the preview program: %w", err)
	}
	return shrink(ctx, bytes.NewReader(image))
}

// here are the bytes of the film that the program gets.
func (s *source) here() extent.Set {
	ends := extent.Of(extent.Extent{End: min(filmHead, s.u.Size)}, extent.Extent{Start: max(s.u.Size-filmTail, 0), End: s.u.Size})
	var here extent.Set
	for _, e := range ends {
		if s.has(e) {
			here = here.Add(e)
			continue
		}
		for _, r := range s.u.Ranges() {
			here = here.Add(r.Intersect(e))
		}
	}
	return here
}

// film writes what is here into a file as long as the film, with holes where
// nothing is, and returns its path. The name is ours.
func (s *source) film(ctx context.Context) (path string, err error) {
	f, err := os.CreateTemp("", "muleteer-film-")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := f.Truncate(s.u.Size); err != nil {
		return f.Name(), err
	}
	for _, e := range s.here() {
		r, err := s.open(e)
		if err != nil {
			return f.Name(), err
		}
		_, err = io.Copy(io.NewOffsetWriter(f, e.Start), &patient{ctx, r})
		r.Close()
		if err != nil {
			return f.Name(), err
		}
	}
	return f.Name(), nil
}
