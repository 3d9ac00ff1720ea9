// Package store says what it is to keep bytes.
//
// A Store takes the parts of an object in any order and joins them at the
// end. It knows no client, no offset and no clock. The adapters are the
// packages below this one; storetest is the suite that each of them passes.
package store

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"

	"github.com/muleteer/muleteer/extent"
)

// A Store keeps the bytes of objects. All methods may be called concurrently,
// also for one object, as long as no two Puts of one object overlap.
//
// What Put has yielded and what Join returned without an error survives a
// crash. A context bounds the waiting, not the truth: an operation that was
// cancelled may still have happened, and every method may be repeated.
type Store interface {
	// Begin chooses where an object is kept and how it is cut. It must not
	// cost more than a small write, and what it leaves behind when its caller
	// dies must be found by Walker.
	Begin(ctx context.Context, id string, spec Spec) (Object, error)

	// Put reads the bytes of e from r and keeps them. It calls done for each
	// run of them, in the order of their offsets, as soon as that run is
	// durable; never before. The runs are disjoint, together they are a prefix
	// of e, and none crosses a cell of the grid: Put cuts e there, and may work
	// on several cells at once. It calls done in one goroutine at a time, which
	// may be another one than reads r.
	//
	// When r ends early, with io.EOF or with any other error, what arrived
	// until then is made durable and given to done all the same, and Put
	// returns nil: the caller knows what its own reader said. An error of
	// done ends Put and is returned. Any other error is the store's own; the
	// bytes not given to done then are as if they had never been sent.
	//
	// Put must not read r beyond e, and must never overwrite bytes that are
	// outside e.
	Put(ctx context.Context, o Object, e extent.Extent, r io.Reader, done func(Part) error) error

	// Join makes the object of its parts, which must be in order, without a
	// gap, and no crumbs: the object then appears under its key, at once and
	// whole. It may be repeated after any crash or ambiguous answer, and then
	// tells what it told before. A key that is taken by another object is
	// never overwritten unless the object says so; a free name beside it is
	// taken, and Final tells it. An object that was joined out of sight appears by
	// one more Join, with Hidden no longer set.
	Join(ctx context.Context, o Object, parts []Part) (Final, error)

	// Open reads the bytes e of an object; e must lie within what is there.
	// Before Join it may answer ErrNotYet.
	Open(ctx context.Context, o Object, e extent.Extent) (io.ReadCloser, error)

	// Remove deletes everything of an object, joined or not. An object of
	// which nothing is left is no error.
	Remove(ctx context.Context, o Object) error
}

// Spec is what is known of an object before its first byte.
type Spec struct {
	Size      int64             // bytes, or -1 while unknown
	Key       string            // where it appears in the end; slash-separated, relative, clean
	Type      string            // media type, may be empty
	Chunk     int64             // the size in bytes in which the client sends, 0 where unknown: a hint for the grid
	Name      string            // what the client calls the file: for stores that keep such things beside the bytes
	Fields    map[string]string // what else the client says of the file, likewise
	Hidden    bool              // it is only a source for other objects and never appears under its key
	Overwrite bool              // what is under Key already is replaced
}

// Object is the address of the bytes of one upload. The caller keeps it in its
// record and hands it back unchanged but for Size, which may become known
// later, Epoch, which only rises, Key, which a Renamer and a Join change, and
// Joined, which a Join does.
type Object struct {
	ID        string // the upload's id: [A-Za-z0-9_-], at least 22 characters
	Key       string // see Spec
	Type      string // see Spec
	Size      int64  // bytes, or -1 while unknown
	Grid      Grid   // where the store wants it cut
	Epoch     int64  // the fencing epoch; whatever is written carries it in its name where names are shared
	Token     string // the store's own handle: a multipart upload's id, say
	Hidden    bool   // see Spec
	Overwrite bool   // see Spec

	// Joined tells that Join or PutWhole has returned, and that Key is the one
	// that it told. Only then does Remove touch what lies under Key, which may
	// else be somebody else's: where a Join was begun and its answer is not
	// known, it has to be repeated before Remove.
	Joined bool
}

// Part is a run of bytes that the store keeps.
type Part struct {
	extent.Extent
	CRC     CRC    // of exactly these bytes
	Receipt string // what Join needs of this part; parts without one may be merged with their neighbours
	Crumb   bool   // the part does not fill its cell and has to be folded before Join
}

// Final is an object that is whole.
type Final struct {
	Size int64  // bytes
	CRC  CRC    // of the whole object, combined from its parts
	Key  string // under which it appeared
}

// Entry is something that lies in a store.
type Entry struct {
	ID    string    // of the upload, where the store can tell, else empty
	Token string    // as in Object: Remove of an Object with this ID and Token deletes it, unless it has a Key
	Key   string    // of a joined object, else empty
	Name  string    // what a person would look for: a path, an object's name
	Size  int64     // bytes
	Began time.Time // or, where the store cannot tell, when its bytes changed last
}

// What follows is what only some stores can do. Each is found by a type
// assertion in one place, upload.Service.

// Renamer is a Store that may not need the key of an object before it is joined.
type Renamer interface {
	// Rename returns o, of which no Join was begun, with another key; false if
	// it has to keep the one that it has. It touches no byte.
	Rename(o Object, key string) (Object, bool)
}

// Folder is a Store with a grid. Its crumbs become parts by Fold.
type Folder interface {
	// Fold makes one part of crumbs that fill a cell of the grid, in order and
	// without a gap. The crumbs stay until Drop: their record goes first.
	Fold(ctx context.Context, o Object, crumbs []Part) (Part, error)
	// Drop removes crumbs that no record names any more.
	Drop(ctx context.Context, o Object, crumbs []Part) error
}

// Copier is a Store that takes parts of one object into another one without
// moving their bytes through this process.
type Copier interface {
	// Copy is Put with the parts of src, which are in order and without a gap,
	// as the source, and with at as the offset of the first of them in o.
	Copy(ctx context.Context, o Object, at int64, src Object, parts []Part, done func(Part) error) error
}

// WholePutter is a Store that takes a small file, which is here already, at
// the cost of one file.
type WholePutter interface {
	PutWhole(ctx context.Context, id string, spec Spec, body []byte) (Object, Final, error)
}

// Walker is a Store that can tell all that lies in it, for checking and for
// sweeping what no record names.
type Walker interface {
	Walk(ctx context.Context) iter.Seq2[Entry, error]
}

// Sweeper is a Walker that can tell what is not joined without walking past
// all that is.
type Sweeper interface {
	Unfinished(ctx context.Context) iter.Seq2[Entry, error]
}

// Linker is a Store from which readers can be sent elsewhere.
type Linker interface {
	// Link returns an address at which a joined object can be read for a while
	// by whoever has it, as the media type and with the Content-Disposition
	// that are given. It is empty where readers are to come to us.
	Link(ctx context.Context, o Object, kind, disposition string) (string, error)
}

// Signer is a Store into which clients may put parts by themselves, each by one
// request that was signed for it. Parts have numbers, from 1, and are joined in
// the order of these.
type Signer interface {
	// Signs tells what is signed here; nothing, if it is zero.
	Signs(ctx context.Context) (Signing, error)
	// Number returns the number of the part that fills a cell of the object's grid.
	Number(o Object, cell extent.Extent) (int64, error)
	// Sign returns a request that puts one part for so long, and can do nothing
	// else. Where p is not nil, it puts just so many bytes with that checksum.
	// It must not put anything once the object is joined or removed.
	Sign(ctx context.Context, o Object, number int64, p *Part, life time.Duration) (Signed, error)
	// Arrived yields those parts of an object with numbers from first to last that
	// are here, by whatever way, in the order of their numbers; durable, and with
	// the checksums that the store itself has computed or verified. An object that
	// is joined or gone has none.
	Arrived(ctx context.Context, o Object, first, last int64) iter.Seq2[Arrival, error]
}

// Signing is what a Signer signs.
type Signing struct {
	Origin string // scheme and host to which the requests go; empty: nothing is signed
	Least  int64  // bytes of a part, but for the last one of an object
	Most   int64  // the highest number
	Blind  bool   // also parts of which nothing is known beforehand
}

// Signed is a request with which a client can put a part, without a cookie or
// anything else of ours.
type Signed struct {
	Method string
	URL    string
	Header map[string]string // to be sent as they are; of the headers of its own choice a client must send none that is signed
	Until  time.Time         // it has to begin before
}

// Arrival is a part that is kept under a number.
type Arrival struct {
	Number  int64
	Size    int64 // bytes
	CRC     CRC
	Receipt string // see Part
}

// Spacer is a Store that knows how much more it can take.
type Spacer interface {
	// Free returns the bytes that are free, or -1 where that means nothing.
	Free(ctx context.Context) (int64, error)
}

// The errors of a Store that its callers can tell apart. Any other error
// means that the store cannot be reached or is broken.
var (
	ErrNotYet = errors.New("the object cannot be read before it is joined")
	ErrFull   = errors.New("the store has no space left")
	ErrGone   = errors.New("the store no longer has the object")
	ErrParts  = errors.New("the parts do not make up the object")
	ErrTooBig = errors.New("the object is larger than the store can keep")
	ErrInUse  = errors.New("in use by another process") // of what has one owner, when it is opened
)
