//go:build browser

package browser

import (
	"context"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/muleteer/muleteer/internal/trial"
	"github.com/muleteer/muleteer/web"
)

// line is what lies between the browser and the server. It counts the bytes of
// files that pass, and can stand still.
type line struct {
	url    string
	gate   atomic.Int64 // how many bytes may pass before everything stands still
	passed atomic.Int64 // bytes of files that the server was given
	cuts   atomic.Int64 // how often the server was killed
	most   atomic.Int64 // requests at once, the most there were
	now    atomic.Int64
}

func newLine(t *testing.T, s *trial.Server) *line {
	t.Helper()
	l := &line{}
	l.gate.Store(math.MaxInt64)
	target := &url.URL{Scheme: "http", Host: s.Address}
	transport := &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, s.Address)
	}}
	proxy := &httputil.ReverseProxy{
		// The host stays that of the browser, as with a proxy that is set up well.
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host
		},
		Transport: transport,
		// A server that is dead answers nothing, not even an error.
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /box.html", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", web.Policy)
		_, _ = io.WriteString(w, boxPage)
	})
	mux.HandleFunc("GET /box.css", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/css")
		_, _ = io.WriteString(w, "body { background: light-dark(#fff, #16181b); color: light-dark(#222, #eee) }")
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			r.Body = &slow{r.Body, l, l.cuts.Load()}
			if n := l.now.Add(1); n > l.most.Load() {
				l.most.Store(n)
			}
			defer l.now.Add(-1)
		}
		proxy.ServeHTTP(w, r)
	})
	server := httptest.NewUnstartedServer(mux)
	server.Config.ErrorLog = nil
	server.Start()
	t.Cleanup(func() {
		l.gate.Store(math.MaxInt64)
		l.cuts.Add(1)
		server.CloseClientConnections()
		server.Close()
		transport.CloseIdleConnections()
	})
	l.url = server.URL
	return l
}

// slow is a body that comes no further than the line lets it.
type slow struct {
	io.ReadCloser
	line *line
	cuts int64 // when it began
}

func (b *slow) Read(p []byte) (int, error) {
	for b.line.passed.Load() >= b.line.gate.Load() && b.line.cuts.Load() == b.cuts {
		time.Sleep(5 * time.Millisecond)
	}
	// What began before the server died ends with it, however late it is read.
	if b.line.cuts.Load() > b.cuts {
		return 0, io.ErrUnexpectedEOF
	}
	n, err := b.ReadCloser.Read(p)
	b.line.passed.Add(int64(n))
	return n, err
}

// let lets so many more bytes pass; then the line stands still, with what is
// on its way.
func (l *line) let(bytes int64) {
	passed := l.passed.Load()
	l.gate.Store(passed + min(bytes, math.MaxInt64-passed))
}

// quiet wants nothing to pass any more, after what the kernel still holds.
func (l *line) quiet() error {
	const still = 400 * time.Millisecond // longer than the line needs for what is under way
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); {
		before := l.passed.Load()
		time.Sleep(still)
		if l.passed.Load() == before && l.now.Load() == 0 {
			return nil
		}
	}
	return errors.New("it goes on sending")
}

const boxPage = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="color-scheme" content="light dark">
<title>A form</title>
<link rel="stylesheet" href="/box.css">
<script type="module" src="/assets/box.js"></script>
<main>
<h1>A form</h1>
<form>
<upload-box name="file" endpoint="/upload/" multiple required max-size="100000000">
<span slot="label">Your photos</span>
</upload-box>
<button>Send</button>
</form>
</main>
</html>
`
