package test

import (
	"bufio"
	"net"
	"net/http"
	"path"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/muleteer/muleteer/internal/trial"
)

// TestSIGTERM: what is on its way when the server is asked to end is kept, and
// the server ends in time although clients would go on sending for ever.
func TestSIGTERM(t *testing.T) {
	t.Parallel()
	seed := seed(t)
	s := serve(t)
	const size = 3 << 20
	type sending struct {
		*truth
		url  string
		sent int
		line net.Conn
		told int // by the answer, -1 if there was none
	}
	var all []*sending
	for i := range 4 {
		u := &sending{truth: newTruth("ending", trial.Noise(size, seed+uint64(i))), url: create(t, s, size), told: -1}
		u.named(path.Base(u.url))
		u.sent = 100_001 + 700_000*i
		u.line = halfDead(t, s, "PATCH", "/tus/"+u.now().id, size, u.data[:u.sent], "Tus-Resumable", "1.0.0",
			"Upload-Offset", "0", "Content-Type", "application/offset+octet-stream")
		all = append(all, u)
	}
	for _, u := range all { // so that all of them are at work
		within(t, 10*time.Second, "the first bytes are here", func() bool { return stands(t, s, u.now().id).Offset > 0 })
	}
	began := time.Now()
	if err := s.Process().Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for _, u := range all {
		if _, err := u.line.Write(u.data[u.sent : u.sent+1000]); err != nil { // it does not know yet
			t.Errorf("in the grace the line is cut: %v", err)
		}
		u.sent += 1000
		group.Go(func() {
			resp, err := http.ReadResponse(bufio.NewReader(u.line), nil)
			if err != nil {
				return
			}
			defer resp.Body.Close()
			if u.told, err = strconv.Atoi(resp.Header.Get("Upload-Offset")); err != nil || resp.StatusCode != http.StatusServiceUnavailable {
				t.Errorf("the cut PATCH is answered with %s and Upload-Offset %q", resp.Status, resp.Header.Get("Upload-Offset"))
			}
		})
	}
	code, err := s.Process().Code(20 * time.Second)
	group.Wait()
	if err != nil || code != 0 {
		t.Fatalf("the server ended with code %d, %v", code, err)
	}
	took := time.Since(began)
	t.Logf("it ended within %v", took.Round(time.Millisecond))
	if took > 10*time.Second { // of which its grace is five
		t.Error("that is too long: clients that never end were not cut")
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	for _, u := range all {
		at := head(t, u.url)
		if at != u.sent || u.told > at {
			t.Errorf("%d bytes were sent, the answer told %d, and %d are here", u.sent, u.told, at)
		}
		if resp := patch(t, u.url, at, u.data[at:]); resp.StatusCode != http.StatusNoContent {
			t.Errorf("PATCH after the restart: %s", resp.Status)
		}
		if err := u.download(http.DefaultClient, s); err != nil {
			t.Error(err)
		}
	}
	s.End(t)
	s.Check(t)
}

// TestSIGTERMGrace: a request that comes to its end soon is not cut at all.
func TestSIGTERMGrace(t *testing.T) {
	t.Parallel()
	s := serve(t)
	u := newTruth("grace", trial.Noise(1<<20, seed(t)))
	url := create(t, s, len(u.data))
	u.named(path.Base(url))
	line := halfDead(t, s, "PATCH", "/tus/"+u.now().id, len(u.data), u.data[:1000], "Tus-Resumable", "1.0.0",
		"Upload-Offset", "0", "Content-Type", "application/offset+octet-stream")
	within(t, 10*time.Second, "the first bytes are here", func() bool { return stands(t, s, u.now().id).Offset > 0 })
	if err := s.Process().Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	within(t, 5*time.Second, "nobody else is let in", func() bool {
		c, err := net.Dial("tcp", s.Address)
		if err == nil {
			c.Close()
		}
		return err != nil
	})
	if _, err := line.Write(u.data[1000:]); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(line), nil)
	if err != nil || resp.StatusCode != http.StatusNoContent {
		t.Fatalf("the last PATCH: %v, %v", resp, err)
	}
	resp.Body.Close()
	if code, err := s.Process().Code(20 * time.Second); err != nil || code != 0 {
		t.Fatalf("the server ended with code %d, %v", code, err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	if err := u.download(http.DefaultClient, s); err != nil {
		t.Error(err)
	}
}
