package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/muleteer/muleteer/upload"
)

// Idle is how long a client may send nothing in the middle of a body before
// its connection is taken for dead.
const Idle = 60 * time.Second

// A BodyReader reads the body of a request. One goroutine reads; Interrupt may
// be called from any other until the handler returns.
//
// It works by deadlines on the connection, because closing a body does not end
// a Read of it. On HTTP/1 a Read that fails ends the request's context too. A deadline must not outlive the body: net/http watches a
// connection whose body was read, and would take the deadline for the client's
// leaving. So the deadline is lifted when the body ends; and when it does not
// end properly the connection is closed after the answer, since what comes
// next on it can be anything.
type BodyReader struct {
	body    io.Reader
	control *http.ResponseController
	header  http.Header // of the response, nil on HTTP/2
	idle    time.Duration
	pace    *paced // nil: any

	mu      sync.Mutex
	armed   time.Time // when the deadline was moved last
	stopped bool      // Interrupt was called
	err     error     // the first error of Read, io.EOF included
}

// Same reads sent to its end, or as far as it is what here has, and tells whether
// it is; here may go on. An error is one of sent.
func Same(sent, here io.Reader) (bool, error) {
	s, h := make([]byte, 64<<10), make([]byte, 64<<10)
	for {
		n, err := sent.Read(s)
		if m, _ := io.ReadFull(here, h[:n]); !bytes.Equal(s[:n], h[:m]) {
			return false, nil
		}
		if err == io.EOF {
			return true, nil
		}
		if err != nil {
			return false, err
		}
	}
}

// BodyError is an error in reading a body: the client's or the line's, not
// ours.
type BodyError struct{ Err error }

func (e *BodyError) Error() string { return "body: " + e.Err.Error() }
func (e *BodyError) Unwrap() error { return e.Err }

// Body returns the reader of a request's body. The handler must have read it
// to its end, or answered, before it returns.
func Body(w http.ResponseWriter, r *http.Request) *BodyReader {
	b := &BodyReader{body: r.Body, control: http.NewResponseController(w), idle: Idle, pace: newPaced(r)}
	if r.ProtoMajor == 1 {
		b.header = w.Header()
	}
	if r.Body == nil || r.Body == http.NoBody {
		b.body, b.err = http.NoBody, io.EOF
	}
	return b
}

// Read reads from the body. Its errors but io.EOF are *BodyError, which wraps
// upload.ErrInterrupted after Interrupt, os.ErrDeadlineExceeded when the
// client was silent for Idle or slower than its Pace, io.ErrUnexpectedEOF when it went away. Once
// failed, it fails for good.
func (b *BodyReader) Read(p []byte) (int, error) {
	if err := b.arm(); err != nil {
		return 0, err
	}
	n, err := b.body.Read(p)
	if b.pace != nil && (err == nil || err == io.EOF && n > 0) {
		if late := b.pace.passed(n); late != nil && err == nil {
			err = late
		}
	}
	if err != nil {
		err = b.end(err)
	}
	return n, err
}

// Interrupt ends a Read that is going on in another goroutine at once, and
// makes every further one fail. What a body has given to its end stays given.
func (b *BodyReader) Interrupt() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stopped || b.err != nil {
		return
	}
	b.stopped = true
	if b.pace != nil {
		close(b.pace.ended)
	}
	_ = b.control.SetReadDeadline(past) // if the connection has none, the next Read fails
}

var past = time.Unix(1, 0)

// Err returns the error by which reading ended; nil if it has not, or if the
// body was read to its end.
func (b *BodyReader) Err() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err == io.EOF {
		return nil
	}
	return b.err
}

// Ended tells whether the body was read to its proper end, so that its
// trailers are known.
func (b *BodyReader) Ended() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err == io.EOF
}

// arm moves the deadline on before a Read. A timer per Read would cost more
// than many a Read, so it moves only once in a while.
func (b *BodyReader) arm() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.err != nil:
		return b.err
	case b.stopped:
		return b.fail(upload.ErrInterrupted)
	}
	if now := time.Now(); now.Sub(b.armed) > b.idle/32 {
		b.armed = now
		_ = b.control.SetReadDeadline(now.Add(b.idle)) // a connection without deadlines is a test's
	}
	return nil
}

// end notes how a Read ended.
func (b *BodyReader) end(err error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case err == io.EOF:
		b.err = io.EOF
		_ = b.control.SetReadDeadline(time.Time{})
		return io.EOF
	case b.stopped:
		return b.fail(upload.ErrInterrupted)
	case errors.As(err, new(slow)):
		return b.fail(err)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return b.fail(fmt.Errorf("nothing came for %v: %w", b.idle, os.ErrDeadlineExceeded))
	}
	return b.fail(err)
}

func (b *BodyReader) fail(err error) error {
	b.err = &BodyError{err}
	if b.header != nil {
		b.header.Set("Connection", "close")
	}
	return b.err
}
