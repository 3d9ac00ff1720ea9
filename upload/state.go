package upload

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/store"
)

// State keeps records; it is the truth. All methods may be called
// concurrently, by any number of processes where the state allows more than
// one. What a method did without an error survives a crash, as the durability
// level says. An error that is none of those named here means that the state
// cannot be reached; whether the call took effect is then unknown, and every
// call may be repeated.
type State interface {
	// Create keeps a new record with its parts, sets its Version to 1 and its
	// Offset and Here by its parts, and appends the events to the outbox, in one
	// transaction. It answers ErrExists if there is a record
	// of that id, or one of the same fingerprint, if that is not empty, whose
	// phase is before Held, or, where the quota says Once, before Gone; ErrFull
	// if the quota does not allow it.
	Create(ctx context.Context, u *Record, q Quota, ev ...Event) error

	// Weigh answers ErrFull if the quota does not allow the owner of u to have u,
	// as it is here, beside all others.
	Weigh(ctx context.Context, u *Record, q Quota) error

	// Load returns the record, with those of its parts that overlap or touch e,
	// in order; with none if e is empty. ErrNotFound if there is no record.
	Load(ctx context.Context, id string, e extent.Extent) (*Record, error)

	// Add makes parts count. It commutes: the order in which concurrent Adds
	// happen does not show afterwards, and its cost does not depend on how many
	// parts are there. It must refuse with ErrChanged unless the record is in
	// phase Receiving and the epoch is the record's, with ErrNotFound if there
	// is no record, with ErrTooLarge a part that ends beyond the record's Size,
	// and with ErrOverlap one that overlaps recorded parts without lying within
	// them or covering them. A part that lies within what
	// is recorded changes nothing; one that covers recorded parts replaces them,
	// but a crumb never replaces a part of its own bounds, so that a late repeat
	// does not undo a fold.
	// Neighbours without receipts become one. Either all parts count or none.
	// Add sets Touched to now (never back). When it makes Here reach Size it sets
	// Due to now, so that a full upload is never forgotten, whoever dies. It
	// raises Version then, and while the size is unknown, so that no Save rests on
	// what is not so any more; else it leaves Version alone.
	Add(ctx context.Context, id string, epoch int64, parts ...store.Part) (Progress, error)

	// Save keeps all of a record but what Add keeps (Offset, Here, Touched and
	// the parts), raises u.Version by one, and appends the events to the
	// outbox, in one transaction. ErrChanged if the Version is not the one
	// that is kept, ErrNotFound if there is no record, ErrExists if the
	// fingerprint is that of another upload before Held.
	Save(ctx context.Context, u *Record, ev ...Event) error

	// Find yields records, without their parts but for those that the query
	// wants: by Due, the earliest first, if the query has it, else the newest
	// first.
	Find(ctx context.Context, q Query) iter.Seq2[*Record, error]
}

// Outbox is the part of a state that keeps what is to be told: events that were
// written with a record and are not delivered yet, and the end of records. Every
// State of this project is one.
type Outbox interface {
	// Pending yields the events of an endpoint that are due and not dead, in the
	// order in which they were written, and of each upload only the oldest that
	// is not dead.
	Pending(ctx context.Context, endpoint string, now time.Time) iter.Seq2[Event, error]
	// Events yields all events of all endpoints, the dead ones too, in the order
	// in which they were written; only the one of that id if id is not empty.
	Events(ctx context.Context, id string) iter.Seq2[Event, error]
	// Settle forgets an event that was delivered, or that nobody wants. One that
	// is not there was settled before, which is no error.
	Settle(ctx context.Context, id string) error
	// Defer keeps the Attempts, Due, Dead and Error of an event, and changes
	// nothing else of it. One that is not there is no error.
	Defer(ctx context.Context, e Event) error
	// Purge forgets a record in phase Gone, with its parts. One that has
	// undelivered events is kept, and ErrBusy is the answer.
	Purge(ctx context.Context, id string) error
}

// Progress is how far an upload has come.
type Progress struct {
	Offset  int64 // the bytes [0, Offset) are here
	Here    int64 // bytes that are here, those in crumbs included
	Missing int64 // bytes that are not in a part yet, those in crumbs included; -1 while the size is unknown
}

// Quota is what an owner may have at an endpoint; zero means no limit. The bytes
// of an upload are its declared size; where that is unknown, those that are here.
type Quota struct {
	Bytes int64 // of the uploads before Done
	Open  int64 // how many uploads before Done
	Total int64 // bytes of all uploads that are not Gone
	Once  bool  // of one fingerprint, one upload for as long as that is there
}

// Weigh answers ErrQuota if an owner who has so many open uploads of so many
// bytes, and total bytes in all, may not have u as well. A sum below 0 is one
// that is more than can be counted.
func (q Quota) Weigh(u *Record, open, bytes, total int64) error {
	weight := u.Weight()
	switch {
	case u.Phase < Done && q.Open > 0 && open >= q.Open:
		return fmt.Errorf("%w: %d uploads are open already, finish or remove one of them", ErrQuota, open)
	case u.Phase < Done && q.Bytes > 0 && (uint64(bytes) > uint64(q.Bytes) || weight > q.Bytes-bytes),
		q.Total > 0 && (uint64(total) > uint64(q.Total) || weight > q.Total-total):
		return fmt.Errorf("%w: it needs %d bytes more", ErrQuota, weight)
	}
	return nil
}

// and is the narrower one of two quotas.
func (q Quota) and(p Quota) Quota {
	return Quota{Bytes: narrower(q.Bytes, p.Bytes), Open: narrower(q.Open, p.Open), Total: narrower(q.Total, p.Total), Once: q.Once || p.Once}
}

// narrower is the smaller of two limits, of which 0 is none.
func narrower(a, b int64) int64 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// Weight is how many bytes of an owner's quota an upload takes.
func (u *Record) Weight() int64 {
	if u.Size < 0 {
		return u.Here
	}
	return u.Size
}

// Query chooses records. Its fields are joined by "and"; zero values do not
// choose.
type Query struct {
	Endpoint    *string
	Owner       *string
	Fingerprint string
	File        string
	Phases      []Phase
	DueBefore   time.Time // has a Due, and it is before this
	Source      string    // is made of this upload, among others
	Limit       int       // at most so many; 0 for all

	Near extent.Extent // does not choose: records come with those of their parts that overlap or touch it
}

// Event is something that happened to an upload and is to be told at least
// once.
type Event struct {
	ID       string    // the same at every attempt
	Upload   string    // the upload's id
	Endpoint string    // the upload's
	Kind     Kind      // what happened
	At       time.Time // when
	Attempts int       // in vain, so far
	Due      time.Time // not to be tried before; zero: at once
	Dead     time.Time // since when nobody tries any more; zero: somebody does
	Error    string    // why the last attempt was in vain
}
