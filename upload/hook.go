package upload

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"
)

// A Hook is called at every turn of an upload's life. A turn named -ing may be
// refused, by an error: a *Refusal tells the client why, anything else counts
// as passing trouble and is asked again. A turn named -ed has happened; an
// error means that it was not delivered, and it is told again later, not before
// a *Later allows it.
//
// A hook may be called concurrently, and more than once for the same turn. The
// package hook has implementations.
type Hook func(ctx context.Context, t Turn) (Verdict, error)

// Kind is the name of a turn.
type Kind string

const (
	Creating    Kind = "creating"    // may be refused; the verdict may choose key and metadata
	Created     Kind = "created"     // not of sources of others (Partial)
	FirstBytes  Kind = "firstbytes"  // the first bytes are here; may be refused
	LastBytes   Kind = "lastbytes"   // the last bytes are here; may be refused
	Completing  Kind = "completing"  // the object is whole; may be refused; the answer goes to the client
	Quarantined Kind = "quarantined" // it is whole, and waits for its release
	Completed   Kind = "completed"
	Removing    Kind = "removing" // a client wants to remove it; may be refused, and it stays
	Removed     Kind = "removed"  // by a client, a refusal, or because it has expired
)

// Kinds are all there are, in the order of an upload's life.
func Kinds() []Kind {
	return []Kind{Creating, Created, FirstBytes, LastBytes, Completing, Quarantined, Completed, Removing, Removed}
}

// Asks tells whether a turn of that kind may be refused.
func (k Kind) Asks() bool {
	return strings.HasSuffix(string(k), "ing") || strings.HasSuffix(string(k), "bytes")
}

// Turn is what a hook is told.
type Turn struct {
	Kind    Kind
	EventID string    // of a turn named -ed: the same at every attempt
	At      time.Time // when it happened; of a turn named -ing: now
	Record  Record    // a copy
	First   []byte    // up to Window bytes from the start of the file, as far as they are known here
	Last    []byte    // up to Window bytes from its end, likewise
}

// Window is how many bytes of a file's start and end are kept for hooks.
const Window = 4096

// Verdict is what a hook says. Its zero value changes nothing.
type Verdict struct {
	Key    string  // Creating: where the file appears, instead of the template's key
	Meta   *Meta   // Creating: its Name, Path, Fields and Wire, instead of the client's
	Answer *Answer // Completing: for the client's final response
}

// An Answer is what a hook has for the client whose upload is complete. Each
// protocol gives the fields in its own way; the response only where nothing of
// the protocol stands in its place, which is in tus.
type Answer struct {
	Fields   map[string]string `json:"fields,omitempty"`
	Response *Response         `json:"response,omitempty"`
}

// Clone returns a copy that shares nothing with a.
func (a *Answer) Clone() *Answer {
	if a == nil {
		return nil
	}
	c := Answer{Fields: maps.Clone(a.Fields)}
	if a.Response != nil {
		r := *a.Response
		r.Header = maps.Clone(r.Header)
		c.Response = &r
	}
	return &c
}

// A Response is what a hook wants an HTTP response to be.
type Response struct {
	Status int               `json:"status,omitempty"` // 0: the protocol's own
	Header map[string]string `json:"header,omitempty"` // beside the protocol's own
	Body   string            `json:"body,omitempty"`
}

// Later is what a hook answers to a turn that has happened, if it wants to be
// left alone for a while.
type Later struct {
	After time.Duration
	Err   error
}

func (l *Later) Error() string { return l.Err.Error() }
func (l *Later) Unwrap() error { return l.Err }

// wants tells whether the hook is asked or told of a kind of turn.
func (s *Service) wants(kinds ...Kind) bool {
	return s.Hook != nil && (s.Turns == nil || slices.ContainsFunc(kinds, func(k Kind) bool { return slices.Contains(s.Turns, k) }))
}
