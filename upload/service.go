// Package upload holds the rules of taking a file in pieces and losing none.
//
// Read this package first. A Service takes the pieces of an upload in any
// order, hands them to a store, records what became durable, and has the store
// join them when all are here. Protocols (package protocol/...) translate what
// their clients say into calls of a Service; stores (package store/...) keep
// bytes; a State keeps records. Two rules carry everything:
//
//   - Bytes first, record second: what the state does not name does not exist.
//   - One datum: the list of parts is the set of ranges that arrived, and it is
//     what the store joins.
package upload

import (
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/store"
)

// Service holds the rules. Store and State must be set before the first call
// and fields must not change after it; the zero values of all others are safe.
// Its methods may be called concurrently.
//
// Who calls is told by the context, see By: an upload of somebody else is
// ErrNotFound, what the caller may not do is ErrDenied.
type Service struct {
	Store store.Store
	State State

	// Endpoint is the target whose uploads these are; services of several
	// endpoints may share a State, and a Store.
	Endpoint string
	Hook     Hook          // nil: nobody is asked or told
	Turns    []Kind        // those of which the hook is asked or told; nil: all
	Tries    time.Duration // so long an event is tried before it is dead; 0: 3 days

	Key         Template                  // where finished files appear; "" is DefaultKey
	Overwrite   bool                      // whether a file replaces what is under its key already
	Type        string                    // media type of a file whose client names none; "" is application/octet-stream
	Chunk       int64                     // bytes: the hint for the store's grid where the client gives none
	MaxSize     int64                     // bytes per upload; 0: no limit but the format's
	Quota       Quota                     // per owner
	Memory      *store.Budget             // for small files that are held whole; nil: no bound
	Expire      time.Duration             // an unfinished upload is removed so long after its last byte; 0: 7 days
	Longest     time.Duration             // an unfinished upload is removed so long after it was begun; 0: never for that
	Keep        time.Duration             // a finished one is removed so long after its last byte; 0: never
	Unconfirmed time.Duration             // a finished one that nobody has confirmed is; 0: nobody has to
	Hold        bool                      // a finished one appears only when somebody has released it, see Release
	Types       []string                  // media types that content may have, "image/*" for a family; nil: any
	Sniff       func(first []byte) string // the media type of what begins so; needed where types are limited
	Remember    time.Duration             // so long an upload that was removed is told apart from one that never was; 0: 24 hours

	Log *slog.Logger     // nil: slog.Default
	Now func() time.Time // nil: time.Now

	begin sync.Once
	work  *work // see working
}

// work is what a Service does at the moment.
type work struct {
	mu   sync.Mutex
	live map[string]*live // the uploads on which requests of this process are at work
	tell chan struct{}    // there are new events
}

// Succeed has s go on where another Service of the same endpoint is, with other
// rules; the two may work side by side. It must be called before any other
// method of s.
func (s *Service) Succeed(before *Service) { s.work = before.working() }

// working returns what the Service does at the moment.
func (s *Service) working() *work {
	s.begin.Do(func() {
		if s.work == nil {
			s.work = &work{live: map[string]*live{}, tell: make(chan struct{}, 1)}
		}
	})
	return s.work
}

// New is what a client says of the upload that it begins.
type New struct {
	Protocol    string
	Size        int64 // bytes, or -1 while unknown
	Meta        Meta
	Type        string   // media type
	Chunk       int64    // bytes in which the client will send, 0 if it does not say
	Fingerprint string   // see Record
	Once        bool     // another upload of the same fingerprint, finished or not, is ErrExists
	Word        string   // by which its client knows the file, see Service.File; "" if it has none
	Partial     bool     // see Record
	Blind       bool     // see Meta; ErrIndirect where the store does not sign for it
	Sources     []string // ids of uploads of the same owner, to be concatenated
}

// Chunk is a run of bytes that a client sends.
type Chunk struct {
	At   int64     // offset of the first byte
	Len  int64     // bytes in Body, -1 if unknown
	Size int64     // of the whole file, as this request says; -1 if it does not
	Body io.Reader // if it has a method Interrupt(), that ends a Read in another goroutine at once

	// Append refuses with ErrOffset a chunk that does not begin where the
	// upload stands, and takes the whole upload over, not only these bytes.
	Append bool
	// Verify is asked when Body has ended, before any byte of the chunk counts.
	// If it is set, the chunk counts as a whole or not at all, and so it does
	// with Atomic. A body that breaks then leaves nothing.
	Verify func() error
	Atomic bool
	// Last says that the file ends where Body ends.
	Last bool
	// Patience is how long Write waits, after the last byte of the upload, until
	// it is whole; then it answers ErrBusy, and the rest goes on. 0: 20 s.
	Patience time.Duration
	// Progress, if set, is told each new Offset of the upload while Body is
	// read: bytes that are durable and recorded, so that a client may be told.
	// Any goroutine may call it, one at a time; it must not block.
	Progress func(offset int64)
}

// The methods, in the order of an upload's life:
//
//	Create   begins an upload            create.go
//	Take     begins one with its bytes   create.go
//	Get      tells how it stands         get.go
//	Glance   the same, without parts     get.go
//	Settle   the same, and ends writers  get.go
//	Find     tells of many               get.go
//	Write    takes bytes                 write.go
//	SetSize  takes the length            write.go
//	Amend    takes what is said late     write.go
//	Describe takes what people say of it write.go
//	WriteNumbered, Numbered, Complete: the same by the numbers of parts   number.go
//	Direct, Sign, SignNumbered, Collect: clients put parts into the store    direct.go
//	Final    is Get for readers          get.go
//	Open     reads a finished file       get.go
//	Link     tells where else it is      get.go
//	Confirm  keeps it                    manage.go
//	Release  ends its quarantine         manage.go
//	Remove   ends it                     remove.go
//	Withdraw the same, by a protocol     remove.go
//	Run      does what is due            sweep.go
//	Deliver  tells what has happened     tell.go
//	Events, Replay, Drop: what could not be told yet        outbox.go

var everything = extent.Extent{Start: 0, End: extent.Max}

func (s *Service) log() *slog.Logger {
	if s.Log != nil {
		return s.Log
	}
	return slog.Default()
}
