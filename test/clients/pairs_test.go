package clients

import (
	"bytes"
	"os"
	"testing"
	"time"
)

// alike has two browsers send two files at once that only their content and a
// letter tell apart, for which some libraries have no room in their names.
func (s *stage) alike(t *testing.T) {
	meet, size := newBarrier(), 3*s.chunk+s.chunk/2
	one, first := s.file(t, "ü.bin", size)
	two, second := s.file(t, "ö.bin", size)
	storm := s.line.brew("alike", s.chunk, first, meet)
	p := s.browser.open(t, s.client, "alike 1", s.line.url+"/page?1")
	q := s.browser.open(t, s.client, "alike 2", s.line.url+"/page?2")
	p.choose(t, one)
	q.choose(t, two)
	said, answer := s.persist(t, p, storm, one), s.persist(t, q, storm, two)
	if !meet.met() {
		t.Fatal("they were not sent at once")
	}
	s.expect("ü.bin", first)
	s.expect("ö.bin", second)
	s.arrived(t)
	s.readable(t, said, first)
	s.readable(t, answer, second)
}

// together has two browsers send one file at once. They end with one.
func (s *stage) together(t *testing.T) {
	meet := newBarrier()
	file, content := s.file(t, "together.bin", 5*s.chunk+s.chunk/2)
	storm := s.line.brew("together", s.chunk, content, meet)
	p := s.browser.open(t, s.client, "together 1", s.line.url+"/page?1")
	q := s.browser.open(t, s.client, "together 2", s.line.url+"/page?2")
	p.choose(t, file)
	q.choose(t, file)
	said, answer := s.persist(t, p, storm, file), s.persist(t, q, storm, file)
	if !meet.met() {
		t.Fatal("it was not sent at once")
	}
	s.expect("together.bin", content)
	s.arrived(t)
	s.readable(t, said, content)
	s.readable(t, answer, content)
}

// again has a page loaded again in the middle of a file. When the file is
// chosen again, what is here is not sent again.
func (s *stage) again(t *testing.T) {
	file, content := s.file(t, "again.bin", 5*s.chunk+s.chunk/2)
	storm := s.line.brew(left, s.chunk, content, nil)
	p := s.browser.open(t, s.client, "again", s.line.url+"/page")
	p.choose(t, file)
	s.halfway(t, storm)
	p.do(t, "reload", "", "")
	close(storm.ebb)
	rest := s.line.brew("again", s.chunk, content, nil)
	p.choose(t, file)
	said := s.persist(t, p, rest, file)
	if most := int64(len(content) - (third-1)*s.chunk + 64<<10); rest.sent > most {
		t.Errorf("%d bytes of %d were sent again, although %d chunks were here", rest.sent, len(content), third-1)
	}
	s.expect("again.bin", content)
	s.arrived(t)
	s.readable(t, said, content)
}

// halfway waits until two chunks are here.
func (s *stage) halfway(t *testing.T, storm *storm) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(2 * time.Millisecond) {
		if chunks, _ := s.parts.acknowledged(storm); chunks >= third-1 {
			return
		}
		if time.Now().After(end) {
			t.Fatal("the first chunks do not arrive")
		}
	}
}

// changed has a file uploaded, one byte of it changed, and uploaded again. Name
// and size are what they were, and the libraries that ask whether chunks are here
// would find them all.
func (s *stage) changed(t *testing.T) {
	file, before := s.file(t, "changed.bin", 2*s.chunk)
	after := bytes.Clone(before)
	after[s.chunk+1] ^= 1
	for i, content := range [][]byte{before, after} {
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, time.Time{}, time.Unix(1_700_000_000+int64(i), 0)); err != nil {
			t.Fatal(err)
		}
		storm := s.line.brew(normal, s.chunk, content, nil)
		p := s.browser.open(t, s.client, "changed "+string('1'+rune(i)), s.line.url+"/page")
		p.choose(t, file)
		said := s.persist(t, p, storm, file)
		s.expect("changed.bin", content)
		s.arrived(t)
		s.readable(t, said, content)
	}
}
