package hook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/muleteer/muleteer/upload"
)

// Ours is the form of docs/events.md.
type Ours struct{}

// Name is the kind itself.
func (Ours) Name(k upload.Kind) string { return string(k) }

// notice is what is sent.
type notice struct {
	ID      string    `json:"id"` // of the event: the same at every attempt
	Kind    string    `json:"kind"`
	Time    time.Time `json:"time"` // when it happened
	Upload  file      `json:"upload"`
	Request *Request  `json:"request,omitempty"` // by which a turn has come that may be refused
	First   []byte    `json:"first,omitempty"`   // of firstbytes
	Last    []byte    `json:"last,omitempty"`    // of lastbytes
}

// file is an upload as receivers see it.
type file struct {
	ID       string            `json:"id"`
	Endpoint string            `json:"endpoint"`
	Owner    string            `json:"owner"`
	Protocol string            `json:"protocol"`
	State    string            `json:"state"`
	Name     string            `json:"name"`
	Path     string            `json:"path,omitempty"`
	Size     *int64            `json:"size"` // bytes; null while unknown
	Type     string            `json:"type"`
	Fields   map[string]string `json:"fields,omitempty"`
	Key      string            `json:"key"`
	CRC      string            `json:"crc64nvme,omitempty"` // base64; once the file is whole
	Digests  map[string][]byte `json:"digests,omitempty"`   // base64, as the client announced; verified once the file is whole
	Partial  bool              `json:"partial,omitempty"`   // it is only a source of others
	Data     any               `json:"data,omitempty"`      // from whoever permitted the upload
	Refused  string            `json:"refused,omitempty"`
	Answer   map[string]string `json:"answer,omitempty"` // what was said at completing
	Created  time.Time         `json:"created"`
}

func (Ours) message(id string, t upload.Turn, r *Request) any {
	u := &t.Record
	n := notice{ID: id, Kind: string(t.Kind), Time: t.At.UTC(), Request: r, Upload: file{
		ID: u.ID, Endpoint: u.Endpoint, Owner: u.Owner, Protocol: u.Protocol, State: u.Phase.String(),
		Name: u.Meta.Name, Path: u.Meta.Path, Type: u.Type, Fields: u.Meta.Fields, Key: u.Key,
		Digests: u.Meta.Digests, Partial: u.Partial, Refused: u.Meta.Refused, Created: u.Began.UTC(),
	}}
	if u.Size >= 0 {
		n.Upload.Size = &u.Size
	}
	if u.Final.Key != "" {
		n.Upload.CRC = u.Final.CRC.String()
	}
	if u.Meta.Answer != nil {
		n.Upload.Answer = u.Meta.Answer.Fields
	}
	switch {
	case json.Valid([]byte(u.Meta.Data)):
		n.Upload.Data = json.RawMessage(u.Meta.Data)
	case u.Meta.Data != "":
		n.Upload.Data = u.Meta.Data
	}
	switch t.Kind {
	case upload.FirstBytes:
		n.First = t.First
	case upload.LastBytes:
		n.Last = t.Last
	}
	return n
}

func (Ours) environment(t upload.Turn) []string {
	return []string{"MULETEER_TURN=" + string(t.Kind), "MULETEER_UPLOAD=" + t.Record.ID}
}

// reply is what may be answered.
type reply struct {
	Refuse string            `json:"refuse"` // why, for the person who uploads
	Status int               `json:"status"` // HTTP, of a refusal
	Key    string            `json:"key"`
	Name   *string           `json:"name"`
	Fields map[string]string `json:"fields"`
	Answer map[string]string `json:"answer"`
}

// verdict takes no word that it does not know: one that is misspelt could have
// been a refusal.
func (Ours) verdict(t upload.Turn, answer []byte) (v upload.Verdict, err error) {
	answer = bytes.TrimSpace(answer)
	if len(answer) == 0 {
		return v, nil
	}
	var r reply
	d := json.NewDecoder(bytes.NewReader(answer))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return v, fmt.Errorf("the answer to %s cannot be read: %w; it is a JSON object, or nothing", t.Kind, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return v, fmt.Errorf("the answer to %s is more than a JSON object", t.Kind)
	}
	if r.Status != 0 && (r.Status < 400 || r.Status > 599) {
		return v, fmt.Errorf("the answer to %s has status %d: that of a refusal is from 400 to 599", t.Kind, r.Status)
	}
	if r.Refuse != "" || r.Status != 0 {
		if r.Refuse == "" {
			r.Refuse = "The application does not take this."
		}
		return v, &upload.Refusal{Status: r.Status, Reason: r.Refuse}
	}
	v.Key = r.Key
	if r.Name != nil || r.Fields != nil {
		m := t.Record.Meta
		if r.Name != nil {
			m.Name = *r.Name
		}
		if r.Fields != nil {
			m.Fields = r.Fields
		}
		v.Meta = &m
	}
	if len(r.Answer) > 0 {
		v.Answer = &upload.Answer{Fields: r.Answer}
	}
	return v, nil
}
