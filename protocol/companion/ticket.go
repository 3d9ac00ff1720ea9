package companion

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/muleteer/muleteer/upload"
)

// How long a ticket is good for. What has begun before may go on.
const (
	partLife   = 15 * time.Minute
	objectLife = time.Hour // for a file in one request, whose client waits no longer
)

// A ticket permits one request on behalf of somebody. All of it is signed, as
// one text: there is nothing of a client's choice in what is signed but within
// fields of their own.
type ticket struct {
	Do     string        `json:"do"`               // what the request is: part, file, form, begin, list, complete, abort
	Key    string        `json:"key"`              // of the object; in the path too
	Upload string        `json:"upload,omitempty"` // its id, but for what begins one
	Number int64         `json:"number,omitempty"` // of the part
	Name   string        `json:"name,omitempty"`   // of the file that begins, as the client has it
	Type   string        `json:"type,omitempty"`   // its media type
	Fields fields        `json:"fields,omitempty"` // what else is said of it
	Until  int64         `json:"until"`            // Unix seconds
	Owner  string        `json:"owner,omitempty"`  // who asked for it, with what was granted to it
	Scope  string        `json:"scope,omitempty"`
	Verbs  []upload.Verb `json:"verbs"`
	Only   string        `json:"only,omitempty"`
	Grant  upload.Grant  `json:"grant,omitzero"`
}

type fields map[string]string

// What can be wrong with a ticket. The words of the first are what version 5
// looks for, before it asks for a new one.
var (
	errTicket        = errors.New("the ticket is not valid here; ask for a new one")
	errExpired error = expired{}
)

type expired struct{}

func (expired) Error() string        { return "Request has expired" }
func (expired) Is(target error) bool { return target == errTicket }

// Ticketed tells whether a request has a ticket: it then needs no other
// permission, and gets none.
func Ticketed(r *http.Request) bool {
	return strings.Contains(r.URL.RawQuery, "ticket=") && r.URL.Query().Has("ticket")
}

// url returns the URL of a request that t permits to the caller of r.
func (h *handler) url(r *http.Request, t ticket) string {
	life := partLife
	if t.Do == "file" || t.Do == "form" {
		life = objectLife
	}
	p := upload.Caller(r.Context())
	t.Owner, t.Scope, t.Verbs, t.Only, t.Grant = p.Owner, p.Scope, p.Verbs, p.Upload, p.Grant
	if t.Upload != "" { // it was begun with these
		t.Grant.Data, t.Grant.Fields = "", nil
	}
	until := h.now().Add(life)
	if !p.Ends.IsZero() && p.Ends.Before(until) {
		until = p.Ends
	}
	t.Until = until.Unix()
	text, err := json.Marshal(t)
	if err != nil {
		text = nil // of strings and numbers: it never fails
	}
	path := h.Base + "object"
	if t.Do != "form" {
		path += "/" + url.PathEscape(t.Key)
	}
	return h.URL.To(r, path) + "?ticket=" + base64.RawURLEncoding.EncodeToString(text) + "." + base64.RawURLEncoding.EncodeToString(h.mac(text))
}

// mac signs a ticket of this endpoint.
func (h *handler) mac(text []byte) []byte {
	m := hmac.New(sha256.New, h.Key)
	for _, field := range []string{"companion ticket", h.s.Endpoint, string(text)} {
		m.Write(binary.BigEndian.AppendUint64(nil, uint64(len(field))))
		_, _ = io.WriteString(m, field) // it never fails
	}
	return m.Sum(nil)
}

// ticket returns the ticket of a request, and the context in which it is done.
func (h *handler) ticket(r *http.Request) (t ticket, ctx context.Context, err error) {
	said := r.URL.Query()["ticket"]
	if len(said) != 1 {
		return t, nil, errTicket
	}
	words, sign, _ := strings.Cut(said[0], ".")
	text, err := base64.RawURLEncoding.Strict().DecodeString(words)
	if err != nil {
		return t, nil, errTicket
	}
	got, err := base64.RawURLEncoding.Strict().DecodeString(sign)
	if err != nil || !hmac.Equal(got, h.mac(text)) || json.Unmarshal(text, &t) != nil {
		return t, nil, errTicket
	}
	if h.now().Unix() >= t.Until {
		return t, nil, errExpired
	}
	path := h.Base + "object"
	if t.Do != "form" {
		path += "/" + t.Key
	}
	if r.URL.Path != path {
		return t, nil, errTicket
	}
	return t, upload.By(r.Context(), upload.Principal{Owner: t.Owner, Scope: t.Scope, Verbs: t.Verbs, Upload: t.Only, Grant: t.Grant}), nil
}

func (h *handler) now() time.Time {
	if h.s.Now != nil {
		return h.s.Now()
	}
	return time.Now()
}
