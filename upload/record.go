package upload

import (
	"time"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/store"
)

// Record tells of one file on its way. It is what State keeps; callers of
// Service get copies.
type Record struct {
	store.Object // where its bytes are: ID, Key, Type, Size (-1 while unknown), Grid, Epoch …

	Endpoint    string // the target to which it came; "" is the one that there always is
	Owner       string // who may see it; see Principal
	Protocol    string // by which it was begun
	Fingerprint string // by which its client finds it again, see Fingerprint; "" if it never asks
	File        string // by which its owner finds it, whatever the protocol, see Service.File; "" if its client has no word for it
	Meta        Meta
	Phase       Phase
	Version     int64    // rises with every Save
	Partial     bool     // it is only a source of others (tus concatenation)
	Cleared     bool     // Gone, and the store has forgotten its bytes too
	Sources     []string // ids of the uploads that it is made of, in order

	Began   time.Time // when it was created
	Touched time.Time // when bytes came last, or when it was created
	Due     time.Time // the earliest of all that Sweep has to do for it; zero if nothing

	Offset int64        // the bytes [0, Offset) are here; State keeps it
	Here   int64        // how many bytes are here, at any place; State keeps it
	Parts  []store.Part // those that Load was asked for, by their offsets
	Final  store.Final  // from Accepting on
}

// Meta is what the client says of its file. None of it is trusted.
type Meta struct {
	Name      string            `json:"name,omitempty"`      // the file's name, as the client has it
	Named     bool              `json:"named,omitempty"`     // by a hook: what its client says later is not heard
	Path      string            `json:"path,omitempty"`      // its path within a directory that is uploaded, slash-separated
	Fields    map[string]string `json:"fields,omitempty"`    // further fields, by name
	Wire      map[string]string `json:"wire,omitempty"`      // what the protocol has to give back as it came; nobody else reads it
	PartSize  int64             `json:"partSize,omitempty"`  // bytes of its numbered parts but the last, 0 until it is fixed
	Blind     bool              `json:"blind,omitempty"`     // its parts have numbers, and only clients put them, into the store: see SignNumbered
	Number    int64             `json:"number,omitempty"`    // of a part that is kept until its place is known
	Refused   string            `json:"refused,omitempty"`   // why a hook refused it, which is then gone
	RefusedAs int               `json:"refusedAs,omitempty"` // with which status, 0 for the protocol's own
	Answer    *Answer           `json:"answer,omitempty"`    // what a hook said at Completing, for the client
	Pieces    []Piece           `json:"pieces,omitempty"`    // of the first and last bytes, while a hook may want them
	Digests   map[string][]byte `json:"digests,omitempty"`   // what the whole file must have, see Digest; it never is Done without
	Ask       bool              `json:"ask,omitempty"`       // its completion has to be permitted, by a request
	Types     []string          `json:"types,omitempty"`     // media types that its content may have; nil: any
	Idle      time.Duration     `json:"idle,omitempty"`      // it may wait so long for its next byte; 0: 7 days
	Longest   time.Duration     `json:"longest,omitempty"`   // it may take so long as a whole, 0: for ever
	MaxSize   int64             `json:"maxSize,omitempty"`   // bytes that it may have, 0: no limit of its own
	Data      string            `json:"data,omitempty"`      // what hooks are told of it: JSON from whoever permitted it
	Verified  bool              `json:"verified,omitempty"`  // the digests are right
	Released  bool              `json:"released,omitempty"`  // it was Held, and may appear
	Signed    time.Time         `json:"signed,omitzero"`     // when a client was permitted last to put bytes into the store itself
	Confirmed bool              `json:"confirmed,omitempty"` // the application wants to keep it
}

// Phase is how far an upload has come. It only ever grows.
type Phase int

const (
	Receiving Phase = iota + 1 // bytes are missing
	Joining                    // all bytes are here; the store is making one object of them
	Accepting                  // the object is whole; the hook is being asked
	Held                       // the object is in quarantine: its client has done all, but it appears only when it is released
	Done                       // it is there for everybody who may read it
	Gone                       // it was removed or has expired, and is remembered for a while
)

func (p Phase) String() string {
	switch p {
	case Receiving:
		return "receiving"
	case Joining:
		return "joining"
	case Accepting:
		return "accepting"
	case Held:
		return "held"
	case Done:
		return "done"
	case Gone:
		return "gone"
	}
	return "unknown"
}

// Whole tells whether the client has done all it can: the file is there, or
// waits only for others.
func (u *Record) Whole() bool { return u.Phase == Held || u.Phase == Done }

// Sum returns the checksum of a part that is loaded; false if none has these
// bounds.
func (u *Record) Sum(e extent.Extent) (store.CRC, bool) {
	for _, p := range u.Parts {
		if p.Extent == e {
			return p.CRC, true
		}
	}
	return 0, false
}

// Ranges returns which bytes the loaded parts cover.
func (u *Record) Ranges() extent.Set {
	s := make([]extent.Extent, len(u.Parts))
	for i, p := range u.Parts {
		s[i] = p.Extent
	}
	return extent.Of(s...)
}
