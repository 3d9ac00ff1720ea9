package clients

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/muleteer/muleteer/store/s3/s3test"
)

// TestUppy has a person press the buttons of a page with Uppy's S3 mode, and load
// it again in the middle: what is here is not sent twice, and what is cancelled
// is gone. Then it all is done again with parts that go straight into a bucket.
func TestUppy(t *testing.T) {
	b := openBrowser(t)
	gateway := s3test.Start(t)
	t.Run("all", func(t *testing.T) { // which ends before the browser does
		for _, c := range uppys() {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				s := newStage(t, b, c)
				s.pressed(t)
				s.server.End(t)
				s.server.Check(t)
			})
			t.Run(c.name+", straight into a bucket", func(t *testing.T) {
				t.Parallel()
				s := newStageInBucket(t, b, c, gateway)
				s.pressed(t)
				s.server.End(t)
				s.past(t)
			})
		}
	})
}

// pressed is all that a person may do.
func (s *stage) pressed(t *testing.T) {
	t.Run("small", s.small)
	t.Run("parts", func(t *testing.T) { s.inParts(t, normal, "") })
	t.Run("a part fails", func(t *testing.T) { s.inParts(t, fault, "") })
	if strings.Contains(s.name, " 6.") {
		t.Run("with signRequest", func(t *testing.T) { s.inParts(t, fault, "signer") })
	}
	t.Run("pause", s.pause)
	t.Run("loaded again", func(t *testing.T) { s.restored(t, "database") })
	t.Run("loaded again, with a worker", func(t *testing.T) { s.restored(t, "worker") })
	t.Run("cancel", s.cancel)
}

// uppys are the versions of Uppy's S3 mode, with a page of their own.
func uppys() (all []client) {
	for _, c := range clients() {
		if c.library == "@uppy/aws-s3" {
			c.page, c.worker = "../uppy.js", "../uppy-worker.js"
			all = append(all, c)
		}
	}
	return all
}

func (s *stage) small(t *testing.T) {
	file, content := s.file(t, "small.txt", 1000)
	s.parts.brew(normal, 0, content, nil)
	p := s.browser.open(t, s.client, "small", s.line.url+"/page")
	p.choose(t, file)
	s.done(t, p, "small.txt", content)
}

// inParts has a file uploaded in parts, of which one may fail.
func (s *stage) inParts(t *testing.T, k trouble, query string) {
	name := "parts-" + string(k) + query + ".bin"
	file, content := s.file(t, name, 5*s.chunk+s.chunk/2)
	storm := s.parts.brew(k, s.chunk, content, nil)
	p := s.browser.open(t, s.client, name, s.line.url+"/page?"+query)
	p.choose(t, file)
	s.done(t, p, name, content)
	if k == fault && !storm.over() {
		t.Error("no part has failed")
	}
}

func (s *stage) pause(t *testing.T) {
	file, content := s.file(t, "pause.bin", 5*s.chunk+s.chunk/2)
	p := s.browser.open(t, s.client, "pause", s.line.url+"/page")
	first := s.parts.brew(left, s.chunk, content, nil)
	p.choose(t, file)
	s.halfway(t, first)
	p.do(t, "press", "button", "#pauseAll")
	s.goesOn(t, p, first, "pause.bin", content, "#resumeAll")
}

// restored has a page loaded again in the middle of a file, whose bytes Golden
// Retriever has kept in the database of the browser or with a service worker.
func (s *stage) restored(t *testing.T, where string) {
	name := "restored-by-" + where + ".bin"
	file, content := s.file(t, name, 5*s.chunk+s.chunk/2)
	p := s.browser.open(t, s.client, name, s.line.url+"/page?"+where)
	first := s.parts.brew(left, s.chunk, content, nil)
	p.choose(t, file)
	s.halfway(t, first)
	p.do(t, "until", "so", "kept")
	p.do(t, "reload", "", "")
	want := fmt.Sprintf("[%q]", fmt.Sprintf("%s, %d", name, len(content)))
	if word, what := p.told(t); word != "restored" || what != want {
		t.Fatalf("%s %s, not %s", word, what, want)
	}
	s.goesOn(t, p, first, name, content, "#restore")
}

// goesOn has a person press a button, upon which all is sent that had not
// arrived, and nothing else.
func (s *stage) goesOn(t *testing.T, p *page, first *storm, name string, content []byte, button string) {
	t.Helper()
	chunks, here := s.parts.acknowledged(first)
	rest := s.parts.brew("again", s.chunk, content, nil)
	close(first.ebb)
	p.do(t, "press", "button", button)
	s.done(t, p, name, content)
	if most := int64(len(content)) - here + 64<<10; rest.sent > most { // a little is what the parts are asked for with
		t.Errorf("%d bytes of %d were sent again, although %d with %d chunks were here", rest.sent, len(content), here, chunks)
	}
}

// done wants a file to be uploaded, without a failure before.
func (s *stage) done(t *testing.T, p *page, name string, content []byte) {
	t.Helper()
	word, said := p.told(t)
	if word != "done" {
		t.Fatalf("%s %s", word, said)
	}
	s.expect(name, content)
	s.arrived(t)
	s.readable(t, said, content)
}

func (s *stage) cancel(t *testing.T) {
	file, content := s.file(t, "cancel.bin", 5*s.chunk+s.chunk/2)
	p := s.browser.open(t, s.client, "cancel", s.line.url+"/page")
	storm := s.parts.brew(left, s.chunk, content, nil)
	p.choose(t, file)
	s.halfway(t, storm)
	p.do(t, "press", "button", "#cancelAll")
	here := func() int { return s.receiving(t) }
	if s.bucket != nil {
		here = func() int { return s.receiving(t) + len(s.bucket.gateway.Unjoined(t, s.bucket.name)) }
	}
	for end := time.Now().Add(patience); here() > 0; time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("what was cancelled is still there")
		}
	}
	close(storm.ebb)
	s.arrived(t)
}

// receiving is how many uploads wait for more.
func (s *stage) receiving(t *testing.T) (n int) {
	t.Helper()
	resp, err := http.Get(s.server.URL("/uploads"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var list []struct{ State string }
	if err := json.NewDecoder(resp.Body).Decode(&list); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatal(resp.Status, err)
	}
	for _, u := range list {
		if u.State == "receiving" {
			n++
		}
	}
	return n
}
