package hook

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/muleteer/muleteer/upload"
)

// Tusd is the form of tusd's hooks, version 2:
// https://tus.github.io/tusd/advanced-topics/hooks/. The turns that tusd does not
// know are not asked or told in it, and its post-receive is not sent.
type Tusd struct {
	// Storage tells where a file is, in the words that tusd has for its stores;
	// nil: nobody is told.
	Storage func(key string) map[string]string
}

// Name is tusd's name of a turn.
func (Tusd) Name(k upload.Kind) string {
	switch k {
	case upload.Creating:
		return "pre-create"
	case upload.Created:
		return "post-create"
	case upload.Completing:
		return "pre-finish"
	case upload.Completed:
		return "post-finish"
	case upload.Removing:
		return "pre-terminate"
	case upload.Removed:
		return "post-terminate"
	}
	return ""
}

// tusdRequest is what tusd sends.
type tusdRequest struct {
	Type  string
	Event struct {
		Upload      tusdUpload
		HTTPRequest tusdHTTP
	}
}

type tusdUpload struct {
	ID             string
	Size           int64
	SizeIsDeferred bool
	Offset         int64
	MetaData       map[string]string
	IsPartial      bool
	IsFinal        bool
	PartialUploads []string
	Storage        map[string]string
}

type tusdHTTP struct {
	Method     string
	URI        string
	RemoteAddr string
	Header     http.Header
}

func (f Tusd) message(_ string, t upload.Turn, r *Request) any {
	u := &t.Record
	m := tusdRequest{Type: f.Name(t.Kind)}
	m.Event.Upload = tusdUpload{
		ID: u.ID, Size: max(u.Size, 0), SizeIsDeferred: u.Size < 0, Offset: u.Offset, MetaData: tusdMeta(u),
		IsPartial: u.Partial, IsFinal: len(u.Sources) > 0, PartialUploads: u.Sources,
	}
	if t.Kind == upload.Creating {
		m.Event.Upload.ID = ""
	} else if f.Storage != nil {
		m.Event.Upload.Storage = f.Storage(u.Key)
	}
	m.Event.HTTPRequest.Header = http.Header{}
	if r != nil {
		m.Event.HTTPRequest = tusdHTTP{r.Method, r.Path, r.Address, r.Header}
	}
	return m
}

// tusdMeta is what a client of tus would have said of the file.
func tusdMeta(u *upload.Record) map[string]string {
	m := maps.Clone(u.Meta.Fields)
	if m == nil {
		m = map[string]string{}
	}
	for name, value := range map[string]string{"filename": u.Meta.Name, "filetype": u.Type, "relativePath": u.Meta.Path} {
		if _, said := m[name]; !said && value != "" && u.Protocol != "tus" {
			m[name] = value
		}
	}
	return m
}

func (Tusd) environment(t upload.Turn) []string {
	u, id := &t.Record, t.Record.ID
	if t.Kind == upload.Creating {
		id = ""
	}
	return []string{"TUS_ID=" + id, "TUS_SIZE=" + strconv.FormatInt(max(u.Size, 0), 10), "TUS_OFFSET=" + strconv.FormatInt(u.Offset, 10)}
}

// tusdResponse is what tusd understands.
type tusdResponse struct {
	HTTPResponse      tusdAnswer
	RejectUpload      bool
	RejectTermination bool
	ChangeFileInfo    struct {
		ID       string
		MetaData map[string]string
		Storage  map[string]string
	}
}

type tusdAnswer struct {
	StatusCode int
	Body       string
	Header     map[string]string
}

func (a tusdAnswer) response() *upload.Response {
	if a.StatusCode == 0 && a.Body == "" && len(a.Header) == 0 {
		return nil
	}
	return &upload.Response{Status: a.StatusCode, Header: a.Header, Body: a.Body}
}

func (f Tusd) verdict(t upload.Turn, answer []byte) (v upload.Verdict, err error) {
	if len(bytes.TrimSpace(answer)) == 0 {
		return v, nil
	}
	var r tusdResponse
	if err := json.Unmarshal(answer, &r); err != nil {
		return v, fmt.Errorf("the answer to %s cannot be read: %w", f.Name(t.Kind), err)
	}
	switch t.Kind {
	case upload.Creating:
		if r.RejectUpload {
			return v, r.refusal("upload has been rejected by server")
		}
		// tusd makes its id the place of the file; here only the place follows.
		v.Key = r.ChangeFileInfo.ID
		if path := r.ChangeFileInfo.Storage["Path"]; path != "" {
			v.Key = path
		}
		if r.ChangeFileInfo.MetaData != nil {
			v.Meta = changed(t.Record.Meta, r.ChangeFileInfo.MetaData, t.Record.Protocol)
		}
	case upload.Completing:
		if response := r.HTTPResponse.response(); response != nil {
			v.Answer = &upload.Answer{Response: response}
		}
	case upload.Removing:
		if r.RejectTermination {
			return v, r.refusal("upload termination has been rejected by server")
		}
	}
	return v, nil
}

// refusal is 400 unless something else is said, as it is with tusd.
func (r tusdResponse) refusal(reason string) error {
	no := &upload.Refusal{Status: r.HTTPResponse.StatusCode, Reason: r.HTTPResponse.Body, Response: r.HTTPResponse.response()}
	if no.Status < 400 || no.Status > 599 {
		no.Status = http.StatusBadRequest
		if no.Response != nil {
			no.Response.Status = 0
		}
	}
	if no.Reason == "" {
		no.Reason = reason
	}
	return no
}

// changed is what the client has said, replaced by other metadata; a client of
// tus is told these.
func changed(m upload.Meta, fields map[string]string, protocol string) *upload.Meta {
	m.Fields = fields
	m.Name, m.Path = fields["filename"], fields["relativePath"]
	if protocol != "tus" {
		return &m
	}
	m.Wire = maps.Clone(m.Wire)
	if m.Wire == nil {
		m.Wire = map[string]string{}
	}
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if name != "" && !strings.ContainsAny(name, " ,") {
			pairs = append(pairs, name+" "+base64.StdEncoding.EncodeToString([]byte(fields[name])))
		}
	}
	m.Wire["Upload-Metadata"] = strings.Join(pairs, ",")
	return &m
}
