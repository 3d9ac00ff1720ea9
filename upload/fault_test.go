package upload_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"iter"
	"sync"
	"testing"
	"time"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/state"
	"github.com/muleteer/muleteer/store"
	"github.com/muleteer/muleteer/store/mem"
	"github.com/muleteer/muleteer/upload"
)

// fault makes the n-th call of a store or a state fail, before its effect or
// after it; and, if the process dies of it, all calls that follow.
type fault struct {
	mu    sync.Mutex
	n     int // counts down
	after bool
	dies  bool
	name  string // of the call that failed
	dead  bool
}

var errFault = errors.New("injected fault")

func (f *fault) call(name string, do func() error) error {
	f.mu.Lock()
	if f.dead {
		f.mu.Unlock()
		return errFault
	}
	f.n--
	now := f.n == 0
	if now {
		f.name, f.dead = name, f.dies
	}
	f.mu.Unlock()
	if !now {
		return do()
	}
	if f.after {
		do()
	}
	return errFault
}

type faultyStore struct {
	*mem.Store
	f *fault
}

func (s faultyStore) Begin(ctx context.Context, id string, spec store.Spec) (o store.Object, err error) {
	err = s.f.call("store.Begin", func() error { o, err = s.Store.Begin(ctx, id, spec); return err })
	return o, err
}

func (s faultyStore) Put(ctx context.Context, o store.Object, e extent.Extent, r io.Reader, done func(store.Part) error) error {
	return s.f.call("store.Put", func() error { return s.Store.Put(ctx, o, e, r, done) })
}

func (s faultyStore) Join(ctx context.Context, o store.Object, parts []store.Part) (f store.Final, err error) {
	err = s.f.call("store.Join", func() error { f, err = s.Store.Join(ctx, o, parts); return err })
	return f, err
}

func (s faultyStore) Remove(ctx context.Context, o store.Object) error {
	return s.f.call("store.Remove", func() error { return s.Store.Remove(ctx, o) })
}

func (s faultyStore) Fold(ctx context.Context, o store.Object, crumbs []store.Part) (p store.Part, err error) {
	err = s.f.call("store.Fold", func() error { p, err = s.Store.Fold(ctx, o, crumbs); return err })
	return p, err
}

func (s faultyStore) Drop(ctx context.Context, o store.Object, crumbs []store.Part) error {
	return s.f.call("store.Drop", func() error { return s.Store.Drop(ctx, o, crumbs) })
}

func (s faultyStore) Copy(ctx context.Context, o store.Object, at int64, src store.Object, parts []store.Part, done func(store.Part) error) error {
	return s.f.call("store.Copy", func() error { return s.Store.Copy(ctx, o, at, src, parts, done) })
}

func (s faultyStore) Sign(ctx context.Context, o store.Object, number int64, p *store.Part, life time.Duration) (e store.Signed, err error) {
	err = s.f.call("store.Sign", func() error { e, err = s.Store.Sign(ctx, o, number, p, life); return err })
	return e, err
}

func (s faultyStore) Arrived(ctx context.Context, o store.Object, first, last int64) iter.Seq2[store.Arrival, error] {
	return func(yield func(store.Arrival, error) bool) {
		if err := s.f.call("store.Arrived", func() error { return nil }); err != nil {
			yield(store.Arrival{}, err)
			return
		}
		s.Store.Arrived(ctx, o, first, last)(yield)
	}
}

func (s faultyStore) PutWhole(ctx context.Context, id string, spec store.Spec, b []byte) (o store.Object, f store.Final, err error) {
	err = s.f.call("store.PutWhole", func() error { o, f, err = s.Store.PutWhole(ctx, id, spec, b); return err })
	return o, f, err
}

type faultyState struct {
	*state.Volatile
	f *fault
}

func (s faultyState) Create(ctx context.Context, u *upload.Record, q upload.Quota, ev ...upload.Event) error {
	return s.f.call("state.Create", func() error { return s.Volatile.Create(ctx, u, q, ev...) })
}

func (s faultyState) Load(ctx context.Context, id string, e extent.Extent) (u *upload.Record, err error) {
	err = s.f.call("state.Load", func() error { u, err = s.Volatile.Load(ctx, id, e); return err })
	return u, err
}

func (s faultyState) Add(ctx context.Context, id string, epoch int64, p ...store.Part) (g upload.Progress, err error) {
	err = s.f.call("state.Add", func() error { g, err = s.Volatile.Add(ctx, id, epoch, p...); return err })
	return g, err
}

func (s faultyState) Save(ctx context.Context, u *upload.Record, ev ...upload.Event) error {
	return s.f.call("state.Save", func() error { return s.Volatile.Save(ctx, u, ev...) })
}

func (s faultyState) Find(ctx context.Context, q upload.Query) iter.Seq2[*upload.Record, error] {
	return func(yield func(*upload.Record, error) bool) {
		if err := s.f.call("state.Find", func() error { return nil }); err != nil {
			yield(nil, err)
			return
		}
		s.Volatile.Find(ctx, q)(yield)
	}
}

func (s faultyState) Settle(ctx context.Context, id string) error {
	return s.f.call("state.Settle", func() error { return s.Volatile.Settle(ctx, id) })
}

func (s faultyState) Defer(ctx context.Context, e upload.Event) error {
	return s.f.call("state.Defer", func() error { return s.Volatile.Defer(ctx, e) })
}

func (s faultyState) Purge(ctx context.Context, id string) error {
	return s.f.call("state.Purge", func() error { return s.Volatile.Purge(ctx, id) })
}

// client sends a file and keeps what it was told. It gives up at the first
// error.
type client struct {
	want    []byte
	id      string
	acked   int64 // it was told that so many bytes are safe
	put     int64 // the store itself has taken so many
	digests map[string][]byte
}

// A script is what a client does, from wherever it stands. It has to be
// repeatable.
var scripts = map[string]func(s *upload.Service, c *client) error{
	"sized":   func(s *upload.Service, c *client) error { return c.send(s, int64(len(c.want)), false) },
	"unsized": func(s *upload.Service, c *client) error { return c.send(s, -1, false) },
	"atomic":  func(s *upload.Service, c *client) error { return c.send(s, int64(len(c.want)), true) },
	"whole": func(s *upload.Service, c *client) error {
		if c.id != "" {
			return nil
		}
		chunk := piece(c.want, extent.Extent{End: int64(len(c.want))})
		u, err := s.Take(ctx, upload.New{Size: int64(len(c.want)), Meta: upload.Meta{Name: "f"}}, chunk)
		if err == nil {
			c.id, c.acked = u.ID, int64(len(c.want))
		}
		return err
	},
	"digest": func(s *upload.Service, c *client) error {
		sum := sha256.Sum256(c.want)
		c.digests = map[string][]byte{"sha-256": sum[:]}
		return c.send(s, int64(len(c.want)), false)
	},
	"direct": func(s *upload.Service, c *client) error { return c.direct(s) },
	"concatenation": func(s *upload.Service, c *client) error {
		half := int64(len(c.want) / 2)
		var ids []string
		for _, e := range []extent.Extent{{End: half}, {Start: half, End: int64(len(c.want))}} {
			p := &client{want: c.want[e.Start:e.End]}
			u, err := s.Create(ctx, upload.New{Size: e.Len(), Partial: true})
			if err != nil {
				return err
			}
			p.id = u.ID
			ids = append(ids, u.ID)
			if err := p.send(s, e.Len(), false); err != nil {
				return err
			}
		}
		u, err := s.Create(ctx, upload.New{Size: -1, Sources: ids, Meta: upload.Meta{Name: "f"}})
		if err == nil {
			c.id, c.acked = u.ID, u.Size
		}
		return err
	},
}

func (c *client) send(s *upload.Service, size int64, atomic bool) error {
	if c.id == "" {
		u, err := s.Create(ctx, upload.New{Size: size, Meta: upload.Meta{Name: "f", Digests: c.digests}})
		if err != nil {
			return err
		}
		c.id = u.ID
	}
	u, err := s.Settle(ctx, c.id)
	if err != nil {
		return err
	}
	if u.Offset < c.acked {
		return fmt.Errorf("acknowledged %d bytes, and %d are here: %w", c.acked, u.Offset, errLost)
	}
	for at := u.Offset; at < int64(len(c.want)); {
		e := extent.At(at, 700)
		e.End = min(e.End, int64(len(c.want)))
		chunk := piece(c.want, e)
		chunk.Append, chunk.Atomic = true, atomic
		u, err := s.Write(ctx, c.id, chunk)
		if err != nil {
			return err
		}
		at = e.End
		c.acked = max(c.acked, u.Offset)
		if u.Offset < at {
			return fmt.Errorf("sent up to %d, told %d: %w", at, u.Offset, errLost)
		}
	}
	if size < 0 {
		_, err = s.SetSize(ctx, c.id, int64(len(c.want)))
	}
	return err
}

var errLost = errors.New("acknowledged bytes were lost")

// Each call of the store and of the state fails once, before its effect and
// after it, and with and without the death of the process: then a new service
// and a sweep end with the file or without any trace of it, and nothing that
// was acknowledged is lost.
func TestFailBeforeAndAfterEachCall(t *testing.T) {
	for grid, o := range grids {
		for name, script := range scripts {
			for mode := range 4 {
				t.Run(fmt.Sprintf("%s/%s/after=%v,dies=%v", grid, name, mode&1 == 1, mode&2 == 2), func(t *testing.T) {
					t.Parallel()
					n := 1
					for ; ; n++ {
						f := &fault{n: n, after: mode&1 == 1, dies: mode&2 == 2}
						failOnce(t, o, f, script)
						if f.name == "" {
							break // there was no n-th call
						}
					}
					if n < 3 {
						t.Errorf("only %d calls were tried", n)
					}
				})
			}
		}
	}
}

func failOnce(t *testing.T, o mem.Options, f *fault, script func(*upload.Service, *client) error) {
	n := f.n
	h := newHouse(o)
	faulty := &upload.Service{Store: faultyStore{h.mem, f}, State: faultyState{h.state, f}, Now: h.clock.now}
	c := &client{want: content(uint64(n), 3210)}
	if err := script(faulty, c); errors.Is(err, errLost) {
		t.Fatalf("call %d (%s): %v", n, f.name, err)
	}
	returns := *c

	// A client that never returns: what it left is swept away, or finished.
	for range 6 {
		h.clock.add(30 * time.Second)
		h.sweep(t)
	}
	if c.id != "" {
		if u, err := h.Get(ctx, c.id); err != nil {
			t.Fatalf("call %d (%s): %v", n, f.name, err)
		} else if c.acked == int64(len(c.want)) && u.Size == c.acked {
			h.wantDone(t, c.id, c.want)
		}
	}

	// A client that returns: it goes on and ends with its file.
	if err := script(h.Service, &returns); err != nil {
		t.Fatalf("call %d (%s), the client returns: %v", n, f.name, err)
	}
	h.wantDone(t, returns.id, returns.want)

	// In the end there is nothing but finished files and their records.
	for range 4 {
		h.clock.add(8 * 24 * time.Hour)
		h.sweep(t)
	}
	if _, err := h.SweepOrphans(ctx); err != nil {
		t.Fatal(err)
	}
	left := 0
	for e, err := range h.mem.Walk(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Key == "" {
			t.Errorf("call %d (%s): %s stays in the store", n, f.name, e.Name)
		}
		left++
	}
	for u, err := range h.Find(ctx, upload.Query{}) {
		if err != nil || u.Phase != upload.Done {
			t.Errorf("call %d (%s): a record stays: %v %v", n, f.name, u, err)
		}
		left--
	}
	// A process that died between the bytes and the record of a small whole
	// file leaves the file: it was never told to anybody, and is whole.
	if left != 0 && !(left == 1 && (f.name == "state.Create" || f.name == "store.PutWhole")) {
		t.Errorf("call %d (%s): %d files more than records", n, f.name, left)
	}
	h.wantDone(t, returns.id, returns.want)
}

func (h *house) sweep(t *testing.T) {
	t.Helper()
	if _, err := h.Sweep(ctx); err != nil {
		t.Fatalf("sweep: %v", err)
	}
	if _, err := h.Deliver(ctx); err != nil {
		t.Fatalf("deliver: %v", err)
	}
}

// The same with a hook: what has happened is told once, or again by the same id.
func TestFailWithAHook(t *testing.T) {
	for grid, o := range grids {
		for name, script := range scripts {
			for mode := range 4 {
				t.Run(fmt.Sprintf("%s/%s/after=%v,dies=%v", grid, name, mode&1 == 1, mode&2 == 2), func(t *testing.T) {
					for n := 1; ; n++ {
						f := &fault{n: n, after: mode&1 == 1, dies: mode&2 == 2}
						h := newHouse(o)
						tl := &told{}
						h.Hook = tl.hook
						faulty := &upload.Service{Store: faultyStore{h.mem, f}, State: faultyState{h.state, f}, Now: h.clock.now, Hook: tl.hook}
						c := &client{want: content(uint64(n), 3210)}
						if err := script(faulty, c); errors.Is(err, errLost) {
							t.Fatal(err)
						}
						faulty.Sweep(ctx)
						faulty.Deliver(ctx)
						for range 6 {
							h.clock.add(30 * time.Second)
							h.sweep(t)
						}
						if err := script(h.Service, c); err != nil {
							t.Fatalf("call %d (%s), the client returns: %v", n, f.name, err)
						}
						h.wantDone(t, c.id, c.want)
						for range 3 {
							h.clock.add(30 * time.Second)
							h.sweep(t)
						}
						if k := tl.ids(upload.Completed, c.id); k != 1 {
							t.Errorf("call %d (%s): completed told %d", n, f.name, k)
						}
						if f.name == "" {
							break
						}
					}
				})
			}
		}
	}
}

// The same with a removal at the end: nothing stays, and it is told once.
func TestFailAndRemove(t *testing.T) {
	for grid, o := range grids {
		for mode := range 4 {
			for _, hooked := range []bool{false, true} {
				for _, full := range []int64{2000, 3210} {
					t.Run(fmt.Sprintf("%s/after=%v,dies=%v,hook=%v,%d", grid, mode&1 == 1, mode&2 == 2, hooked, full), func(t *testing.T) {
						for n := 1; ; n++ {
							f := &fault{n: n, after: mode&1 == 1, dies: mode&2 == 2}
							h := newHouse(o)
							tl := &told{}
							faulty := &upload.Service{Store: faultyStore{h.mem, f}, State: faultyState{h.state, f}, Now: h.clock.now}
							if hooked {
								h.Hook, faulty.Hook = tl.hook, tl.hook
							}
							want := content(uint64(n), 3210)
							u, err := faulty.Create(ctx, upload.New{Size: 3210, Meta: upload.Meta{Name: "f"}})
							id := ""
							if err == nil {
								id = u.ID
								faulty.Write(ctx, id, piece(want, extent.Extent{End: full}))
								err = faulty.Remove(ctx, id)
								if err != nil && !errors.Is(err, upload.ErrGone) {
									if e := h.Remove(ctx, id); e != nil && !errors.Is(e, upload.ErrGone) {
										t.Fatalf("call %d (%s): %v", n, f.name, e)
									}
								}
							}
							for range 6 {
								h.clock.add(2 * 24 * time.Hour)
								h.sweep(t)
							}
							h.clock.add(8 * 24 * time.Hour)
							h.sweep(t)
							h.clock.add(8 * 24 * time.Hour)
							h.sweep(t)
							h.SweepOrphans(ctx)
							for e := range h.mem.Walk(ctx) {
								t.Errorf("call %d (%s): %s stays", n, f.name, e.Name)
							}
							for u := range h.Find(ctx, upload.Query{}) {
								t.Errorf("call %d (%s): record stays %v due %v", n, f.name, u.Phase, u.Due)
							}
							if hooked && id != "" && tl.ids(upload.Removed, id) != 1 {
								t.Errorf("call %d (%s): removed told %d times", n, f.name, tl.ids(upload.Removed, id))
							}
							if f.name == "" {
								break
							}
						}
					})
				}
			}
		}
	}
}
