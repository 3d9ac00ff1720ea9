package upload

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"time"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/store"
)

// Create begins an upload. One without any byte is complete at once.
//
// With Sources it is a concatenation: it becomes complete when all of its
// sources are, and Create waits a while for that.
func (s *Service) Create(ctx context.Context, n New) (*Record, error) {
	if err := s.authorize(ctx, MayCreate); err != nil {
		return nil, err
	}
	u, err := s.newRecord(ctx, n)
	if err != nil {
		return nil, err
	}
	if err := s.checkSources(ctx, u); err != nil {
		return nil, err
	}
	if u.Object, err = s.Store.Begin(ctx, u.ID, s.spec(u, n)); err != nil {
		return nil, storeError(err)
	}
	ev := s.born(u)
	err = s.State.Create(ctx, u, s.quota(ctx, n.Once), ev...)
	s.written(ev)
	if err != nil {
		// Where the state did not answer, the record may be there all the same;
		// nobody knows its id, so it expires.
		if errors.Is(err, ErrExists) || errors.Is(err, ErrFull) {
			s.Store.Remove(context.WithoutCancel(ctx), u.Object)
		}
		return nil, stateError(err)
	}
	switch {
	case len(u.Sources) > 0:
		return s.assembleWithin(ctx, u, patience)
	case u.full():
		return s.finish(ctx, u)
	}
	return u, nil
}

// Small is up to which size, in bytes, a file that arrives in one request is
// held in memory, so that it costs one file and one commit.
const Small = 256 << 10

// Take begins an upload and writes its first bytes. Where the body breaks, the
// record of what was kept comes with the error; where the upload could not be
// begun, there is none.
func (s *Service) Take(ctx context.Context, n New, c Chunk) (*Record, error) {
	if err := s.authorize(ctx, MayCreate); err != nil {
		return nil, err
	}
	// Many a context ends with the body that breaks, and what came of it counts.
	ctx = context.WithoutCancel(ctx)
	if u, err, done := s.takeWhole(ctx, n, &c); done {
		return u, err
	}
	u, err := s.Create(ctx, n)
	if err != nil {
		return nil, err
	}
	return s.Write(ctx, u.ID, c)
}

// takeWhole takes a small file whole, if it is one. If not, c.Body still has
// all that it had.
func (s *Service) takeWhole(ctx context.Context, n New, c *Chunk) (u *Record, err error, done bool) {
	wp, ok := s.Store.(store.WholePutter)
	size := max(n.Size, c.Size)
	// A file that is to replace another must not do so before its record can be,
	// and one whose completion has to be permitted may have to wait for that.
	if !ok || s.Overwrite || s.Hold || Caller(ctx).Again != nil || c.Body == nil || c.At != 0 || n.Partial || len(n.Sources) > 0 || len(n.Meta.Digests) > 0 ||
		n.Size >= 0 && c.Size >= 0 && n.Size != c.Size || size < 0 && !c.Last || size > Small || c.Len > Small ||
		c.Len >= 0 && size >= 0 && c.Len != size {
		return nil, nil, false
	}
	room := max(size, c.Len) // bytes
	if room < 0 {
		room = Small
	}
	if !s.Memory.Try(room) {
		return nil, nil, false // the store takes what it can, and makes who sends wait
	}
	defer s.Memory.Give(room)
	body, err := io.ReadAll(io.LimitReader(c.Body, Small+1))
	// What was read is given back to the general way, which knows what to do
	// with a body that is broken, too long or too short.
	c.Body = &rest{Reader: io.MultiReader(bytes.NewReader(body), after(err, c.Body)), body: c.Body}
	got := int64(len(body))
	if err != nil || got > Small || size >= 0 && got != size || c.Len >= 0 && got != c.Len {
		return nil, nil, false
	}
	if c.Verify != nil {
		if err := c.Verify(); err != nil {
			return nil, nil, false
		}
	}
	n.Size = got
	if u, err = s.newRecord(ctx, n); err != nil {
		return nil, err, true
	}
	ctx = context.WithoutCancel(ctx)
	if err := s.judge(u, body[:min(Window, got)]); err != nil {
		return nil, err, true
	}
	if u.Object, u.Final, err = wp.PutWhole(ctx, u.ID, s.spec(u, n), body); err != nil {
		return nil, storeError(err), true
	}
	u.Key, u.Phase = u.Final.Key, Done
	u.Due = s.ends(u)
	ev := append(s.born(u), s.events(Completed)...)
	if s.wants(FirstBytes, LastBytes, Completing) {
		u.Phase, u.Due, ev = Accepting, s.now().Add(retryJoin), s.born(u)
	}
	if got > 0 {
		u.Parts = []store.Part{{Extent: extent.At(0, got), CRC: u.Final.CRC}}
	}
	err = s.State.Create(ctx, u, s.quota(ctx, n.Once), ev...)
	s.written(ev)
	switch {
	case errors.Is(err, ErrExists), errors.Is(err, ErrFull):
		s.Store.Remove(ctx, u.object())
		return nil, stateError(err), true
	case err != nil:
		return nil, stateError(err), true
	case u.Phase == Accepting:
		u, err = s.finishWithin(ctx, u, patience)
	}
	return u, err, true
}

// rest is a body of which some was read already.
type rest struct {
	io.Reader
	body io.Reader
}

func (r *rest) Interrupt() {
	if b, ok := r.body.(interface{ Interrupt() }); ok {
		b.Interrupt()
	}
}

// after returns what comes after a read that ended with err.
func after(err error, r io.Reader) io.Reader {
	if err == nil {
		return r
	}
	return failing{err}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// newRecord makes the record of an upload that begins now.
func (s *Service) newRecord(ctx context.Context, n New) (*Record, error) {
	now, p := s.now(), Caller(ctx)
	u := &Record{
		Object: store.Object{
			ID: rand.Text(), Type: cmp.Or(n.Type, s.Type, "application/octet-stream"), Size: n.Size,
			Hidden: n.Partial || s.Hold, Overwrite: s.Overwrite,
		},
		Endpoint:    s.Endpoint,
		Owner:       p.Owner,
		Protocol:    n.Protocol,
		Fingerprint: n.Fingerprint,
		File:        s.File(ctx, n.Word),
		Meta:        p.Grant.meta(n.Meta),
		Phase:       Receiving,
		Partial:     n.Partial,
		Sources:     n.Sources,
		Began:       now,
		Touched:     now,
	}
	note(ctx, "", u.ID)
	if u.Meta.Blind = n.Blind; n.Blind {
		if signs, err := s.Direct(ctx); err != nil || !signs.Blind {
			return nil, cmp.Or(err, ErrIndirect)
		}
	}
	u.Meta.Ask = p.Again != nil && !n.Partial
	if s.Expire > 0 && s.Expire != idleDefault {
		u.Meta.Idle = s.Expire
	}
	u.Meta.Longest = s.Longest
	u.Due = s.Expires(u)
	switch {
	case n.Size < -1:
		return nil, fmt.Errorf("%w: a size of %d", ErrInvalid, n.Size)
	case n.Partial && len(n.Sources) > 0:
		return nil, fmt.Errorf("%w: a part of a concatenation cannot be one", ErrInvalid)
	case n.Size > s.limit(u):
		return nil, ErrTooLarge
	}
	if p.Begin != nil && !n.Partial {
		if err := p.Begin(); err != nil {
			return nil, err
		}
	}
	u.Key = s.key(p, u, now)
	v, err := s.ask(ctx, u, Creating)
	if err != nil {
		return nil, err
	}
	if m := v.Meta; m != nil {
		u.Meta.Named = m.Name != u.Meta.Name
		u.Meta.Name, u.Meta.Path, u.Meta.Fields, u.Meta.Wire = m.Name, m.Path, m.Fields, m.Wire
		u.Key = s.key(p, u, now)
	}
	u.Key = cmp.Or(cleanPath(v.Key), u.Key)
	return u, nil
}

// key is where an upload appears that begins now.
func (s *Service) key(p Principal, u *Record, now time.Time) string {
	key := cmp.Or(cleanPath(p.Grant.Key), s.Key.key(u, now))
	if prefix := cleanPath(p.Grant.Prefix); prefix != "" {
		key = prefix + "/" + key
	}
	return key
}

// born makes the events of an upload that begins.
func (s *Service) born(u *Record) []Event {
	if u.Partial {
		return nil
	}
	return s.events(Created)
}

// meta is what a client says of its file, with what was granted for it.
func (g Grant) meta(m Meta) Meta {
	m.MaxSize, m.Types, m.Data = g.MaxSize, g.Types, g.Data
	if len(g.Fields) > 0 {
		fields := maps.Clone(m.Fields)
		if fields == nil {
			fields = map[string]string{}
		}
		maps.Copy(fields, g.Fields)
		m.Fields = fields
	}
	return m
}

func (s *Service) spec(u *Record, n New) store.Spec {
	chunk := n.Chunk
	if chunk <= 0 {
		chunk = s.Chunk
	}
	return store.Spec{
		Size: u.Size, Key: u.Key, Type: u.Type, Chunk: chunk, Name: u.Meta.Name, Fields: u.Meta.Fields,
		Hidden: u.Hidden, Overwrite: u.Overwrite,
	}
}

func (s *Service) quota(ctx context.Context, once bool) Quota {
	q := s.Quota.and(Caller(ctx).Grant.Quota)
	q.Once = once
	return q
}

// limit is the largest size that an upload may have.
func (s *Service) limit(u *Record) int64 {
	return cmp.Or(narrower(s.MaxSize, u.Meta.MaxSize), extent.Max)
}
