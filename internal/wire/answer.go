package wire

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/upload"
)

// JSON answers with v as a JSON document that nobody caches.
func JSON(w http.ResponseWriter, status int, v any) { document(w, status, v, 0) }

// document writes blanks after v until it has so many bytes.
func document(w http.ResponseWriter, status int, v any, least int) {
	h := w.Header()
	if h.Get("Content-Type") == "" {
		h.Set("Content-Type", "application/json")
	}
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	body, err := json.Marshal(v)
	if err != nil {
		status, body = http.StatusInternalServerError, nil
	}
	for len(body) < least-1 {
		body = append(body, ' ')
	}
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // who has left needs no answer
}

// minProblem is how many bytes an error document has at least: the tus client
// tusgo 0.1.2 reads so many of an error, and panics if there are fewer.
const minProblem = 256

// Problem answers with an error document (RFC 9457, type about:blank). An
// empty title is the status' own. Retry-After is set where a later try can
// succeed.
func Problem(w http.ResponseWriter, status int, title, detail string) {
	if title == "" {
		title = Text(status)
	}
	Retry(w.Header(), status)
	w.Header().Set("Content-Type", "application/problem+json")
	document(w, status, struct {
		Type   string `json:"type"`
		Title  string `json:"title"`
		Status int    `json:"status"`
		Detail string `json:"detail,omitempty"`
	}{"about:blank", title, status, detail}, minProblem)
}

// Retry sets Retry-After, in seconds, for statuses of passing trouble, unless
// it is set already.
func Retry(h http.Header, status int) {
	after := map[int]string{
		http.StatusLocked:              "1",
		http.StatusServiceUnavailable:  "5",
		http.StatusTooManyRequests:     "5",
		http.StatusInsufficientStorage: "60",
	}[status]
	if after != "" && h.Get("Retry-After") == "" {
		h.Set("Retry-After", after)
	}
}

// Text is http.StatusText and knows 460 too.
func Text(status int) string {
	if status == StatusChecksum {
		return "Checksum Mismatch"
	}
	return http.StatusText(status)
}

// Disposition returns a Content-Disposition (RFC 6266) of the given kind,
// "attachment" or "inline", for a file name from a client. Control characters
// and those that turn the direction of writing are removed, slashes become
// "_". Old programs read the ASCII in filename, the others filename* (RFC
// 8187).
func Disposition(kind, name string) string {
	name = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r):
			return -1
		case r == '/':
			return '_'
		}
		return r
	}, strings.ToValidUTF8(name, "_"))
	if name == "" {
		return kind
	}
	plain := strings.Map(func(r rune) rune {
		if r > unicode.MaxASCII || r == '%' {
			return '_' // some programs decode %41 in here
		}
		return r
	}, name)
	s := kind + `; filename="` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(plain) + `"`
	if plain != name {
		s += "; filename*=UTF-8''" + strings.ReplaceAll(url.QueryEscape(name), "+", "%20")
	}
	return s
}

// View is how an upload is told in JSON.
type View struct {
	ID       string     `json:"id"`
	Name     string     `json:"name"`
	Size     *int64     `json:"size"` // bytes; null while unknown
	Type     string     `json:"type"`
	State    string     `json:"state"` // the phase: receiving, joining, accepting, held, done, gone
	Protocol string     `json:"protocol"`
	Offset   int64      `json:"offset"`              // the bytes [0, offset) are here
	Ranges   string     `json:"ranges"`              // of all bytes that are here, "0-99,200-299"
	CRC      string     `json:"crc64nvme,omitempty"` // base64; once the file is whole
	URL      string     `json:"url,omitempty"`       // where to read it; once it is done
	Resume   string     `json:"resume,omitempty"`    // where it goes on in its protocol, at /uploads; while bytes are missing
	Created  time.Time  `json:"created"`
	Expires  *time.Time `json:"expires,omitempty"` // when it is removed if nothing comes

	Answer map[string]string `json:"answer,omitempty"` // what the application has said of it; once it is done
}

// ViewOf returns the view of u, which has its parts loaded, for the client of
// r.
func ViewOf(r *http.Request, l Links, s *upload.Service, u *upload.Record) View {
	v := View{
		ID: u.ID, Name: u.Meta.Name, Type: u.Type, State: u.Phase.String(), Protocol: u.Protocol,
		Offset: u.Offset, Ranges: u.Ranges().String(), Created: u.Began.UTC().Truncate(time.Second),
		Answer: answer(u),
	}
	if u.Size >= 0 {
		v.Size = &u.Size
	}
	if u.Phase >= upload.Accepting && u.Phase <= upload.Done {
		v.CRC = u.Final.CRC.String()
		v.Ranges = extent.Of(extent.Extent{End: u.Size}).String()
	}
	if u.Phase == upload.Done {
		v.URL = l.To(r, "/files/"+u.ID)
	}
	if t := s.Expires(u); !t.IsZero() {
		t = t.UTC().Truncate(time.Second)
		v.Expires = &t
	}
	return v
}
