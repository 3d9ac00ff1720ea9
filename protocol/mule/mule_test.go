package mule_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/protocol/mule"
	"github.com/muleteer/muleteer/protocol/wiretest"
	"github.com/muleteer/muleteer/store"
	"github.com/muleteer/muleteer/upload"
)

const chunk = 1000

// place is a server, and the clock by which it and the browsers go.
type place struct {
	s     *upload.Service
	clock *wiretest.Clock
	url   string
	log   bytes.Buffer

	serves atomic.Pointer[http.Handler]
}

// restart puts another process in the place of the server: it knows what is kept,
// and nothing else.
func (p *place) restart() {
	p.s = &upload.Service{Store: p.s.Store, State: p.s.State, Now: p.s.Now, Log: slog.New(slog.NewTextHandler(&p.log, nil))}
	h := mount(p.s)
	p.serves.Store(&h)
}

func mount(s *upload.Service) http.Handler { return mountWith(s, chunk) }

// mountWith is mount for pages that are set to another chunk.
func mountWith(s *upload.Service, chunk int64) http.Handler {
	o := mule.Options{Chunk: chunk}
	backend, bucket := mule.Handler(s, o), mule.Bucket(s, o)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/mule/") {
			bucket.ServeHTTP(w, r.WithContext(upload.By(r.Context(), upload.Principal{Verbs: []upload.Verb{}})))
			return
		}
		backend.ServeHTTP(w, r.WithContext(upload.As(r.Context(), r.Header.Get("X-Owner"))))
	})
}

func onEachGrid(t *testing.T, f func(t *testing.T, p *place)) {
	for _, g := range wiretest.Grids() {
		t.Run(g.Name, func(t *testing.T) {
			t.Parallel()
			p := &place{}
			p.s, p.clock = g.Service(t)
			p.restart()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*p.serves.Load()).ServeHTTP(w, r) }))
			t.Cleanup(server.Close)
			p.url = server.URL
			f(t, p)
		})
	}
}

// client is one that uploads a file.
func (p *place) client(t testing.TB, g generation, name string, data []byte) *client {
	return &client{generation: g, t: t, backend: p.url + "/upload-backend", name: name, data: data, modified: "1400000000123",
		kind: "video/mp4", chunk: chunk, workers: 4, now: p.clock.Now}
}

// has wants one finished file of the name, with the content.
func (p *place) has(t *testing.T, name string, data []byte) {
	t.Helper()
	found := 0
	for u, err := range p.s.State.Find(t.Context(), upload.Query{Phases: []upload.Phase{upload.Done}}) {
		if err != nil {
			t.Fatal(err)
		}
		if u.Meta.Name != name || u.Partial {
			continue
		}
		found++
		r, _, err := p.s.Open(upload.As(t.Context(), u.Owner), u.ID, extent.Extent{End: extent.Max})
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		r.Close()
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s has %d bytes, other than the %d that were sent, %v", name, len(got), len(data), err)
		}
	}
	if found != 1 {
		t.Errorf("%d files are called %s", found, name)
	}
}

// Both generations upload files of every kind, without sending a chunk twice.
func TestFiles(t *testing.T) {
	onEachGrid(t, func(t *testing.T, p *place) {
		for _, g := range []generation{g2014, g120} {
			for i, size := range []int{1, 999, 1001, 3500, 7999, 1_200_500 / 40} {
				name := fmt.Sprintf("größe %d, of %v.mp4", size, g)
				c := p.client(t, g, name, wiretest.Rand(size, uint64(i), 0))
				if !c.run(false) || len(c.sent) != c.count() || c.did != nil {
					t.Errorf("%s: sent %v, did %v", name, c.sent, c.did)
				}
				if c.session.Key == "" || c.session.BackupKey == "" || c.session.BackupKey == c.session.Key || c.session.ContentType == "" {
					t.Errorf("the session is %+v", c.session)
				}
				p.has(t, name, c.data)
			}
		}
	})
}

// T1: a chunk is acknowledged within 10 s of its last byte, however long the
// file takes to be joined: the client would send it again after 15 s.
func TestT1ChunkIsAnsweredInTime(t *testing.T) { synctest.Test(t, answeredInTime) }

func answeredInTime(t *testing.T) {
	s, _ := wiretest.Grids()[0].Service(t)
	slow := &joins{Store: s.Store, open: make(chan struct{})}
	s.Store = slow
	h := mount(s)
	c := &client{generation: g120, t: t, name: "a", data: wiretest.Rand(500, 1, 0), modified: "1", chunk: chunk, now: time.Now}
	session := httptest.NewRecorder()
	h.ServeHTTP(session, httptest.NewRequest("GET", "http://up.example/upload-backend/signing_key/?"+c.fields(), nil))
	c.take(session.Body.String())
	send := func(method, op string, body []byte) (int, time.Duration) {
		target, _ := c.sign(method, op)
		w, began := httptest.NewRecorder(), time.Now()
		h.ServeHTTP(w, httptest.NewRequest(method, target, bytes.NewReader(body)))
		return w.Code, time.Since(began)
	}
	if status, took := send("PUT", "partNumber=1&uploadId="+c.id, c.data); status != 200 || took > 10*time.Second {
		t.Errorf("the chunk: %d after %v", status, took)
	}
	close(slow.open)
	if status, _ := send("PUT", "partNumber=1&uploadId="+c.id, c.data); status != 200 {
		t.Errorf("the chunk again: %d", status)
	}
}

// joins is a store whose joins take until somebody lets them go.
type joins struct {
	store.Store
	open chan struct{}
}

func (s *joins) Join(ctx context.Context, o store.Object, parts []store.Part) (store.Final, error) {
	<-s.open
	return s.Store.Join(ctx, o, parts)
}

// T2: HEAD is 404 whatever is there, signed or not: the client would end in the
// middle of its work.
func TestT2HeadIsAlways404(t *testing.T) {
	onEachGrid(t, func(t *testing.T, p *place) {
		c := p.client(t, g2014, "a", wiretest.Rand(2500, 1, 0))
		c.stop = 1
		for range 2 {
			c.run(false)
			signed, _ := c.sign("HEAD", "uploadId="+c.id)
			unsigned, _, _ := strings.Cut(signed, "?")
			for _, target := range []string{signed, unsigned, p.url + "/mule/", p.url + "/mule/a.s3.amazonaws.com/b"} {
				if status, _ := c.do("HEAD", target, nil, nil); status != 404 {
					t.Errorf("HEAD %s: %d", target, status)
				}
			}
			c.stop = 0
		}
		p.has(t, "a", c.data)
	})
}

// T3: the list of an upload that is not there is 404, and the client begins
// anew; that of a finished one is full, as the client may ask once more.
func TestT3ListOfWhatIsGoneAndOfWhatIsDone(t *testing.T) {
	onEachGrid(t, func(t *testing.T, p *place) {
		c := p.client(t, g120, "a", wiretest.Rand(3500, 1, 0))
		if !c.run(false) {
			t.Fatal("it was not uploaded")
		}
		p.clock.Move(24 * time.Hour)
		if status, parts := c.list(); status != 200 || len(parts) != 4 || len(c.missing(parts)) > 0 {
			t.Errorf("when it is done: %d %v", status, parts)
		}
		d := p.client(t, g120, "b", wiretest.Rand(3500, 2, 0))
		d.stop = 2
		d.run(false)
		if err := p.s.Remove(t.Context(), d.id); err != nil {
			t.Fatal(err)
		}
		if status, _ := d.list(); status != 404 {
			t.Errorf("when it is gone: %d", status)
		}
		d.stop = 0
		if !d.run(false) {
			t.Error("it does not begin anew")
		}
		p.has(t, "b", d.data)
	})
}

// unsteady is a state that fails for a while.
type unsteady struct {
	upload.State
	fails atomic.Int32
}

func (s *unsteady) Load(ctx context.Context, id string, e extent.Extent) (*upload.Record, error) {
	if e.Len() > 0 && s.fails.Add(-1) >= 0 {
		return nil, errors.New("the state does not answer")
	}
	return s.State.Load(ctx, id, e)
}

// T4: an end may be told again, waits for what passes, and is tried again when
// chunks are missing. With any other answer the client sends all once more.
func TestT4Complete(t *testing.T) {
	onEachGrid(t, func(t *testing.T, p *place) {
		c := p.client(t, g120, "a", wiretest.Rand(3500, 1, 0))
		c.stop = 2
		c.run(false)
		_, parts := c.list()
		for what, wrong := range map[string][]part{
			"missing":    parts,
			"none":       nil,
			"foreign":    {{PartNumber: 1, ETag: `"0123456789abcdef0123456789abcdef"`}},
			"unheard of": append(slices.Clone(parts), part{PartNumber: 77, ETag: parts[0].ETag}),
		} {
			if status, body := c.complete(wrong); status != 400 || !strings.Contains(body, "EntityTooSmall") {
				t.Errorf("%s: %d %s", what, status, body)
			}
		}
		if status, body := c.signed("POST", "uploadId="+c.id, []byte("<nonsense")); status != 400 || !strings.Contains(body, "EntityTooSmall") {
			t.Errorf("nonsense: %d %s", status, body)
		}
		c.stop = 0
		if !c.run(false) {
			t.Fatal("it was not uploaded")
		}
		_, parts = c.list()
		state := &unsteady{State: p.s.State}
		p.s.State = state
		for range 2 {
			state.fails.Store(2)
			if status, _ := c.complete(parts); status != 200 {
				t.Errorf("the end once more: %d", status)
			}
		}
		p.has(t, "a", c.data)
	})
}

// T5: the client sends nothing as chunk 0 where it has nothing to send and is
// told to try again; that is no error, and no chunk.
func TestT5EmptyPartZero(t *testing.T) {
	onEachGrid(t, func(t *testing.T, p *place) {
		c := p.client(t, g120, "a", wiretest.Rand(3500, 1, 0))
		c.stop = 2
		c.run(false)
		_, before := c.list()
		if status := c.put(0, nil); status != 200 {
			t.Errorf("nothing as chunk 0: %d", status)
		}
		c.loaded(-1)
		if status := c.put(0, []byte("x")); status == 200 {
			t.Error("something as chunk 0")
		}
		if _, after := c.list(); !slices.Equal(before, after) {
			t.Errorf("%v became %v", before, after)
		}
	})
}

// T6: of a file that is a multiple of the chunk size, the client wants the last
// chunk to be told as of no bytes.
func TestT6ExactMultiple(t *testing.T) {
	onEachGrid(t, func(t *testing.T, p *place) {
		for n := 1; n <= 4; n++ {
			for _, g := range []generation{g2014, g120} {
				name := fmt.Sprintf("%d of %d", n, g)
				c := p.client(t, g, name, wiretest.Rand(n*chunk, uint64(n), 0))
				if !c.run(false) || len(c.sent) != n {
					t.Errorf("%d chunks: sent %v", n, c.sent)
				}
				p.has(t, name, c.data)
			}
		}
		// The last chunk alone is here, or comes first.
		c := p.client(t, g120, "last first", wiretest.Rand(3*chunk, 9, 0))
		c.ask(false)
		c.id = c.begin()
		c.send([]int{3})
		if _, parts := c.list(); !slices.Equal(c.missing(parts), []int{1, 2}) {
			t.Errorf("missing are %v of %v", c.missing(parts), parts)
		}
		if !c.run(false) || !slices.Equal(slices.Sorted(slices.Values(c.sent)), []int{1, 2, 3}) {
			t.Errorf("sent %v", c.sent)
		}
		p.has(t, "last first", c.data)
	})
}

// T7: a list is never cut, as most versions cannot ask for the rest.
func TestT7TenThousandInOneList(t *testing.T) {
	onEachGrid(t, func(t *testing.T, p *place) {
		c := p.client(t, g2014, "a", wiretest.Rand(19_999, 1, 0))
		c.chunk = 2
		c.ask(false)
		c.id = c.begin()
		if c.send([]int{1}); len(c.sent) != 1 {
			t.Fatal("the first chunk was not sent")
		}
		for at := 2; at < len(c.data)-1; at += 400 { // the protocol's way would take 10,000 requests here
			e := extent.Extent{Start: int64(at), End: int64(min(at+400, len(c.data)-1))}
			if _, err := p.s.Write(t.Context(), c.id, upload.Chunk{At: e.Start, Len: e.Len(), Size: -1, Body: bytes.NewReader(c.data[e.Start:e.End])}); err != nil {
				t.Fatal(err)
			}
		}
		if status, parts := c.list(); status != 200 || len(parts) != 9999 || !slices.Equal(c.missing(parts), []int{10_000}) {
			t.Fatalf("%d, %d chunks", status, len(parts))
		}
		if !c.run(false) || !slices.Equal(c.sent, []int{1, 10_000}) {
			t.Errorf("sent %v", c.sent)
		}
		if _, parts := c.list(); len(parts) != 10_000 {
			t.Errorf("in the end %d chunks", len(parts))
		}
		p.has(t, "a", c.data)
	})
}

// T9: what may be is decided here, not in the page.
func TestT9Limits(t *testing.T) {
	onEachGrid(t, func(t *testing.T, p *place) {
		p.s.MaxSize = 20_000_000
		for fields, want := range map[string]int{
			"filename=a&filesize=10000001&last_modified=1":                                     413, // more than 10,000 chunks
			"filename=a&filesize=20000001&last_modified=1":                                     413,
			"filename=a&filesize=&last_modified=1":                                             400,
			"filename=a&filesize=-1&last_modified=1":                                           400,
			"filename=a&filesize=1e3&last_modified=1":                                          400,
			"filename=a&last_modified=1":                                                       400,
			"filename=a&filesize=1&filesize=2&last_modified=1":                                 400,
			"filename=" + strings.Repeat("a", 300) + "&filesize=1&last_modified=1":             400,
			"filename=a&filesize=1&last_modified=" + strings.Repeat("1", 300):                  400,
			"filename=a&filesize=10000000&last_modified=1":                                     200,
			"filename=" + escape("../../x\x00\r\ny") + "&filesize=1&content_type=%0d%0aX:%20y": 200,
		} {
			resp, err := http.Get(p.url + "/upload-backend/signing_key/?" + fields)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != want {
				t.Errorf("%s: %d, want %d", fields, resp.StatusCode, want)
			}
		}
		// The page shows nothing, so the log has to.
		for _, why := range []string{"it has more than 10000 chunks of 1000 bytes\" size=10000001 status=413", "larger than allowed", "no number of bytes", "comes twice", "too long"} {
			if !strings.Contains(p.log.String(), why) {
				t.Errorf("nobody is told of %s: %s", why, &p.log)
			}
		}
		c := p.client(t, g120, "b", wiretest.Rand(3500, 1, 0))
		c.ask(false)
		c.id = c.begin()
		for number, size := range map[int]int{1: 3501, 5: 1000, 10_001: 10} {
			if status := c.put(number, make([]byte, size)); status/100 == 2 {
				t.Errorf("%d bytes as chunk %d: %d", size, number, status)
			}
		}
		if !c.run(false) {
			t.Error("it was not uploaded")
		}
		p.has(t, "b", c.data)
	})
}

// T11: a key is good for as long as its upload, over midnight and for days; each
// chunk puts its end off.
func TestT11Days(t *testing.T) {
	onEachGrid(t, func(t *testing.T, p *place) {
		c := p.client(t, g120, "a", wiretest.Rand(6500, 1, 0))
		c.ask(false)
		c.id = c.begin()
		for n := 1; n <= 4; n++ {
			p.clock.Move(6*24*time.Hour + 13*time.Hour)
			if _, err := p.s.Sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
			c.send([]int{n})
		}
		if status, parts := c.list(); status != 200 || len(parts) != 4 {
			t.Errorf("after weeks: %d %v", status, parts)
		}
		p.clock.Move(7*24*time.Hour + time.Minute)
		if _, err := p.s.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if status, _ := c.list(); status != 404 {
			t.Errorf("after a week of nothing: %d", status)
		}
		c.sent = nil
		if !c.run(false) || len(c.sent) != 7 {
			t.Errorf("anew: %v", c.sent)
		}
		p.has(t, "a", c.data)
	})
}

// Begun in one browser, it goes on in another two days later, and no chunk is
// sent twice; and who has lost the last answer has not to send anything.
func TestAnotherBrowserDaysLater(t *testing.T) {
	onEachGrid(t, func(t *testing.T, p *place) {
		data := wiretest.Rand(7500, 1, 0)
		first := p.client(t, g2014, "a", data)
		first.stop = 3
		first.run(false)
		p.clock.Move(48 * time.Hour)
		second := p.client(t, g120, "a", data)
		if !second.run(false) {
			t.Fatal("it was not uploaded")
		}
		all := slices.Sorted(slices.Values(slices.Concat(first.sent, second.sent)))
		if !slices.Equal(all, []int{1, 2, 3, 4, 5, 6, 7, 8}) || len(second.session.Chunks) != 3 {
			t.Errorf("first %v, then %v, told of %v", first.sent, second.sent, second.session.Chunks)
		}
		third := p.client(t, g120, "a", data)
		if !third.run(false) || len(third.sent) > 0 {
			t.Errorf("once more: %v", third.sent)
		}
		p.has(t, "a", data)
		other := p.client(t, g120, "a", data)
		if !other.run(true) || len(other.sent) != 8 { // the page wants it anew
			t.Errorf("by force: %v", other.sent)
		}
	})
}

// Files of one name and size whose date no browser tells are one for a day only.
func TestNoDate(t *testing.T) {
	onEachGrid(t, func(t *testing.T, p *place) {
		c := p.client(t, g120, "a", wiretest.Rand(3500, 1, 0))
		c.modified, c.stop = "0", 2
		c.run(false)
		again := p.client(t, g120, "a", wiretest.Rand(3500, 1, 0))
		again.modified = "0"
		again.ask(false)
		if again.session.UploadID != c.id {
			t.Error("within the day it is not found")
		}
		p.clock.Move(25 * time.Hour)
		again.ask(false)
		if again.session.UploadID != "" || again.session.Key == c.id {
			t.Error("after a day it is still the same")
		}
	})
}

// What somebody else has signed, or changed, is 404, and changes nothing.
func TestForeignAndAlteredSignatures(t *testing.T) {
	onEachGrid(t, func(t *testing.T, p *place) {
		mine := p.client(t, g120, "a", wiretest.Rand(3500, 1, 0))
		mine.ask(false)
		mine.id = mine.begin()
		theirs := p.client(t, g120, "b", wiretest.Rand(3500, 2, 0))
		theirs.ask(false)
		theirs.id = theirs.begin()
		if mine.session.Signature == theirs.session.Signature || mine.session.Key == theirs.session.Key || mine.id == theirs.id {
			t.Fatal("they have something in common")
		}
		put, _ := mine.sign("PUT", "partNumber=1&uploadId="+mine.id)
		list, _ := mine.sign("GET", "uploadId="+mine.id)
		_, key, _ := strings.Cut(put, ".amazonaws.com/")
		forged := p.client(t, g120, "a", nil)
		forged.session, forged.session.Signature = mine.session, theirs.session.Signature
		foreign, _ := forged.sign("PUT", "partNumber=1&uploadId="+mine.id)
		their, _ := theirs.sign("PUT", "partNumber=1&uploadId="+mine.id)
		twice, _ := mine.sign("PUT", "partNumber=1&partNumber=2&uploadId="+mine.id)
		more, _ := mine.sign("PUT", "partNumber=1&uploadId="+mine.id+"&acl=public")
		remove, _ := mine.sign("DELETE", "uploadId="+mine.id)
		both, _ := mine.sign("POST", "uploads=&uploadId="+mine.id)
		noHost, _ := mine.sign("PUT", "partNumber=1&uploadId="+mine.id, "Range", "")
		crossed := p.client(t, g120, "a", nil)
		crossed.session, crossed.session.Key = mine.session, theirs.session.Key
		elsewhere, _ := crossed.sign("PUT", "partNumber=1&uploadId="+mine.id)
		for what, r := range map[string][2]string{
			"none":                 {"PUT", strings.Split(put, "&X-Amz")[0]},
			"cut":                  {"PUT", put[:len(put)-2]},
			"another last digit":   {"PUT", put[:len(put)-1] + string("0123456789abcdef"[(strings.IndexByte("0123456789abcdef", put[len(put)-1])+1)%16])},
			"another method":       {"POST", put},
			"another method, list": {"PUT", list},
			"another number":       {"PUT", strings.Replace(put, "partNumber=1", "partNumber=2", 1)},
			"another object":       {"PUT", strings.Replace(put, ".com/"+key[:26], ".com/"+theirs.session.Key, 1)},
			"another upload":       {"PUT", strings.Replace(put, "uploadId="+mine.id, "uploadId="+theirs.id, 1)},
			"another day":          {"PUT", strings.Replace(put, "X-Amz-Date=2026", "X-Amz-Date=2027", 1)},
			"another algorithm":    {"PUT", strings.Replace(put, "HMAC-SHA256", "HMAC-SHA1", 1)},
			"another region":       {"PUT", strings.Replace(put, "us-east-1", "eu-west-1", 1)},
			"another bucket":       {"PUT", strings.Replace(put, "uploads.s3", "others.s3", 1)},
			"their key":            {"PUT", foreign},
			"their upload":         {"PUT", their},
			"a parameter twice":    {"PUT", twice},
			"one more signed":      {"PUT", more},
			"one more":             {"PUT", put + "&x=y"},
			"a removal":            {"DELETE", remove},
			"two at once":          {"POST", both},
			"no host":              {"PUT", noHost},
			"my key, their object": {"PUT", elsewhere},
		} {
			if status, _ := mine.do(r[0], r[1], []byte("hello"), nil); status != 404 {
				t.Errorf("%s: %d", what, status)
			}
		}
		for _, c := range []*client{mine, theirs} {
			if status, parts := c.list(); status != 200 || len(parts) > 0 {
				t.Errorf("%d %v", status, parts)
			}
		}
	})
}

// Two people whose files are alike have an upload each.
func TestOwners(t *testing.T) {
	onEachGrid(t, func(t *testing.T, p *place) {
		ids := map[string]bool{}
		for _, who := range []string{"ann", "bob", "ann"} {
			c := p.client(t, g120, "a", wiretest.Rand(3500, 1, 0))
			status, body := c.do("GET", c.backend+"/signing_key/?"+c.fields(), nil, http.Header{"X-Owner": {who}})
			if status != 200 {
				t.Fatal(status, body)
			}
			c.take(body)
			ids[c.session.Key] = true
		}
		if len(ids) != 2 {
			t.Errorf("%d uploads", len(ids))
		}
	})
}
