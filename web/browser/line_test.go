package browser

import (
	"context"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/internal/trial"
	"github.com/muleteer/muleteer/web"
)

// line is what lies between the browser and the server: a proxy that keeps
// account of what passes, can stand still, and can answer itself.
type line struct {
	*ledger
	url    string
	answer atomic.Pointer[answer]
	proxy  *httputil.ReverseProxy
	name   func(*http.Request) string // tells one file from others
	// seen, if it is set, is told of all bytes of files that pass, and how the client
	// calls the file.
	seen func(file, word string, bytes extent.Extent)
}

func newLine(t *testing.T, s *trial.Server) *line {
	t.Helper()
	l := &line{ledger: newLedger(), name: name}
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, s.Address)
	}}
	l.proxy = &httputil.ReverseProxy{
		// The host stays that of the browser, as with a proxy that is set up well.
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: s.Address})
			r.Out.Host = r.In.Host
		},
		Transport: transport,
		// A server that is dead answers nothing, not even an error.
		ErrorHandler: func(_ http.ResponseWriter, r *http.Request, err error) {
			l.failed(r, err)
			panic(http.ErrAbortHandler)
		},
		ModifyResponse: func(r *http.Response) error {
			if f, ok := r.Request.Context().Value(carried{}).(*flight); ok {
				l.heard(f, r.StatusCode)
			} else if r.Request.Method == http.MethodPut && r.StatusCode == http.StatusPermanentRedirect {
				l.told(l.name(r.Request), r.Header.Get("X-Upload-Ranges"))
			}
			return nil
		},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /box.html", form)
	mux.HandleFunc("GET /box.css", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/css")
		_, _ = io.WriteString(w, "body { background: light-dark(#fff, #16181b); color: light-dark(#222, #eee) }")
	})
	mux.HandleFunc("/", l.carry)
	server := httptest.NewServer(mux)
	t.Cleanup(func() {
		l.let(math.MaxInt64)
		l.cut()
		server.CloseClientConnections()
		server.Close()
		transport.CloseIdleConnections()
	})
	l.url = server.URL
	return l
}

// carry takes a request to the server.
func (l *line) carry(w http.ResponseWriter, r *http.Request) {
	if a := l.answer.Load(); a != nil && a.instead(w, r) {
		return
	}
	var first, last, size int64
	n, _ := fmt.Sscanf(r.Header.Get("Content-Range"), "bytes %d-%d/%d", &first, &last, &size)
	if r.Method == http.MethodPut && n == 3 {
		f := l.begin(l.name(r), extent.Extent{Start: first, End: last + 1})
		defer l.end(f)
		r = r.WithContext(context.WithValue(r.Context(), carried{}, f))
		r.Body = &body{r.Body, l, f, r.Header.Get("X-Upload-Fingerprint"), first}
	}
	l.proxy.ServeHTTP(w, r)
}

// name is what the client calls a file, and where.
func name(r *http.Request) string { return r.Header.Get("X-Upload-Fingerprint") + " " + r.URL.Path }

// carried is the key of a request's flight.
type carried struct{}

// body comes no further than the line lets it.
type body struct {
	io.ReadCloser
	line   *line
	flight *flight
	word   string
	at     int64 // offset of its next byte
}

func (b *body) Read(p []byte) (int, error) {
	if !b.line.pass(b.flight) {
		return 0, io.ErrUnexpectedEOF
	}
	n, err := b.ReadCloser.Read(p)
	b.line.passed(b.flight, n)
	if seen := b.line.seen; seen != nil && n > 0 {
		seen(b.flight.file, b.word, extent.At(b.at, int64(n)))
	}
	b.at += int64(n)
	return n, err
}

// form is a page of somebody else that has the element; ?bucket= is where it may
// send to beside its server.
func form(w http.ResponseWriter, r *http.Request) {
	direct, policy := "", web.Policy
	if bucket := r.URL.Query().Get("bucket"); bucket != "" {
		direct, policy = "direct", strings.Replace(policy, "connect-src 'self'", "connect-src 'self' "+bucket, 1)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", policy)
	_, _ = fmt.Fprintf(w, `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>A form</title>
<link rel="stylesheet" href="/box.css">
<script type="module" src="/assets/box.js"></script>
<main>
<h1>A form</h1>
<form>
<upload-box name="file" endpoint="/upload/" multiple required max-size="100000000" %s>
<span slot="label">Your photos</span>
</upload-box>
<button>Send</button>
</form>
</main>
</html>
`, direct)
}
