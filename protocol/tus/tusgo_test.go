package tus_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/bdragon300/tusgo"

	"github.com/muleteer/muleteer/protocol/tus"
	"github.com/muleteer/muleteer/protocol/wiretest"
	"github.com/muleteer/muleteer/upload"
)

// house is a server with a tus endpoint.
type house struct {
	*upload.Service
	clock *wiretest.Clock
	url   string
	http  *http.Client
}

// open serves tus over a store that cuts, so that the cuts are tested too.
func open(t *testing.T, o tus.Options) *house {
	s, clock := wiretest.Grids()[1].Service(t)
	return serve(t, s, clock, o)
}

func serve(t *testing.T, s *upload.Service, clock *wiretest.Clock, o tus.Options) *house {
	server := httptest.NewServer(tus.Handler(s, o))
	t.Cleanup(server.Close)
	return &house{Service: s, clock: clock, url: server.URL + "/tus/", http: server.Client()}
}

// client is tusgo with what the server says that it can.
func (h *house) client(t *testing.T, transport http.RoundTripper) *tusgo.Client {
	base, err := url.Parse(h.url)
	if err != nil {
		t.Fatal(err)
	}
	hc := h.http
	if transport != nil {
		hc = &http.Client{Transport: transport}
	}
	c := tusgo.NewClient(hc, base)
	if _, err := c.UpdateCapabilities(); err != nil {
		t.Fatal(err)
	}
	return c
}

// content reads a finished file.
func (h *house) content(t *testing.T, location string) []byte {
	t.Helper()
	res, err := h.http.Get(location)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s, %v", location, res.Status, err)
	}
	return b
}

func TestTusgoChecksums(t *testing.T) {
	t.Parallel()
	h := open(t, tus.Options{})
	c := h.client(t, nil)
	want := wiretest.Rand(4321, 1, 0)
	for _, algorithm := range []string{"sha1", "sha256", "sha384", "sha512", "md5", "crc32"} {
		for _, chunk := range []int64{700, 5000, tusgo.NoChunked} { // without chunks the checksum is in a trailer
			var u tusgo.Upload
			if _, err := c.CreateUpload(&u, int64(len(want)), false, nil); err != nil {
				t.Fatal(err)
			}
			stream := tusgo.NewUploadStream(c, &u).WithChecksumAlgorithm(algorithm)
			stream.ChunkSize = chunk
			if _, err := stream.ReadFrom(bytes.NewReader(want)); err != nil {
				t.Fatalf("%s in chunks of %d: %v", algorithm, chunk, err)
			}
			if !bytes.Equal(h.content(t, u.Location), want) {
				t.Fatalf("%s in chunks of %d: other bytes arrived", algorithm, chunk)
			}
		}
	}
}

// spoiler changes a byte of the bodies that pass.
type spoiler struct {
	http.RoundTripper
	on bool
}

func (s *spoiler) RoundTrip(r *http.Request) (*http.Response, error) {
	if s.on && r.Method == http.MethodPatch {
		r.Body = struct {
			io.Reader
			io.Closer
		}{spoiled{r.Body}, r.Body}
	}
	return s.RoundTripper.RoundTrip(r)
}

type spoiled struct{ io.Reader }

func (s spoiled) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if n > 0 {
		p[n-1] ^= 1
	}
	return n, err
}

func TestTusgoChecksumMismatch(t *testing.T) {
	t.Parallel()
	h := open(t, tus.Options{})
	line := &spoiler{RoundTripper: h.http.Transport}
	c := h.client(t, line)
	want := wiretest.Rand(2500, 2, 0)
	for _, chunk := range []int64{900, tusgo.NoChunked} {
		var u tusgo.Upload
		if _, err := c.CreateUpload(&u, int64(len(want)), false, nil); err != nil {
			t.Fatal(err)
		}
		stream := tusgo.NewUploadStream(c, &u).WithChecksumAlgorithm("sha256")
		stream.ChunkSize = chunk
		line.on = true
		if _, err := stream.ReadFrom(bytes.NewReader(want)); !errors.Is(err, tusgo.ErrChecksumMismatch) {
			t.Fatalf("want a mismatch, got %v", err)
		}
		line.on = false
		if _, err := stream.Sync(); err != nil || stream.Tell() != 0 {
			t.Fatalf("the offset is %d (%v), want 0", stream.Tell(), err)
		}
		stream.ForceClean()
		if _, err := stream.ReadFrom(bytes.NewReader(want)); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(h.content(t, u.Location), want) {
			t.Fatal("other bytes arrived")
		}
	}
}

func TestTusgoConcatenation(t *testing.T) {
	t.Parallel()
	h := open(t, tus.Options{})
	c := h.client(t, nil)
	want := wiretest.Rand(3700, 3, 0)
	pieces := [][]byte{want[:1300], want[1300:1301], want[1301:]}
	for _, unfinished := range []bool{false, true} {
		var streams []*tusgo.UploadStream
		for _, p := range pieces {
			var u tusgo.Upload
			if _, err := c.CreateUpload(&u, int64(len(p)), true, nil); err != nil {
				t.Fatal(err)
			}
			streams = append(streams, tusgo.NewUploadStream(c, &u))
		}
		send := func() {
			for i, s := range streams {
				if _, err := s.ReadFrom(bytes.NewReader(pieces[i])); err != nil {
					t.Fatal(err)
				}
			}
		}
		if !unfinished {
			send()
		}
		var final tusgo.Upload
		if _, err := c.ConcatenateStreams(&final, streams, map[string]string{"filename": "whole"}); err != nil {
			t.Fatal(err)
		}
		if unfinished {
			send()
		}
		var told tusgo.Upload
		if _, err := c.GetUpload(&told, final.Location); err != nil {
			t.Fatal(err)
		}
		if told.RemoteOffset != 3700 || told.RemoteSize != 3700 || told.Metadata["filename"] != "whole" {
			t.Errorf("unfinished %v: %+v", unfinished, told)
		}
		if !bytes.Equal(h.content(t, final.Location), want) {
			t.Errorf("unfinished %v: other bytes arrived", unfinished)
		}
		h.clock.Move(2 * time.Hour) // or the second is taken for the first, sent again
	}
}

func TestTusgoExpiration(t *testing.T) {
	t.Parallel()
	h := open(t, tus.Options{})
	h.Expire = time.Hour // nothing has been asked of it yet
	c := h.client(t, nil)
	var u tusgo.Upload
	if _, err := c.CreateUpload(&u, 2000, false, nil); err != nil {
		t.Fatal(err)
	}
	stream := tusgo.NewUploadStream(c, &u)
	if _, err := stream.ReadFrom(bytes.NewReader(wiretest.Rand(1000, 4, 0))); err != nil {
		t.Fatal(err)
	}
	if want := h.clock.Now().Add(time.Hour); u.UploadExpired == nil || !u.UploadExpired.Equal(want) {
		t.Fatalf("expires %v, want %v", u.UploadExpired, want)
	}
	h.clock.Move(61 * time.Minute)
	if _, err := h.Sweep(context.Background()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.GetUpload(&u, u.Location); !errors.Is(err, tusgo.ErrUploadDoesNotExist) {
		t.Fatalf("want none, got %v", err)
	}
}

func TestTusgoDeferredWithDataAndTermination(t *testing.T) {
	t.Parallel()
	h := open(t, tus.Options{})
	c := h.client(t, nil)
	want := wiretest.Rand(2500, 5, 0)
	var u tusgo.Upload
	if _, err := c.CreateUpload(&u, tusgo.SizeUnknown, false, nil); err != nil {
		t.Fatal(err)
	}
	u.RemoteSize = int64(len(want))
	stream := tusgo.NewUploadStream(c, &u)
	stream.ChunkSize, stream.SetUploadSize = 800, true
	if _, err := stream.ReadFrom(bytes.NewReader(want)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(h.content(t, u.Location), want) {
		t.Error("deferred: other bytes arrived")
	}
	var v tusgo.Upload
	if n, _, err := c.CreateUploadWithData(&v, want, 2500, false, map[string]string{"filename": "ü"}); err != nil || n != 2500 {
		t.Fatalf("%d bytes, %v", n, err)
	}
	if !bytes.Equal(h.content(t, v.Location), want) {
		t.Error("with data: other bytes arrived")
	}
	if _, err := c.DeleteUpload(v); err != nil {
		t.Fatal(err)
	}
	if _, err := c.GetUpload(&v, v.Location); !errors.Is(err, tusgo.ErrUploadDoesNotExist) {
		t.Fatalf("want none, got %v", err)
	}
}
