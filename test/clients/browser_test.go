package clients

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/muleteer/muleteer/internal/trial"
)

// browser is Chromium, driven by browser.mjs. It may be used concurrently.
type browser struct {
	mu      sync.Mutex
	in      io.WriteCloser
	orders  int
	waiting map[int]chan answer
	gone    chan struct{} // closed when it has ended
	said    *bytes.Buffer // read it only then
}

// answer is what became of an order.
type answer struct {
	ID     int
	Result json.RawMessage
	Error  string
}

func openBrowser(t *testing.T) *browser {
	t.Helper()
	b := &browser{waiting: map[int]chan answer{}, gone: make(chan struct{}), said: &bytes.Buffer{}}
	c := exec.Command("node", "browser.mjs")
	c.Env, c.Stderr = trial.Environment(), b.said
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if b.in, err = c.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(b.gone)
		for lines := bufio.NewReader(out); ; {
			line, err := lines.ReadBytes('\n')
			var a answer
			if err != nil || json.Unmarshal(line, &a) != nil {
				break
			}
			b.mu.Lock()
			b.waiting[a.ID] <- a
			delete(b.waiting, a.ID)
			b.mu.Unlock()
		}
		_ = c.Wait() // what it says is in said
	}()
	t.Cleanup(func() {
		b.in.Close()
		select {
		case <-b.gone:
		case <-time.After(patience):
			_ = c.Process.Kill()
			<-b.gone
		}
		if b.said.Len() > 0 {
			t.Logf("the browser says:\n%s", b.said)
		}
	})
	return b
}

// order has the browser do something, and waits for the result.
func (b *browser) order(what string, fields map[string]any) (json.RawMessage, error) {
	return b.slowly(patience, what, fields)
}

// slowly is order for what may take long.
func (b *browser) slowly(limit time.Duration, what string, fields map[string]any) (json.RawMessage, error) {
	done := make(chan answer, 1)
	b.mu.Lock()
	b.orders++
	line := map[string]any{"id": b.orders, "order": what}
	for name, value := range fields {
		line[name] = value
	}
	b.waiting[b.orders] = done
	text, err := json.Marshal(line)
	if err == nil {
		_, err = b.in.Write(append(text, '\n'))
	}
	b.mu.Unlock()
	if err != nil {
		return nil, err
	}
	select {
	case a := <-done:
		if a.Error != "" {
			return nil, fmt.Errorf("%s: %s", what, a.Error)
		}
		return a.Result, nil
	case <-b.gone:
		return nil, errors.New("the browser has gone")
	case <-time.After(limit):
		return nil, fmt.Errorf("%s: nothing within %v", what, limit)
	}
}

// page is one tab in a browser of its own, which shares nothing with others.
type page struct {
	*browser
	client client
	name   string
	limit  time.Duration // of an upload
}

// open shows the page of a client.
func (b *browser) open(t *testing.T, c client, name, url string) *page {
	t.Helper()
	p := &page{b, c, c.name + " " + name, patience}
	p.do(t, "open", "url", url)
	t.Cleanup(func() {
		if t.Failed() {
			said, _ := p.order("said", map[string]any{"page": p.name})
			t.Logf("%s has on its console: %s", p.name, said)
		}
		_, _ = p.order("close", map[string]any{"page": p.name}) // it may have gone
	})
	return p
}

// do is an order for the page, with one argument.
func (p *page) do(t *testing.T, what, argument string, value any) json.RawMessage {
	t.Helper()
	result, err := p.order(what, map[string]any{"page": p.name, argument: value})
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// choose chooses files, as a person does in a dialogue.
func (p *page) choose(t *testing.T, files ...string) {
	t.Helper()
	result, err := p.order("choose", map[string]any{"page": p.name, "input": p.client.input, "files": files})
	if err != nil {
		t.Fatal(err, result)
	}
}

// told is what the page tells next: "done" with what it was answered, or
// "failed" with why.
func (p *page) told(t *testing.T) (word, what string) {
	t.Helper()
	var told struct{ Word, What string }
	result, err := p.slowly(p.limit, "next", map[string]any{"page": p.name})
	if err == nil {
		err = json.Unmarshal(result, &told)
	}
	if err != nil {
		t.Fatal(err)
	}
	return told.Word, told.What
}
