package ietf_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/protocol/ietf"
	"github.com/muleteer/muleteer/protocol/wiretest"
	"github.com/muleteer/muleteer/state"
	"github.com/muleteer/muleteer/store"
	"github.com/muleteer/muleteer/store/mem"
	"github.com/muleteer/muleteer/upload"
)

// ask sends a request and returns the answer; nil if the connection was closed
// instead.
func (h *house) ask(t *testing.T, method, url, body string, header ...string) *http.Response {
	t.Helper()
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := h.Client().Do(r)
	if err != nil {
		return nil
	}
	b, err := io.ReadAll(res.Body)
	res.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	res.Body = io.NopCloser(bytes.NewReader(b))
	return res
}

// is checks the status and some headers, given as pairs; "-" is one that must
// not be there.
func is(t *testing.T, res *http.Response, status int, header ...string) {
	t.Helper()
	if status == 0 {
		if res != nil {
			t.Fatalf("the answer is %s %v, and there should be none", res.Status, res.Header)
		}
		return
	}
	if res == nil || res.StatusCode != status {
		t.Fatalf("the answer is %+v, want %d", res, status)
	}
	for i := 0; i < len(header); i += 2 {
		if got := res.Header.Get(header[i]); got != header[i+1] && (header[i+1] != "-" || got != "") {
			t.Errorf("%s: %s is %q, want %q", res.Status, header[i], got, header[i+1])
		}
	}
}

var spoken = []string{"Upload-Draft-Interop-Version", "8"}

// TestA13Refused: what the file itself is refused for comes with
// "Upload-Complete: ?1", so that nobody sends it again.
func TestA13Refused(t *testing.T) {
	t.Parallel()
	for _, at := range []upload.Kind{upload.Creating, upload.FirstBytes, upload.LastBytes, upload.Completing} {
		t.Run(string(at), func(t *testing.T) {
			t.Parallel()
			s, _ := wiretest.Grids()[1].Service(t)
			s.Hook = func(_ context.Context, turn upload.Turn) (upload.Verdict, error) {
				if turn.Kind == at {
					return upload.Verdict{}, &upload.Refusal{Status: 422, Reason: "there are no mules in it"}
				}
				return upload.Verdict{}, nil
			}
			h := serve(t, s, ietf.Options{})
			verdict := "?1"
			if at == upload.Creating {
				verdict = "-" // there never was an upload
			}
			for _, interop := range [][]string{nil, spoken} {
				res := h.ask(t, "POST", h.URL+"/rufh/", "hello", append(interop, "Upload-Complete", "?1")...)
				is(t, res, 422, "Upload-Complete", verdict, "Upload-Offset", "-")
				if b, _ := io.ReadAll(res.Body); !strings.Contains(string(b), "no mules") {
					t.Errorf("%s", b)
				}
			}
		})
	}
}

// TestInspection: a file that shows by its first or last bytes that it is not
// wanted ends there, and what was on its way with it.
func TestInspection(t *testing.T) {
	t.Parallel()
	for _, g := range wiretest.Grids() {
		s, _ := g.Service(t)
		s.Hook = func(_ context.Context, turn upload.Turn) (upload.Verdict, error) {
			if turn.Kind == upload.FirstBytes && turn.First[0] == 'F' || turn.Kind == upload.LastBytes && turn.Last[len(turn.Last)-1] == 'L' {
				return upload.Verdict{}, &upload.Refusal{Status: 415, Reason: "no films"}
			}
			return upload.Verdict{}, nil
		}
		h := serve(t, s, ietf.Options{})
		const half = 5000
		for name, c := range map[string]struct {
			first, last string
			statuses    []int
		}{
			"by its first bytes": {"F", ".", []int{415, 410}},
			"by its last bytes":  {".", "L", []int{204, 415}},
			"not at all":         {".", ".", []int{204, 201}},
		} {
			for _, interop := range [][]string{nil, spoken} {
				created := h.ask(t, "POST", h.URL+"/rufh/", "", append(interop, "Upload-Complete", "?0", "Upload-Length", fmt.Sprint(2*half))...)
				loc := created.Header.Get("Location")
				for i, body := range []string{c.first + strings.Repeat("x", half-1), strings.Repeat("y", half-1) + c.last} {
					res := h.ask(t, "PATCH", loc, body, append(interop, "Upload-Complete", []string{"?0", "?1"}[i],
						"Upload-Offset", fmt.Sprint(i*half), "Content-Type", "application/partial-upload")...)
					if res.StatusCode != c.statuses[i] {
						t.Errorf("%s %s: %s, want %d", g.Name, name, res.Status, c.statuses[i])
					}
				}
			}
		}
	}
}

// TestD3UnacceptedIsNotComplete: as long as the hook has not accepted a file,
// nobody hears that it is complete; when it does, the client gets its answer.
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
	h := serve(t, s, ietf.Options{})
	last := []string{"Upload-Complete", "?1", "Content-Type", "application/partial-upload"}
	loc := h.ask(t, "POST", h.URL+"/rufh/", "hel", "Upload-Complete", "?0").Header.Get("Location")
	is(t, h.ask(t, "PATCH", loc, "lo", append(last, "Upload-Offset", "3")...), 503, "Upload-Complete", "?0")
	for interop, status := range map[string]int{"5": 423, "6": 423, "8": 503, "": 503} {
		is(t, h.ask(t, "HEAD", loc, "", "Upload-Draft-Interop-Version", interop), status, "Upload-Complete", "-", "Upload-Offset", "-")
	}
	if res := h.ask(t, "HEAD", loc, ""); res.Header.Get("Retry-After") == "" {
		t.Error("nobody is told when to come again")
	}
	is(t, h.ask(t, "PATCH", loc, "", append(last, "Upload-Offset", "5")...), 503, "Upload-Complete", "?0")
	down.Store(false)
	clock.Move(time.Hour)
	is(t, h.ask(t, "PATCH", loc, "", append(last, "Upload-Offset", "5")...), 201, "Upload-Complete", "?1")
	is(t, h.ask(t, "HEAD", loc, ""), 204, "Upload-Complete", "?1", "Upload-Offset", "5")
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

func (b *broken) Add(ctx context.Context, id string, epoch int64, p ...store.Part) (upload.Progress, error) {
	if b.down.Load() {
		return upload.Progress{}, errDown
	}
	return b.Volatile.Add(ctx, id, epoch, p...)
}

// TestC10DatabaseAway: who knows its upload by 104 loses the connection and
// comes again; the others are told to. No answer says anything untrue.
func TestC10DatabaseAway(t *testing.T) {
	t.Parallel()
	s, clock := wiretest.Grids()[0].Service(t)
	b := &broken{Volatile: state.Memory(clock.Now)}
	s.State = b
	h := serve(t, s, ietf.Options{})
	loc := h.ask(t, "POST", h.URL+"/rufh/", "", "Upload-Complete", "?0").Header.Get("Location")
	patch := []string{"Upload-Complete", "?0", "Upload-Offset", "0", "Content-Type", "application/partial-upload"}
	b.down.Store(true)
	is(t, h.ask(t, "POST", h.URL+"/rufh/", "hello", "Upload-Complete", "?1"), 503, "Location", "-", "Retry-After", "5")
	is(t, h.ask(t, "POST", h.URL+"/rufh/", "hello", append(spoken, "Upload-Complete", "?1")...), 503, "Location", "-")
	is(t, h.ask(t, "PATCH", loc, "hello", patch...), 503, "Upload-Complete", "-", "Upload-Offset", "-")
	is(t, h.ask(t, "PATCH", loc, "hello", append(patch, spoken...)...), 0)
	is(t, h.ask(t, "HEAD", loc, ""), 503, "Upload-Offset", "-", "Retry-After", "5")
	is(t, h.ask(t, "HEAD", loc, "", "Upload-Draft-Interop-Version", "6"), 423, "Upload-Offset", "-", "Retry-After", "1")
	is(t, h.ask(t, "DELETE", loc, ""), 503)
	b.down.Store(false)
	is(t, h.ask(t, "HEAD", loc, ""), 204, "Upload-Offset", "0")

	// It goes away in the middle of a body.
	c := h.dial(t)
	c.send("POST /rufh/ HTTP/1.1\nHost: x\nUpload-Draft-Interop-Version: 8\nUpload-Complete: ?1\nContent-Length: 10\n\nhello")
	first := c.next()
	b.down.Store(true)
	c.send("world")
	if res := c.next(); res != nil {
		t.Errorf("%+v", res)
	}
	b.down.Store(false)
	is(t, h.ask(t, "HEAD", h.URL+"/rufh/"+id(first.Header.Get("Location")), ""), 204, "Upload-Complete", "?0", "Upload-Offset", "0")
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

// TestC11DiskFull: 507 with the true offset, to everybody; HEAD and DELETE go
// on; when there is space again, so does the upload.
func TestC11DiskFull(t *testing.T) {
	t.Parallel()
	for _, interop := range [][]string{nil, spoken} {
		t.Run(fmt.Sprint(len(interop) > 0), func(t *testing.T) {
			t.Parallel()
			s, _ := wiretest.Grids()[0].Service(t)
			f := &full{Store: mem.New(mem.Options{})}
			s.Store = f
			h := serve(t, s, ietf.Options{})
			loc := h.ask(t, "POST", h.URL+"/rufh/", "", "Upload-Complete", "?0").Header.Get("Location")
			f.on.Store(true)
			last := append([]string{"Upload-Complete", "?1", "Content-Type", "application/partial-upload"}, interop...)
			is(t, h.ask(t, "PATCH", loc, "0123456789", append(last, "Upload-Offset", "0")...), 507, "Upload-Offset", "5", "Upload-Complete", "?0", "Retry-After", "60")
			is(t, h.ask(t, "HEAD", loc, "", interop...), 204, "Upload-Offset", "5", "Upload-Length", "10")
			f.on.Store(false)
			is(t, h.ask(t, "PATCH", loc, "56789", append(last, "Upload-Offset", "5")...), 201, "Upload-Complete", "?1")
			if got := h.content(t, id(loc)); string(got) != "0123456789" {
				t.Errorf("%q", got)
			}
			is(t, h.ask(t, "DELETE", loc, ""), 204)
		})
	}
}
