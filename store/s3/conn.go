package s3

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// How long things may take that make no progress. There is no limit on a
// whole request: a part may be large and a line slow.
const (
	dialTimeout = 10 * time.Second
	idleTimeout = 50 * time.Second // of connections that are kept for later
	hangTimeout = 2 * time.Minute  // without a byte in either direction; servers join for a while in silence
)

// newTransport returns the connections to the server. HTTP/2 would put all
// bodies on one of them.
func newTransport(hang time.Duration) *http.Transport {
	d := &net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := d.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &lively{c, hang}, nil
		},
		TLSHandshakeTimeout: dialTimeout,
		MaxIdleConns:        512,
		MaxIdleConnsPerHost: 256,
		IdleConnTimeout:     idleTimeout,
		WriteBufferSize:     4 << 10,
		ReadBufferSize:      8 << 10,
		DisableCompression:  true,
		Protocols:           onlyHTTP1(),
	}
}

func onlyHTTP1() *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(true)
	return p
}

// lively is a connection that ends when nothing moves on it for a while.
type lively struct {
	net.Conn
	hang time.Duration
}

func (l *lively) Read(p []byte) (int, error) {
	if err := l.SetReadDeadline(time.Now().Add(l.hang)); err != nil {
		return 0, err
	}
	return l.Conn.Read(p)
}

// Write moves the deadline of a read that waits for the answer, too.
func (l *lively) Write(p []byte) (int, error) {
	if err := l.SetDeadline(time.Now().Add(l.hang)); err != nil {
		return 0, err
	}
	return l.Conn.Write(p)
}

// ReadFrom sends a body in larger pieces than net/http would.
func (l *lively) ReadFrom(r io.Reader) (int64, error) {
	b := outgoing.Get().(*[]byte)
	defer outgoing.Put(b)
	return io.CopyBuffer(writerOnly{l}, r, *b)
}

var outgoing = sync.Pool{New: func() any { b := make([]byte, 64<<10); return &b }}

type writerOnly struct{ io.Writer }
