package wire

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/upload"
)

// Serve answers GET and HEAD for a finished upload: ranges, conditions, an
// ETag of its checksum. What a stranger uploaded runs as nothing in the
// reader's browser: it is an attachment in a sandbox, but for pictures, sound
// and films, which have no scripts. Where the store says so, a GET is sent to
// the store itself.
//
// It returns an error before it has answered anything, and nil after.
func Serve(w http.ResponseWriter, r *http.Request, s *upload.Service, id string) error {
	if !ID(id) {
		return upload.ErrNotFound
	}
	u, err := s.Final(r.Context(), id)
	if err != nil {
		return err
	}
	if at, err := elsewhere(r, s, u); err != nil {
		return err
	} else if at != "" {
		w.Header().Set("Cache-Control", "no-store") // the address is good for a while only
		http.Redirect(w, r, at, http.StatusTemporaryRedirect)
		return nil
	}
	f := &file{ctx: r.Context(), service: s, record: u}
	defer f.close()
	if r.Method == http.MethodGet && r.Header.Get("Range") == "" && u.Size > 0 {
		if err := f.open(); err != nil { // while the status can still say so
			return err
		}
	}
	describe(w.Header(), u)
	http.ServeContent(w, r, "", u.Touched, f)
	return nil
}

// elsewhere is the address at which a GET finds the file without us, empty if
// there is none.
func elsewhere(r *http.Request, s *upload.Service, u *upload.Record) (string, error) {
	if r.Method != http.MethodGet {
		return "", nil
	}
	h := http.Header{}
	describe(h, u)
	return s.Link(r.Context(), u.ID, h.Get("Content-Type"), h.Get("Content-Disposition"))
}

func describe(h http.Header, u *upload.Record) {
	kind := "attachment"
	media, _, err := mime.ParseMediaType(u.Type)
	switch {
	case err != nil:
		h.Set("Content-Type", "application/octet-stream")
	default:
		h.Set("Content-Type", u.Type)
		if inline(media) {
			kind = "inline"
		}
	}
	h.Set("Content-Disposition", Disposition(kind, u.Meta.Name))
	h.Set("ETag", ObjectETag(u))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	h.Set("Cross-Origin-Resource-Policy", "same-site")
	h.Set("Cache-Control", "private, no-cache") // who may read is asked every time
}

// inline tells whether a browser may show a file of this type in place. No
// SVG: it has scripts.
func inline(media string) bool {
	switch media {
	case "image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "image/bmp",
		"audio/mpeg", "audio/mp4", "audio/aac", "audio/ogg", "audio/wav", "audio/webm", "audio/flac",
		"video/mp4", "video/webm", "video/ogg", "video/quicktime":
		return true
	}
	return false
}

// file is a finished upload as http.ServeContent wants it. Seek only notes the
// position; the store is asked when somebody reads there.
type file struct {
	ctx     context.Context
	service *upload.Service
	record  *upload.Record
	pos     int64
	body    io.ReadCloser // nil if not open
	at      int64         // where body stands
}

func (f *file) open() error {
	f.close()
	body, _, err := f.service.Open(f.ctx, f.record.ID, extent.Extent{Start: f.pos, End: f.record.Size})
	if err != nil {
		return err
	}
	f.body, f.at = body, f.pos
	return nil
}

func (f *file) close() {
	if f.body != nil {
		_ = f.body.Close() // it was only read
		f.body = nil
	}
}

func (f *file) Read(p []byte) (int, error) {
	if f.pos >= f.record.Size {
		return 0, io.EOF
	}
	if f.body == nil || f.at != f.pos {
		if err := f.open(); err != nil {
			return 0, err
		}
	}
	n, err := f.body.Read(p)
	f.pos += int64(n)
	f.at = f.pos
	return n, err
}

func (f *file) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += f.pos
	case io.SeekEnd:
		offset += f.record.Size
	}
	if offset < 0 {
		return 0, errors.New("seek before the start")
	}
	f.pos = offset
	return offset, nil
}
