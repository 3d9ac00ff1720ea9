package upload

import (
	"errors"
	"fmt"
)

// These are what a client can be told. Each protocol maps them to its own
// status codes in one table; anything else is a fault of ours.
var (
	ErrInvalid     = errors.New("the request makes no sense")                                                              // 400
	ErrSize        = errors.New("the sizes do not agree")                                                                  // 400
	ErrRefused     = errors.New("the upload was refused")                                                                  // 403
	ErrDenied      = errors.New("this is not permitted")                                                                   // 403
	ErrNotFound    = errors.New("there is no such upload")                                                                 // 404
	ErrIncomplete  = errors.New("the upload is not complete yet")                                                          // 404
	ErrExists      = errors.New("an unfinished upload of that name exists")                                                // 409
	ErrOffset      = errors.New("the offset is not where the upload stands")                                               // 409
	ErrConflict    = errors.New("other bytes are here already")                                                            // 409
	ErrComplete    = errors.New("the upload is complete already")                                                          // 409
	ErrInterrupted = errors.New("a later request took over")                                                               // 409
	ErrGone        = errors.New("the upload was removed or has expired")                                                   // 410
	ErrTooLarge    = errors.New("the upload is larger than allowed or declared")                                           // 413
	ErrNoCell      = errors.New("these bytes are no part as the storage wants it, send them to this server")               // 422
	ErrBusy        = errors.New("the upload is being finished, ask again")                                                 // 423
	ErrChecksum    = errors.New("the checksum does not match, nothing was kept of the request")                            // 460
	ErrTooMany     = errors.New("too many uploads begin at once, try again soon")                                          // 429
	ErrIndirect    = errors.New("the storage takes nothing from clients, send it to this server")                          // 501
	ErrUnavailable = errors.New("the storage cannot be reached, what was acknowledged is safe, try again")                 // 503
	ErrFull        = errors.New("the storage is full, what was acknowledged is safe, try again when there is space again") // 507
)

// ErrQuota is ErrFull because of what the owner may have, not of the storage.
var ErrQuota error = quotaError{}

type quotaError struct{}

func (quotaError) Error() string        { return "there is no space left for you here" }
func (quotaError) Is(target error) bool { return target == ErrFull } // 507

// The errors between State and Service; no client sees them.
var (
	// ErrChanged is what Save answers when the record was saved by somebody
	// else since it was loaded, and Add when the epoch is no longer current.
	ErrChanged = errors.New("the record has changed")
	// ErrOverlap is what Add answers for a part that overlaps what is recorded
	// without lying in it or covering it.
	ErrOverlap = errors.New("the part overlaps others")
)

// A Refusal is ErrRefused with the reason that a hook gave for the client.
type Refusal struct {
	Status int    // HTTP status that the hook asks for, 0 for the protocol's own
	Reason string // for the person who uploads

	// Response is for protocols that leave it to the hook how an error is told,
	// which is tus; nil for all others' way.
	Response *Response
}

func (r *Refusal) Error() string { return fmt.Sprintf("%v: %s", ErrRefused, r.Reason) }
func (r *Refusal) Unwrap() error { return ErrRefused }
