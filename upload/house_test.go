package upload_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/state"
	"github.com/muleteer/muleteer/store"
	"github.com/muleteer/muleteer/store/mem"
	"github.com/muleteer/muleteer/upload"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var ctx = context.Background()

// grids are the ways in which a store may cut an object. The sizes are small,
// so that small files have many cells.
var grids = map[string]mem.Options{
	"none":    {},
	"cells":   {Cell: 1000, MinPart: 1000, Signs: true},
	"widened": {Cell: 300, Widen: 2, MinPart: 300, Signs: true},
}

// house is a service with all it needs, on a clock that the test moves.
type house struct {
	*upload.Service
	mem   *mem.Store
	state *state.Volatile
	clock *clock
}

type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func newHouse(o mem.Options) *house {
	c := &clock{at: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)}
	h := &house{mem: mem.New(o), state: state.Memory(c.now), clock: c}
	h.Service = &upload.Service{Store: h.mem, State: h.state, Now: c.now}
	return h
}

func onEachGrid(t *testing.T, f func(t *testing.T, h *house)) {
	for name, o := range grids {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, newHouse(o))
		})
	}
}

// content is n bytes that no other seed has.
func content(seed uint64, n int64) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16), byte(seed >> 24)})
	r.Read(b)
	return b
}

func piece(b []byte, e extent.Extent) upload.Chunk {
	return upload.Chunk{At: e.Start, Len: e.Len(), Size: -1, Body: bytes.NewReader(b[e.Start:e.End])}
}

func (h *house) begin(t *testing.T, n upload.New) *upload.Record {
	t.Helper()
	u, err := h.Create(ctx, n)
	if err != nil {
		t.Fatalf("create: %v", err)
	}
	return u
}

// read returns a finished file.
func (h *house) read(t *testing.T, id string) []byte {
	t.Helper()
	r, _, err := h.Open(ctx, id, extent.Extent{End: extent.Max})
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	return b
}

func (h *house) wantDone(t *testing.T, id string, want []byte) {
	t.Helper()
	u, err := h.Get(ctx, id)
	if err != nil || u.Phase != upload.Done {
		t.Fatalf("the upload is not done: %v, %v", u, err)
	}
	if got := h.read(t, id); sha256.Sum256(got) != sha256.Sum256(want) {
		t.Fatalf("%d bytes came back, other than the %d that were sent", len(got), len(want))
	}
	if u.Final.CRC != store.CRC(0).Update(want) {
		t.Errorf("the checksum is %v, want %v", u.Final.CRC, store.CRC(0).Update(want))
	}
}

func wantErr(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got error %v, want %v", err, want)
	}
}

// brokenBody ends with an error after its bytes.
func brokenBody(b []byte) io.Reader {
	return io.MultiReader(bytes.NewReader(b), failingReader{errors.New("connection reset")})
}

type failingReader struct{ err error }

func (f failingReader) Read([]byte) (int, error) { return 0, f.err }

// stalledBody gives its bytes and then hangs until it is interrupted.
type stalledBody struct {
	bytes   *bytes.Reader
	stalled chan struct{} // closed when it hangs
	ended   chan struct{}
	once    sync.Once
	stop    sync.Once
}

func newStalledBody(b []byte) *stalledBody {
	return &stalledBody{bytes: bytes.NewReader(b), stalled: make(chan struct{}), ended: make(chan struct{})}
}

func (s *stalledBody) Read(p []byte) (int, error) {
	if n, err := s.bytes.Read(p); err == nil {
		return n, nil
	}
	s.once.Do(func() { close(s.stalled) })
	<-s.ended
	return 0, errors.New("i/o timeout")
}

func (s *stalledBody) Interrupt() { s.stop.Do(func() { close(s.ended) }) }

// told counts completions.
type told struct {
	mu    sync.Mutex
	turns map[string]int // by kind and event id
}

func (c *told) hook(_ context.Context, t upload.Turn) (upload.Verdict, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.turns == nil {
		c.turns = map[string]int{}
	}
	c.turns[fmt.Sprintf("%s %s %s", t.Kind, t.Record.ID, t.EventID)]++
	return upload.Verdict{}, nil
}

// ids counts the distinct events of a kind for an upload.
func (c *told) ids(k upload.Kind, id string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for key := range c.turns {
		if bytes.HasPrefix([]byte(key), []byte(fmt.Sprintf("%s %s ", k, id))) {
			n++
		}
	}
	return n
}
