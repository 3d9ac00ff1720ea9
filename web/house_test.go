package web_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/muleteer/muleteer/internal/trial"
)

// program is the path of the binary; TestMain builds it before any test runs.
var program string

func TestMain(m *testing.M) { os.Exit(trial.Main(m, &program)) }

// patience is how long a test waits for what must happen.
const patience = 30 * time.Second

// server is a `muleteer serve` for one test, which fails if it does not start.
type server struct {
	*trial.Server
	t       *testing.T
	address string
}

func serve(t *testing.T, args ...string) *server {
	t.Helper()
	s := trial.Serve(t, program, t.TempDir(), append([]string{"--durability", "process"}, args...)...)
	return &server{s, t, s.Address}
}

// start starts it again, after kill.
func (s *server) start() {
	s.t.Helper()
	if err := s.Start(); err != nil {
		s.t.Fatal(err)
	}
}

func (s *server) kill() { s.Kill() }

// sum reads a finished file and returns its SHA-256.
func (s *server) sum(result map[string]any) [32]byte {
	s.t.Helper()
	resp, err := http.Get(fmt.Sprintf("http://%s/files/%v", s.address, result["id"]))
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	h := sha256.New()
	if _, err := io.Copy(h, resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		s.t.Fatalf("reading %v: %d, %v", result["id"], resp.StatusCode, err)
	}
	return [32]byte(h.Sum(nil))
}

// line is what is between a client and a server: it counts, delays and refuses.
type line struct {
	*httptest.Server
	mu      sync.Mutex
	to      string // host and port; "" as long as nobody is there
	rate    int64  // bytes per second and request; 0 for no limit
	refuse  func(w http.ResponseWriter, r *http.Request) bool
	bytes   int64 // of all bodies
	largest int64 // of one body
	asked   int64 // requests without a body
	now     int64 // requests with a body that are under way
	most    int64 // of now
}

func newLine(t *testing.T, s *server) *line {
	l := &line{to: s.address}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			l.mu.Lock()
			defer l.mu.Unlock()
			r.SetURL(&url.URL{Scheme: "http", Host: l.to})
			r.Out.Host = r.In.Host // what is signed is signed for it
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, _ error) { cut(w) },
		Transport:    &http.Transport{DisableKeepAlives: true},
	}
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.mu.Lock()
		refuse, down := l.refuse, l.to == ""
		l.mu.Unlock()
		if down {
			cut(w)
			return
		}
		if refuse != nil && refuse(w, r) {
			return
		}
		if r.ContentLength > 0 {
			l.begin(r)
			defer l.end()
		} else {
			l.mu.Lock()
			l.asked++
			l.mu.Unlock()
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { l.CloseClientConnections(); l.Close() })
	return l
}

// cut ends the connection without an answer.
func cut(w http.ResponseWriter) {
	if c, _, err := http.NewResponseController(w).Hijack(); err == nil {
		c.Close()
	}
}

func (l *line) begin(r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now++
	l.most = max(l.most, l.now)
	l.largest = max(l.largest, r.ContentLength)
	r.Body = &counted{r.Body, l, r.Context()}
}

func (l *line) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now--
}

// lead makes the line end at another server.
func (l *line) lead(to string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.to = to
}

func (l *line) refusing(f func(w http.ResponseWriter, r *http.Request) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refuse = f
}

func (l *line) carried() int64 { return l.look(&l.bytes) }

// look reads a count.
func (l *line) look(n *int64) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return *n
}

// counted is a body on its way.
type counted struct {
	io.ReadCloser
	l   *line
	ctx context.Context
}

func (c *counted) Read(p []byte) (int, error) {
	c.l.mu.Lock()
	rate := c.l.rate
	c.l.mu.Unlock()
	if rate > 0 {
		p = p[:min(len(p), int(max(rate/50, 1)))]
	}
	n, err := c.ReadCloser.Read(p)
	c.l.mu.Lock()
	c.l.bytes += int64(n)
	c.l.mu.Unlock()
	if rate > 0 && n > 0 { // the line's own slowness
		select {
		case <-time.After(time.Duration(n) * time.Second / time.Duration(rate)):
		case <-c.ctx.Done():
		}
	}
	return n, err
}

// file is one that is to be sent, with its SHA-256.
type file struct {
	Path         string `json:"path"`
	Name         string `json:"name"`
	Rel          string `json:"rel,omitempty"`
	Fingerprint  string `json:"fingerprint,omitempty"`
	Stream       bool   `json:"stream,omitempty"`
	Vanish       int    `json:"vanish,omitempty"`
	Stutters     bool   `json:"stutters,omitempty"` // can be read only at the third attempt
	Sleeps       int    `json:"sleeps,omitempty"`   // the first reading from there on never ends
	Still        bool   `json:"still,omitempty"`    // a stream of which nothing comes
	LastModified int64  `json:"lastModified,omitempty"`
	sum          [32]byte
	bytes        []byte
}

func newFile(t *testing.T, name string, size int, seed uint64) *file {
	t.Helper()
	f := &file{Path: filepath.Join(t.TempDir(), "f"), Name: name, LastModified: 1_700_000_000_000}
	f.write(t, trial.Noise(size, seed))
	return f
}

func (f *file) write(t *testing.T, b []byte) {
	t.Helper()
	f.bytes, f.sum = b, sha256.Sum256(b)
	if err := os.WriteFile(f.Path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// job is what testdata/client.mjs reads.
type job struct {
	Options      map[string]any `json:"options"`
	Files        []*file        `json:"files"`
	Memory       string         `json:"memory,omitempty"`
	BrokenMemory bool           `json:"brokenMemory,omitempty"`
	Refresh      []string       `json:"refresh,omitempty"`
	Clock        int64          `json:"clock,omitempty"`
	Wait         bool           `json:"wait,omitempty"`
	XHR          bool           `json:"xhr,omitempty"`    // send as browsers do
	Odd          string         `json:"odd,omitempty"`    // what the page or the browser does to the client
	Direct       map[string]any `json:"direct,omitempty"` // pieces go into the bucket; the options of direct()
	Patience     int64          `json:"patience,omitempty"`
}

// event is a line that the client wrote.
type event struct {
	Event   string   `json:"event"`
	What    string   `json:"what"`
	Before  string   `json:"before"`
	Skipped []string `json:"skipped"`
	Item    *struct {
		Name         string         `json:"name"`
		State        string         `json:"state"`
		Acknowledged int64          `json:"acknowledged"`
		Sent         int64          `json:"sent"`
		Size         int64          `json:"size"`
		ResumedAt    int64          `json:"resumedAt"`
		Already      bool           `json:"already"`
		WaitingFor   string         `json:"waitingFor"`
		RetryIn      *float64       `json:"retryIn"`
		RetryAt      *float64       `json:"retryAt"`
		Result       map[string]any `json:"result"`
		Error        *problem       `json:"error"`
	} `json:"item"`
	Stats *struct {
		Size         int64    `json:"size"`
		Acknowledged int64    `json:"acknowledged"`
		Progress     float64  `json:"progress"`
		Speed        float64  `json:"speed"`
		Sent         int64    `json:"sent"`
		Done         int      `json:"done"`
		ETA          *float64 `json:"eta"`
	} `json:"stats"`
	Error *problem `json:"error"`
}

type problem struct {
	Code    string `json:"code"`
	What    string `json:"what"`
	Todo    string `json:"todo"`
	Whose   string `json:"whose"`
	Status  int    `json:"status"`
	Detail  string `json:"detail"`
	Passing bool   `json:"passing"`
	Message string `json:"message"`
}

// client is a Node process with the client in it.
type client struct {
	t      *testing.T
	cmd    *exec.Cmd
	in     io.WriteCloser
	events chan event
	seen   []event
	stderr bytes.Buffer
}

// send starts a client that sends to a base URL.
func send(t *testing.T, base string, j job) *client {
	t.Helper()
	if j.Options == nil {
		j.Options = map[string]any{}
	}
	j.Options["target"] = base + "/upload/"
	description, err := json.Marshal(j)
	if err != nil {
		t.Fatal(err)
	}
	c := &client{t: t, events: make(chan event, 1<<16)}
	c.cmd = exec.Command("node", "--no-warnings", "testdata/client.mjs", string(description))
	c.cmd.Stderr = &c.stderr
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		defer close(c.events)
		lines := bufio.NewScanner(out)
		lines.Buffer(nil, 1<<24)
		for lines.Scan() {
			var e event
			if json.Unmarshal(lines.Bytes(), &e) == nil {
				c.events <- e
			}
		}
	}()
	t.Cleanup(func() {
		_ = c.cmd.Process.Kill()
		<-read
		_ = c.cmd.Wait()
	})
	return c
}

func (c *client) kill() {
	_ = c.cmd.Process.Kill()
	for range c.events { // it ends when the process has
	}
}

func (c *client) do(command ...any) {
	c.t.Helper()
	b, err := json.Marshal(command)
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := c.in.Write(append(b, '\n')); err != nil {
		c.t.Fatalf("%v\n%s", err, c.stderr.String())
	}
}

// until waits for an event.
func (c *client) until(what string, is func(e event) bool) event {
	c.t.Helper()
	for limit := time.After(patience); ; {
		select {
		case e, ok := <-c.events:
			if !ok {
				c.t.Fatalf("the client ended before %s; it said:\n%s%s", what, c.told(), c.stderr.String())
			}
			c.seen = append(c.seen, e)
			if is(e) {
				return e
			}
		case <-limit:
			c.t.Fatalf("no %s in %v; there was:\n%s%s", what, patience, c.told(), c.stderr.String())
		}
	}
}

func (c *client) event(name string) event {
	c.t.Helper()
	return c.until(name, func(e event) bool { return e.Event == name })
}

// state waits until an item is in a state.
func (c *client) state(state string) event {
	c.t.Helper()
	return c.until(state, func(e event) bool { return e.Event == "fileState" && e.Item.State == state })
}

// acknowledged waits until an item has so many bytes.
func (c *client) acknowledged(n int64) {
	c.t.Helper()
	c.until(fmt.Sprintf("%d bytes", n), func(e event) bool { return e.Event == "fileProgress" && e.Item.Acknowledged >= n })
}

// told is what the client said last.
func (c *client) told() string {
	var b strings.Builder
	for _, e := range c.seen[max(0, len(c.seen)-30):] {
		fmt.Fprintf(&b, "%s %s", e.Event, e.What)
		if i := e.Item; i != nil {
			fmt.Fprintf(&b, " %s: %s after %s, %d acknowledged", i.Name, i.State, e.Before, i.Acknowledged)
			if i.Error != nil {
				fmt.Fprintf(&b, ", %s (%d): %s", i.Error.Code, i.Error.Status, i.Error.Message)
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// arrives waits for the end of an upload, and compares what arrived.
func (c *client) arrives(s *server, f *file) event {
	c.t.Helper()
	e := c.until("the end of "+f.Name, func(e event) bool {
		return (e.Event == "fileSuccess" || e.Event == "fileError") && e.Item.Name == f.Name
	})
	if e.Event != "fileSuccess" {
		c.t.Fatalf("%s: %+v\n%s", f.Name, e.Item.Error, c.told())
	}
	if got := s.sum(e.Item.Result); got != f.sum {
		c.t.Fatalf("%s arrived as another file", f.Name)
	}
	return e
}

const chunk = 1 << 20

// options of most tests: small chunks, short waits.
func quick() map[string]any {
	return map[string]any{"chunkSize": chunk, "maxRetryInterval": 500}
}
