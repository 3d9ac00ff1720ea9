package upload_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/store"
	"github.com/muleteer/muleteer/store/mem"
	"github.com/muleteer/muleteer/upload"
)

// calls counts, by the fault wrapper that never fails, what a service asks of
// its store and its state.
func counted(o mem.Options) (*house, *fault) {
	h, f := newHouse(o), &fault{n: -1}
	h.Service.Store, h.Service.State = faultyStore{h.mem, f}, faultyState{h.state, f}
	return h, f
}

func (f *fault) made() int { return -1 - f.n }

// An acknowledgement costs the same whether few or many pieces are here
// already.
func TestAckCostsTheSame(t *testing.T) {
	h, f := counted(mem.Options{})
	want := content(1, 60_000)
	u := h.begin(t, upload.New{Size: int64(len(want))})
	cost := func(at int64) int {
		before := f.made()
		if _, err := h.Write(ctx, u.ID, piece(want, extent.At(at, 1))); err != nil {
			t.Fatal(err)
		}
		return f.made() - before
	}
	first := cost(0)
	for at := int64(2); at < 20_000; at += 2 { // gaps, so that nothing merges
		if got := cost(at); got != first {
			t.Fatalf("with %d pieces here an acknowledgement takes %d calls, the first took %d", at/2, got, first)
		}
	}
	if v, _ := h.State.Load(ctx, u.ID, extent.At(10_000, 1)); len(v.Parts) > 3 {
		t.Errorf("a load of one byte brings %d parts", len(v.Parts))
	}
}

// Neighbours without receipts merge: a file on disk is one row however it came.
func TestNeighboursMerge(t *testing.T) {
	h := newHouse(mem.Options{})
	want := content(2, 1000)
	u := h.begin(t, upload.New{Size: 1001})
	for _, at := range []int64{400, 0, 800, 200, 600} {
		if _, err := h.Write(ctx, u.ID, piece(want, extent.At(at, 200))); err != nil {
			t.Fatal(err)
		}
	}
	v, err := h.Get(ctx, u.ID)
	if err != nil || len(v.Parts) != 1 || v.Parts[0].CRC != store.CRC(0).Update(want) {
		t.Errorf("got parts %v, %v", v.Parts, err)
	}
}

// What arrived of a broken body is kept by the byte, of an atomic one not at
// all.
func TestCommitByByteOrByChunk(t *testing.T) {
	onEachGrid(t, func(t *testing.T, h *house) {
		want := content(3, 2500)
		u := h.begin(t, upload.New{Size: 2500})
		c := piece(want, extent.Extent{End: 2500})
		c.Append, c.Atomic, c.Body = true, true, brokenBody(want[:1700])
		v, err := h.Write(ctx, u.ID, c)
		if err == nil || v.Offset != 0 {
			t.Fatalf("an atomic chunk that broke: offset %d, %v", v.Offset, err)
		}
		c.Atomic, c.Body = false, brokenBody(want[:1700])
		v, err = h.Write(ctx, u.ID, c)
		if err == nil || v.Offset != 1700 {
			t.Fatalf("a chunk that broke: offset %d, %v", v.Offset, err)
		}
		c = piece(want, extent.Extent{Start: 1700, End: 2500})
		c.Append, c.Verify = true, func() error { return upload.ErrChecksum }
		v, err = h.Write(ctx, u.ID, c)
		wantErr(t, err, upload.ErrChecksum)
		if v.Offset != 1700 {
			t.Fatalf("after a wrong checksum the offset is %d", v.Offset)
		}
		c = piece(want, extent.Extent{Start: 1700, End: 2500})
		if _, err = h.Write(ctx, u.ID, c); err != nil {
			t.Fatal(err)
		}
		h.wantDone(t, u.ID, want)
	})
}

// A small upload that arrives whole in one request costs one file and one
// commit, and has no more and no other bytes than the general way would keep.
func TestSmallUploadIsOneFileAndOneCommit(t *testing.T) {
	h, f := counted(mem.Options{})
	want := content(4, 16<<10)
	for name, c := range map[string]upload.Chunk{
		"of known length":   {Len: int64(len(want)), Size: int64(len(want))},
		"of unknown length": {Len: -1, Size: -1, Last: true},
	} {
		c.Body = bytes.NewReader(want)
		before := f.made()
		u, err := h.Take(ctx, upload.New{Size: c.Size}, c)
		if err != nil || u.Phase != upload.Done {
			t.Fatalf("%s: %v %v", name, u, err)
		}
		if n := f.made() - before; n != 2 {
			t.Errorf("%s: %d calls of store and state, want 2", name, n)
		}
		h.wantDone(t, u.ID, want)
	}
	u, err := h.Take(ctx, upload.New{Size: 100}, upload.Chunk{Len: 100, Size: 100, Body: brokenBody(want[:40])})
	if err == nil || u == nil || u.Offset != 40 {
		t.Errorf("a small body that breaks: %v, %v", u, err)
	}
	big := content(5, upload.Small+1)
	u, err = h.Take(ctx, upload.New{Size: -1}, upload.Chunk{Len: -1, Size: -1, Last: true, Body: bytes.NewReader(big)})
	if err != nil {
		t.Fatal(err)
	}
	h.wantDone(t, u.ID, big)
}

// A write of what is here already succeeds, changes nothing, and tells when the
// bytes are others.
func TestWriteIsIdempotent(t *testing.T) {
	onEachGrid(t, func(t *testing.T, h *house) {
		want := content(6, 3000)
		u := h.begin(t, upload.New{Size: 3000})
		first := extent.Extent{Start: 1000, End: 2000}
		for range 3 {
			if v, err := h.Write(ctx, u.ID, piece(want, first)); err != nil || v.Here != 1000 {
				t.Fatalf("%v %v", v, err)
			}
		}
		other := piece(content(7, 3000), first)
		v, err := h.Write(ctx, u.ID, other)
		wantErr(t, err, upload.ErrConflict)
		if v.Here != 1000 {
			t.Errorf("after the conflict %d bytes are here", v.Here)
		}
		if _, err := h.Write(ctx, u.ID, piece(want, extent.Extent{End: 3000})); err != nil {
			t.Fatal(err)
		}
		h.wantDone(t, u.ID, want)
		if _, err := h.Write(ctx, u.ID, piece(want, extent.Extent{End: 3000})); err != nil {
			t.Fatalf("a repeat after the end: %v", err)
		}
		_, err = h.Write(ctx, u.ID, piece(content(7, 3000), extent.Extent{End: 3000}))
		wantErr(t, err, upload.ErrConflict)
		h.wantDone(t, u.ID, want)
	})
}

// The later request wins: a half-dead writer is ended, what it brought is kept,
// and the offset that is told then is the one that is accepted next.
func TestLaterRequestWins(t *testing.T) {
	onEachGrid(t, func(t *testing.T, h *house) {
		want := content(8, 4000)
		u := h.begin(t, upload.New{Size: 4000})
		stall := func(from, to int64) (*stalledBody, chan error) {
			body := newStalledBody(want[from:to])
			ended := make(chan error, 1)
			go func() {
				_, err := h.Write(ctx, u.ID, upload.Chunk{At: from, Len: 4000 - from, Size: -1, Body: body, Append: true})
				ended <- err
			}()
			<-body.stalled
			return body, ended
		}
		_, ended := stall(0, 1100)
		if v, err := h.Get(ctx, u.ID); err != nil || v.Offset > 1100 {
			t.Fatalf("a look: %v %v", v, err)
		}
		select {
		case err := <-ended:
			t.Fatalf("a look has ended the writer: %v", err)
		default:
		}
		began := time.Now()
		v, err := h.Settle(ctx, u.ID)
		if err != nil || v.Offset != 1100 {
			t.Fatalf("settle: %v %v", v, err)
		}
		wantErr(t, <-ended, upload.ErrInterrupted)
		_, ended = stall(1100, 2300)
		c := piece(want, extent.Extent{Start: 2300, End: 4000})
		c.Append = true
		if _, err := h.Write(ctx, u.ID, c); err != nil {
			t.Fatalf("the next writer: %v", err)
		}
		wantErr(t, <-ended, upload.ErrInterrupted)
		if d := time.Since(began); d > 2*time.Second {
			t.Errorf("two takeovers took %v", d)
		}
		h.wantDone(t, u.ID, want)
	})
}

// Writers of disjoint bytes do not end each other; of the same bytes they do,
// and a stranger cannot end anybody.
func TestOnlyTheSameBytesAreContested(t *testing.T) {
	h := newHouse(mem.Options{})
	want := content(9, 2000)
	u := h.begin(t, upload.New{Size: 2000})
	body := newStalledBody(want[:500])
	ended := make(chan error, 1)
	go func() {
		_, err := h.Write(ctx, u.ID, upload.Chunk{At: 0, Len: 1000, Size: -1, Body: body})
		ended <- err
	}()
	<-body.stalled
	if _, err := h.Write(ctx, u.ID, piece(want, extent.Extent{Start: 1000, End: 2000})); err != nil {
		t.Fatal(err)
	}
	_, err := h.Settle(upload.As(ctx, "stranger"), u.ID)
	wantErr(t, err, upload.ErrNotFound)
	wantErr(t, h.Remove(upload.As(ctx, "stranger"), u.ID), upload.ErrNotFound)
	select {
	case err := <-ended:
		t.Fatalf("the writer was ended: %v", err)
	default:
	}
	if _, err := h.Write(ctx, u.ID, piece(want, extent.Extent{End: 1000})); err != nil {
		t.Fatal(err)
	}
	wantErr(t, <-ended, upload.ErrInterrupted)
	h.wantDone(t, u.ID, want)
}

// Receiving to Joining is one compare-and-swap: many who bring the last bytes
// at once complete the upload once.
func TestCompletionHappensOnce(t *testing.T) {
	onEachGrid(t, func(t *testing.T, h *house) {
		hook := &told{}
		h.Hook = hook.hook
		want := content(10, 2000)
		for range 20 {
			u := h.begin(t, upload.New{Size: 2000})
			var all sync.WaitGroup
			for at := int64(0); at < 2000; at += 250 {
				all.Go(func() {
					if _, err := h.Write(ctx, u.ID, piece(want, extent.At(at, 250))); err != nil {
						t.Errorf("write: %v", err)
					}
				})
			}
			all.Wait()
			h.wantDone(t, u.ID, want)
			h.sweep(t)
			if n := hook.ids(upload.Completed, u.ID); n != 1 {
				t.Errorf("completed was told %d times", n)
			}
		}
	})
}

// A client that leaves right after its last byte gets its file finished.
func TestClientLeavesAfterItsLastByte(t *testing.T) {
	onEachGrid(t, func(t *testing.T, h *house) {
		want := content(11, 1234)
		u := h.begin(t, upload.New{Size: 1234})
		leaving, leave := context.WithCancel(ctx)
		body := io.MultiReader(bytes.NewReader(want), readerFunc(func([]byte) (int, error) {
			leave()
			return 0, errors.New("connection reset")
		}))
		h.Write(leaving, u.ID, upload.Chunk{Len: -1, Size: -1, Body: body, Append: true})
		h.wantDone(t, u.ID, want)
	})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// One timestamp and one loop do expiry: an upload lives for a time after its
// last byte, however old it is, and one that is full or finished for ever.
func TestDue(t *testing.T) {
	onEachGrid(t, func(t *testing.T, h *house) {
		h.Expire = 24 * time.Hour
		want := content(12, 1000)
		lazy := h.begin(t, upload.New{Size: 1000})
		busy := h.begin(t, upload.New{Size: 1000})
		done, err := h.Take(ctx, upload.New{Size: 1000}, piece(want, extent.Extent{End: 1000}))
		if err != nil {
			t.Fatal(err)
		}
		told := time.Time{}
		for hour := int64(0); hour < 30; hour++ {
			u, err := h.Write(ctx, busy.ID, piece(want, extent.At(hour*10, 10)))
			if err != nil {
				t.Fatalf("after %d hours: %v", hour, err)
			}
			if at := h.Expires(u); at.Before(told) {
				t.Fatalf("the expiry moved back from %v to %v", told, at)
			} else {
				told = at
			}
			h.clock.add(time.Hour)
			h.sweep(t)
		}
		_, err = h.Get(ctx, lazy.ID)
		wantErr(t, err, upload.ErrGone)
		_, err = h.Get(upload.As(ctx, "stranger"), lazy.ID)
		wantErr(t, err, upload.ErrNotFound)
		h.clock.add(25 * time.Hour)
		h.sweep(t)
		_, err = h.Get(ctx, busy.ID)
		wantErr(t, err, upload.ErrGone)
		_, err = h.Get(ctx, lazy.ID)
		wantErr(t, err, upload.ErrNotFound) // it is not remembered for ever
		h.wantDone(t, done.ID, want)
	})
}

// An upload on which a request is at work does not expire under its hands.
func TestAWriterKeepsItsUpload(t *testing.T) {
	h := newHouse(mem.Options{})
	want := content(13, 1000)
	u := h.begin(t, upload.New{Size: 1000})
	body := newStalledBody(want[:10])
	ended := make(chan error, 1)
	go func() {
		_, err := h.Write(ctx, u.ID, upload.Chunk{Len: 1000, Size: -1, Body: body})
		ended <- err
	}()
	<-body.stalled
	h.clock.add(8 * 24 * time.Hour)
	h.sweep(t)
	if _, err := h.Get(ctx, u.ID); err != nil {
		t.Errorf("it expired: %v", err)
	}
	body.Interrupt()
	<-ended
}

// A stale writer, whose upload another node has taken over, can change neither
// bytes nor record.
func TestFencing(t *testing.T) {
	onEachGrid(t, func(t *testing.T, h *house) {
		want, stale := content(14, 1000), content(15, 1000)
		u := h.begin(t, upload.New{Size: 1000})
		body := newStalledBody(nil)
		ended := make(chan error, 1)
		go func() {
			r := io.MultiReader(body, bytes.NewReader(stale))
			_, err := h.Write(ctx, u.ID, upload.Chunk{Len: 1000, Size: -1, Body: r})
			ended <- err
		}()
		<-body.stalled
		other := &upload.Service{Store: h.mem, State: h.state, Now: h.clock.now} // another node
		v, err := other.Get(ctx, u.ID)
		if err != nil {
			t.Fatal(err)
		}
		v.Epoch++
		if err := h.state.Save(ctx, v); err != nil {
			t.Fatal(err)
		}
		if _, err := other.Write(ctx, u.ID, piece(want, extent.Extent{End: 400})); err != nil {
			t.Fatal(err)
		}
		body.Interrupt()
		if err := <-ended; err == nil {
			t.Error("the stale writer was not told")
		}
		if _, err := other.Write(ctx, u.ID, piece(want, extent.Extent{Start: 400, End: 1000})); err != nil {
			t.Fatal(err)
		}
		(&house{Service: other}).wantDone(t, u.ID, want)
	})
}

// Integrity costs no reading: the checksum of the whole is combined from the
// parts', whatever their order.
func TestIntegrityWithoutReading(t *testing.T) {
	h := newHouse(mem.Options{})
	h.Service.Store = unreadable{h.mem}
	want := content(16, 5000)
	u := h.begin(t, upload.New{Size: 5000})
	for _, at := range []int64{3000, 0, 4000, 1000, 2000} {
		if _, err := h.Write(ctx, u.ID, piece(want, extent.At(at, 1000))); err != nil {
			t.Fatal(err)
		}
	}
	v, err := h.Get(ctx, u.ID)
	if err != nil || v.Phase != upload.Done || v.Final.CRC != store.CRC(0).Update(want) {
		t.Errorf("%v %v", v, err)
	}
}

type unreadable struct{ *mem.Store }

func (unreadable) Open(context.Context, store.Object, extent.Extent) (io.ReadCloser, error) {
	panic("nobody has to read")
}

// Hooks see the first and the last bytes also where the store cannot read
// before the join, and however the bytes came.
func TestFirstAndLastBytesAreKept(t *testing.T) {
	for _, size := range []int64{10, 4096, 5000, 20_000} {
		onEachGrid(t, func(t *testing.T, h *house) {
			want := content(17, size)
			seen := map[upload.Kind]int{}
			h.Hook = func(_ context.Context, turn upload.Turn) (upload.Verdict, error) {
				seen[turn.Kind]++
				first, last := want[:min(size, upload.Window)], want[max(0, size-upload.Window):]
				switch turn.Kind {
				case upload.FirstBytes, upload.Completing:
					if !bytes.Equal(turn.First, first) {
						t.Errorf("%s: %d first bytes, others than %d", turn.Kind, len(turn.First), len(first))
					}
				}
				switch turn.Kind {
				case upload.LastBytes, upload.Completing:
					if !bytes.Equal(turn.Last, last) {
						t.Errorf("%s: %d last bytes, others than %d", turn.Kind, len(turn.Last), len(last))
					}
				}
				return upload.Verdict{}, nil
			}
			u := h.begin(t, upload.New{Size: size})
			for at := max(0, size-700); ; at = max(0, at-700) { // backwards
				if _, err := h.Write(ctx, u.ID, piece(want, extent.Extent{Start: at, End: min(at+700, size)})); err != nil {
					t.Fatal(err)
				}
				if at == 0 {
					break
				}
			}
			h.wantDone(t, u.ID, want)
			if seen[upload.FirstBytes] != 1 || seen[upload.Completing] != 1 || size > 700 && seen[upload.LastBytes] != 1 {
				t.Errorf("size %d: asked %v", size, seen)
			}
		})
	}
}

// A name that a client chose is never an id, and becomes part of a key only in
// a form that cannot leave its place.
func TestClientNamesAreNeverUsedRaw(t *testing.T) {
	if a, b := upload.Fingerprint("o", "p", "e", "ab", "c"), upload.Fingerprint("o", "p", "e", "a", "bc"); a == b {
		t.Error("fields run into each other")
	}
	for name, want := range map[string]string{
		"a.txt":                            "a.txt",
		"":                                 "unnamed",
		"..":                               "__",
		"../../etc/passwd":                 ".._.._etc_passwd",
		`..\..\x`:                          `.._.._x`,
		"a\x00b\r\nc":                      "abc",
		"ü ñ.bin":                          "ü ñ.bin",
		".muleteer":                        "_.muleteer",
		strings.Repeat("é", 200) + ".jpeg": strings.Repeat("é", 125) + ".jpeg",
		"bad\xffutf8":                      "bad_utf8",
	} {
		h := newHouse(mem.Options{})
		h.Key = "in/{name}"
		u := h.begin(t, upload.New{Size: 1, Meta: upload.Meta{Name: name}})
		if u.Key != "in/"+want || u.Meta.Name != name {
			t.Errorf("%q: key %q, want in/%s; name %q", name, u.Key, want, u.Meta.Name)
		}
	}
	h := newHouse(mem.Options{})
	h.Key = "{date}/{owner}/{path}"
	u := h.begin(t, upload.New{Size: 1, Meta: upload.Meta{Name: "x", Path: "/../a//./b/../c/../../d.txt"}})
	if u.Key != "2026-11-21/anonymous/a/b/c/d.txt" {
		t.Errorf("key %q", u.Key)
	}
	for _, bad := range []upload.Template{"/x", "a/../b", "{nme}", "a//b", "a/", ".muleteer/{id}", ""} {
		if bad == "" {
			continue
		}
		if bad.Check() == nil {
			t.Errorf("the template %q is taken", bad)
		}
	}
	if err := upload.DefaultKey.Check(); err != nil {
		t.Error(err)
	}
}

// Gaps and empty files are accepted everywhere.
func TestGapsAndEmptyFiles(t *testing.T) {
	onEachGrid(t, func(t *testing.T, h *house) {
		if u := h.begin(t, upload.New{Size: 0}); u.Phase != upload.Done {
			t.Errorf("an empty file is %v", u.Phase)
		}
		u := h.begin(t, upload.New{Size: -1})
		if u, err := h.SetSize(ctx, u.ID, 0); err != nil || u.Phase != upload.Done {
			t.Errorf("an empty file of unknown size: %v %v", u, err)
		}
		u, err := h.Take(ctx, upload.New{Size: -1}, upload.Chunk{Len: -1, Size: -1, Last: true, Body: strings.NewReader("")})
		if err != nil || u.Phase != upload.Done {
			t.Errorf("an empty body: %v %v", u, err)
		}
		want := content(18, 3000)
		u = h.begin(t, upload.New{Size: -1})
		if v, err := h.Write(ctx, u.ID, piece(want, extent.Extent{Start: 2500, End: 3000})); err != nil || v.Offset != 0 {
			t.Errorf("a piece after a gap: %v %v", v, err)
		}
		if _, err := h.Write(ctx, u.ID, piece(want, extent.Extent{End: 2500})); err != nil {
			t.Fatal(err)
		}
		if _, err := h.SetSize(ctx, u.ID, 3000); err != nil {
			t.Fatal(err)
		}
		h.wantDone(t, u.ID, want)
	})
}

// Sizes that cannot be true are refused and change nothing.
func TestSizes(t *testing.T) {
	onEachGrid(t, func(t *testing.T, h *house) {
		h.MaxSize = 5000
		_, err := h.Create(ctx, upload.New{Size: 5001})
		wantErr(t, err, upload.ErrTooLarge)
		_, err = h.Create(ctx, upload.New{Size: -2})
		wantErr(t, err, upload.ErrInvalid)
		want := content(19, 6000)
		u := h.begin(t, upload.New{Size: 2000})
		for _, c := range []upload.Chunk{
			piece(want, extent.Extent{Start: 1000, End: 2001}),
			piece(want, extent.Extent{Start: 2001, End: 2002}),
		} {
			v, err := h.Write(ctx, u.ID, c)
			wantErr(t, err, upload.ErrTooLarge)
			if v.Here != 0 {
				t.Errorf("%d bytes are here of a chunk that says it is too long", v.Here)
			}
		}
		// One that only turns out to be too long never completes the upload.
		if _, err := h.Write(ctx, u.ID, piece(want, extent.Extent{End: 1000})); err != nil {
			t.Fatal(err)
		}
		v, err := h.Write(ctx, u.ID, upload.Chunk{At: 1000, Len: -1, Size: -1, Body: bytes.NewReader(want[1000:2001])})
		wantErr(t, err, upload.ErrTooLarge)
		if v.Phase != upload.Receiving || v.Here == 2000 {
			t.Errorf("%d bytes are here, phase %v", v.Here, v.Phase)
		}
		_, err = h.SetSize(ctx, u.ID, 1999)
		wantErr(t, err, upload.ErrSize)
		_, err = h.Write(ctx, u.ID, upload.Chunk{At: -1, Size: -1})
		wantErr(t, err, upload.ErrInvalid)

		v = h.begin(t, upload.New{Size: -1})
		if _, err := h.Write(ctx, v.ID, piece(want, extent.Extent{Start: 100, End: 900})); err != nil {
			t.Fatal(err)
		}
		_, err = h.SetSize(ctx, v.ID, 899)
		wantErr(t, err, upload.ErrSize)
		_, err = h.SetSize(ctx, v.ID, 5001)
		wantErr(t, err, upload.ErrTooLarge)
		_, err = h.Write(ctx, v.ID, upload.Chunk{At: 900, Len: -1, Size: -1, Body: bytes.NewReader(want[900:])})
		wantErr(t, err, upload.ErrTooLarge)
	})
}

// A later name beside one that is taken is never the same object.
func TestNeverOverwritten(t *testing.T) {
	h := newHouse(mem.Options{})
	h.Key = "{name}"
	var ids []string
	for seed := range uint64(3) {
		u, err := h.Take(ctx, upload.New{Size: 100, Meta: upload.Meta{Name: "a.txt"}}, piece(content(seed, 100), extent.Extent{End: 100}))
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, u.ID)
	}
	keys := map[string]bool{}
	for seed, id := range ids {
		h.wantDone(t, id, content(uint64(seed), 100))
		u, _ := h.Get(ctx, id)
		keys[u.Key] = true
	}
	if len(keys) != 3 {
		t.Errorf("three files have the keys %v", keys)
	}
	if err := h.Remove(ctx, ids[0]); err != nil {
		t.Fatal(err)
	}
	h.wantDone(t, ids[1], content(1, 100))
}

// What the store has lost is gone for ever, and never complete.
func TestALostUploadIsGone(t *testing.T) {
	onEachGrid(t, func(t *testing.T, h *house) {
		want := content(20, 1000)
		u := h.begin(t, upload.New{Size: 2000})
		if _, err := h.Write(ctx, u.ID, piece(content(20, 2000), extent.Extent{End: 1000})); err != nil {
			t.Fatal(err)
		}
		if err := h.mem.Remove(ctx, u.Object); err != nil { // a lifecycle rule, a person
			t.Fatal(err)
		}
		_, err := h.Write(ctx, u.ID, upload.Chunk{At: 1000, Len: 1000, Size: -1, Body: bytes.NewReader(want)})
		if err == nil {
			t.Fatal("it was completed")
		}
		if v, err := h.Get(ctx, u.ID); err == nil && v.Phase == upload.Done {
			t.Error("it is complete")
		}
	})
}

// An owner's open uploads are bounded.
func TestQuota(t *testing.T) {
	h := newHouse(mem.Options{})
	h.Quota = upload.Quota{Bytes: 100, Open: 2}
	alice := upload.As(ctx, "alice")
	for range 2 {
		if _, err := h.Create(alice, upload.New{Size: 50}); err != nil {
			t.Fatal(err)
		}
	}
	_, err := h.Create(alice, upload.New{Size: 0})
	wantErr(t, err, upload.ErrFull)
	if _, err := h.Create(upload.As(ctx, "bob"), upload.New{Size: 100}); err != nil {
		t.Fatal(err)
	}
	for e, err := range h.mem.Walk(ctx) {
		if err != nil || e.Size > 100 {
			t.Errorf("%v %v", e, err)
		}
	}
}

// A removed upload leaves nothing in the store, finished or not, and if the
// store does not answer at once, then a little later.
func TestRemoveLeavesNothing(t *testing.T) {
	onEachGrid(t, func(t *testing.T, h *house) {
		want := content(21, 2300)
		f := &fault{n: -1}
		h.Service.Store = faultyStore{h.mem, f}
		for name, here := range map[string]int64{"unfinished": 1700, "finished": 2300} {
			for _, away := range []bool{false, true} {
				u := h.begin(t, upload.New{Size: 2300})
				if _, err := h.Write(ctx, u.ID, piece(want, extent.Extent{End: here})); err != nil {
					t.Fatal(err)
				}
				if away {
					f.n = 1 // the store's answer to the removal is lost before its effect
				}
				if err := h.Remove(ctx, u.ID); err != nil {
					t.Fatal(err)
				}
				_, err := h.Get(ctx, u.ID)
				wantErr(t, err, upload.ErrGone)
				wantErr(t, h.Remove(ctx, u.ID), upload.ErrGone)
				if away {
					h.clock.add(2 * time.Minute)
					h.sweep(t)
				}
				for e, err := range h.mem.Walk(ctx) {
					t.Errorf("%s, store away %v: %v %v stays", name, away, e.Name, err)
				}
			}
		}
	})
}
