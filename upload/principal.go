package upload

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Verb is what somebody wants to do with an upload.
type Verb string

const (
	MayCreate Verb = "create" // begin one
	MayWrite  Verb = "write"  // send its bytes, and tell what they are
	MayLook   Verb = "status" // see how it stands, and list one's own
	MayRead   Verb = "read"   // read the finished file
	MayRemove Verb = "remove"
	MayManage Verb = "manage" // what the application does: confirm, release, and look at events
)

// Verbs are all there are, in the order of an upload's life.
func Verbs() []Verb { return []Verb{MayCreate, MayWrite, MayLook, MayRead, MayRemove, MayManage} }

// A Principal is who calls, and what it was granted. The zero value is somebody
// without a name, who may do to an upload whose id it knows all but manage it.
type Principal struct {
	Owner  string    // who it is; empty or beginning with Nobody for people without a name
	Scope  string    // tells those apart who have one Owner between them and are no one person, say by their addresses
	Verbs  []Verb    // what it may; nil: all but MayManage
	Upload string    // the one upload that it may touch, whoever owns it; "": all of its owner's
	Until  time.Time // from then on it may nothing; zero: no end. A request that began before goes on
	Ends   time.Time // what is given away on its behalf, as signed requests are, is good until then; zero: no end
	Grant  Grant     // for the uploads that it begins

	// Begin is asked, if it is set, before each upload that this principal begins;
	// ErrTooMany says that it has begun enough for now.
	Begin func() error

	// Again is asked, if it is set, when an upload becomes complete by a request
	// of this principal: whether it still may. ErrDenied or ErrUnavailable say no.
	Again func(ctx context.Context) error

	house bool // it is the Service itself
}

// A Grant says what uploads somebody may begin, beside what all may.
type Grant struct {
	MaxSize int64             // bytes per upload; 0: no limit of its own
	Quota   Quota             // of its owner; zero fields: no limit of its own
	Types   []string          // media types by content, "image/*" for a family; nil: any
	Prefix  string            // the key begins with it
	Key     string            // the key, instead of the template's; below Prefix
	Fields  map[string]string // of the file, over what the client says
	Data    string            // what hooks are told of the upload: JSON from whoever granted this
}

// Nobody begins the name of an owner that stands for a person without one, of
// whom only this much is known: that it is the same as before.
const Nobody = "?"

// anonymous tells whether owner is a person without a name.
func anonymous(owner string) bool { return owner == "" || strings.HasPrefix(owner, Nobody) }

type callerKey struct{}

// By returns a context in which p calls. Without it, the caller is the zero
// Principal.
func By(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, callerKey{}, p)
}

// As returns a context in which owner calls, with nothing granted beside.
func As(ctx context.Context, owner string) context.Context {
	return By(ctx, Principal{Owner: owner})
}

// Caller returns who calls.
func Caller(ctx context.Context) Principal {
	p, _ := ctx.Value(callerKey{}).(Principal)
	return p
}

type notedKey struct{}

// Noted returns a context in which it is noted what a caller does, or tries to,
// with which uploads: each call has a verb, an id, or both. Any goroutine may
// call note.
func Noted(ctx context.Context, note func(v Verb, id string)) context.Context {
	return context.WithValue(ctx, notedKey{}, note)
}

func note(ctx context.Context, v Verb, id string) {
	if f, ok := ctx.Value(notedKey{}).(func(Verb, string)); ok && !Caller(ctx).house {
		f(v, id)
	}
}

// Owner returns whose the uploads are that the caller begins.
func Owner(ctx context.Context) string { return Caller(ctx).Owner }

// itself returns a context in which the Service goes on with what an owner has
// begun, without the owner.
func itself(ctx context.Context, u *Record) context.Context {
	return By(ctx, Principal{Owner: u.Owner, house: true})
}

// Named tells whether it is known who the principal is.
func (p Principal) Named() bool { return !anonymous(p.Owner) }

// May tells whether the principal was granted a verb, for an upload that it
// sees.
func (p Principal) May(v Verb) bool {
	return p.house || slices.Contains(p.Verbs, v) || p.Verbs == nil && v != MayManage
}

// sees tells whether there is this upload, as far as the principal is concerned.
// Whoever has no name is known by the id that nobody can guess.
func (p Principal) sees(u *Record) bool {
	switch {
	case p.house:
		return true
	case p.Upload != "":
		return p.Upload == u.ID
	case slices.Contains(p.Verbs, MayManage):
		return true
	}
	return p.Owner == u.Owner || anonymous(p.Owner) && anonymous(u.Owner)
}

// authorize is where it is decided what a caller may do; every method of
// Service that a protocol calls begins with it. Whether there is the upload at
// all, for this caller, is decided where it is loaded, by the same Principal.
func (s *Service) authorize(ctx context.Context, v Verb) error {
	p := Caller(ctx)
	note(ctx, v, "")
	switch {
	case !p.Until.IsZero() && !s.now().Before(p.Until):
		return fmt.Errorf("%w: the permission has ended", ErrDenied)
	case !p.May(v), p.Upload != "" && v == MayCreate:
		return fmt.Errorf("%w: %s was not permitted", ErrDenied, v)
	}
	return nil
}

// reauthorize is asked when an upload becomes complete. An upload that waits for
// a permission (Meta.Ask) is not completed by the Service alone.
func (s *Service) reauthorize(ctx context.Context, u *Record) error {
	p := Caller(ctx)
	switch {
	case p.house && u.asks():
		return errAsk
	case p.Again == nil:
		return nil
	}
	err := p.Again(ctx)
	if err == nil || errors.Is(err, ErrDenied) {
		return err
	}
	return fmt.Errorf("%w: permission: %w", ErrUnavailable, err)
}

// errAsk says that an upload is full, and waits for a request that may complete
// it.
var errAsk = fmt.Errorf("%w: its completion waits for a permission", ErrBusy)

// asks tells whether only a request can complete the upload.
func (u *Record) asks() bool { return u.Phase == Receiving && u.Meta.Ask }
