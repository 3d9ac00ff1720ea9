package upload

import "context"

// A Hook is called at every turn of an upload's life. A turn named -ing may be
// refused, by an error: a *Refusal tells the client why, anything else counts
// as passing trouble and is asked again. A turn named -ed has happened; an
// error means that it was not delivered, and it is told again later.
//
// A hook may be called concurrently, and more than once for the same turn. The
// package hook has implementations.
type Hook func(ctx context.Context, t Turn) (Verdict, error)

// Kind is the name of a turn.
type Kind string

const (
	Creating    Kind = "creating"    // may be refused; the verdict may choose key and metadata
	FirstBytes  Kind = "firstbytes"  // the first bytes are here; may be refused
	LastBytes   Kind = "lastbytes"   // the last bytes are here; may be refused
	Completing  Kind = "completing"  // the object is whole; may be refused; the answer goes to the client
	Quarantined Kind = "quarantined" // it is whole, and waits for its release
	Completed   Kind = "completed"
	Removed     Kind = "removed"
)

// Turn is what a hook is told.
type Turn struct {
	Kind    Kind
	EventID string // of a turn named -ed: the same at every attempt
	Record  Record // a copy
	First   []byte // up to Window bytes from the start of the file, as far as they are known here
	Last    []byte // up to Window bytes from its end, likewise
}

// Window is how many bytes of a file's start and end are kept for hooks.
const Window = 4096

// Verdict is what a hook says. Its zero value changes nothing.
type Verdict struct {
	Key    string            // Creating: where the file appears, instead of the template's key
	Meta   *Meta             // Creating: its Name, Path and Fields instead of the client's
	Answer map[string]string // Completing: for the client's final response
}
