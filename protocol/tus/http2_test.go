package tus_test

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/muleteer/muleteer/protocol/tus"
	"github.com/muleteer/muleteer/protocol/wiretest"
)

// signalled tells when a body is read for the first time.
type signalled struct {
	io.ReadCloser
	once *sync.Once
	read chan struct{}
}

func (s signalled) Read(p []byte) (int, error) {
	s.once.Do(func() { close(s.read) })
	return s.ReadCloser.Read(p)
}

// TestC13H7OverHTTP2: what is done by deadlines and trailers works on HTTP/2
// too.
func TestC13H7OverHTTP2(t *testing.T) {
	t.Parallel()
	s, clock := wiretest.Grids()[1].Service(t)
	next := tus.Handler(s, tus.Options{})
	reading := make(chan struct{})
	var once sync.Once
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 {
			t.Errorf("it is %s", r.Proto)
		}
		if r.Header.Get("X-Silent") != "" {
			r.Body = signalled{r.Body, &once, reading}
		}
		next.ServeHTTP(w, r)
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	h := &house{Service: s, clock: clock, url: server.URL + "/tus/", http: server.Client()}
	loc := h.do(t, 201, "POST", h.url, nil, "Upload-Length", "2000").Get("Location")

	body, pipe := io.Pipe()
	defer pipe.Close()
	old := make(chan int, 1)
	silent := request(t, "PATCH", loc, body, "Upload-Offset", "0", "X-Silent", "yes")
	silent.ContentLength = 2000
	go func() {
		res, err := h.http.Do(silent)
		if err != nil {
			old <- 0
			return
		}
		res.Body.Close()
		old <- res.StatusCode
	}()
	<-reading
	start := time.Now()
	if got := h.do(t, 200, "HEAD", loc, nil); got.Get("Upload-Offset") != "0" {
		t.Error(got)
	}
	if d := time.Since(start); d > time.Second {
		t.Errorf("HEAD took %v", d)
	}
	if status := <-old; status != http.StatusConflict {
		t.Errorf("the silent request was answered %d", status)
	}

	want := wiretest.Rand(2000, 8, 0)
	for _, right := range []bool{false, true} {
		sum := sha1.Sum(want)
		status := 204
		if !right {
			sum[0] ^= 1
			status = 460
		}
		r := request(t, "PATCH", loc, struct{ io.Reader }{bytes.NewReader(want)}, "Upload-Offset", "0")
		r.Trailer = http.Header{"Upload-Checksum": {"sha1 " + base64.StdEncoding.EncodeToString(sum[:])}}
		res, err := h.http.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != status {
			t.Fatalf("%s, want %d", res.Status, status)
		}
	}
	if !bytes.Equal(h.content(t, loc), want) {
		t.Error("other bytes arrived")
	}
}
