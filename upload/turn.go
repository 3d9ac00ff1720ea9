package upload

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/muleteer/muleteer/extent"
)

// Piece is a run of a file's first or last bytes, kept for hooks as it passed,
// because not every store can read an object before it is whole.
type Piece struct {
	At    int64  `json:"at"` // offset of the first byte
	Bytes []byte `json:"bytes"`
}

// ask asks the hook whether a turn may happen.
func (s *Service) ask(ctx context.Context, u *Record, k Kind) (Verdict, error) {
	if s.Hook == nil {
		return Verdict{}, nil
	}
	v, err := s.Hook(ctx, s.turn(u, k, ""))
	switch {
	case err == nil:
		return v, nil
	case errors.Is(err, ErrRefused):
		return v, err
	}
	return v, fmt.Errorf("%w: hook %s: %w", ErrUnavailable, k, err)
}

// turn is what a hook is told.
func (s *Service) turn(u *Record, k Kind, event string) Turn {
	t := Turn{Kind: k, EventID: event, Record: *u}
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
func (s *Service) accept(ctx context.Context, u *Record) error {
	if len(u.Meta.Pieces) == 0 {
		s.peek(ctx, u)
	}
	v, err := s.ask(ctx, u, Completing)
	if errors.Is(err, ErrRefused) {
		if e := s.forget(ctx, u); e != nil {
			return e
		}
		return err
	}
	if err != nil {
		return err
	}
	u.Answer, u.Meta.Pieces = v.Answer, nil
	return s.done(ctx, u)
}

// peek reads the first and the last bytes of a whole object.
func (s *Service) peek(ctx context.Context, u *Record) {
	for _, e := range []extent.Extent{{Start: 0, End: min(Window, u.Size)}, {Start: max(0, u.Size-Window), End: u.Size}} {
		if e.Empty() {
			continue
		}
		r, err := s.Store.Open(ctx, u.object(), e)
		if err != nil {
			s.log().Warn("the hook is asked without the file's bytes", "id", u.ID, "error", err)
			return
		}
		b, err := io.ReadAll(r)
		r.Close()
		if err == nil {
			u.Meta.Pieces = append(u.Meta.Pieces, Piece{At: e.Start, Bytes: b})
		}
	}
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
	u, before := t.u, Turn{}
	for saved := false; !saved; {
		var err error
		if u, err = t.s.load(ctx, t.u.ID, extent.Extent{}); err != nil {
			return err
		}
		before = t.s.turn(u, FirstBytes, "")
		if !u.addPieces(t.seen.pieces) {
			return nil
		}
		err = t.s.State.Save(ctx, u)
		if err != nil && !errors.Is(err, ErrChanged) {
			return stateError(err)
		}
		saved = err == nil
	}
	whole := Window
	if u.Size >= 0 {
		whole = int(min(Window, u.Size))
	}
	after := t.s.turn(u, FirstBytes, "")
	if len(before.First) < whole && len(after.First) >= whole {
		if err := t.passed(ctx, u, FirstBytes); err != nil {
			return err
		}
	}
	if u.Size >= 0 && len(before.Last) < whole && len(after.Last) >= whole {
		return t.passed(ctx, u, LastBytes)
	}
	return nil
}

// addPieces keeps the bytes that are new, and tells whether any are.
func (u *Record) addPieces(pieces []Piece) bool {
	var have extent.Set
	for _, p := range u.Meta.Pieces {
		have = have.Add(extent.At(p.At, int64(len(p.Bytes))))
	}
	before := len(u.Meta.Pieces)
	for _, p := range pieces {
		for _, e := range have.Missing(extent.At(p.At, int64(len(p.Bytes)))) {
			u.Meta.Pieces = append(u.Meta.Pieces, Piece{At: e.Start, Bytes: p.Bytes[e.Start-p.At : e.End-p.At]})
			have = have.Add(e)
		}
	}
	return len(u.Meta.Pieces) > before
}

// passed asks the hook about a turn that has come, and removes the upload if it
// is refused.
func (t *taking) passed(ctx context.Context, u *Record, k Kind) error {
	_, err := t.s.ask(ctx, u, k)
	if !errors.Is(err, ErrRefused) {
		return err
	}
	if e := t.s.forget(ctx, u); e != nil {
		return e
	}
	return err
}

// events makes the events that go with a Save.
func (s *Service) events(u *Record, k Kind) []Event {
	if s.Hook == nil {
		return nil
	}
	return []Event{{ID: rand.Text(), Upload: u.ID, Kind: k, At: s.now()}}
}

// deliver tells the hook what has happened, at least once, in order per
// upload.
func (s *Service) deliver(ctx context.Context) error {
	box, ok := s.State.(Outbox)
	if !ok || s.Hook == nil {
		return nil
	}
	for {
		var due []Event
		for e, err := range box.Pending(ctx, s.now()) {
			if err != nil {
				return stateError(err)
			}
			due = append(due, e)
		}
		if len(due) == 0 {
			return nil
		}
		for _, e := range due {
			if err := s.tell(ctx, box, e); err != nil {
				return err
			}
		}
	}
}

// tell delivers one event, or puts it off: for a second at first, then for
// twice as long each time, up to an hour.
func (s *Service) tell(ctx context.Context, box Outbox, e Event) error {
	u, err := s.State.Load(ctx, e.Upload, everything)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return stateError(err)
	}
	again := time.Time{}
	if err == nil {
		if _, err := s.Hook(ctx, s.turn(u, e.Kind, e.ID)); err != nil {
			wait := min(time.Second<<min(e.Attempts, 12), time.Hour)
			again = s.now().Add(wait)
			s.log().Warn("an event was not delivered", "event", e.ID, "kind", e.Kind, "id", e.Upload, "again", wait, "error", err)
		}
	}
	return stateError(box.Settle(ctx, e.ID, again))
}

func (s *Service) log() *slog.Logger {
	if s.Log != nil {
		return s.Log
	}
	return slog.Default()
}
