package contentrange_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/protocol/contentrange"
	"github.com/muleteer/muleteer/protocol/wiretest"
	"github.com/muleteer/muleteer/store"
	"github.com/muleteer/muleteer/upload"
)

// TestS2R22Swarm sends one file by many connections at once: pieces of any
// size, in any order, overlapping, with and without checksums, some wrong, some
// cut off in the middle. The truth is the file, and what was acknowledged.
func TestS2R22Swarm(t *testing.T) {
	for _, g := range wiretest.Grids() {
		for seed := range uint64(4) {
			t.Run(fmt.Sprintf("%s/seed %d", g.Name, seed), func(t *testing.T) {
				t.Parallel()
				s, _ := g.Service(t)
				var completed atomic.Int32
				s.Hook = func(_ context.Context, turn upload.Turn) (upload.Verdict, error) {
					if turn.Kind == upload.Completed {
						completed.Add(1)
					}
					return upload.Verdict{}, nil
				}
				server := httptest.NewServer(mount(s, contentrange.Options{}))
				defer server.Close()
				w := newSwarm(t, server.URL, seed)
				w.run(6)
				if _, err := s.Deliver(t.Context()); err != nil {
					t.Fatal(err)
				}
				if n := completed.Load(); n != 1 {
					t.Errorf("the upload completed %d times", n)
				}
				uploads := 0
				for _, err := range s.Find(t.Context(), upload.Query{}) {
					if err != nil {
						t.Fatal(err)
					}
					uploads++
				}
				if uploads != 1 {
					t.Errorf("%d uploads", uploads)
				}
			})
		}
	}
}

type swarm struct {
	*testing.T
	url    string
	file   []byte
	pieces chan extent.Extent

	mu    sync.Mutex
	acked extent.Set
	ids   map[string]bool // of the files that were told to be complete
}

func newSwarm(t *testing.T, url string, seed uint64) *swarm {
	r := rand.New(rand.NewPCG(seed, 22))
	w := &swarm{T: t, url: url, file: wiretest.Rand(20_000+r.IntN(40_000), seed, 0), ids: map[string]bool{}}
	var pieces []extent.Extent
	for at := 0; at < len(w.file); { // these cover the file …
		n := 1 + r.IntN(3000)
		pieces = append(pieces, extent.Extent{Start: int64(at), End: int64(min(at+n, len(w.file)))})
		at += n
	}
	for range 20 { // … and these overlap them
		at := r.IntN(len(w.file))
		pieces = append(pieces, extent.Extent{Start: int64(at), End: int64(min(at+1+r.IntN(5000), len(w.file)))})
	}
	r.Shuffle(len(pieces), func(i, j int) { pieces[i], pieces[j] = pieces[j], pieces[i] })
	w.pieces = make(chan extent.Extent, len(pieces))
	for _, p := range pieces {
		w.pieces <- p
	}
	close(w.pieces)
	return w
}

func (w *swarm) run(workers int) {
	var all sync.WaitGroup
	for i := range workers {
		all.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 23))
			for p := range w.pieces {
				for !w.send(p, r) {
					if w.Failed() {
						return
					}
				}
			}
		})
	}
	all.Wait()
	if w.Failed() {
		return
	}
	if len(w.ids) != 1 {
		w.Fatalf("complete is told of %d files: %v", len(w.ids), w.ids)
	}
	for id := range w.ids {
		res, err := http.Get(w.url + "/files/" + id)
		if err != nil {
			w.Fatal(err)
		}
		defer res.Body.Close()
		got, err := io.ReadAll(res.Body)
		if err != nil || sha256.Sum256(got) != sha256.Sum256(w.file) {
			w.Fatalf("the file has other bytes (%d of %d, %v)", len(got), len(w.file), err)
		}
	}
}

// send sends a piece once, and tells whether that was acknowledged.
func (w *swarm) send(p extent.Extent, r *rand.Rand) bool {
	content := w.file[p.Start:p.End]
	var body io.Reader = bytes.NewReader(content)
	sum := ""
	cut, wrong := r.IntN(8) == 0, r.IntN(8) == 0
	switch {
	case cut:
		body = io.MultiReader(bytes.NewReader(content[:r.IntN(len(content))]), broken{})
	case wrong:
		// Nothing of a body counts whose checksum is another one.
		bad := bytes.Clone(content)
		bad[r.IntN(len(bad))] ^= 1
		body = bytes.NewReader(bad)
		fallthrough
	case r.IntN(2) == 0:
		sum = "crc64nvme " + store.CRC(0).Update(content).String()
	}
	before := w.sure()
	res := w.put(fmt.Sprintf("bytes %d-%d/%d", p.Start, p.End-1, len(w.file)), body, p.Len(), sum)
	if res == nil {
		return false // the connection was cut; whether by us or the server is all the same
	}
	if cut && res.StatusCode < 400 {
		w.Errorf("%v was cut off and is acknowledged: %s", p, res.Status)
	}
	switch res.StatusCode {
	case http.StatusOK:
		w.complete(res)
	case http.StatusPermanentRedirect:
	case 460:
		if !wrong {
			w.Errorf("%v: the checksum was right: %s", p, res.Status)
		}
		return false
	case http.StatusConflict, http.StatusServiceUnavailable, http.StatusBadRequest:
		return false // another connection took over; it was cut; it is being joined
	default:
		w.Errorf("%v: %s", p, res.Status)
		return false
	}
	if wrong && sum != "" {
		w.Errorf("%v was wrong and is acknowledged: %s", p, res.Status)
	}
	w.mu.Lock()
	w.acked = w.acked.Add(p)
	w.mu.Unlock()
	if r.IntN(4) == 0 {
		w.ask(before)
	}
	return true
}

// sure returns what was acknowledged until now.
func (w *swarm) sure() extent.Set {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.acked
}

// ask checks that what was acknowledged is there.
func (w *swarm) ask(before extent.Set) {
	res := w.put("bytes */*", nil, 0, "")
	for tries := 0; res == nil && tries < 3; tries++ { // on a connection that ended just then, as after a cut
		res = w.put("bytes */*", nil, 0, "")
	}
	switch {
	case res == nil:
		w.Error("a query has no answer")
	case res.StatusCode == http.StatusOK:
		w.complete(res)
	case res.StatusCode == http.StatusPermanentRedirect:
		var told extent.Set
		for s := range strings.SplitSeq(res.Header.Get("X-Upload-Ranges"), ",") {
			var e extent.Extent
			if _, err := fmt.Sscanf(s, "%d-%d", &e.Start, &e.End); err != nil && s != "" {
				w.Errorf("%q: %v", s, err)
			}
			e.End++
			told = told.Add(e)
		}
		for _, e := range before {
			if !told.Has(e) {
				w.Errorf("%v was acknowledged and is not in %v", e, told)
			}
		}
	case res.StatusCode != http.StatusServiceUnavailable:
		w.Errorf("query: %s", res.Status)
	}
}

func (w *swarm) complete(res *http.Response) {
	var v struct{ ID, State string }
	if err := json.NewDecoder(res.Body).Decode(&v); err != nil || v.State != "done" {
		w.Errorf("complete, but %+v, %v", v, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ids[v.ID] = true
}

// put sends a request; without an answer it returns nil.
func (w *swarm) put(rng string, body io.Reader, n int64, sum string) *http.Response {
	req, err := http.NewRequest(http.MethodPut, w.url+"/upload/file.bin", body)
	if err != nil {
		w.Fatal(err)
	}
	req.ContentLength = n
	req.Header.Set("Content-Range", rng)
	req.Header.Set("X-Upload-Fingerprint", "the one")
	if sum != "" {
		req.Header.Set("X-Upload-Checksum", sum)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil
	}
	content, err := io.ReadAll(res.Body)
	res.Body.Close()
	if err != nil {
		return nil
	}
	res.Body = io.NopCloser(bytes.NewReader(content))
	return res
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("the line is cut") }

// TestS2R22OneUploadOfAFingerprint: whoever is first, all ranges that come at
// once with one fingerprint are of one upload, also those that are the file.
func TestS2R22OneUploadOfAFingerprint(t *testing.T) {
	t.Parallel()
	for range 200 {
		s, _ := wiretest.Grids()[0].Service(t)
		h := contentrange.Handler(s, contentrange.Options{})
		data := strings.Repeat("x", 600)
		var all sync.WaitGroup
		for i := range 6 {
			all.Go(func() {
				first, last := 0, 599
				if i%2 == 1 {
					last = 299
				}
				for { // as a client does that is told to come back
					r := httptest.NewRequest("PUT", "/upload/a", strings.NewReader(data[first:last+1]))
					r.Header.Set("Content-Range", fmt.Sprintf("bytes %d-%d/600", first, last))
					r.Header.Set("X-Upload-Fingerprint", "of-this-file")
					w := httptest.NewRecorder()
					h.ServeHTTP(w, r)
					switch w.Code {
					case http.StatusOK, http.StatusPermanentRedirect:
						return
					case http.StatusServiceUnavailable, http.StatusConflict:
					default:
						t.Errorf("%d %s", w.Code, w.Body)
						return
					}
				}
			})
		}
		all.Wait()
		n := 0
		for u, err := range s.Find(t.Context(), upload.Query{}) {
			if n++; err != nil || u.Phase != upload.Done {
				t.Errorf("%v %v", u, err)
			}
		}
		if n != 1 {
			t.Fatalf("%d uploads of one fingerprint", n)
		}
	}
}
