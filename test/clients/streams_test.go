package clients

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/muleteer/muleteer/internal/trial"
)

// TestStreams has socket.io-client, of two versions and in each of its ways,
// upload from a page of another origin, as old pages do.
func TestStreams(t *testing.T) {
	b := openBrowser(t)
	t.Run("all", func(t *testing.T) { // which ends before the browser does
		for _, version := range []string{"4.5", "4.8"} {
			c := client{name: "socket.io-client " + version, page: "../streams.js", library: "socket.io-client", folder: "socket.io-client-" + version, input: ours}
			for _, way := range []string{"polling", "polling+websocket", "websocket"} {
				t.Run(version+" "+way, func(t *testing.T) {
					t.Parallel()
					streams(t, b, c, way)
				})
			}
		}
		t.Run("our page", func(t *testing.T) {
			t.Parallel()
			ownStreams(t, b)
		})
	})
}

func streams(t *testing.T, b *browser, c client, way string) {
	script, err := c.script(c.page)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /page", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, "page.html") })
	mux.HandleFunc("GET /client.js", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/javascript")
		_, _ = w.Write(script) // who has left needs no answer
	})
	site := httptest.NewServer(mux)
	t.Cleanup(site.Close)
	server := trial.Serve(t, program, t.TempDir(), "--cors", site.URL)
	line := trial.NewBrittle(t, server.Address)
	s := &stage{client: c, browser: b, server: server, dir: t.TempDir()}
	s.name += " " + way
	for _, size := range []int{0, 1, 10_240, 40_960, 123_456} {
		for _, kind := range []string{"whole", "broken"} {
			if kind == "broken" && size < 40_960 {
				continue
			}
			name := fmt.Sprintf("%s %d.mp3", kind, size)
			file, content := s.file(t, name, size)
			p := b.open(t, s.client, name, site.URL+"/page#http://"+line.Address+","+way)
			p.choose(t, file)
			through(t, p, line, server)
			s.expect(name, content)
		}
	}
	s.arrived(t)
	server.End(t)
	server.Check(t)
}

// through waits for the end of an upload, and breaks its line when the page waits
// for that.
func through(t *testing.T, p *page, line *trial.Brittle, server *trial.Server) {
	t.Helper()
	for breaks := 0; ; {
		switch word, what := p.told(t); word {
		case "done":
			return
		case "gone":
		case "waiting":
			if breaks++; breaks%2 == 0 {
				server.Kill()
				if err := server.Start(); err != nil {
					t.Fatal(err)
				}
				continue
			}
			// Between two polls a break hits nothing, so there are more of them.
			gone := make(chan struct{})
			go func() {
				defer close(gone)
				if word, what := p.told(t); word != "gone" {
					t.Errorf("heard %s %s", word, what)
				}
			}()
			for over := false; !over; {
				line.Cut()
				select {
				case <-gone:
					over = true
				case <-time.After(20 * time.Millisecond):
				}
			}
		default:
			t.Fatalf("%s: %s %s", p.name, word, what)
		}
	}
}

// ownStreams uses the page at /streams, while the line breaks and the server
// dies.
func ownStreams(t *testing.T, b *browser) {
	server := trial.Serve(t, program, t.TempDir())
	line := trial.NewBrittle(t, server.Address)
	s := &stage{client: client{name: "our page", input: "#file"}, browser: b, server: server, dir: t.TempDir()}
	p := b.open(t, s.client, "streams", "http://"+line.Address+"/streams")
	for _, size := range []int{0, 1, 10_000_000, 150_000_000} {
		name := fmt.Sprintf("%d.bin", size)
		file, content := s.file(t, name, size)
		p.choose(t, file)
		p.do(t, "press", "button", "#upload")
		if size > 100_000_000 {
			for i := range 4 {
				s.underway(t, int64(20_000_000*(i+1)))
				if i%2 == 0 {
					line.Cut()
					continue
				}
				server.Kill()
				if err := server.Start(); err != nil {
					t.Fatal(err)
				}
			}
		}
		p.do(t, "see", "text", "File uploaded successfully")
		s.expect(name, content)
		s.arrived(t)
	}
	if !slices.ContainsFunc(s.uploads(t), func(u view) bool { return u.Protocol == "socketio" && u.Name == "150000000.bin" }) {
		t.Error("the large file did not go over a socket")
	}
	server.End(t)
	server.Check(t)
}

// view is what the server tells of an upload.
type view struct {
	Name, State, Protocol string
	Offset                int64
}

func (s *stage) uploads(t *testing.T) (all []view) {
	t.Helper()
	resp, err := http.Get(s.server.URL("/uploads"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&all); err != nil {
		t.Fatal(err)
	}
	return all
}

// underway waits until so much of a file is here.
func (s *stage) underway(t *testing.T, least int64) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(2 * time.Millisecond) {
		for _, u := range s.uploads(t) {
			if u.State == "receiving" && u.Offset >= least {
				return
			}
		}
		if time.Now().After(end) {
			t.Fatalf("%d bytes do not arrive", least)
		}
	}
}
