package socketio_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/protocol/socketio"
	"github.com/muleteer/muleteer/protocol/wiretest"
	"github.com/muleteer/muleteer/upload"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// limit is for what would never happen.
const limit = 30 * time.Second

// house is a server with a service of its own.
type house struct {
	*upload.Service
	clock *wiretest.Clock
	web   *httptest.Server

	options socketio.Options
	server  atomic.Pointer[socketio.Server]
}

func newHouse(t *testing.T, g wiretest.Grid, o socketio.Options) *house {
	t.Helper()
	h := &house{options: o}
	h.Service, h.clock = g.Service(t)
	h.server.Store(socketio.Handler(h.Service, o))
	h.web = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.server.Load().ServeHTTP(w, r) }))
	t.Cleanup(func() {
		h.server.Load().Close()
		h.web.Close()
		http.DefaultClient.CloseIdleConnections()
	})
	return h
}

// restart ends the server and begins another one on the same records.
func (h *house) restart() {
	h.server.Swap(socketio.Handler(h.Service, h.options)).Close()
}

func plainGrid() wiretest.Grid { return wiretest.Grids()[0] }

// has wants one finished file of that name with these bytes.
func (h *house) has(t *testing.T, name string, want []byte) {
	t.Helper()
	for u, err := range h.Find(t.Context(), upload.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		if u.Meta.Name != name {
			continue
		}
		r, _, err := h.Open(t.Context(), u.ID, extent.Extent{End: u.Size})
		if err != nil {
			t.Fatalf("%s is %v: %v", name, u.Phase, err)
		}
		defer r.Close()
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%s has %d bytes and not the %d that were sent (%v)", name, len(got), len(want), err)
		}
		return
	}
	t.Fatalf("there is no %s", name)
}

// wire is a client of Engine.IO that does what a test tells it.
type wire interface {
	// send sends packets of Engine.IO, of which those that begin with 'b' are
	// binary, without that.
	send(t *testing.T, packets ...string)
	// next waits for one; "" when the line has ended.
	next(t *testing.T) string
	close()
}

// kinds are the ways to a server.
func kinds() map[string]func(*testing.T, *house) wire {
	return map[string]func(*testing.T, *house) wire{
		"polling":   func(t *testing.T, h *house) wire { return newPoller(t, h) },
		"websocket": func(t *testing.T, h *house) wire { return newCaller(t, h, "") },
		"upgrade":   func(t *testing.T, h *house) wire { return newPoller(t, h).upgrade(t) },
	}
}

// everywhere runs a test over each kind of line.
func everywhere(t *testing.T, f func(t *testing.T, h *house, w wire)) {
	t.Helper()
	for name, open := range kinds() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, plainGrid(), socketio.Options{})
			w := open(t, h)
			defer w.close()
			w.send(t, "40")
			if got := w.next(t); !strings.HasPrefix(got, `40{"sid":"`) {
				t.Fatalf("CONNECT is answered with %q", got)
			}
			f(t, h, w)
		})
	}
}

// poller is a client that polls.
type poller struct {
	house *house
	url   string
	hello hello

	changing atomic.Bool // it tries a WebSocket

	ctx   context.Context
	end   context.CancelFunc
	heard chan string
	done  sync.WaitGroup
}

type hello struct {
	ID       string   `json:"sid"`
	Upgrades []string `json:"upgrades"`
	Interval int      `json:"pingInterval"`
	Timeout  int      `json:"pingTimeout"`
	Payload  int      `json:"maxPayload"`
}

func newPoller(t *testing.T, h *house) *poller {
	t.Helper()
	p := &poller{house: h, heard: make(chan string, 100)}
	status, body := h.ask(t, "GET", "EIO=4&transport=polling", "")
	if status != 200 || body == "" || body[0] != '0' || json.Unmarshal([]byte(body[1:]), &p.hello) != nil {
		t.Fatalf("the handshake is answered with %d %s", status, body)
	}
	p.url = "EIO=4&transport=polling&sid=" + p.hello.ID
	p.poll(t)
	return p
}

// poll polls until the line ends.
func (p *poller) poll(t *testing.T) {
	p.ctx, p.end = context.WithCancel(t.Context())
	p.done.Go(func() {
		for {
			r, err := http.NewRequestWithContext(p.ctx, "GET", p.house.web.URL+"/socket.io/?"+p.url, nil)
			if err != nil {
				return
			}
			res, err := http.DefaultClient.Do(r)
			if err != nil {
				return
			}
			body, err := io.ReadAll(res.Body)
			res.Body.Close()
			if err != nil || res.StatusCode != 200 {
				p.heard <- ""
				return
			}
			for packet := range strings.SplitSeq(string(body), "\x1e") {
				p.heard <- packet
			}
			if string(body) == "6" && p.changing.Load() {
				return // a client that changes over polls no more
			}
		}
	})
}

func (p *poller) send(t *testing.T, packets ...string) {
	t.Helper()
	for i, packet := range packets {
		if packet[0] == 'b' {
			packets[i] = "b" + base64.StdEncoding.EncodeToString([]byte(packet[1:]))
		}
	}
	p.post(t, strings.Join(packets, "\x1e"), 200)
}

// post sends a body as it is.
func (p *poller) post(t *testing.T, body string, want int) {
	t.Helper()
	if status, answer := p.house.ask(t, "POST", p.url, body); status != want || want == 200 && answer != "ok" {
		t.Fatalf("POST is answered with %d %s", status, answer)
	}
}

func (p *poller) next(t *testing.T) string {
	t.Helper()
	select {
	case packet := <-p.heard:
		return packet
	case <-time.After(limit):
		t.Fatal("nothing is heard")
		return ""
	}
}

func (p *poller) close() {
	p.end()
	p.done.Wait()
}

// upgrade changes over to a WebSocket, as the client does.
func (p *poller) upgrade(t *testing.T) wire {
	t.Helper()
	p.changing.Store(true)
	c := newCaller(t, p.house, p.hello.ID)
	c.send(t, "2probe")
	if got := c.next(t); got != "3probe" {
		t.Fatalf("the probe is answered with %q", got)
	}
	for got := p.next(t); got != "6"; got = p.next(t) {
		if got != "2" {
			t.Fatalf("the poll that waits is ended with %q", got)
		}
		p.send(t, "3")
	}
	p.done.Wait()
	c.send(t, "5")
	return c
}

// ask sends one request.
func (h *house) ask(t *testing.T, method, query, body string, headers ...string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, h.web.URL+"/socket.io/?"+query, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(answer)
}

// gone waits until the server has forgotten a socket, and nothing goes on for it.
func (h *house) gone(t *testing.T, id string) {
	t.Helper()
	for end := time.Now().Add(limit); ; time.Sleep(time.Millisecond) {
		if _, answer := h.ask(t, "GET", "EIO=4&transport=polling&sid="+id, ""); strings.Contains(answer, "unknown") {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the socket stays")
		}
	}
	h.server.Load().Close()
}

// caller is a client with a WebSocket.
type caller struct{ ws *websocket.Conn }

func newCaller(t *testing.T, h *house, id string) *caller {
	t.Helper()
	url := h.web.URL + "/socket.io/?EIO=4&transport=websocket"
	if id != "" {
		url += "&sid=" + id
	}
	ws, _, err := websocket.Dial(t.Context(), url, nil)
	if err != nil {
		t.Fatal(err)
	}
	ws.SetReadLimit(-1)
	c := &caller{ws}
	if id == "" {
		if got := c.next(t); !strings.HasPrefix(got, `0{"sid":"`) {
			t.Fatalf("the handshake is %q", got)
		}
	}
	return c
}

func (c *caller) send(t *testing.T, packets ...string) {
	t.Helper()
	for _, p := range packets {
		kind := websocket.MessageText
		if p[0] == 'b' {
			kind, p = websocket.MessageBinary, p[1:]
		}
		if err := c.ws.Write(t.Context(), kind, []byte(p)); err != nil {
			t.Logf("writing: %v", err) // it may be closed; next tells
		}
	}
}

func (c *caller) next(t *testing.T) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	_, text, err := c.ws.Read(ctx)
	if ctx.Err() != nil {
		t.Fatal("nothing is heard")
	}
	if err != nil {
		return ""
	}
	return string(text)
}

func (c *caller) close() { _ = c.ws.CloseNow() }

// begin begins an upload and returns its session.
func begin(t *testing.T, w wire, name string) (session string) {
	t.Helper()
	session = rand.Text()
	w.send(t, fmt.Sprintf(`420["begin_upload",{"sessionID":%q,"fileName":%q}]`, session, name))
	want(t, w, "430[]")
	return session
}

// chunk is the two packets of a chunk.
func chunk(session string, ack int, bytes []byte, last bool, more string) []string {
	return []string{
		fmt.Sprintf(`451-%d["upload_chunk_%s",{"chunk":{"_placeholder":true,"num":0},"last":%v%s}]`, ack, session, last, more),
		"b" + string(bytes),
	}
}

// want wants to hear a packet next; "…" at its end stands for anything.
func want(t *testing.T, w wire, packet string) string {
	t.Helper()
	got := w.next(t)
	for {
		if got == "2" { // a ping, which another test is for
			w.send(t, "3")
		} else if !strings.HasPrefix(got, `42["upload_success_`) || strings.HasPrefix(packet, `42["upload_success_`) {
			break // and no success that is told again
		}
		got = w.next(t)
	}
	if prefix, open := strings.CutSuffix(packet, "…"); open && strings.HasPrefix(got, prefix) || got == packet {
		return got
	}
	t.Fatalf("heard %q, and not %q", got, packet)
	return ""
}
