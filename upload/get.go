package upload

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/store"
)

// takeover is how long a request that only asks waits for older ones to end:
// the contract's C4 promises an answer within a second.
const takeover = 900 * time.Millisecond

// Get tells how an upload stands, with all its parts. It never waits and never
// disturbs those who write. With ErrGone the record is returned as well.
func (s *Service) Get(ctx context.Context, id string) (*Record, error) {
	if err := s.authorize(ctx, MayLook); err != nil {
		return nil, err
	}
	return s.load(ctx, id, everything)
}

// Glance is Get without the parts: its cost does not depend on how many there
// are.
func (s *Service) Glance(ctx context.Context, id string) (*Record, error) {
	if err := s.authorize(ctx, MayLook); err != nil {
		return nil, err
	}
	return s.load(ctx, id, extent.Extent{})
}

// Settle is Get for clients that must send next what they are told: it ends
// active writers first, so that the Offset stands still until the next one
// comes. It answers ErrBusy if they do not end in time, and while an upload is
// full but not whole; it then sees to it that it becomes so.
func (s *Service) Settle(ctx context.Context, id string) (*Record, error) {
	if err := s.authorize(ctx, MayLook); err != nil {
		return nil, err
	}
	w, err := s.claim(ctx, id, everything, nil, takeover)
	if err != nil {
		return nil, err
	}
	u, err := s.load(ctx, id, everything)
	s.release(w)
	if err != nil || !u.full() || u.Whole() {
		return u, err
	}
	return s.finishWithin(ctx, u, takeover)
}

// Find yields uploads of the caller; see State.Find.
func (s *Service) Find(ctx context.Context, q Query) iter.Seq2[*Record, error] {
	owner := Owner(ctx)
	q.Owner, q.Endpoint = &owner, &s.Endpoint
	return func(yield func(*Record, error) bool) {
		if err := s.authorize(ctx, MayLook); err != nil {
			yield(nil, err)
			return
		}
		for u, err := range s.State.Find(ctx, q) {
			if err != nil {
				yield(nil, stateError(err))
				return
			}
			if !yield(u, nil) {
				return
			}
		}
	}
}

// Final returns the record of an upload that is Done, without its parts, for who
// may read it; ErrIncomplete before, with the record.
func (s *Service) Final(ctx context.Context, id string) (*Record, error) {
	if err := s.authorize(ctx, MayRead); err != nil {
		return nil, err
	}
	u, err := s.load(ctx, id, extent.Extent{})
	if err == nil && !u.readable(Caller(ctx)) {
		err = fmt.Errorf("%w: it is %v", ErrIncomplete, u.Phase)
	}
	return u, err
}

// Open reads the bytes e, cut at its size, of an upload that is Done;
// ErrIncomplete before.
func (s *Service) Open(ctx context.Context, id string, e extent.Extent) (io.ReadCloser, *Record, error) {
	u, err := s.Final(ctx, id)
	if err != nil {
		return nil, u, err
	}
	e = extent.Extent{Start: min(e.Start, u.Size), End: min(e.End, u.Size)}
	r, err := s.Store.Open(ctx, u.object(), e)
	if err != nil {
		return nil, u, storeError(err)
	}
	return r, u, nil
}

// readable tells whether somebody may read the file as it is: who manages
// uploads may look into the quarantine.
func (u *Record) readable(p Principal) bool {
	return !u.Partial && (u.Phase == Done || u.Phase == Held && p.May(MayManage))
}

// Link returns an address at which a reader finds an upload that is Done
// without us, as the media type and with the Content-Disposition given; empty
// where it is to be read by Open.
func (s *Service) Link(ctx context.Context, id, kind, disposition string) (string, error) {
	l, ok := s.Store.(store.Linker)
	if !ok {
		return "", s.authorize(ctx, MayRead)
	}
	u, err := s.Final(ctx, id)
	if err != nil {
		return "", err
	}
	at, err := l.Link(ctx, u.object(), kind, disposition)
	return at, storeError(err)
}

// Expires returns when an upload will be removed if nothing more comes; zero
// if never.
func (s *Service) Expires(u *Record) time.Time {
	if u.Phase != Receiving && !(u.Phase == Done && u.Partial) {
		return time.Time{}
	}
	at := u.Touched.Add(u.idle())
	if later := u.Meta.Signed.Add(u.idle()); later.After(at) {
		at = later
	}
	if end := u.Began.Add(u.Meta.Longest); u.Meta.Longest > 0 && end.Before(at) {
		return end
	}
	return at
}

// ends returns when an upload will be removed, finished or not, if nobody does
// anything; zero if never.
func (s *Service) ends(u *Record) time.Time {
	at := s.Expires(u)
	if u.Phase != Done || u.Partial {
		return at
	}
	rest := s.Keep
	if s.Unconfirmed > 0 && !u.Meta.Confirmed && (rest == 0 || s.Unconfirmed < rest) {
		rest = s.Unconfirmed
	}
	if rest == 0 {
		return time.Time{}
	}
	return u.Touched.Add(rest)
}

// Fingerprint makes one word of what a client calls its upload, and of who and
// where that client is: equal words only for equal fields, and nothing can be
// guessed from it. What a client chose never is an id, a path or a key itself.
func Fingerprint(owner, protocol, endpoint string, id ...string) string {
	h := sha256.New()
	for _, field := range append([]string{owner, protocol, endpoint}, id...) {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(field))))
		io.WriteString(h, field)
	}
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(h.Sum(nil)[:20])
}

// refusedFor is how long the pieces of a file that was refused for what it is
// are refused with it: those that were on their way.
const refusedFor = time.Minute

// Refused tells by a *Refusal that the newest upload of a fingerprint was
// refused just now, by a hook or for its content. What else comes of it would
// begin it anew.
func (s *Service) Refused(ctx context.Context, fingerprint string) error {
	for u, err := range s.Find(ctx, Query{Fingerprint: fingerprint, Limit: 1}) {
		if err != nil {
			return err
		}
		if u.Phase == Gone && u.Meta.Refused != "" && s.now().Sub(u.Touched) < refusedFor {
			return &Refusal{Status: u.Meta.RefusedAs, Reason: strings.TrimPrefix(u.Meta.Refused, ErrRefused.Error()+": ")}
		}
	}
	return nil
}

// refuse notes why an upload is refused, and by which status.
func (u *Record) refuse(err error) {
	u.Meta.Refused = err.Error()
	if r := (*Refusal)(nil); errors.As(err, &r) {
		u.Meta.RefusedAs = r.Status
	}
}

// Fingerprint is Fingerprint for the caller, at this endpoint.
func (s *Service) Fingerprint(ctx context.Context, protocol string, id ...string) string {
	return Fingerprint(Owner(ctx), protocol, s.Endpoint, id...)
}

// load returns a record that the caller may see.
func (s *Service) load(ctx context.Context, id string, e extent.Extent) (*Record, error) {
	note(ctx, "", id)
	u, err := s.State.Load(ctx, id, e)
	switch {
	case err != nil:
		return nil, stateError(err)
	case u.Endpoint != s.Endpoint, !Caller(ctx).sees(u):
		return nil, ErrNotFound
	case u.Phase == Gone:
		return u, ErrGone
	}
	return u, nil
}

// full tells whether every byte is here.
func (u *Record) full() bool { return u.Size >= 0 && u.Here == u.Size }

// object is the record's object as the store wants to see it.
func (u *Record) object() store.Object {
	o := u.Object
	o.Joined = u.Final != store.Final{}
	return o
}

func (s *Service) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

// idleDefault is how long an upload may wait for its next byte if nobody says
// otherwise.
const idleDefault = 7 * 24 * time.Hour

// idle is how long an upload may wait for its next byte: what was promised when
// it began does not change when the rules do.
func (u *Record) idle() time.Duration { return cmp.Or(u.Meta.Idle, idleDefault) }

func (s *Service) remember() time.Duration {
	if s.Remember > 0 {
		return s.Remember
	}
	return 24 * time.Hour
}

// storeError says what an error of the store means for a client.
func storeError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, store.ErrFull):
		return fmt.Errorf("%w: %w", ErrFull, err)
	case errors.Is(err, store.ErrGone):
		return fmt.Errorf("%w: %w", ErrGone, err)
	case errors.Is(err, store.ErrTooBig):
		return fmt.Errorf("%w: %w", ErrTooLarge, err)
	}
	// What a store meets is not what a client did: a connection of the store that
	// ends early must not pass for one of the client's.
	return fmt.Errorf("%w: store: %v", ErrUnavailable, err)
}

// stateError says what an error of the state means for a client.
func stateError(err error) error {
	if err == nil {
		return nil
	}
	for _, known := range []error{ErrNotFound, ErrExists, ErrFull, ErrChanged, ErrOverlap, ErrTooLarge} {
		if errors.Is(err, known) {
			return err
		}
	}
	return fmt.Errorf("%w: state: %w", ErrUnavailable, err)
}
