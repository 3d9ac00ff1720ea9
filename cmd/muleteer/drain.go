package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// drain ends the bodies that are being received when the server has to go.
// Its zero value drains nothing yet.
type drain struct {
	ending atomic.Bool // the server is about to end
	mu     sync.Mutex
	isCut  bool
	open   map[*drainable]struct{}
}

// errEnding is what reading a body ends with then. A protocol answers it as
// passing trouble: the client comes again.
var errEnding = fmt.Errorf("the server is ending: %w", context.Canceled)

// begin makes the server unready.
func (d *drain) begin() { d.ending.Store(true) }

// cut ends all bodies that are being received, and those that still begin.
func (d *drain) cut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.isCut = true
	for b := range d.open {
		b.cut()
	}
}

// wrap makes r.Body one that can be cut until the returned function is called.
func (d *drain) wrap(w http.ResponseWriter, r *http.Request) (release func()) {
	if r.Body == nil || r.Body == http.NoBody {
		return func() {}
	}
	b := &drainable{ReadCloser: r.Body, control: http.NewResponseController(w)}
	r.Body = b
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.open == nil {
		d.open = map[*drainable]struct{}{}
	}
	d.open[b] = struct{}{}
	if d.isCut {
		b.cut()
	}
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.open, b)
	}
}

// drainable is a body whose reading can be ended from outside.
type drainable struct {
	io.ReadCloser
	control *http.ResponseController
	isCut   atomic.Bool
}

func (b *drainable) cut() {
	b.isCut.Store(true)
	// A deadline is the only thing that ends a Read that waits already. The
	// reader may have set a later one since; then the next Read ends it.
	_ = b.control.SetReadDeadline(time.Unix(1, 0))
}

func (b *drainable) Read(p []byte) (int, error) {
	if b.isCut.Load() {
		return 0, errEnding
	}
	n, err := b.ReadCloser.Read(p)
	if err != nil && b.isCut.Load() && errors.Is(err, os.ErrDeadlineExceeded) {
		err = errEnding
	}
	return n, err
}
