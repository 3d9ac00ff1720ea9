package ietf_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/protocol/ietf"
	"github.com/muleteer/muleteer/protocol/wiretest"
	"github.com/muleteer/muleteer/state"
	"github.com/muleteer/muleteer/store"
	"github.com/muleteer/muleteer/store/disk"
	"github.com/muleteer/muleteer/upload"
)

// house is a server over which a test has control.
type house struct {
	*upload.Service
	*httptest.Server
	addr string
}

func serve(t *testing.T, s *upload.Service, o ietf.Options) *house {
	t.Helper()
	server := httptest.NewServer(mount(t, s, o))
	t.Cleanup(server.Close)
	return &house{s, server, server.Listener.Addr().String()}
}

// raw is a connection on which a test writes what it likes.
type raw struct {
	net.Conn
	t      *testing.T
	r      *bufio.Reader
	method string // of the last request
}

func (h *house) dial(t *testing.T) *raw {
	t.Helper()
	c, err := net.Dial("tcp", h.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	return &raw{Conn: c, t: t, r: bufio.NewReader(c)}
}

func (c *raw) send(format string, args ...any) {
	c.t.Helper()
	if method, _, ok := strings.Cut(format, " /"); ok {
		c.method = method
	}
	if _, err := fmt.Fprintf(c, strings.ReplaceAll(format, "\n", "\r\n"), args...); err != nil {
		c.t.Fatal(err)
	}
}

// next returns the next response, an informational one too; nil when the
// connection was closed instead.
func (c *raw) next() *http.Response {
	c.t.Helper()
	res, err := http.ReadResponse(c.r, &http.Request{Method: c.method})
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || err != nil && strings.Contains(err.Error(), "reset") {
		return nil
	}
	if err != nil {
		c.t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	return res
}

func id(location string) string { return location[strings.LastIndexByte(location, '/')+1:] }

// content reads a finished file.
func (h *house) content(t *testing.T, id string) []byte {
	t.Helper()
	r, _, err := h.Service.Open(context.Background(), id, extent.Extent{End: extent.Max})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// witness is a state that knows up to where an upload was ever recorded; what
// is recorded there is durable, by the store's promise.
type witness struct {
	*state.Volatile
	mu   sync.Mutex
	most int64
}

func (w *witness) Add(ctx context.Context, id string, epoch int64, p ...store.Part) (upload.Progress, error) {
	time.Sleep(time.Millisecond) // so that who tells too early is seen
	g, err := w.Volatile.Add(ctx, id, epoch, p...)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err == nil {
		w.most = max(w.most, g.Offset)
	}
	return g, err
}

func (w *witness) recorded() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.most
}

// TestR2A10WhileTheBodyComes: 104 comes before the body, and again while it
// comes; it tells only what is recorded; only the first one has a Location;
// the answer is the last thing that comes.
func TestR2A10WhileTheBodyComes(t *testing.T) {
	t.Parallel()
	for _, interop := range []int{3, 4, 5, 6, 7, 8} {
		for _, g := range wiretest.Grids() {
			t.Run(fmt.Sprintf("%d/%s", interop, g.Name), func(t *testing.T) {
				t.Parallel()
				s, clock := g.Service(t)
				w := &witness{Volatile: state.Memory(clock.Now)}
				s.State = w
				h := serve(t, s, ietf.Options{Pace: time.Nanosecond})
				want := wiretest.Rand(200_000, 17, 0)
				last := "Upload-Complete: ?1"
				if interop == 3 {
					last = "Upload-Incomplete: ?0"
				}
				c := h.dial(t)
				c.send("POST /rufh/ HTTP/1.1\nHost: x\nUpload-Draft-Interop-Version: %d\n%s\nContent-Length: %d\nX-Other: y\n\n", interop, last, len(want))
				first := c.next() // not one byte of the body was sent
				if first == nil || first.StatusCode != 104 || first.Header.Get("Location") == "" || first.Header.Get("Upload-Draft-Interop-Version") != strconv.Itoa(interop) {
					t.Fatalf("the first response is %+v", first)
				}
				go func() {
					for b := want; len(b) > 0; b = b[min(len(b), 7000):] {
						if _, err := c.Write(b[:min(len(b), 7000)]); err != nil {
							return
						}
					}
				}()
				var told []int64
				res := c.next()
				for ; res != nil && res.StatusCode == 104; res = c.next() {
					n, err := strconv.ParseInt(res.Header.Get("Upload-Offset"), 10, 64)
					if err != nil || n > w.recorded() || len(told) > 0 && n <= told[len(told)-1] {
						t.Fatalf("104 tells %q after %v, recorded are %d", res.Header.Get("Upload-Offset"), told, w.recorded())
					}
					for name := range res.Header {
						if name != "Upload-Offset" && name != "Upload-Draft-Interop-Version" {
							t.Errorf("a later 104 has %s", name)
						}
					}
					told = append(told, n)
				}
				if res == nil || res.StatusCode != 201 || res.Header.Get("Location") != first.Header.Get("Location") {
					t.Fatalf("the answer is %+v", res)
				}
				if interop < 5 && len(told) > 0 || interop >= 5 && g.Name == "cells" && len(told) == 0 {
					t.Errorf("progress was told %v", told)
				}
				// Nothing comes after the answer but the next one.
				c.send("OPTIONS /rufh/ HTTP/1.1\nHost: x\n\n")
				if next := c.next(); next == nil || next.StatusCode != 204 {
					t.Errorf("after the answer came %+v", next)
				}
				if got := h.content(t, id(first.Header.Get("Location"))); sha256.Sum256(got) != sha256.Sum256(want) {
					t.Errorf("%d other bytes arrived", len(got))
				}
			})
		}
	}
}

// TestA10IsPaced: 104 tells of progress once in a while, not with every part.
func TestA10IsPaced(t *testing.T) {
	t.Parallel()
	s, _ := wiretest.Grids()[1].Service(t)
	h := serve(t, s, ietf.Options{Pace: time.Hour})
	c := h.dial(t)
	c.send("POST /rufh/ HTTP/1.1\nHost: x\nUpload-Draft-Interop-Version: 8\nUpload-Complete: ?1\nContent-Length: 100000\n\n%s", strings.Repeat("x", 100_000))
	if a, b := c.next(), c.next(); a.StatusCode != 104 || b.StatusCode != 201 {
		t.Errorf("%v, then %v", a.Status, b.Status)
	}
}

// TestR3Continue: who waits for 100 gets it, after the 104.
func TestR3Continue(t *testing.T) {
	t.Parallel()
	s, _ := wiretest.Grids()[0].Service(t)
	c := serve(t, s, ietf.Options{}).dial(t)
	c.send("POST /rufh/ HTTP/1.1\nHost: x\nUpload-Draft-Interop-Version: 8\nUpload-Complete: ?1\nExpect: 100-continue\nContent-Length: 5\n\n")
	a, b := c.next(), c.next()
	if a.StatusCode != 104 || b.StatusCode != 100 {
		t.Fatalf("%v, then %v", a.Status, b.Status)
	}
	c.send("hello")
	if res := c.next(); res.StatusCode != 201 {
		t.Error(res.Status)
	}
}

// TestR10A9BrokenBody: what came of a body that broke is kept, the client goes
// on after it by what HEAD says, as often as it takes, and the bytes are right.
func TestR10A9BrokenBody(t *testing.T) {
	t.Parallel()
	for _, sp := range speeches()[1:] {
		for _, g := range wiretest.Grids() {
			t.Run(sp.Name+"/"+g.Name, func(t *testing.T) {
				t.Parallel()
				s, _ := g.Service(t)
				h := serve(t, s, ietf.Options{})
				want := wiretest.Rand(50_000, 18, 0)
				c := h.dial(t)
				head := fmt.Sprintf("Host: x\nUpload-Draft-Interop-Version: %s\n%s\nContent-Type: %s\n", sp.Interop, sp.Yes, sp.Type)
				c.send("POST /rufh/ HTTP/1.1\n%sContent-Length: %d\n\n%s", head, len(want), want[:9000])
				where := id(c.next().Header.Get("Location"))
				known := int64(0)
				for n := 1; ; n++ {
					c.Close()
					c = h.dial(t)
					c.send("HEAD /rufh/%s HTTP/1.1\nHost: x\nUpload-Draft-Interop-Version: %s\n\n", where, sp.Interop)
					res := c.next()
					offset, err := strconv.ParseInt(res.Header.Get("Upload-Offset"), 10, 64)
					if err != nil || offset < known || offset == int64(len(want)) {
						t.Fatalf("after %d: %v", known, res)
					}
					if known = offset; n == 4 {
						break
					}
					c.send("PATCH /rufh/%s HTTP/1.1\n%sUpload-Offset: %d\nContent-Length: %d\nExpect: 100-continue\n\n", where, head, offset, int64(len(want))-offset)
					if res := c.next(); res.StatusCode != 100 {
						t.Fatal(res)
					}
					if _, err := c.Write(want[offset : offset+9000]); err != nil {
						t.Fatal(err)
					}
				}
				c.send("PATCH /rufh/%s HTTP/1.1\n%sUpload-Offset: %d\nContent-Length: %d\n\n%s", where, head, known, int64(len(want))-known, want[known:])
				res := c.next()
				for ; res != nil && res.StatusCode == 104; res = c.next() {
				}
				if res == nil || res.StatusCode != 201 {
					t.Fatal(res)
				}
				if got := h.content(t, where); !bytes.Equal(got, want) {
					t.Errorf("%d other bytes arrived", len(got))
				}
			})
		}
	}
}

// TestR2OverHTTP2: as iOS does it: TLS and HTTP/2, and 104 while the body is
// still coming; HEAD takes over there, too.
func TestR2OverHTTP2(t *testing.T) {
	t.Parallel()
	for _, g := range wiretest.Grids() {
		t.Run(g.Name, func(t *testing.T) {
			t.Parallel()
			s, _ := g.Service(t)
			server := httptest.NewUnstartedServer(mount(t, s, ietf.Options{Pace: time.Nanosecond}))
			server.EnableHTTP2 = true
			server.StartTLS()
			defer server.Close()
			want := wiretest.Rand(1<<20, 19, 0)
			body, pipe := io.Pipe()
			var mu sync.Mutex
			var offsets []int64
			began, moved := make(chan string, 1), make(chan struct{}, 1)
			ctx := httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{
				Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
					if code != 104 || h.Get("Upload-Draft-Interop-Version") != "8" {
						t.Errorf("%d %v", code, h)
					}
					if l := h.Get("Location"); l != "" {
						began <- l
						return nil
					}
					n, err := strconv.ParseInt(h.Get("Upload-Offset"), 10, 64)
					if err != nil {
						t.Error(err)
					}
					mu.Lock()
					defer mu.Unlock()
					offsets = append(offsets, n)
					select {
					case moved <- struct{}{}:
					default:
					}
					return nil
				},
			})
			r, err := http.NewRequestWithContext(ctx, "POST", server.URL+"/rufh/", body)
			if err != nil {
				t.Fatal(err)
			}
			r.ContentLength = int64(len(want))
			r.Header.Set("Upload-Complete", "?1")
			r.Header.Set("Upload-Draft-Interop-Version", "8")
			r.Header.Set("Upload-Length", strconv.Itoa(len(want)))
			type answer struct {
				res *http.Response
				err error
			}
			answered := make(chan answer, 1)
			go func() {
				res, err := server.Client().Do(r)
				answered <- answer{res, err}
			}()
			where := <-began // the body has not begun
			if !strings.HasPrefix(where, "https://") {
				t.Errorf("Location: %s", where)
			}
			half := len(want) / 2
			if _, err := pipe.Write(want[:half]); err != nil {
				t.Fatal(err)
			}
			if g.Name == "cells" || g.Name == "widening" {
				<-moved // while the body is still coming
			}
			res, err := server.Client().Head(where)
			if err != nil || res.StatusCode != 204 || res.ProtoMajor != 2 {
				t.Fatal(res, err)
			}
			from, err := strconv.Atoi(res.Header.Get("Upload-Offset"))
			if err != nil || from > half {
				t.Fatal(res.Header)
			}
			if a := <-answered; a.err == nil {
				t.Errorf("who was taken over was answered %s", a.res.Status)
			}
			pipe.Close()
			mu.Lock()
			for i, n := range offsets {
				if n > int64(from) || i > 0 && n <= offsets[i-1] {
					t.Errorf("104 told %v, and %d are here", offsets, from)
				}
			}
			mu.Unlock()
			r, err = http.NewRequest("PATCH", where, bytes.NewReader(want[from:]))
			if err != nil {
				t.Fatal(err)
			}
			for name, value := range map[string]string{
				"Upload-Complete": "?1", "Upload-Draft-Interop-Version": "8",
				"Upload-Offset": strconv.Itoa(from), "Content-Type": "application/partial-upload",
			} {
				r.Header.Set(name, value)
			}
			res, err = server.Client().Do(r)
			if err != nil || res.StatusCode != 201 || res.Header.Get("Upload-Complete") != "?1" {
				t.Fatal(res, err)
			}
			res.Body.Close()
			if got := (&house{Service: s}).content(t, id(where)); sha256.Sum256(got) != sha256.Sum256(want) {
				t.Errorf("%d other bytes arrived", len(got))
			}
		})
	}
}

// TestA10Synced: on a disk that syncs, 104 tells of a large body before it is
// all there, and of no byte that a record does not name.
func TestA10Synced(t *testing.T) {
	t.Parallel()
	files, err := disk.Open(t.TempDir(), disk.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer files.Close()
	w := &witness{Volatile: state.Memory(time.Now)}
	h := serve(t, &upload.Service{Store: files, State: w}, ietf.Options{Pace: time.Nanosecond})
	const size = 40 << 20
	c := h.dial(t)
	c.send("POST /rufh/ HTTP/1.1\nHost: x\nUpload-Draft-Interop-Version: 8\nUpload-Complete: ?1\nContent-Length: %d\n\n", size)
	if res := c.next(); res.StatusCode != 104 {
		t.Fatal(res)
	}
	go func() {
		b := wiretest.Rand(1<<20, 20, 0)
		for range size >> 20 {
			if _, err := c.Write(b); err != nil {
				return
			}
		}
	}()
	progress := 0
	res := c.next()
	for ; res != nil && res.StatusCode == 104; res = c.next() {
		n, err := strconv.ParseInt(res.Header.Get("Upload-Offset"), 10, 64)
		if err != nil || n > w.recorded() {
			t.Fatalf("104 tells %d, recorded are %d", n, w.recorded())
		}
		progress++
	}
	if res == nil || res.StatusCode != 201 || progress == 0 {
		t.Errorf("%d times progress, then %+v", progress, res)
	}
}
