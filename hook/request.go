package hook

import (
	"context"
	"net/http"
)

// Request is the client's request by which a turn has come, as far as receivers
// are told of it: without its query and without any header that may have a
// credential, unless that is listed by name.
type Request struct {
	Method  string      `json:"method"`
	Path    string      `json:"path"`
	Address string      `json:"address"` // of who sent it, host and port; perhaps a proxy
	Header  http.Header `json:"header"`

	listed http.Header
}

// harmless are the headers that every receiver is told. None of them can have a
// credential.
var harmless = []string{
	"Content-Length", "Content-Type", "Origin", "User-Agent",
	"Tus-Resumable", "Upload-Complete", "Upload-Concat", "Upload-Defer-Length", "Upload-Length", "Upload-Offset",
}

type requestKey struct{}

// With returns a context in which hooks are told of a client's request, with
// those of its headers that are listed.
func With(ctx context.Context, r *http.Request, listed []string) context.Context {
	q := &Request{Method: r.Method, Path: r.URL.EscapedPath(), Address: r.RemoteAddr, Header: http.Header{}, listed: http.Header{}}
	if r.Host != "" {
		q.Header.Set("Host", r.Host)
	}
	for _, name := range harmless {
		copyHeader(q.Header, r.Header, name)
	}
	for _, name := range listed {
		copyHeader(q.Header, r.Header, name)
		copyHeader(q.listed, r.Header, name)
	}
	return context.WithValue(ctx, requestKey{}, q)
}

func copyHeader(to, from http.Header, name string) {
	if v := from.Values(name); len(v) > 0 {
		to[http.CanonicalHeaderKey(name)] = v
	}
}

// requestOf returns the request that With has put into ctx, or nil.
func requestOf(ctx context.Context) *Request {
	r, _ := ctx.Value(requestKey{}).(*Request)
	return r
}
