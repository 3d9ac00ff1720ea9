package upload

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/muleteer/muleteer/extent"
)

// Piece is a run of a file's first or last bytes, kept for hooks as it passed,
// because not every store can read an object before it is whole.
type Piece struct {
	At    int64  `json:"at"` // offset of the first byte
	Bytes []byte `json:"bytes"`
}

// watches tells whether somebody wants to see what is in a file.
func (s *Service) watches(u *Record) bool {
	return !u.Partial && (s.wants(FirstBytes, LastBytes) || s.judges(u))
}

// accepts tells whether a whole file is there only when somebody has said so.
func (s *Service) accepts(u *Record) bool {
	return s.watches(u) || !u.Partial && s.wants(Completing)
}

// judges tells whether only some media types may come.
func (s *Service) judges(u *Record) bool {
	return s.Sniff != nil && (s.Types != nil || u.Meta.Types != nil)
}

// judge refuses a file whose first bytes show it to be of a media type that may
// not come.
func (s *Service) judge(u *Record, first []byte) error {
	if !s.judges(u) {
		return nil
	}
	found := s.Sniff(first)
	for _, types := range [...][]string{s.Types, u.Meta.Types} {
		if types != nil && !slices.ContainsFunc(types, func(t string) bool { return within(found, t) }) {
			return &Refusal{Status: 415, Reason: fmt.Sprintf("This is %s, and only %s may come.", found, strings.Join(types, ", "))}
		}
	}
	return nil
}

// within tells whether a media type is the one that is named, or of its family.
func within(found, named string) bool {
	found, _, _ = strings.Cut(found, ";")
	if family, ok := strings.CutSuffix(named, "/*"); ok {
		return named == "*/*" || strings.HasPrefix(found, family+"/")
	}
	return strings.EqualFold(found, named)
}

// ask asks the hook whether a turn may happen.
func (s *Service) ask(ctx context.Context, u *Record, k Kind) (Verdict, error) {
	if k == FirstBytes {
		if err := s.judge(u, s.turn(u, k).First); err != nil {
			return Verdict{}, err
		}
	}
	if !s.wants(k) {
		return Verdict{}, nil
	}
	v, err := s.Hook(ctx, s.turn(u, k))
	switch {
	case err == nil:
		return v, nil
	case errors.Is(err, ErrRefused):
		return v, err
	}
	return v, fmt.Errorf("%w: hook %s: %w", ErrUnavailable, k, err)
}

// turn is what a hook is told.
func (s *Service) turn(u *Record, k Kind) Turn {
	t := Turn{Kind: k, At: s.now(), Record: *u}
	t.First = u.window(extent.Extent{Start: 0, End: Window})
	if u.Size >= 0 {
		t.Last = u.window(extent.Extent{Start: max(0, u.Size-Window), End: u.Size})
		if u.Size < Window && len(t.Last) < int(u.Size) {
			t.Last = nil
		}
	}
	return t
}

// window returns the bytes of e from its start on, as far as pieces of them
// were kept without a gap.
func (u *Record) window(e extent.Extent) []byte {
	var b []byte
	for found := true; found && int64(len(b)) < e.Len(); {
		found = false
		for _, p := range u.Meta.Pieces {
			skip := e.Start + int64(len(b)) - p.At
			if skip >= 0 && skip < int64(len(p.Bytes)) {
				b = append(b, p.Bytes[skip:]...)
				found = true
				break
			}
		}
	}
	return b[:min(int64(len(b)), e.Len())]
}

// accept asks the hook whether a whole object may appear, and makes it appear.
// What the hook is shown is read from the object; what it has passed already,
// while it came, it is not asked again.
func (s *Service) accept(ctx context.Context, u *Record) error {
	passed := s.turn(u, Completing)
	u.Meta.Pieces = nil
	if s.watches(u) {
		if err := s.peek(ctx, u); err != nil {
			return err
		}
	}
	now := s.turn(u, Completing)
	var v Verdict
	for _, k := range [...]Kind{FirstBytes, LastBytes, Completing} {
		if k == FirstBytes && len(passed.First) == len(now.First) || k == LastBytes && len(passed.Last) == len(now.Last) {
			continue
		}
		var err error
		v, err = s.ask(ctx, u, k)
		if errors.Is(err, ErrRefused) {
			u.refuse(err)
			return cmp.Or(s.forget(ctx, u), err)
		}
		if err != nil {
			return err
		}
	}
	u.Meta.Answer, u.Meta.Pieces = v.Answer, nil
	return s.done(ctx, u)
}

// peek reads the first and the last bytes of a whole object.
func (s *Service) peek(ctx context.Context, u *Record) error {
	for _, e := range []extent.Extent{{Start: 0, End: min(Window, u.Size)}, {Start: max(0, u.Size-Window), End: u.Size}} {
		if e.Empty() {
			continue
		}
		r, err := s.Store.Open(ctx, u.object(), e)
		if err != nil {
			return storeError(err)
		}
		b, err := io.ReadAll(r)
		r.Close()
		if err != nil {
			return storeError(err)
		}
		u.Meta.Pieces = append(u.Meta.Pieces, Piece{At: e.Start, Bytes: b})
	}
	return nil
}

// watch is a body of which the first and the last bytes of the file are kept
// as they pass.
type watch struct {
	io.Reader
	pos    int64
	size   int64 // -1 while unknown
	pieces []Piece
}

func (w *watch) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	here := extent.At(w.pos, int64(n))
	w.keep(here.Intersect(extent.Extent{Start: 0, End: Window}), p)
	if w.size >= 0 {
		w.keep(here.Intersect(extent.Extent{Start: max(w.size-Window, 0), End: w.size}), p)
	}
	w.pos += int64(n)
	return n, err
}

func (w *watch) keep(e extent.Extent, p []byte) {
	if e.Empty() {
		return
	}
	b := p[e.Start-w.pos : e.End-w.pos]
	if k := len(w.pieces) - 1; k >= 0 && w.pieces[k].At+int64(len(w.pieces[k].Bytes)) == e.Start {
		w.pieces[k].Bytes = append(w.pieces[k].Bytes, b...)
		return
	}
	w.pieces = append(w.pieces, Piece{At: e.Start, Bytes: bytes.Clone(b)})
}

// inspect keeps what was seen of the file's ends, and asks the hook as soon as
// one of them is complete.
func (t *taking) inspect(ctx context.Context) error {
	if t.seen == nil || len(t.seen.pieces) == 0 || t.u.Phase != Receiving {
		return nil
	}
	for {
		u, err := t.s.load(ctx, t.u.ID, extent.Extent{Start: t.c.At, End: t.c.At + t.body.n})
		if err != nil {
			return err
		}
		before := t.s.turn(u, FirstBytes)
		if !u.addPieces(t.seen.pieces, t.counted(u)) {
			return nil
		}
		// The pieces are saved only when the hook has passed them: what is not
		// saved is asked about again, at the end at the latest.
		if err := t.pass(ctx, u, before); err != nil {
			return err
		}
		if err := t.s.State.Save(ctx, u); !errors.Is(err, ErrChanged) {
			return stateError(err)
		}
	}
}

// counted returns which bytes of the chunk are in the file as it brought them.
func (t *taking) counted(u *Record) extent.Set {
	var counted extent.Set
	for _, gap := range t.gaps {
		for _, r := range u.Ranges() {
			counted = counted.Add(gap.Intersect(r))
		}
	}
	return counted
}

// pass asks the hook about those of the file's ends that have become whole.
func (t *taking) pass(ctx context.Context, u *Record, before Turn) error {
	whole := Window
	if u.Size >= 0 {
		whole = int(min(Window, u.Size))
	}
	after := t.s.turn(u, FirstBytes)
	for _, k := range [...]Kind{FirstBytes, LastBytes} {
		was, is := before.First, after.First
		if k == LastBytes {
			was, is = before.Last, after.Last
		}
		if len(was) >= whole || len(is) < whole || k == LastBytes && u.Size < 0 {
			continue
		}
		_, err := t.s.ask(ctx, u, k)
		if errors.Is(err, ErrRefused) {
			refused := func(u *Record) bool {
				u.refuse(err)
				return true
			}
			if e := t.s.end(ctx, u.ID, refused); e != nil && !errors.Is(e, ErrGone) {
				return e
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// addPieces keeps those of the counted bytes that are new, and tells whether any
// are.
func (u *Record) addPieces(pieces []Piece, counted extent.Set) bool {
	var have extent.Set
	for _, p := range u.Meta.Pieces {
		have = have.Add(extent.At(p.At, int64(len(p.Bytes))))
	}
	before := len(u.Meta.Pieces)
	for _, p := range pieces {
		for _, e := range have.Missing(extent.At(p.At, int64(len(p.Bytes)))) {
			for _, c := range counted {
				if e := e.Intersect(c); !e.Empty() {
					u.Meta.Pieces = append(u.Meta.Pieces, Piece{At: e.Start, Bytes: p.Bytes[e.Start-p.At : e.End-p.At]})
					have = have.Add(e)
				}
			}
		}
	}
	return len(u.Meta.Pieces) > before
}
