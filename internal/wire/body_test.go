package wire

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/muleteer/muleteer/upload"
)

// serve runs a handler for one request at a time.
func serve(t *testing.T, http2 bool, h http.HandlerFunc) *httptest.Server {
	s := httptest.NewUnstartedServer(h)
	s.EnableHTTP2 = http2
	if http2 {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s
}

// protocols runs a test over HTTP/1.1 and HTTP/2.
func protocols(t *testing.T, f func(t *testing.T, http2 bool)) {
	for name, http2 := range map[string]bool{"http1": false, "http2": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, http2)
		})
	}
}

// send posts a body of which only the first 16 KiB ever come.
func send(t *testing.T, s *httptest.Server) {
	body, pipe := io.Pipe()
	t.Cleanup(func() { pipe.Close() })
	r, err := http.NewRequest("POST", s.URL, body)
	if err != nil {
		t.Fatal(err)
	}
	r.ContentLength = 1 << 20
	go func() {
		if res, err := s.Client().Do(r); err == nil {
			res.Body.Close()
		}
	}()
	// A server that is quick to answer closes the pipe.
	if _, err := io.WriteString(pipe, strings.Repeat(" ", 16<<10)); err != nil && err != io.ErrClosedPipe {
		t.Fatal(err)
	}
}

func TestInterruptEndsARead(t *testing.T) {
	t.Parallel()
	protocols(t, func(t *testing.T, http2 bool) {
		result := make(chan error, 1)
		s := serve(t, http2, func(w http.ResponseWriter, r *http.Request) {
			b := Body(w, r)
			if _, err := io.ReadFull(b, make([]byte, 16<<10)); err != nil {
				t.Error(err)
			}
			reading := make(chan error, 1)
			go func() {
				_, err := io.Copy(io.Discard, b)
				reading <- err
			}()
			b.Interrupt()
			b.Interrupt()
			result <- <-reading
			if _, err := b.Read(make([]byte, 1)); !errors.Is(err, upload.ErrInterrupted) || !errors.Is(b.Err(), upload.ErrInterrupted) {
				t.Errorf("afterwards: %v, %v", err, b.Err())
			}
		})
		send(t, s)
		if err := <-result; !errors.Is(err, upload.ErrInterrupted) {
			t.Errorf("%v", err)
		}
	})
}

func TestInterruptBeforeTheFirstRead(t *testing.T) {
	t.Parallel()
	protocols(t, func(t *testing.T, http2 bool) {
		result := make(chan error, 1)
		s := serve(t, http2, func(w http.ResponseWriter, r *http.Request) {
			b := Body(w, r)
			b.Interrupt()
			n, err := b.Read(make([]byte, 100))
			if n > 0 {
				t.Errorf("%d bytes", n)
			}
			result <- err
		})
		send(t, s)
		if err := <-result; !errors.Is(err, upload.ErrInterrupted) {
			t.Errorf("%v", err)
		}
	})
}

// TestSilence: a client that sends nothing more is found out.
func TestSilence(t *testing.T) {
	t.Parallel()
	protocols(t, func(t *testing.T, http2 bool) {
		result := make(chan error, 1)
		s := serve(t, http2, func(w http.ResponseWriter, r *http.Request) {
			b := Body(w, r)
			b.idle = 50 * time.Millisecond
			_, err := io.Copy(io.Discard, b)
			result <- err
		})
		send(t, s)
		err := <-result
		if status, ok := Status(err); !errors.Is(err, os.ErrDeadlineExceeded) || status != 408 || !ok {
			t.Errorf("%v, %d", err, status)
		}
	})
}

// TestBodyLeavesTheConnectionAlone: after a body was read to its end, no
// deadline of it ends the request's context or the connection.
func TestBodyLeavesTheConnectionAlone(t *testing.T) {
	t.Parallel()
	const idle = 50 * time.Millisecond
	s := serve(t, false, func(w http.ResponseWriter, r *http.Request) {
		b := Body(w, r)
		b.idle = idle
		got, err := io.ReadAll(b)
		b.Interrupt() // too late
		select {
		case <-r.Context().Done():
			t.Error("the request was ended")
		case <-time.After(3 * idle): // the wait is what is tested
		}
		fmt.Fprintf(w, "%s %v %v %v", got, err, b.Err(), b.Ended())
	})
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	in := bufio.NewReader(conn)
	for _, body := range []string{
		"Content-Length: 5\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "Content-Length: 5\r\n\r\nhello",
	} {
		if _, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\n"+body); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := io.ReadAll(res.Body); string(got) != "hello <nil> <nil> true" || res.Close {
			t.Errorf("%s, closing %v", got, res.Close)
		}
	}
}

// TestBrokenBodyClosesTheConnection: what follows a body that was not read to
// its end must not be taken for a request.
func TestBrokenBodyClosesTheConnection(t *testing.T) {
	t.Parallel()
	s := serve(t, false, func(w http.ResponseWriter, r *http.Request) {
		b := Body(w, r)
		b.Interrupt()
		if _, err := b.Read(make([]byte, 1)); err == nil {
			t.Error("read")
		}
	})
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	res, err := http.ReadResponse(in, nil)
	if err != nil || !res.Close {
		t.Fatalf("%v, %v", res, err)
	}
	if rest, _ := io.ReadAll(in); len(rest) > 0 {
		t.Errorf("one more answer: %q", rest)
	}
}

func TestBodyErrors(t *testing.T) {
	t.Parallel()
	result := make(chan error, 1)
	s := serve(t, false, func(w http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, Body(w, r))
		result <- err
	})
	for _, body := range []string{
		"Content-Length: 50\r\n\r\nhello",
		"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
		"Transfer-Encoding: chunked\r\n\r\nfive\r\nhello\r\n",
	} {
		conn, err := net.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\n"+body); err != nil {
			t.Fatal(err)
		}
		conn.Close()
		var broken *BodyError
		err = <-result
		if status, ok := Status(err); !errors.As(err, &broken) || status != 400 || !ok {
			t.Errorf("%q: %v, %d", body, err, status)
		}
	}
}
