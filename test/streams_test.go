package test

import (
	"encoding/hex"
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muleteer/muleteer/internal/trial"
)

// stream is one upload for node/streams.mjs.
type stream struct {
	Name       string   `json:"name"`
	Version    string   `json:"version"` // of socket.io-client
	Transports []string `json:"transports"`
	URL        string   `json:"url"`
	File       string   `json:"file"`
	Way        string   `json:"way"`            // plain or patient
	Wait       []int    `json:"wait,omitempty"` // plain: before these chunks it waits until the line breaks
	Chunk      int      `json:"chunk,omitempty"`
	Timeout    int      `json:"timeout,omitempty"` // ms
}

// socketClients are the versions of socket.io-client in node/package.json.
func socketClients() []string { return []string{"4.5", "4.8"} }

// transports are the ways that a client may be told to take.
func transports() map[string][]string {
	return map[string][]string{"polling": {"polling"}, "upgrade": {"polling", "websocket"}, "websocket": {"websocket"}}
}

// streams is what is sent to one server.
type streams struct {
	*server
	line *trial.Brittle
	jobs []stream
	want []string
	seed uint64
}

func newStreams(t *testing.T) *streams {
	t.Helper()
	s := serve(t)
	return &streams{server: s, line: trial.NewBrittle(t, s.Address), seed: seed(t)}
}

// add makes a file, to be sent as j says.
func (s *streams) add(t *testing.T, size int, j stream) {
	t.Helper()
	u := newTruth(j.Name, trial.Noise(size, s.seed+uint64(len(s.jobs))))
	j.File, j.URL = file(t, u), "http://"+s.line.Address
	s.jobs = append(s.jobs, j)
	s.want = append(s.want, j.Name+" "+hex.EncodeToString(u.sum[:]))
}

// arrived ends the server, and wants each file in the store, once and nothing
// else.
func (s *streams) arrived(t *testing.T) {
	t.Helper()
	slices.Sort(s.want)
	if got := trial.Sums(t, s.Store(), path.Base); !slices.Equal(got, s.want) {
		t.Errorf("the store has\n%s\nand not\n%s", strings.Join(got, "\n"), strings.Join(s.want, "\n"))
	}
	s.End(t)
	s.Check(t)
}

// TestStreams sends files of sizes that are special in all the ways that the
// client has, as the page did from which the protocol is.
func TestStreams(t *testing.T) {
	t.Parallel()
	for _, version := range socketClients() {
		for name, way := range transports() {
			t.Run(version+" "+name, func(t *testing.T) {
				t.Parallel()
				s := newStreams(t)
				for _, size := range []int{0, 1, 10_239, 10_240, 10_241, 4 * 10_240, 250_000} {
					for _, manner := range []string{"plain", "patient"} {
						s.add(t, size, stream{Name: fmt.Sprintf("%d %s.mp3", size, manner), Version: version, Transports: way, Way: manner, Chunk: 70_000, Timeout: 60_000})
					}
				}
				startScript(t, "streams.mjs", s.jobs).ends(t)
				s.arrived(t)
			})
		}
	}
}

// TestStreamsLarge sends 50 MB, chunk by chunk of 10,240 bytes.
func TestStreamsLarge(t *testing.T) {
	t.Parallel()
	for name, way := range transports() {
		if name != "upgrade" && !long() {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStreams(t)
			s.add(t, 50_000_000, stream{Name: "large.mp3", Version: "4.8", Transports: way, Way: "plain"})
			n := startScript(t, "streams.mjs", s.jobs)
			if _, err := n.Code(5 * time.Minute); err != nil {
				t.Fatal(err)
			}
			n.ends(t)
			s.arrived(t)
		})
	}
}

// TestStreamsBreak: the line breaks, and the server dies, between two chunks of
// a client that knows no second try. It goes on by itself, because what it sends
// then waits for the next connection.
func TestStreamsBreak(t *testing.T) {
	t.Parallel()
	for _, version := range socketClients() {
		for name, way := range transports() {
			t.Run(version+" "+name, func(t *testing.T) {
				t.Parallel()
				s := newStreams(t)
				// The last of the 11 chunks is empty; the breaks are before it, too.
				s.add(t, 10*10_240, stream{Name: "broken.mp3", Version: version, Transports: way, Way: "plain", Wait: []int{1, 5, 6, 10}})
				n := startScript(t, "streams.mjs", s.jobs)
				for i := range 4 {
					s.waits(t, n, "waiting", i+1, func() {})
					if i%2 == 0 {
						// Between two polls a break hits nothing, so there are more of them.
						s.waits(t, n, "gone", i+1, s.line.Cut)
						continue
					}
					s.Kill() // which breaks the line, too
					if err := s.Start(); err != nil {
						t.Fatal(err)
					}
				}
				n.ends(t)
				s.arrived(t)
			})
		}
	}
}

// waits waits until a client has told something so often, and does something
// meanwhile.
func (s *streams) waits(t *testing.T, n *node, what string, count int, meanwhile func()) {
	t.Helper()
	within(t, time.Minute, fmt.Sprintf("%s %d", what, count), func() bool {
		meanwhile()
		if n.Ended() {
			t.Fatalf("node ended: %s", n.out)
		}
		found := 0
		for _, e := range n.events(t) {
			if e.Event == what {
				found++
			}
		}
		return found >= count
	})
}

// TestStreamsServerDies: a client that says offsets goes on after any break, at
// any moment.
func TestStreamsServerDies(t *testing.T) {
	t.Parallel()
	for _, version := range socketClients() {
		for name, way := range transports() {
			t.Run(version+" "+name, func(t *testing.T) {
				t.Parallel()
				s := newStreams(t)
				s.add(t, 12<<20, stream{Name: "patient.mp3", Version: version, Transports: way, Way: "patient", Chunk: 150_000, Timeout: 1500})
				n := startScript(t, "streams.mjs", s.jobs)
				for i, least := range []int64{1 << 20, 3 << 20, 6 << 20} {
					n.accepts(t, least)
					if i%2 == 1 {
						s.line.Cut()
						continue
					}
					s.Kill()
					s.line.Cut()
					if err := s.Start(); err != nil {
						t.Fatal(err)
					}
				}
				n.ends(t)
				s.arrived(t)
			})
		}
	}
}

// TestStreamsSuccessAfterTheEnd: the server dies after it has acknowledged the
// last chunk of a client, and before that can have heard of the success.
func TestStreamsSuccessAfterTheEnd(t *testing.T) {
	t.Parallel()
	for _, version := range socketClients() {
		for name, way := range transports() {
			t.Run(version+" "+name, func(t *testing.T) {
				t.Parallel()
				s := newStreams(t)
				s.add(t, 3*10_240, stream{Name: "late.mp3", Version: version, Transports: way, Way: "plain"})
				n := startScript(t, "streams.mjs", s.jobs)
				within(t, time.Minute, "the last acknowledgement", func() bool {
					acknowledged := 0
					for _, e := range n.events(t) {
						if e.Event == "acknowledged" {
							acknowledged++
						}
					}
					return acknowledged == 4
				})
				s.Kill()
				if err := s.Start(); err != nil {
					t.Fatal(err)
				}
				n.ends(t)
				s.arrived(t)
			})
		}
	}
}
