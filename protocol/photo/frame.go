package photo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/internal/wire"
	"github.com/muleteer/muleteer/upload"
)

const (
	slots     = 2                // pictures that are made at once; others wait
	frameTime = 30 * time.Second // for one picture, with waiting
	latest    = 24 * 60 * 60     // seconds into a film
	sniffed   = 512              // bytes by which a file's type is told
)

// Frame answers with a JPEG of a file, at most edge pixels wide and high. As
// long as there is none, and of files that have none, it is the placeholder: an
// image on a page needs one.
func (h *Handler) Frame() http.Handler {
	return h.answering("GET, HEAD", func(w http.ResponseWriter, r *http.Request) error {
		q := r.URL.Query()
		at, err := wire.Int(q.Get("time"))
		if q.Has("time") && (err != nil || at > latest) {
			return fmt.Errorf("time is a number of seconds, at most %d: %w", latest, upload.ErrInvalid)
		}
		var picture []byte
		u, err := h.find(r.Context(), q)
		switch {
		case err == nil:
			picture = h.picture(r.Context(), u.ID, at)
		case !errors.Is(err, upload.ErrNotFound): // a page may ask before it has sent anything
			return err
		}
		header := w.Header()
		header.Set("Cache-Control", "no-store")
		header.Set("Content-Type", "image/jpeg")
		if picture == nil {
			header.Set("Content-Type", "image/png")
			picture = h.Placeholder
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(picture))
		return nil
	})
}

// picture makes a picture of an upload, nil if that cannot be. Why is only for
// the log: the file is not there yet, or no picture, or a strange one.
func (h *Handler) picture(ctx context.Context, id string, at int64) []byte {
	ctx, cancel := context.WithTimeout(ctx, frameTime)
	defer cancel()
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	case <-ctx.Done():
		return nil
	}
	u, err := h.s.Get(ctx, id)
	if err != nil {
		return nil
	}
	s := &source{ctx, h.s, u}
	switch kind := s.kind(); {
	case kind == "image/jpeg", kind == "image/png", kind == "image/gif":
		if !s.has(extent.Extent{End: u.Size}) || u.Size > imageBytes {
			return nil
		}
		r, err := s.open(extent.Extent{End: u.Size})
		if err != nil {
			return nil
		}
		defer r.Close()
		picture, err := shrink(ctx, r)
		if err != nil {
			h.log().Debug("an image has no picture", "id", id, "error", err)
		}
		return picture
	case h.Preview.there() && strings.HasPrefix(kind, "video/") && s.ends():
		picture, err := h.Preview.picture(ctx, s, at)
		if err != nil {
			h.log().Warn("a film has no picture", "id", id, "error", err)
		}
		return picture
	}
	return nil
}

// source reads what is here of an upload, finished or not.
type source struct {
	ctx context.Context
	s   *upload.Service
	u   *upload.Record
}

// has tells whether bytes are here.
func (s *source) has(e extent.Extent) bool {
	return e.Empty() || s.u.Phase == upload.Done || s.u.Ranges().Has(e)
}

// ends tells whether the file's first and last bytes are here.
func (s *source) ends() bool {
	last := extent.Extent{Start: max(s.u.Size-1, 0), End: s.u.Size}
	return s.u.Size > 0 && s.has(extent.Extent{End: min(sniffed, s.u.Size)}) && s.has(last)
}

// open reads bytes that are here. Not every store can read what it has not
// joined yet.
func (s *source) open(e extent.Extent) (io.ReadCloser, error) {
	if s.u.Phase == upload.Done {
		r, _, err := s.s.Open(s.ctx, s.u.ID, e)
		return r, err
	}
	if s.u.Phase != upload.Receiving {
		return nil, upload.ErrBusy
	}
	return s.s.Store.Open(s.ctx, s.u.Object, e)
}

// kind is the media type that the file's first bytes show; a film is believed
// to be one if its client says so. "" if nothing is known.
func (s *source) kind() string {
	head := extent.Extent{End: min(sniffed, s.u.Size)}
	if head.Empty() || !s.has(head) {
		return ""
	}
	r, err := s.open(head)
	if err != nil {
		return ""
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		return ""
	}
	kind := http.DetectContentType(b)
	if strings.HasPrefix(s.u.Type, "video/") && !strings.HasPrefix(kind, "image/") && !strings.HasPrefix(kind, "text/") {
		return "video/*"
	}
	return kind
}

func (h *Handler) log() *slog.Logger {
	if h.s.Log != nil {
		return h.s.Log
	}
	return slog.Default()
}
