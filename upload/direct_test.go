package upload_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/store"
	"github.com/muleteer/muleteer/store/mem"
	"github.com/muleteer/muleteer/upload"
)

// deliver does what a signed request says.
func deliver(s *upload.Service, signed store.Signed, body []byte) error {
	return s.Store.(interface {
		Deliver(store.Signed, []byte) error
	}).Deliver(signed, body)
}

// puts has a client put bytes into the store itself, and tell nobody.
func (h *house) puts(t *testing.T, id string, b []byte, e extent.Extent) {
	t.Helper()
	_, signed, err := h.Sign(ctx, id, partOf(b, e))
	if err != nil {
		t.Fatal(err)
	}
	if err := deliver(h.Service, signed, b[e.Start:e.End]); err != nil {
		t.Fatal(err)
	}
}

func partOf(b []byte, e extent.Extent) store.Part {
	return store.Part{Extent: e, CRC: store.CRC(0).Update(b[e.Start:e.End])}
}

// direct sends a file by putting cells into the store itself, where that is
// possible. What the store has taken is acknowledged.
func (c *client) direct(s *upload.Service) error {
	size := int64(len(c.want))
	if c.id == "" {
		u, err := s.Create(ctx, upload.New{Size: size, Meta: upload.Meta{Name: "f"}})
		if err != nil {
			return err
		}
		c.id = u.ID
	}
	u, err := s.Collect(ctx, c.id, extent.Extent{End: size})
	if err != nil {
		return err
	}
	if u.Offset < max(c.acked, c.put) {
		return fmt.Errorf("acknowledged %d bytes, taken %d, and %d are here: %w", c.acked, c.put, u.Offset, errLost)
	}
	for cell := range u.Grid.Cut(extent.Extent{Start: u.Offset, End: size}) {
		_, signed, err := s.Sign(ctx, c.id, partOf(c.want, cell))
		switch {
		case errors.Is(err, upload.ErrIndirect):
			if u, err = s.Write(ctx, c.id, piece(c.want, cell)); err != nil {
				return err
			}
		case err != nil:
			return err
		case signed.URL == "": // it is here
		default:
			if err := deliver(s, signed, c.want[cell.Start:cell.End]); err != nil {
				return err
			}
			c.put = cell.End
			if _, number := u.Grid.At(cell.Start); number%2 == 0 && cell.End < size {
				continue // nobody is told
			}
			if u, err = s.Collect(ctx, c.id, cell); err != nil {
				return err
			}
			if !u.Whole() && !u.Ranges().Has(cell) {
				return fmt.Errorf("%v was put, and %v is here: %w", cell, u.Ranges(), errLost)
			}
		}
	}
	u, err = s.Collect(ctx, c.id, extent.Extent{End: size})
	if err == nil {
		c.acked = u.Offset
	}
	return err
}

func directHouse() *house { return newHouse(mem.Options{Cell: 1000, MinPart: 1000, Signs: true}) }

// A part may come by any way, in any order, by several at once, and twice.
func TestDirectAndNot(t *testing.T) {
	t.Parallel()
	h := directHouse()
	want := content(1, 4567)
	u := h.begin(t, upload.New{Size: 4567})
	sign := func(e extent.Extent) store.Signed {
		_, signed, err := h.Sign(ctx, u.ID, partOf(want, e))
		if err != nil {
			t.Fatalf("%v: %v", e, err)
		}
		return signed
	}
	cells := []extent.Extent{{Start: 0, End: 1000}, {Start: 1000, End: 2000}, {Start: 2000, End: 3000}, {Start: 3000, End: 4000}, {Start: 4000, End: 4567}}
	// 4 by the client, told; 2 by both, told late; 0 through the service; 3 not told.
	for _, i := range []int{4, 2, 3} {
		if err := deliver(h.Service, sign(cells[i]), want[cells[i].Start:cells[i].End]); err != nil {
			t.Fatal(err)
		}
	}
	late := sign(cells[2])
	if v, err := h.Collect(ctx, u.ID, cells[4]); err != nil || v.Here != 567 {
		t.Fatalf("%v, %v", v, err)
	}
	for _, i := range []int{0, 2} {
		if _, err := h.Write(ctx, u.ID, piece(want, cells[i])); err != nil {
			t.Fatal(err)
		}
	}
	if again := sign(cells[2]); again.URL != "" {
		t.Error("what is here was signed for again")
	}
	if err := deliver(h.Service, late, want[2000:3000]); err != nil { // the request before was still good
		t.Fatal(err)
	}
	if v, err := h.Collect(ctx, u.ID, cells[2]); err != nil || v.Here != 2567 {
		t.Fatalf("%v, %v", v, err)
	}
	if _, err := h.Write(ctx, u.ID, piece(want, cells[1])); err != nil {
		t.Fatal(err)
	}
	v, err := h.Collect(ctx, u.ID, extent.Extent{End: 4567})
	if err != nil || v.Phase != upload.Done {
		t.Fatalf("%v, %v", v, err)
	}
	h.wantDone(t, u.ID, want)
	if _, signed, err := h.Sign(ctx, u.ID, partOf(want, cells[1])); err != nil || signed.URL != "" {
		t.Errorf("of what is done: %v, %v", signed, err)
	}
}

// What is not a part as the store wants it is not signed, nor is anything of
// somebody else's upload, or without the permission to write.
func TestDirectRefused(t *testing.T) {
	t.Parallel()
	h := directHouse()
	want := content(2, 4567)
	alice := upload.As(ctx, "alice")
	u, err := h.Create(alice, upload.New{Size: 4567})
	if err != nil {
		t.Fatal(err)
	}
	unsized, err := h.Create(alice, upload.New{Size: -1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Write(alice, u.ID, piece(want, extent.Extent{Start: 1200, End: 1300})); err != nil {
		t.Fatal(err)
	}
	reader := upload.By(ctx, upload.Principal{Owner: "alice", Verbs: []upload.Verb{upload.MayLook, upload.MayRead}})
	for name, c := range map[string]struct {
		ctx  func() error
		want error
	}{
		"less than a cell": {func() error { _, _, err := h.Sign(alice, u.ID, partOf(want, extent.Extent{End: 999})); return err }, upload.ErrNoCell},
		"two cells":        {func() error { _, _, err := h.Sign(alice, u.ID, partOf(want, extent.Extent{End: 2000})); return err }, upload.ErrNoCell},
		"beside a cell": {func() error {
			_, _, err := h.Sign(alice, u.ID, partOf(want, extent.Extent{Start: 1, End: 1001}))
			return err
		}, upload.ErrNoCell},
		"a cell with a crumb": {func() error {
			_, _, err := h.Sign(alice, u.ID, partOf(want, extent.Extent{Start: 1000, End: 2000}))
			return err
		}, upload.ErrNoCell},
		"nothing": {func() error { _, _, err := h.Sign(alice, u.ID, store.Part{}); return err }, upload.ErrNoCell},
		"beyond the end": {func() error {
			_, _, err := h.Sign(alice, u.ID, store.Part{Extent: extent.Extent{Start: 4000, End: 5000}})
			return err
		}, upload.ErrTooLarge},
		"of unknown size": {func() error {
			_, _, err := h.Sign(alice, unsized.ID, partOf(want, extent.Extent{End: 1000}))
			return err
		}, upload.ErrNoCell},
		"somebody else's": {func() error {
			_, _, err := h.Sign(upload.As(ctx, "bob"), u.ID, partOf(want, extent.Extent{End: 1000}))
			return err
		}, upload.ErrNotFound},
		"collecting it":       {func() error { _, err := h.Collect(upload.As(ctx, "bob"), u.ID, extent.Extent{End: 1000}); return err }, upload.ErrNotFound},
		"a reader's":          {func() error { _, _, err := h.Sign(reader, u.ID, partOf(want, extent.Extent{End: 1000})); return err }, upload.ErrDenied},
		"collecting for them": {func() error { _, err := h.Collect(reader, u.ID, extent.Extent{End: 1000}); return err }, upload.ErrDenied},
		"by a number":         {func() error { _, err := h.SignNumbered(alice, u.ID, 1); return err }, upload.ErrIndirect},
		"begun blind":         {func() error { _, err := h.Create(alice, upload.New{Size: -1, Blind: true}); return err }, upload.ErrIndirect},
	} {
		if err := c.ctx(); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if v, err := h.Get(alice, u.ID); err != nil || v.Here != 100 || !v.Meta.Signed.IsZero() {
		t.Errorf("a refusal left %v, %v", v, err)
	}
	plain := newHouse(mem.Options{Cell: 1000, MinPart: 1000})
	w := plain.begin(t, upload.New{Size: 4567})
	if _, _, err := plain.Sign(ctx, w.ID, partOf(want, extent.Extent{End: 1000})); !errors.Is(err, upload.ErrIndirect) {
		t.Errorf("a store that signs nothing: %v", err)
	}
}

// Who goes on putting parts is not told to the state by bytes: the upload must
// not expire all the same.
func TestDirectDoesNotExpire(t *testing.T) {
	t.Parallel()
	h := directHouse()
	h.Expire = time.Hour
	want := content(3, 4567)
	u := h.begin(t, upload.New{Size: 4567})
	for at := int64(0); at < 4000; at += 1000 {
		h.puts(t, u.ID, want, extent.At(at, 1000))
		h.clock.add(50 * time.Minute)
		h.sweep(t)
	}
	if v, err := h.Collect(ctx, u.ID, extent.Extent{End: 4567}); err != nil || v.Here != 4000 {
		t.Fatalf("%v, %v", v, err)
	}
	// A part that is on its way for long is no byte yet.
	h.clock.add(50 * time.Minute)
	if _, _, err := h.Sign(ctx, u.ID, partOf(want, extent.Extent{Start: 4000, End: 4567})); err != nil {
		t.Fatal(err)
	}
	h.clock.add(50 * time.Minute)
	h.sweep(t)
	if _, err := h.Get(ctx, u.ID); err != nil {
		t.Errorf("50 minutes after something was signed: %v", err)
	}
	h.clock.add(11 * time.Minute)
	h.sweep(t)
	if _, err := h.Get(ctx, u.ID); !errors.Is(err, upload.ErrGone) {
		t.Errorf("an hour after that: %v", err)
	}
	for e := range h.mem.Walk(ctx) {
		t.Errorf("%s stays", e.Name)
	}
}

// A client that leaves with its last byte gets its file, even if it has told
// nobody.
func TestDirectUntold(t *testing.T) {
	t.Parallel()
	h := directHouse()
	want := content(5, 2000)
	u := h.begin(t, upload.New{Size: 2000})
	for _, e := range []extent.Extent{{End: 1000}, {Start: 1000, End: 2000}} {
		h.puts(t, u.ID, want, e)
	}
	h.clock.add(20 * time.Minute)
	h.sweep(t)
	h.wantDone(t, u.ID, want)
}

// What a hook wants to see of a file is shown to it, although no byte has
// passed, and what may not come does not appear.
func TestDirectIsSeen(t *testing.T) {
	t.Parallel()
	h := directHouse()
	want := content(4, 4567)
	var first, last []byte
	h.Hook = func(_ context.Context, turn upload.Turn) (upload.Verdict, error) {
		if turn.Kind == upload.Completing {
			first, last = turn.First, turn.Last
		}
		return upload.Verdict{}, nil
	}
	c := &client{want: want}
	if err := c.direct(h.Service); err != nil {
		t.Fatal(err)
	}
	h.wantDone(t, c.id, want)
	if !bytes.Equal(first, want[:upload.Window]) || !bytes.Equal(last, want[len(want)-upload.Window:]) {
		t.Errorf("the hook saw %d and %d bytes", len(first), len(last))
	}
	h = directHouse()
	h.Types, h.Sniff = []string{"image/*"}, func([]byte) string { return "text/html" }
	c = &client{want: want}
	if err := c.direct(h.Service); !errors.Is(err, upload.ErrRefused) && !errors.Is(err, upload.ErrGone) {
		t.Errorf("what may not come: %v", err)
	}
	h.sweep(t)
	for e := range h.mem.Walk(ctx) {
		t.Errorf("%s stays", e.Name)
	}
}

// What is signed for somebody ends with the permission.
func TestDirectEndsWithThePermission(t *testing.T) {
	t.Parallel()
	h := directHouse()
	want := content(6, 2000)
	u := h.begin(t, upload.New{Size: 2000})
	for _, c := range []struct{ ends, want time.Duration }{{0, 15 * time.Minute}, {time.Hour, 15 * time.Minute}, {3 * time.Minute, 3 * time.Minute}} {
		p := upload.Principal{}
		if c.ends > 0 {
			p.Ends = h.clock.now().Add(c.ends)
		}
		_, signed, err := h.Sign(upload.By(ctx, p), u.ID, partOf(want, extent.Extent{End: 1000}))
		if left := time.Until(signed.Until); err != nil || left > c.want || left < c.want-time.Minute {
			t.Errorf("with %v left it is good for %v: %v", c.ends, left, err)
		}
	}
}
