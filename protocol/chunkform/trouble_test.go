package chunkform_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/protocol/chunkform"
	"github.com/muleteer/muleteer/protocol/wiretest"
	"github.com/muleteer/muleteer/store"
	"github.com/muleteer/muleteer/upload"
)

// A caller is a client as it was seen to behave: which statuses it takes for
// success, at which it ends the upload, and with which it tries again.
type caller struct {
	chunk func(i int) []string // the fields, or headers if they have a colon, of one of two chunks of 10 bytes
	ok    func(status int) bool
	ends  func(status int, body string) bool
}

func among(all ...int) func(int) bool {
	return func(s int) bool { return slices.Contains(all, s) }
}

func endsAt(all ...int) func(int, string) bool {
	return func(s int, _ string) bool { return slices.Contains(all, s) }
}

func endsBeyond(again ...int) func(int, string) bool {
	return func(s int, _ string) bool { return s >= 400 && !slices.Contains(again, s) }
}

func always(s int, _ string) bool { return s >= 400 }

func withPrefix(prefix string) func(int) []string {
	return func(i int) []string {
		var fields []string
		for _, f := range resumable(i+1, 10, 10, 20) {
			f = strings.TrimPrefix(f, "resumable")
			if prefix == "" {
				f = strings.ToLower(f[:1]) + f[1:]
			}
			fields = append(fields, prefix+f)
		}
		return fields
	}
}

// callers is section 2.1 of what is known of these clients.
func callers() map[string]caller {
	success := func(s int) bool { return s >= 200 && s < 300 }
	byRange := func(i int) string { return fmt.Sprintf("Content-Range: bytes %d-%d/20", 10*i, 10*i+9) }
	return map[string]caller{
		"resumable.js 1.0":   {withPrefix("resumable"), among(200), endsAt(415, 500, 501)},
		"resumable.js 1.0.2": {withPrefix("resumable"), among(200), endsAt(400, 404, 415, 500, 501)},
		"resumable.js HEAD":  {withPrefix("resumable"), among(200, 201), endsAt(400, 401, 403, 404, 409, 415, 500, 501)},
		"flow.js":            {withPrefix("flow"), among(200, 201, 202), endsAt(404, 413, 415, 500, 501)},
		"simple-uploader.js": {withPrefix(""), among(200, 201, 202), endsAt(404, 415, 500, 501)},
		"dropzone": {func(i int) []string {
			return []string{"dzuuid=u", fmt.Sprint("dzchunkindex=", i), fmt.Sprint("dzchunkbyteoffset=", 10*i), "dztotalchunkcount=2", "dztotalfilesize=20"}
		}, success, always},
		"fine-uploader": {func(i int) []string {
			return []string{"qquuid=u", "qqfilename=a", fmt.Sprint("qqpartindex=", i), fmt.Sprint("qqpartbyteoffset=", 10*i), "qqtotalparts=2", "qqtotalfilesize=20"}
		}, success, func(_ int, body string) bool { return strings.Contains(body, `"preventRetry":true`) }},
		"webuploader": {func(i int) []string {
			return []string{"id=u", "name=a", "size=20", "chunks=2", fmt.Sprint("chunk=", i)}
		}, success, always},
		"plupload": {func(i int) []string {
			return []string{"name=a", "chunks=2", fmt.Sprint("chunk=", i)}
		}, func(s int) bool { return s >= 200 && s < 400 }, always},
		"huge-uploader": {func(i int) []string {
			return []string{"Uploader-File-Id: 1", "Uploader-Chunks-Total: 2", fmt.Sprint("Uploader-Chunk-Number: ", i)}
		}, among(200, 201, 204), endsBeyond(408, 502, 503, 504)},
		"jquery-file-upload": {func(i int) []string {
			return []string{byRange(i), `Content-Disposition: attachment; filename="a"`}
		}, success, always},
		"react-uploady": {func(i int) []string { return []string{byRange(i), "upload_id=u"} }, among(200, 201, 202, 203, 204), always},
		"cloudinary":    {func(i int) []string { return []string{byRange(i), "X-Unique-Upload-Id: u"} }, success, always},
	}
}

// bring sends one chunk as a client does.
func bring(h http.Handler, says []string, body string) *httptest.ResponseRecorder {
	var fields []string
	headers := http.Header{}
	for _, f := range says {
		if name, value, isHeader := strings.Cut(f, ": "); isHeader {
			headers.Set(name, value)
			continue
		}
		fields = append(fields, f)
	}
	r := httptest.NewRequest("POST", "/form/", strings.NewReader(form(fields, body)))
	r.Header = headers
	r.Header.Set("Content-Type", multipartX)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// troubled is a store that can be made to fail.
type troubled struct {
	store.Store
	mu  sync.Mutex
	err error
}

func (s *troubled) fail(err error) { s.mu.Lock(); s.err = err; s.mu.Unlock() }

func (s *troubled) Put(ctx context.Context, o store.Object, e extent.Extent, r io.Reader, done func(store.Part) error) error {
	s.mu.Lock()
	err := s.err
	s.mu.Unlock()
	if err != nil {
		return err
	}
	return s.Store.Put(ctx, o, e, r, done)
}

// S3-R6, R25, R26, R27: what passes makes every client try again, what does not makes every client
// stop, and what was taken counts for each.
func TestStatusesMeanWhatTheyShould(t *testing.T) {
	t.Parallel()
	for name, c := range callers() {
		s, _ := wiretest.Grids()[0].Service(t)
		trouble := &troubled{Store: s.Store}
		s.Store = trouble
		h := chunkform.Handler(s, chunkform.Options{Pause: -1})
		content := string(wiretest.Rand(20, 1, 0))
		taken := func(w *httptest.ResponseRecorder, complete bool) {
			t.Helper()
			if !c.ok(w.Code) || !strings.Contains(w.Body.String(), fmt.Sprintf(`"complete":%v,`, complete)) {
				t.Errorf("%s: %d %s", name, w.Code, w.Body)
			}
		}
		taken(bring(h, c.chunk(0), content[:10]), false)
		for _, err := range []error{errors.New("secret"), store.ErrFull} {
			trouble.fail(err)
			w := bring(h, c.chunk(1), content[10:])
			// Those whom everything ends are ended by this too.
			if again := w.Code == 503 || w.Code == 507; c.ok(w.Code) || !again || c.ends(w.Code, w.Body.String()) && !c.ends(503, "") {
				t.Errorf("%s: passing trouble is %d %s", name, w.Code, w.Body)
			}
			if w.Header().Get("Retry-After") == "" || strings.Contains(w.Body.String(), "secret") {
				t.Errorf("%s: %v %s", name, w.Header(), w.Body)
			}
		}
		trouble.fail(nil)
		if w := bring(h, c.chunk(9), content[10:]); c.ok(w.Code) || !c.ends(w.Code, w.Body.String()) {
			t.Errorf("%s: a chunk beyond the end is %d %s", name, w.Code, w.Body)
		}
		taken(bring(h, c.chunk(1), content[10:]), true)
		if w := bring(h, c.chunk(1), content[10:]); !c.ok(w.Code) {
			t.Errorf("%s: a repeat after the end is %d %s", name, w.Code, w.Body)
		}
		s.Hook = func(_ context.Context, turn upload.Turn) (upload.Verdict, error) {
			return upload.Verdict{}, &upload.Refusal{Reason: "no such files"}
		}
		another := append(c.chunk(0), "upload_token=another")
		if name == "huge-uploader" { // which tells that only at its end
			another = append(another, "Uploader-File-Id: 2")
		}
		w := bring(h, another, content[:10])
		if c.ok(w.Code) || !c.ends(w.Code, w.Body.String()) || w.Code != 415 || !strings.Contains(w.Body.String(), "no such files") {
			t.Errorf("%s: a refusal is %d %s", name, w.Code, w.Body)
		}
	}
}

// S3-R26, R32: a file that shows by its first or last bytes that it is not
// wanted ends, with what of it was on its way; a minute later it may be tried
// again.
func TestInspection(t *testing.T) {
	t.Parallel()
	const size, step = 3 * upload.Window, upload.Window
	for _, kind := range []upload.Kind{upload.FirstBytes, upload.LastBytes} {
		for _, g := range wiretest.Grids() {
			s, clock := g.Service(t)
			var asked, evil = 0, true
			s.Hook = func(_ context.Context, turn upload.Turn) (upload.Verdict, error) {
				if turn.Kind == kind {
					if asked++; evil {
						return upload.Verdict{}, &upload.Refusal{Status: 403, Reason: "no films"}
					}
				}
				return upload.Verdict{}, nil
			}
			h := chunkform.Handler(s, chunkform.Options{Pause: -1})
			content := string(wiretest.Rand(size, 1, 0))
			chunk := func(i int) *httptest.ResponseRecorder {
				return bring(h, resumable(i+1, step, step, size), content[i*step:(i+1)*step])
			}
			order := []int{1, 0, 2, 1} // S3-R31: some send the first and the last one first
			if kind == upload.LastBytes {
				order = []int{1, 2, 0, 1}
			}
			for n, i := range order {
				w := chunk(i)
				if want := map[bool]int{true: 200, false: 415}[n == 0]; w.Code != want || n > 0 && !strings.Contains(w.Body.String(), `"error":"no films"`) {
					t.Fatalf("%s %s: chunk %d: %d %s", kind, g.Name, i, w.Code, w.Body)
				}
			}
			if got := left(t, s); got != "" || asked != 1 {
				t.Errorf("%s %s: %s is left, asked %d times", kind, g.Name, got, asked)
			}
			clock.Move(2 * time.Minute)
			evil = false
			for i := range 3 {
				if w := chunk(i); w.Code != 200 {
					t.Errorf("%s %s: later: %d %s", kind, g.Name, w.Code, w.Body)
				}
			}
		}
	}
}

// S3-3.3: two people whose clients call their files the same, of one size, have
// two files, and neither hears of the other's.
func TestTwoOwnersNeverMix(t *testing.T) {
	t.Parallel()
	for name, c := range callers() {
		s, _ := wiretest.Grids()[0].Service(t)
		h := chunkform.Handler(s, chunkform.Options{Pause: -1})
		as := func(owner string) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				h.ServeHTTP(w, r.WithContext(upload.As(r.Context(), owner)))
			})
		}
		want := map[string]string{"ann": string(wiretest.Rand(20, 1, 0)), "bob": string(wiretest.Rand(20, 2, 0)), "": string(wiretest.Rand(20, 3, 0))}
		ids := map[string]string{}
		for i := range 2 {
			for owner, content := range want {
				w := bring(as(owner), c.chunk(i), content[10*i:10*i+10])
				var told struct {
					ID       string
					Complete bool
				}
				if err := json.Unmarshal(w.Body.Bytes(), &told); err != nil || w.Code != 200 || told.Complete != (i == 1) {
					t.Fatalf("%s: %q: chunk %d: %d %s", name, owner, i, w.Code, w.Body)
				}
				ids[owner] = told.ID
			}
		}
		for owner, content := range want {
			r, _, err := s.Open(upload.As(t.Context(), owner), ids[owner], extent.Extent{End: 20})
			if err != nil {
				t.Fatalf("%s: %q: %v", name, owner, err)
			}
			got, err := io.ReadAll(r)
			r.Close()
			if err != nil || string(got) != content {
				t.Errorf("%s: %q has another file, %v", name, owner, err)
			}
			if _, err := s.Get(upload.As(t.Context(), owner+"x"), ids[owner]); !errors.Is(err, upload.ErrNotFound) {
				t.Errorf("%s: the file of %q is not only theirs: %v", name, owner, err)
			}
		}
	}
	// A probe tells nobody what somebody else has.
	s, _ := wiretest.Grids()[0].Service(t)
	h := chunkform.Handler(s, chunkform.Options{Pause: -1})
	query := strings.Join(resumable(1, 10, 10, 20), "&")
	for owner, status := range map[string]int{"ann": 200, "bob": 204, "": 204} {
		ask := func(method, owner, body string) int {
			r := httptest.NewRequest(method, "/form/?"+query, strings.NewReader(body)).WithContext(upload.As(t.Context(), owner))
			r.Header.Set("Content-Type", "application/octet-stream")
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			return w.Code
		}
		if got := ask("POST", "ann", "0123456789"); got != 200 {
			t.Fatal(got)
		}
		if got := ask("GET", owner, ""); got != status {
			t.Errorf("a probe of %q is %d, want %d", owner, got, status)
		}
	}
}

// S3-R28: any number of pages send one file at the same time, with chunks of
// different sizes, in any order and twice. They end with one file.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	const size = 20_000
	want := wiretest.Rand(size, 7, 0)
	for _, g := range wiretest.Grids() {
		for _, whole := range []bool{false, true} {
			s, _ := g.Service(t)
			h := chunkform.Handler(s, chunkform.Options{Pause: -1})
			var all sync.WaitGroup
			for page := range 4 {
				all.Go(func() {
					step := 1000 + 300*page
					if whole {
						step = size
					}
					var order []int
					for i := range max(size/step, 1) {
						order = append(order, i, i)
					}
					rand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
					var chunks sync.WaitGroup
					for _, i := range order {
						chunks.Go(func() {
							end := (i + 1) * step
							if i == max(size/step, 1)-1 {
								end = size
							}
							w := bring(h, resumable(i+1, step, end-i*step, size), string(want[i*step:end]))
							if w.Code != 200 {
								t.Errorf("%s: %d %s", g.Name, w.Code, w.Body)
							}
						})
					}
					chunks.Wait()
				})
			}
			all.Wait()
			wantOne(t, s, want)
		}
	}
}

// wantOne wants one upload, which is finished and has these bytes.
func wantOne(t *testing.T, s *upload.Service, want []byte) {
	t.Helper()
	n := 0
	for u, err := range s.Find(t.Context(), upload.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; u.Phase != upload.Done {
			t.Errorf("it is %v, %d of %d", u.Phase, u.Here, u.Size)
			continue
		}
		r, _, err := s.Open(t.Context(), u.ID, extent.At(0, -1))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		r.Close()
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes are not what was sent, %v", len(got), err)
		}
	}
	if n != 1 {
		t.Errorf("%d uploads", n)
	}
}

// A form that breaks at any place makes nothing wrong: its chunk is sent again,
// and the file is right.
func TestBrokenAnywhere(t *testing.T) {
	t.Parallel()
	want := wiretest.Rand(25, 1, 0)
	for name, fields := range map[string][]string{
		"resumable.js": resumable(1, 10, 10, 25),
		"of 2013":      slices.Delete(resumable(1, 10, 10, 25), 2, 3),
		"webuploader":  {"id=u", "name=a", "size=25", "chunk=0", "chunks=2"},
	} {
		other := resumable(2, 10, 15, 25) // Resumable.js' last chunk is larger, WebUploader's is not
		if name == "webuploader" {
			other = []string{"id=u", "name=a", "size=25", "chunk=1", "chunks=2"}
		}
		first := 10
		if name == "webuploader" {
			first = 15
		}
		body := form(fields, string(want[:first]))
		for n := 0; n < len(body); n += 1 + n%3 {
			s, _ := wiretest.Grids()[n%3].Service(t)
			h := chunkform.Handler(s, chunkform.Options{Pause: -1})
			r := httptest.NewRequest("POST", "/form/", io.MultiReader(strings.NewReader(body[:n]), broken{}))
			r.Header.Set("Content-Type", multipartX)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != 200 && w.Code != 503 {
				t.Errorf("%s broken after %d bytes: %d %s", name, n, w.Code, w.Body)
			}
			for _, c := range []struct {
				fields []string
				bytes  []byte
			}{{other, want[first:]}, {fields, want[:first]}} {
				if w := bring(h, c.fields, string(c.bytes)); w.Code != 200 {
					t.Errorf("%s after a break at %d: %d %s", name, n, w.Code, w.Body)
				}
			}
			wantOne(t, s, want)
		}
	}
}

// A chunk that is here is acknowledged, even if the line breaks before its form
// has ended: some clients do not try again.
func TestBrokenAfterTheChunk(t *testing.T) {
	t.Parallel()
	s, _ := wiretest.Grids()[0].Service(t)
	body := strings.TrimSuffix(form(resumable(1, 10, 10, 25), "0123456789"), "--x--\r\n") + "--x\r\nContent-Dis"
	r := httptest.NewRequest("POST", "/form/", io.MultiReader(strings.NewReader(body), broken{}))
	r.Header.Set("Content-Type", multipartX)
	w := httptest.NewRecorder()
	chunkform.Handler(s, chunkform.Options{Pause: -1}).ServeHTTP(w, r)
	if w.Code != 200 || !strings.Contains(w.Body.String(), `"received":10,`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// Two browsers on slow lines send the same chunk. The later one takes over, and
// the earlier one hears that the chunk is here without sending it again.
func TestTheEarlierOneHearsOfIt(t *testing.T) {
	t.Parallel()
	s, _ := wiretest.Grids()[3].Service(t)
	underway, h := make(chan struct{}), chunkform.Handler(s, chunkform.Options{Pause: -1})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = &signal{ReadCloser: r.Body, at: 150_000, reached: underway}
		h.ServeHTTP(w, r)
	}))
	defer server.Close()
	want := wiretest.Rand(300_000, 1, 0)
	body := form(resumable(1, 300_000, 300_000, 900_000), string(want))
	post := func(r io.Reader) chan string {
		answer := make(chan string, 1)
		go func() {
			req, _ := http.NewRequest("POST", server.URL, r)
			req.Header.Set("Content-Type", multipartX)
			req.ContentLength = int64(len(body))
			resp, err := http.DefaultTransport.RoundTrip(req)
			if err != nil {
				answer <- err.Error()
				return
			}
			defer resp.Body.Close()
			b, _ := io.ReadAll(resp.Body)
			answer <- fmt.Sprint(resp.StatusCode, string(b))
		}()
		return answer
	}
	read, write := io.Pipe()
	first := post(read)
	if _, err := io.WriteString(write, body[:200_000]); err != nil {
		t.Fatal(err)
	}
	<-underway // else the first may come to be the later one
	second := post(strings.NewReader(body))
	for _, answer := range []chan string{second, first} {
		if got := <-answer; !strings.HasPrefix(got, `200{"complete":false,`) || !strings.Contains(got, `"received":300000,`) {
			t.Error(got)
		}
	}
	write.Close()
}

// signal closes reached, once, when so many bytes of a body were read.
type signal struct {
	io.ReadCloser
	n, at   int
	reached chan struct{}
}

func (s *signal) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p)
	if before := s.n; before < s.at && before+n >= s.at {
		select {
		case <-s.reached:
		default:
			close(s.reached)
		}
	}
	s.n += n
	return n, err
}

// A client in passing trouble is made to wait, as it would try again at once.
func TestPause(t *testing.T) {
	t.Parallel()
	s, _ := wiretest.Grids()[0].Service(t)
	trouble := &troubled{Store: s.Store, err: errors.New("away")}
	s.Store = trouble
	h := chunkform.Handler(s, chunkform.Options{Pause: 50 * time.Millisecond})
	began := time.Now()
	w := bring(h, resumable(1, 10, 10, 25), "0123456789")
	if took := time.Since(began); w.Code != 503 || took < 50*time.Millisecond {
		t.Errorf("%d after %v", w.Code, took)
	}
}
