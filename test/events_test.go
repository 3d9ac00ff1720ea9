package test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// hookSecret signs what the receiver gets.
const hookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// listener is a receiver of events, with all the faults that one can have.
type listener struct {
	t   *testing.T
	mu  sync.Mutex
	rng *rand.Rand
	bad bool // has faults

	ids   map[string]map[string]int // by upload and kind, the ids of its events, and how often each came
	first []string                  // "upload kind", in the order in which each came first
	acked map[string]bool           // "upload kind" that were answered by 200
	wrong []string
}

func listen(t *testing.T, seed uint64) (*listener, string) {
	l := &listener{t: t, rng: random(seed, 7), bad: true, ids: map[string]map[string]int{}, acked: map[string]bool{}}
	s := httptest.NewServer(l)
	t.Cleanup(s.Close)
	return l, s.URL + "/events?of=muleteer"
}

// signed tells whether a message is from the server, by the receiver's own
// reckoning.
func signed(r *http.Request, body []byte) bool {
	key, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(hookSecret, "whsec_"))
	stamp, err := strconv.ParseInt(r.Header.Get("webhook-timestamp"), 10, 64)
	if err != nil || time.Since(time.Unix(stamp, 0)).Abs() > 5*time.Minute {
		return false
	}
	h := hmac.New(sha256.New, key)
	fmt.Fprintf(h, "%s.%d.%s", r.Header.Get("webhook-id"), stamp, body)
	return hmac.Equal([]byte(r.Header.Get("webhook-signature")), []byte("v1,"+base64.StdEncoding.EncodeToString(h.Sum(nil))))
}

func (l *listener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	fault := l.fault()
	switch fault {
	case "before":
		panic(http.ErrAbortHandler)
	case "500":
		w.WriteHeader(http.StatusInternalServerError)
		return
	case "later":
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	case "slow": // until its sender has lost patience, or is dead
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the sender was killed
	}
	l.process(r, body, fault == "")
	if fault == "after" {
		panic(http.ErrAbortHandler)
	}
}

func (l *listener) fault() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.bad {
		return ""
	}
	return []string{"", "", "", "", "", "before", "after", "500", "later", "slow"}[l.rng.IntN(10)]
}

// process is what the receiver does with a message.
func (l *listener) process(r *http.Request, body []byte, ack bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var m struct {
		ID, Kind string
		Upload   struct{ ID string }
	}
	id := r.Header.Get("webhook-id")
	switch err := json.Unmarshal(body, &m); {
	case err != nil, m.ID != id, r.Header.Get("Idempotency-Key") != id, id == "":
		l.wrong = append(l.wrong, fmt.Sprintf("%v: %s %v", err, body, r.Header))
	case !signed(r, body):
		l.wrong = append(l.wrong, "not signed: "+string(body))
	}
	what := m.Upload.ID + " " + m.Kind
	if m.Kind == "removed" && !l.acked[m.Upload.ID+" completed"] {
		l.wrong = append(l.wrong, what+" came before its completion was taken")
	}
	if m.Kind == "completed" && l.ids[m.Upload.ID+" removed"] != nil {
		l.wrong = append(l.wrong, what+" came after its removal")
	}
	if l.ids[what] == nil {
		l.ids[what] = map[string]int{}
		l.first = append(l.first, what)
	}
	l.ids[what][id]++
	l.acked[what] = l.acked[what] || ack
}

// heard is how many of the events have come, each counted once.
func (l *listener) heard(kind string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, what := range l.first {
		if strings.HasSuffix(what, " "+kind) {
			n++
		}
	}
	return n
}

// TestEvents kills the server while it tells of 1,000 uploads to a receiver that
// is slow, breaks off before and after it has listened, and answers with errors:
// of each upload there is one event, and none is missing.
func TestEvents(t *testing.T) {
	t.Parallel()
	const uploads = 1000
	seed := seed(t)
	l, url := listen(t, seed)
	s := serve(t, "--hook-url", url, "--hook-secret", hookSecret, "--hook-timeout", "1s")
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()

	var mu sync.Mutex
	var finished, removed []string
	next := make(chan int)
	var clients sync.WaitGroup
	for range 8 {
		clients.Go(func() {
			c := &http.Client{Transport: &http.Transport{}, Timeout: 20 * time.Second}
			defer c.CloseIdleConnections()
			for i := range next {
				id, err := sendTus(ctx, c, s, fmt.Appendf(nil, "file %d", i))
				if err == nil && i%4 == 0 {
					err = persist(ctx, func() (bool, error) { return tusDelete(ctx, c, s, id) })
				}
				if err != nil {
					t.Errorf("upload %d: %v", i, err)
					return
				}
				mu.Lock()
				finished = append(finished, id)
				if i%4 == 0 {
					removed = append(removed, id)
				}
				mu.Unlock()
			}
		})
	}
	rng := random(seed, 1)
	kills := 0
	for i := range uploads {
		if i > 0 && i%120 == 0 {
			// Some events are committed and not sent, or sent and not settled.
			within(t, time.Minute, "some events are told", func() bool { return l.heard("completed") > i/8 })
			time.Sleep(time.Duration(rng.IntN(30)) * time.Millisecond) // any moment is one to die in
			s.Kill()
			if err := s.Start(); err != nil {
				t.Fatal(err)
			}
			kills++
		}
		select {
		case next <- i:
		case <-ctx.Done():
			t.Fatal("the clients have given up")
		}
	}
	close(next)
	clients.Wait()
	l.mu.Lock()
	l.bad = false
	l.mu.Unlock()
	within(t, time.Minute, "all events are told", func() bool {
		return l.heard("completed") >= len(finished) && l.heard("removed") >= len(removed)
	})
	c := &http.Client{}
	within(t, time.Minute, "all events are settled", func() bool {
		_, body := ask(t, c, "GET", s.URL("/events"), nil)
		return strings.TrimSpace(body) == "[]"
	})
	s.End(t)

	l.mu.Lock()
	defer l.mu.Unlock()
	for _, w := range l.wrong {
		t.Error(w)
	}
	if len(finished) != uploads {
		t.Fatalf("%d uploads were finished", len(finished))
	}
	distinct, again := map[string]bool{}, 0
	check := func(id, kind string) {
		ids := l.ids[id+" "+kind]
		if len(ids) != 1 {
			t.Errorf("%s: %s was told by the ids %v", id, kind, ids)
		}
		for event, n := range ids {
			distinct[event] = true
			again += n - 1
		}
	}
	for _, id := range finished {
		check(id, "completed")
	}
	for _, id := range removed {
		check(id, "removed")
	}
	if len(distinct) != len(finished)+len(removed) || len(l.ids) != len(distinct) {
		t.Errorf("%d distinct ids for %d events of %d", len(distinct), len(l.ids), len(finished)+len(removed))
	}
	if again == 0 {
		t.Error("nothing was told twice: the receiver had no faults")
	}
	t.Logf("%d kills, %d events, %d told again", kills, len(distinct), again)
}

// persist tries until it is done.
func persist(ctx context.Context, try func() (bool, error)) error {
	for {
		done, err := try()
		if done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// tusAsk makes a request; an error is one of the line.
func tusAsk(ctx context.Context, c *http.Client, method, url string, body []byte, headers ...string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Tus-Resumable", "1.0.0")
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return resp, errors.Join(err, resp.Body.Close())
}

// sendTus sends a file until the server has said that it is whole.
func sendTus(ctx context.Context, c *http.Client, s *server, data []byte) (id string, err error) {
	length := strconv.Itoa(len(data))
	err = persist(ctx, func() (bool, error) {
		if id == "" {
			resp, err := tusAsk(ctx, c, "POST", s.URL("/tus/"), nil, "Upload-Length", length)
			if err != nil || resp.StatusCode != http.StatusCreated {
				return false, nil
			}
			id = resp.Header.Get("Location")[strings.LastIndex(resp.Header.Get("Location"), "/")+1:]
		}
		resp, err := tusAsk(ctx, c, "HEAD", s.URL("/tus/"+id), nil)
		if err != nil || resp.StatusCode >= 500 || resp.StatusCode == http.StatusLocked {
			return false, nil
		}
		at, err := strconv.Atoi(resp.Header.Get("Upload-Offset"))
		if err != nil || resp.StatusCode != http.StatusOK {
			return false, fmt.Errorf("HEAD %s: %s, %v", id, resp.Status, err)
		}
		if at == len(data) {
			return true, nil
		}
		resp, err = tusAsk(ctx, c, "PATCH", s.URL("/tus/"+id), data[at:], "Upload-Offset", strconv.Itoa(at), "Content-Type", "application/offset+octet-stream")
		return err == nil && resp.StatusCode == http.StatusNoContent, nil
	})
	return id, err
}

func tusDelete(ctx context.Context, c *http.Client, s *server, id string) (bool, error) {
	resp, err := tusAsk(ctx, c, "DELETE", s.URL("/tus/"+id), nil)
	if err != nil || resp.StatusCode >= 500 || resp.StatusCode == http.StatusLocked {
		return false, nil
	}
	switch resp.StatusCode {
	case http.StatusNoContent, http.StatusGone, http.StatusNotFound:
		return true, nil
	}
	return false, fmt.Errorf("DELETE %s: %s", id, resp.Status)
}
