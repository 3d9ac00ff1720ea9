package test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/muleteer/muleteer/internal/trial"
)

// What a socket may take of the memory, in bytes, beside what the server has
// without any; docs/streams.md says the same.
const perSocket = 192 << 10

// TestStreamsMany: 500 sockets upload at once. They take no more memory than is
// said, and leave no goroutine and no descriptor behind.
func TestStreamsMany(t *testing.T) {
	t.Parallel()
	const sockets, chunks, size = 500, 6, 10_240
	s := serve(t)
	probe := func() (goroutines, descriptors int) {
		return s.gauge(t, "go_goroutines"), s.descriptors(t)
	}
	goroutines, descriptors := probe()
	before := s.memory(t, "VmRSS")
	seed := seed(t)
	sums := make([]string, sockets)
	ends := make(chan error, sockets)
	gathered := make(chan struct{})
	waiting := make(chan struct{}, sockets)
	for i := range sockets {
		u := newTruth(fmt.Sprintf("%d.mp3", i), trial.Noise(chunks*size, seed+uint64(i)))
		sums[i] = fmt.Sprintf("%s %x", u.name, u.sum)
		go func() { ends <- dictate(t.Context(), s, u, size, waiting, gathered) }()
	}
	for range sockets {
		select {
		case <-waiting:
		case err := <-ends:
			t.Fatal(err)
		case <-time.After(2 * time.Minute):
			t.Fatal("not all sockets get to their middle")
		}
	}
	if held := s.gauge(t, "go_goroutines"); held < sockets {
		t.Errorf("with %d sockets there are %d goroutines: not all are there", sockets, held)
	}
	close(gathered)
	for range sockets {
		if err := <-ends; err != nil {
			t.Fatal(err)
		}
	}
	peak := s.memory(t, "VmHWM")
	t.Logf("%d KiB before, %d KiB at most: %d KiB per socket", before>>10, peak>>10, (peak-before)/sockets>>10)
	if peak > before+sockets*perSocket+16<<20 {
		t.Errorf("%d MiB are too many", peak>>20)
	}
	slices.Sort(sums)
	if got := trial.Sums(t, s.Store(), path.Base); !slices.Equal(got, sums) {
		t.Errorf("the store has %d files, and not the %d that were sent", len(got), len(sums))
	}
	within(t, time.Minute, "all that was there for a socket is gone", func() bool {
		g, d := probe()
		return g <= goroutines+2 && d <= descriptors+2 // a connection to the state or to us
	})
	s.End(t)
	s.Check(t)
}

// dictate uploads a file as the page did from which the protocol is, and waits
// in its middle until all are there.
func dictate(ctx context.Context, s *server, u *truth, size int, waiting chan<- struct{}, gathered <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	ws, _, err := websocket.Dial(ctx, s.URL("/socket.io/?EIO=4&transport=websocket"), nil)
	if err != nil {
		return err
	}
	defer ws.CloseNow()
	hear := func(prefix string) error {
		for {
			_, got, err := ws.Read(ctx)
			if err != nil {
				return fmt.Errorf("%s: %w, instead of %s", u.name, err, prefix)
			}
			switch text := string(got); {
			case strings.HasPrefix(text, prefix):
				return nil
			case text == "2":
				err = ws.Write(ctx, websocket.MessageText, []byte("3"))
			case !strings.HasPrefix(text, "0{") && !strings.HasPrefix(text, `42["upload_success_`):
				err = fmt.Errorf("%s: heard %s, and not %s", u.name, text, prefix)
			}
			if err != nil {
				return err
			}
		}
	}
	ask := func(packet string, attachment []byte, answer string) error {
		if err := ws.Write(ctx, websocket.MessageText, []byte(packet)); err != nil {
			return err
		}
		if attachment != nil {
			if err := ws.Write(ctx, websocket.MessageBinary, attachment); err != nil {
				return err
			}
		}
		return hear(answer)
	}
	session := "session-of-" + strings.TrimSuffix(u.name, ".mp3")
	if err := ask("40", nil, "40{"); err != nil {
		return err
	}
	if err := ask(fmt.Sprintf(`420["begin_upload",{"sessionID":%q,"fileName":%q}]`, session, u.name), nil, "430[]"); err != nil {
		return err
	}
	for ack, rest := 1, u.data; ; ack++ {
		n := min(size, len(rest))
		packet := fmt.Sprintf(`451-%d["upload_chunk_%s",{"chunk":{"_placeholder":true,"num":0},"last":%v}]`, ack, session, n == 0)
		if err := ask(packet, rest[:n:n], fmt.Sprintf("43%d[]", ack)); err != nil {
			return err
		}
		if ack == 3 {
			waiting <- struct{}{}
			<-gathered
		}
		if rest = rest[n:]; n == 0 {
			break
		}
	}
	return hear(`42["upload_success_` + session)
}

// gauge is a figure of the server's own.
func (s *server) gauge(t *testing.T, name string) int {
	t.Helper()
	c := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := c.Get(s.URL("/metrics"))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	found := regexp.MustCompile(`(?m)^` + name + ` (\d+)$`).FindSubmatch(text)
	if err != nil || found == nil {
		t.Fatalf("no %s: %v", name, err)
	}
	n, err := strconv.Atoi(string(found[1]))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (s *server) descriptors(t *testing.T) int {
	t.Helper()
	all, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", s.Process().Process.Pid))
	if err != nil || len(all) == 0 {
		t.Skip("there is no /proc")
	}
	return len(all)
}

// memory is how much the server has, or had at most, in bytes.
func (s *server) memory(t *testing.T, name string) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.Process().Process.Pid))
	found := regexp.MustCompile(name + `:\s+(\d+) kB`).FindSubmatch(text)
	if err != nil || found == nil {
		t.Skip("there is no /proc")
	}
	n, err := strconv.Atoi(string(found[1]))
	if err != nil {
		t.Fatal(err)
	}
	return n << 10
}
