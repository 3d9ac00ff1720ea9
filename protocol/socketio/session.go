package socketio

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/internal/wire"
	"github.com/muleteer/muleteer/upload"
)

// beginning is the argument of begin_upload. All but the first two is what only
// some clients say.
type beginning struct {
	ID       *string          `json:"sessionID"`
	Name     string           `json:"fileName"`
	Size     *int64           `json:"size"` // bytes
	Type     string           `json:"type"` // media type
	Modified *json.Number     `json:"lastModified"`
	Word     string           `json:"fingerprint"` // by which the file is found from elsewhere
	Path     string           `json:"path"`        // within a directory
	Token    *json.RawMessage `json:"token"`
	Resume   bool             `json:"resume"`
}

// standing is what a client that said more is told of an upload.
type standing struct {
	Offset   int64      `json:"offset"` // the bytes before it are here
	Ranges   string     `json:"ranges"` // all that are here, "0-99,200-299"
	ID       string     `json:"id"`
	MaxChunk int64      `json:"maxChunk"`       // bytes
	File     *wire.View `json:"file,omitempty"` // once the file is whole
}

// begin begins an upload, or finds the one that is to be continued.
func (s *socket) begin(arg []byte, ack int64) error {
	var b beginning
	if err := json.Unmarshal(arg, &b); err != nil || b.ID == nil {
		if b.ID == nil || *b.ID == "" {
			return errRequest // there is nobody who could be told
		}
		return s.fail(*b.ID, fmt.Errorf("%w: begin_upload", upload.ErrInvalid))
	}
	s.hold(true)
	defer s.hold(false)
	u, err := s.start(&b)
	switch more := b.Size != nil || b.Resume; {
	case err != nil && more:
		return s.fail(*b.ID, err, failure{Ack: ack})
	case err != nil:
		return s.fail(*b.ID, err)
	case more:
		s.acknowledge(ack, s.standing(u))
	default:
		s.acknowledge(ack)
	}
	if full(u) {
		s.finish(*b.ID, u.ID)
	}
	return nil
}

func (s *socket) start(b *beginning) (*upload.Record, error) {
	if !sessionID(*b.ID) {
		return nil, fmt.Errorf("%w: a sessionID has 8 to 64 characters of A-Z, a-z, 0-9, _ and -", upload.ErrInvalid)
	}
	n := upload.New{
		Protocol: Protocol, Size: -1, Type: b.Type, Fingerprint: s.fingerprint(*b.ID), Once: true,
		Meta: upload.Meta{Wire: map[string]string{sessionField: *b.ID, "from": s.from()}},
	}
	if b.Size != nil {
		if n.Size = *b.Size; n.Size < 0 {
			return nil, fmt.Errorf("%w: a size of %d", upload.ErrInvalid, n.Size)
		}
	}
	var err error
	if n.Meta.Name, n.Meta.Path, err = wire.Name(b.Name); err != nil {
		return nil, err
	}
	if b.Path != "" {
		if _, n.Meta.Path, err = wire.Name(b.Path); err != nil {
			return nil, err
		}
	}
	fields := map[string]string{wire.WordField: b.Word}
	if b.Modified != nil {
		n.Meta.Fields = map[string]string{"lastModified": b.Modified.String()}
		maps.Copy(fields, n.Meta.Fields)
	}
	if n.Word, err = wire.Word(nil, wire.Field(fields), n.Meta.Name, n.Size); err != nil {
		return nil, err
	}
	if b.Resume {
		u, err := s.resume(*b.ID, n.Size)
		if u != nil || err != nil {
			return u, err
		}
	}
	return s.h.s.Create(s.as(), n)
}

// Resume returns the path below base at which an unfinished upload goes on, with
// the session that begin_upload has to name.
func Resume(base string, u *upload.Record) string {
	return base + "?sessionID=" + url.QueryEscape(u.Meta.Wire[sessionField])
}

// sessionField is where a record keeps its session.
const sessionField = "session"

// resume returns the upload of a session with all its parts, or nil.
func (s *socket) resume(id string, size int64) (*upload.Record, error) {
	u, err := s.find(id)
	if errors.Is(err, upload.ErrNotFound) {
		return nil, nil
	}
	if err == nil && size >= 0 && u.Phase == upload.Receiving && u.Size != size {
		_, err = s.h.s.SetSize(s.as(), u.ID, size)
	}
	if err != nil {
		return nil, err
	}
	if size >= 0 && u.Size >= 0 && u.Size != size {
		return nil, fmt.Errorf("%w: it was %d bytes, now %d", upload.ErrSize, u.Size, size)
	}
	return s.h.s.Get(s.as(), u.ID)
}

// cancel removes an upload, finished or not.
func (s *socket) cancel(id string, ack int64) error {
	s.hold(true)
	defer s.hold(false)
	u, err := s.find(id)
	if err == nil && u.Phase == upload.Receiving {
		err = s.h.s.Remove(s.as(), u.ID)
	}
	if err != nil && !errors.Is(err, upload.ErrNotFound) && !errors.Is(err, upload.ErrGone) {
		return s.fail(id, err, failure{Ack: ack})
	}
	s.acknowledge(ack)
	return nil
}

// find returns the upload of a session, without its parts.
func (s *socket) find(id string) (*upload.Record, error) {
	if !sessionID(id) {
		return nil, upload.ErrNotFound
	}
	phases := []upload.Phase{upload.Receiving, upload.Joining, upload.Accepting, upload.Held, upload.Done}
	for u, err := range s.h.s.Find(s.as(), upload.Query{Fingerprint: s.fingerprint(id), Phases: phases, Limit: 1}) {
		return u, err
	}
	return nil, upload.ErrNotFound
}

func (s *socket) fingerprint(id string) string {
	return s.h.s.Fingerprint(s.as(), Protocol, id)
}

// from is a word for where the client is, of which nothing can be guessed.
func (s *socket) from() string { return s.h.s.Fingerprint(s.as(), Protocol, "from", s.scope) }

// standing tells how an upload stands.
func (s *socket) standing(u *upload.Record) standing {
	st := standing{Offset: u.Offset, Ranges: u.Ranges().String(), ID: u.ID, MaxChunk: s.h.MaxChunk}
	if full(u) {
		st.Offset, st.Ranges = u.Size, extent.Of(extent.Extent{End: u.Size}).String()
	}
	if u.Phase == upload.Done {
		v := wire.ViewOf(s.about, s.h.URL, s.h.s, u)
		st.File = &v
	}
	return st
}

// sessionID tells whether a client may call its upload so.
func sessionID(id string) bool {
	if len(id) < 8 || len(id) > 64 {
		return false
	}
	return strings.IndexFunc(id, func(c rune) bool {
		return (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' && c != '-'
	}) < 0
}

// nameLimit is how many bytes of a session's id are repeated to who sent it.
const nameLimit = 256

// failure is what a client that said more is told beside the sentence.
type failure struct {
	Status int   `json:"status"` // as HTTP has it
	Ack    int64 `json:"ack"`    // what it waits for in vain, -1 for nothing
}

// fail tells a client that something failed. It is not acknowledged, or the
// client would send on.
func (s *socket) fail(id string, err error, more ...failure) error {
	if len(id) > nameLimit {
		return errRequest
	}
	args := []any{s.sentence(err)}
	for _, f := range more {
		f.Status = status(err)
		args = append(args, f)
	}
	s.tell("upload_error_"+id, args...)
	return nil
}

// status is what HTTP would say of an error: a file that has become another one,
// and one that is being finished, are known by it.
func status(err error) int {
	switch known, _ := wire.Status(err); {
	case errors.Is(err, upload.ErrSize):
		return http.StatusConflict
	case errors.Is(err, upload.ErrBusy), errors.Is(err, upload.ErrExists):
		return http.StatusServiceUnavailable
	default:
		return known
	}
}

// sentence says what happened and what to do. It is this protocol's table of
// errors.
func (s *socket) sentence(err error) string {
	var refused *upload.Refusal
	switch status, known := wire.Status(err); {
	case errors.As(err, &refused):
		return refused.Reason
	case errors.Is(err, upload.ErrNotFound), errors.Is(err, upload.ErrGone):
		return "The server knows no such upload: it was never begun, was removed or has expired. Choose the file again."
	case errors.Is(err, upload.ErrExists):
		return "An upload with this sessionID exists already. Begin it with another one, or with resume."
	case errors.Is(err, upload.ErrFull):
		return "The server's storage is full. What was acknowledged is safe; try again later."
	case !known:
		s.h.unexpected(err)
		return "This is a fault of the server, which has noted it. Trying again may help."
	case status >= 500, errors.Is(err, upload.ErrBusy), errors.Is(err, context.Canceled):
		return "The server cannot take this now. What was acknowledged is safe; try again later."
	}
	return fmt.Sprintf("The server did not take this: %v.", err)
}
