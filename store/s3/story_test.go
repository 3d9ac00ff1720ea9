package s3

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/store"
	"github.com/muleteer/muleteer/store/s3/s3test"
)

// story is a store with a proxy between it and the server.
type story struct {
	*testing.T
	*Store
	proxy  *s3test.Proxy
	bucket string
	where  string
}

func tellStory(t *testing.T, query string, memory int64) *story {
	t.Helper()
	b := server.Bucket(t)
	p := server.Proxy(t)
	where := p.URL(b, "kept") + query
	s := open(t, where, Options{Memory: store.NewBudget(memory)})
	if _, err := s.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	return &story{t, s, p, b, where}
}

// noise is n bytes that are different each time.
func noise(n int64) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // it never fails
	return b
}

// begin begins an object under its own key, with cells of 5 MiB.
func (s *story) begin(size int64) store.Object {
	s.Helper()
	id := rand.Text()
	return s.beginAs(id, store.Spec{Size: size, Key: id + "/file.bin", Chunk: minPart, Type: "text/plain", Name: "größe.txt", Fields: map[string]string{"who": "me"}})
}

func (s *story) beginAs(id string, spec store.Spec) store.Object {
	s.Helper()
	o, err := s.Begin(s.Context(), id, spec)
	if err != nil {
		s.Fatal(err)
	}
	return o
}

// put puts the bytes of e and returns what was told of them.
func (s *story) put(o store.Object, e extent.Extent, r io.Reader) (parts []store.Part, err error) {
	err = s.Put(s.Context(), o, e, r, func(p store.Part) error { parts = append(parts, p); return nil })
	return parts, err
}

// joined joins the parts and compares what is in the bucket with data.
func (s *story) joined(o store.Object, parts []store.Part, data []byte) store.Final {
	s.Helper()
	final, err := s.Join(s.Context(), o, parts)
	if err != nil {
		s.Fatal(err)
	}
	r, err := server.Read(s.bucket, "kept/"+final.Key)
	if err != nil {
		s.Fatal(err)
	}
	defer r.Close()
	if b, err := io.ReadAll(r); err != nil || !bytes.Equal(b, data) {
		s.Errorf("%d bytes that differ from what was sent, %v", len(b), err)
	}
	return final
}

// An object whose key begins with its id is made where it appears: nothing is
// copied, and beside the bytes is what the client said.
func TestObjectsAreMadeInTheirPlace(t *testing.T) {
	t.Parallel()
	s := tellStory(t, "", 64<<20)
	data := noise(11 * mib)
	o := s.begin(11 * mib)
	parts, err := s.put(o, extent.Extent{End: 11 * mib}, bytes.NewReader(data))
	if err != nil || len(parts) != 3 {
		t.Fatalf("%d parts, %v", len(parts), err)
	}
	s.joined(o, parts, data)
	if n := s.proxy.Count(s3test.UploadPartCopy) + s.proxy.Count(s3test.CopyObject); n > 0 {
		t.Errorf("%d copies were made", n)
	}
	seen, err := s.look(t.Context(), "kept/"+o.Key)
	if err != nil || of(seen).kind != "text/plain" || seen.Metadata["who"] != "me" || !strings.Contains(of(seen).disposition, "filename*=utf-8''gr%C3%B6%C3%9Fe.txt") {
		t.Errorf("%+v, %v", seen, err)
	}
}

// A part that fails ends what may count, though later ones were faster.
func TestWhatFollowsAFailedPartDoesNotCount(t *testing.T) {
	t.Parallel()
	s := tellStory(t, "", 64<<20)
	data := noise(20 * mib)
	o := s.begin(20 * mib)
	rule := s.proxy.On(s3test.UploadPart).Part(5).Always().Do(s3test.Denied) // of the second cell
	parts, err := s.put(o, extent.Extent{End: 20 * mib}, bytes.NewReader(data))
	if err == nil || len(parts) != 1 || parts[0].Extent != (extent.Extent{End: 5 * mib}) {
		t.Fatalf("%+v, %v", parts, err)
	}
	rule.End()
	more, err := s.put(o, extent.Extent{Start: 5 * mib, End: 20 * mib}, bytes.NewReader(data[5*mib:]))
	if err != nil {
		t.Fatal(err)
	}
	s.joined(o, append(parts, more...), data)
}

// Crumbs are folded from memory, and from the bucket by the next process.
func TestCrumbsAreFoldedFromMemory(t *testing.T) {
	t.Parallel()
	s := tellStory(t, "", 64<<20)
	for _, restarted := range []bool{false, true} {
		s.proxy.Forget()
		data := noise(7 * mib)
		o := s.begin(7 * mib)
		first, err := s.put(o, extent.Extent{End: 7 * mib}, io.MultiReader(bytes.NewReader(data[:2*mib]), iotest.ErrReader(errors.New("the line broke"))))
		if err != nil || len(first) != 1 || !first[0].Crumb || first[0].End != 2*mib {
			t.Fatalf("%+v, %v", first, err)
		}
		rest, err := s.put(o, extent.Extent{Start: 2 * mib, End: 7 * mib}, bytes.NewReader(data[2*mib:]))
		if err != nil || len(rest) != 2 || !rest[0].Crumb || rest[1].Crumb {
			t.Fatalf("%+v, %v", rest, err)
		}
		if restarted {
			s.Store = open(t, s.where, Options{})
		}
		crumbs := append(first, rest[0])
		part, err := s.Fold(t.Context(), o, crumbs)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Drop(t.Context(), o, crumbs); err != nil {
			t.Fatal(err)
		}
		if n := s.proxy.Count(s3test.GetObject); (n > 0) != restarted {
			t.Errorf("restarted: %v, and %d crumbs were read", restarted, n)
		}
		s.joined(o, []store.Part{part, rest[1]}, data)
		for key := range server.Objects(t, s.bucket) {
			if strings.Contains(key, private) {
				t.Errorf("%s is left", key)
			}
		}
	}
}

// Bodies that stand still hold what they have brought, and nobody else waits
// for them for ever: the budget is small, all bodies want more of it at once,
// and it is never exceeded.
func TestLittleMemoryForManyBodies(t *testing.T) {
	t.Parallel()
	const bodies, size = 12, 6 * mib
	s := tellStory(t, "", minMemory)
	var wg sync.WaitGroup
	for range bodies {
		wg.Go(func() {
			data := noise(size)
			o := s.begin(size)
			parts, err := s.put(o, extent.Extent{End: size}, iotest.HalfReader(bytes.NewReader(data)))
			if err != nil {
				t.Error(err)
				return
			}
			var folded []store.Part
			for i := 0; i < len(parts); {
				j := i
				for j < len(parts) && parts[j].Crumb && !o.Grid.Fills(extent.Extent{Start: parts[i].Start, End: parts[j].End}, size) {
					j++
				}
				part := parts[i]
				if part.Crumb {
					if part, err = s.Fold(t.Context(), o, parts[i:j+1]); err != nil {
						t.Error(err)
						return
					}
				}
				folded, i = append(folded, part), j+1
			}
			s.joined(o, folded, data)
		})
	}
	wg.Wait()
	s.memory.spare(1 << 40)
	if free := s.memory.budget.Free(); free != minMemory {
		t.Errorf("%d bytes of the budget are lost", minMemory-free)
	}
}

// A server that notes a wrong checksum for a copied range, as versitygw 1.8.0
// does, or none and refuses the part, as MinIO does, does no harm.
func TestWhatIsMiscopiedIsSentAgain(t *testing.T) {
	t.Parallel()
	s := tellStory(t, "", 64<<20)
	s.copyPart = 5 * mib
	data := noise(16 * mib)
	id := rand.Text()
	o := s.beginAs(id, store.Spec{Size: 16 * mib, Key: "a name.bin", Chunk: minPart})
	parts, err := s.put(o, extent.Extent{End: 16 * mib}, bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if final := s.joined(o, parts, data); final.Key != "a name.bin" {
		t.Errorf("it appeared as %q", final.Key)
	}
	if !slices.ContainsFunc(s.proxy.Journal(), func(c s3test.Call) bool { return c.Op == s3test.UploadPartCopy }) {
		t.Error("the server was not asked to copy")
	}
}

// What a dead process has begun is found, and can be removed by what is told
// of it; what has a key of another kind is nobody's business.
func TestOrphansAreFound(t *testing.T) {
	t.Parallel()
	s := tellStory(t, "", 64<<20)
	direct := s.begin(100)
	staged := s.beginAs(rand.Text(), store.Spec{Size: 100, Key: "a/b"})
	replacing := s.beginAs(rand.Text(), store.Spec{Size: 100, Key: "a/b", Overwrite: true})
	if _, err := s.put(staged, extent.Extent{End: 50}, bytes.NewReader(noise(50))); err != nil {
		t.Fatal(err)
	}
	found := map[string]int{}
	for e, err := range s.Unfinished(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		found[e.ID]++
		if err := s.Remove(t.Context(), store.Object{ID: e.ID, Token: e.Token}); err != nil {
			t.Error(err)
		}
	}
	if found[direct.ID] != 1 || found[staged.ID] < 1 || found[replacing.ID] != 0 {
		t.Errorf("found %v", found)
	}
	left := server.Unjoined(t, s.bucket)
	if len(left) != 1 || left[0].Key != "kept/a/b" || len(server.Objects(t, s.bucket)) > 0 {
		t.Errorf("left are %v and %v", left, server.Objects(t, s.bucket))
	}
}

// With redirect=1 whoever has the address reads the object without us.
func TestLink(t *testing.T) {
	t.Parallel()
	s := tellStory(t, "&redirect=1", 64<<20)
	data := noise(1000)
	id := rand.Text()
	o, _, err := s.PutWhole(t.Context(), id, store.Spec{Key: id + "/a b.txt", Type: "text/html"}, data)
	if err != nil {
		t.Fatal(err)
	}
	at, err := s.Link(t.Context(), o, "text/plain", "attachment")
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Get(at)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || !bytes.Equal(b, data) || resp.Header.Get("Content-Type") != "text/plain" || resp.Header.Get("Content-Disposition") != "attachment" {
		t.Errorf("%s, %d bytes, %v, %v", resp.Status, len(b), resp.Header, err)
	}
	if at, err := tellStory(t, "", 64<<20).Link(t.Context(), o, "", ""); at != "" || err != nil {
		t.Errorf("nobody asked for %s, %v", at, err)
	}
}

// A node that was taken over from writes a crumb of the same bytes, late, and
// with other bytes: it touches nothing.
func TestAStaleCrumbTouchesNothing(t *testing.T) {
	t.Parallel()
	s := tellStory(t, "", 64<<20)
	data := noise(100)
	o := s.begin(100)
	stale := o
	o.Epoch = 1
	var parts []store.Part
	for _, e := range []extent.Extent{{Start: 0, End: 60}, {Start: 60, End: 100}} {
		p, err := s.put(o, e, bytes.NewReader(data[e.Start:e.End]))
		if err != nil || len(p) != 1 || !p[0].Crumb {
			t.Fatalf("%+v, %v", p, err)
		}
		parts = append(parts, p[0])
		for _, epoch := range []int64{0, 1} { // also one of its own that comes late
			stale.Epoch = epoch
			if _, err := s.put(stale, e, bytes.NewReader(noise(e.Len()))); err != nil {
				t.Fatal(err)
			}
		}
	}
	s.Store = open(t, s.where, Options{}) // with nothing in memory
	part, err := s.Fold(t.Context(), o, parts)
	if err != nil {
		t.Fatal(err)
	}
	s.joined(o, []store.Part{part}, data)
}

// A join whose every answer is lost has happened: a look tells so.
func TestALookDecidesWhatAJoinHasDone(t *testing.T) {
	t.Parallel()
	for _, staged := range []bool{false, true} {
		for _, fault := range []s3test.Fault{s3test.CommitReset, s3test.CommitError, s3test.CommitSum} {
			t.Run(fmt.Sprintf("%s, staged: %v", fault, staged), func(t *testing.T) {
				t.Parallel()
				s := tellStory(t, "", 64<<20)
				data := noise(1000)
				o := s.begin(1000)
				if staged {
					o = s.beginAs(rand.Text(), store.Spec{Size: 1000, Key: "staged.bin"})
				}
				parts, err := s.put(o, extent.Extent{End: 1000}, bytes.NewReader(data))
				if err != nil {
					t.Fatal(err)
				}
				s.proxy.On(s3test.CompleteMultipartUpload).Always().Do(fault)
				s.joined(o, parts, data)
			})
		}
	}
}

// A client may put its part twice by one signed request, and where the server
// encrypts with keys of its own, the same bytes have another ETag then.
func TestJoinOfAPartWithAnotherETag(t *testing.T) {
	t.Parallel()
	s := open(t, server.URL(server.Bucket(t), "")+"&direct=1", Options{})
	body := bytes.Repeat([]byte("mule"), 2<<20)
	o, err := s.Begin(t.Context(), rand.Text(), store.Spec{Size: int64(len(body)), Key: "file", Chunk: 8 << 20})
	if err != nil {
		t.Fatal(err)
	}
	var parts []store.Part
	keep := func(p store.Part) error { parts = append(parts, p); return nil }
	if err := s.Put(t.Context(), o, extent.Extent{End: o.Size}, bytes.NewReader(body), keep); err != nil {
		t.Fatal(err)
	}
	number, _, err := parseReceipt(parts[0].Receipt)
	if err != nil {
		t.Fatal(err)
	}
	parts[0].Receipt = partReceipt(number, `"of-the-time-before"`)
	if final, err := s.Join(t.Context(), o, parts); err != nil || final.CRC != store.CRC(0).Update(body) {
		t.Errorf("%+v, %v", final, err)
	}
}
