package clients

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"
)

// TestUppy has a person press the buttons of a page with Uppy's S3 mode: what is
// here is not sent twice, and what is cancelled is gone.
func TestUppy(t *testing.T) {
	b := openBrowser(t)
	s := newStage(t, b, client{name: "@uppy/aws-s3 6.3.1 by hand", page: "../uppy.js", chunk: 5 * mib, input: ours})
	t.Run("small", func(t *testing.T) {
		file, content := s.file(t, "small.txt", 1000)
		s.line.brew(normal, 0, content, nil)
		p := b.open(t, s.client, "small", s.line.url+"/page")
		p.choose(t, file)
		_, said := p.told(t)
		s.expect("small.txt", content)
		s.arrived(t)
		s.readable(t, said, content)
	})
	t.Run("pause", func(t *testing.T) {
		file, content := s.file(t, "pause.bin", 5*s.chunk+s.chunk/2)
		p := b.open(t, s.client, "pause", s.line.url+"/page")
		first := s.line.brew(left, s.chunk, content, nil)
		p.choose(t, file)
		s.halfway(t, first)
		p.do(t, "press", "button", "#pauseAll")
		rest := s.line.brew("again", s.chunk, content, nil)
		close(first.ebb)
		p.do(t, "press", "button", "#resumeAll")
		word, said := p.told(t)
		if most := int64(len(content) - (third-1)*s.chunk + 64<<10); word != "done" || rest.sent > most {
			t.Errorf("%s %s, and %d bytes of %d were sent again, although %d chunks were here", word, said, rest.sent, len(content), third-1)
		}
		s.expect("pause.bin", content)
		s.arrived(t)
		s.readable(t, said, content)
	})
	t.Run("cancel", func(t *testing.T) {
		file, content := s.file(t, "cancel.bin", 5*s.chunk+s.chunk/2)
		p := b.open(t, s.client, "cancel", s.line.url+"/page")
		storm := s.line.brew(left, s.chunk, content, nil)
		p.choose(t, file)
		s.halfway(t, storm)
		p.do(t, "press", "button", "#cancelAll")
		for end := time.Now().Add(patience); s.receiving(t) > 0; time.Sleep(2 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("what was cancelled is still there")
			}
		}
		close(storm.ebb)
		s.arrived(t)
	})
	s.server.End(t)
	s.server.Check(t)
}

// halfway waits until two chunks are here.
func (s *stage) halfway(t *testing.T, storm *storm) {
	t.Helper()
	for end := time.Now().Add(patience); s.line.acknowledged(storm) < third-1; time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the first chunks do not arrive")
		}
	}
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
