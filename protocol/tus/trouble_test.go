package tus_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/protocol/tus"
	"github.com/muleteer/muleteer/protocol/wiretest"
	"github.com/muleteer/muleteer/state"
	"github.com/muleteer/muleteer/store"
	"github.com/muleteer/muleteer/store/mem"
	"github.com/muleteer/muleteer/upload"
)

// TestK3N10N12Events: a finished file is told once; parts are not files.
func TestK3N10N12Events(t *testing.T) {
	t.Parallel()
	s, clock := wiretest.Grids()[1].Service(t)
	var mu sync.Mutex
	told := map[string]int{}
	s.Hook = func(_ context.Context, turn upload.Turn) (upload.Verdict, error) {
		mu.Lock()
		defer mu.Unlock()
		if turn.Kind == upload.Completed {
			told[turn.Record.Meta.Name]++
		}
		return upload.Verdict{}, nil
	}
	h := serve(t, s, clock, tus.Options{})
	name := func(s string) string { return "filename " + base64.StdEncoding.EncodeToString([]byte(s)) }
	h.do(t, 201, "POST", h.url, nil, "Upload-Length", "0", "Upload-Metadata", name("empty"))
	part := h.do(t, 201, "POST", h.url, nil, "Upload-Length", "5", "Upload-Concat", "partial", "Upload-Metadata", name("part")).Get("Location")
	final := h.do(t, 201, "POST", h.url, nil, "Upload-Concat", "final;"+part+" "+part, "Upload-Metadata", name("final")).Get("Location")
	h.do(t, 204, "PATCH", part, strings.NewReader("hello"), "Upload-Offset", "0")
	for range 3 {
		clock.Move(time.Minute)
		if _, err := s.Deliver(context.Background()); err != nil {
			t.Fatal(err)
		}
		h.do(t, 200, "HEAD", final, nil)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(told) != 2 || told["empty"] != 1 || told["final"] != 1 {
		t.Errorf("told: %v", told)
	}
	if got := h.content(t, final); string(got) != "hellohello" {
		t.Errorf("%q", got)
	}
}

// TestD3UnacceptedIsNotComplete: as long as the hook has not accepted a file,
// no HEAD says that it is complete, and no PATCH succeeds.
func TestD3UnacceptedIsNotComplete(t *testing.T) {
	t.Parallel()
	s, clock := wiretest.Grids()[1].Service(t)
	var down atomic.Bool
	down.Store(true)
	s.Hook = func(_ context.Context, turn upload.Turn) (upload.Verdict, error) {
		if turn.Kind == upload.Completing && down.Load() {
			return upload.Verdict{}, errors.New("nobody answers")
		}
		return upload.Verdict{}, nil
	}
	h := serve(t, s, clock, tus.Options{})
	loc := h.do(t, 201, "POST", h.url, nil, "Upload-Length", "5").Get("Location")
	hidden := func(header http.Header) {
		t.Helper()
		if header.Get("Upload-Offset") == "5" || header.Get("Retry-After") == "" {
			t.Errorf("the answer says %v", header)
		}
	}
	hidden(h.do(t, 503, "PATCH", loc, strings.NewReader("hello"), "Upload-Offset", "0"))
	hidden(h.do(t, 423, "HEAD", loc, nil))
	hidden(h.do(t, 503, "PATCH", loc, http.NoBody, "Upload-Offset", "5"))
	down.Store(false)
	clock.Move(time.Hour)
	if got := h.do(t, 200, "HEAD", loc, nil); got.Get("Upload-Offset") != "5" || got.Get("Upload-Length") != "5" {
		t.Error(got)
	}
}

// broken is a state that cannot be reached when it is down.
type broken struct {
	*state.Volatile
	down atomic.Bool
}

var errDown = errors.New("connection refused at 10.0.0.7")

func (b *broken) Load(ctx context.Context, id string, e extent.Extent) (*upload.Record, error) {
	if b.down.Load() {
		return nil, errDown
	}
	return b.Volatile.Load(ctx, id, e)
}

func (b *broken) Create(ctx context.Context, u *upload.Record, q upload.Quota, ev ...upload.Event) error {
	if b.down.Load() {
		return errDown
	}
	return b.Volatile.Create(ctx, u, q, ev...)
}

// TestHeadIsNeverAServerError: a HEAD that fails makes clients start anew, so
// it says "busy" instead; the others say "try again".
func TestHeadIsNeverAServerError(t *testing.T) {
	t.Parallel()
	s, clock := wiretest.Grids()[0].Service(t)
	b := &broken{Volatile: state.Memory(clock.Now)}
	s.State = b
	h := serve(t, s, clock, tus.Options{})
	loc := h.do(t, 201, "POST", h.url, nil, "Upload-Length", "10").Get("Location")
	b.down.Store(true)
	for _, header := range []http.Header{
		h.do(t, 423, "HEAD", loc, nil),
		h.do(t, 503, "PATCH", loc, strings.NewReader("hello"), "Upload-Offset", "0"),
		h.do(t, 503, "DELETE", loc, nil),
		h.do(t, 503, "POST", h.url, nil, "Upload-Length", "10"),
		h.do(t, 503, "POST", h.url, strings.NewReader("hello"), "Upload-Length", "10"),
	} {
		if header.Get("Retry-After") == "" || header.Get("Upload-Offset") != "" || header.Get("Tus-Resumable") != "1.0.0" {
			t.Errorf("the answer says %v", header)
		}
	}
	b.down.Store(false)
	h.do(t, 204, "PATCH", loc, strings.NewReader("hello"), "Upload-Offset", "0")
}

// full is a store without space when it is full.
type full struct {
	*mem.Store
	on atomic.Bool
}

func (f *full) Put(ctx context.Context, o store.Object, e extent.Extent, r io.Reader, done func(store.Part) error) error {
	if !f.on.Load() {
		return f.Store.Put(ctx, o, e, r, done)
	}
	half := extent.At(e.Start, e.Len()/2) // what fits is kept
	if err := f.Store.Put(ctx, o, half, r, done); err != nil {
		return err
	}
	return store.ErrFull
}

// TestDiskFull: 507 with the true offset; HEAD and DELETE go on; when there is
// space again, so does the upload.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	s, clock := wiretest.Grids()[0].Service(t)
	f := &full{Store: mem.New(mem.Options{})}
	s.Store = f
	h := serve(t, s, clock, tus.Options{})
	want := wiretest.Rand(2000, 7, 0)
	loc := h.do(t, 201, "POST", h.url, nil, "Upload-Length", "2000").Get("Location")
	other := h.do(t, 201, "POST", h.url, nil, "Upload-Length", "2000").Get("Location")
	f.on.Store(true)
	told := h.do(t, 507, "PATCH", loc, bytes.NewReader(want), "Upload-Offset", "0")
	head := h.do(t, 200, "HEAD", loc, nil)
	if told.Get("Upload-Offset") != "1000" || head.Get("Upload-Offset") != "1000" {
		t.Fatalf("507 tells %q, HEAD %q", told.Get("Upload-Offset"), head.Get("Upload-Offset"))
	}
	h.do(t, 204, "DELETE", other, nil)
	f.on.Store(false)
	h.do(t, 204, "PATCH", loc, bytes.NewReader(want[1000:]), "Upload-Offset", "1000")
	if !bytes.Equal(h.content(t, loc), want) {
		t.Error("other bytes arrived")
	}
}
