package mule_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/muleteer/muleteer/protocol/wiretest"
)

// What each generation of the script lives through, on every grid.

func onEachGeneration(t *testing.T, f func(t *testing.T, p *place, g generation)) {
	for _, g := range []generation{g2014, g120} {
		t.Run(g.String(), func(t *testing.T) {
			onEachGrid(t, func(t *testing.T, p *place) { f(t, p, g) })
		})
	}
}

// numbers are those of all chunks, from 1.
func numbers(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i + 1
	}
	return all
}

// The page is closed, and opened again: what is here is told and not sent twice.
func TestResume(t *testing.T) {
	onEachGeneration(t, func(t *testing.T, p *place, g generation) {
		for _, size := range []int{7500, 8000} { // of 8000 bytes the last chunk is as long as the others
			name := fmt.Sprint("a", size)
			first := p.client(t, g, name, wiretest.Rand(size, 1, 0))
			first.stop = 3
			if first.run(false) {
				t.Fatal("the page was not closed")
			}
			second := p.client(t, g, name, first.data)
			if !second.run(false) || second.did != nil {
				t.Fatalf("it was not uploaded: %v", second.did)
			}
			if got := slices.Sorted(slices.Values(second.sent)); !slices.Equal(got, []int{4, 5, 6, 7, 8}) || !slices.Equal(second.session.Chunks, []int{0, 1, 2}) || second.session.Key != first.session.Key {
				t.Errorf("%d bytes: then it sent %v, told of %v", size, got, second.session.Chunks)
			}
			p.has(t, name, first.data)
		}
	})
}

// The last chunk is here before the others, and the page is closed then.
func TestResumeWithTheLastChunkFirst(t *testing.T) {
	onEachGeneration(t, func(t *testing.T, p *place, g generation) {
		for _, size := range []int{2500, 3000} {
			name := fmt.Sprint("a", size)
			c := p.client(t, g, name, wiretest.Rand(size, 2, 0))
			c.ask(false)
			c.id = c.begin()
			c.send([]int{3})
			d := p.client(t, g, name, c.data)
			if !d.run(false) || d.did != nil {
				t.Fatalf("it was not uploaded: %v", d.did)
			}
			if got := slices.Sorted(slices.Values(d.sent)); !slices.Equal(got, []int{1, 2}) {
				t.Errorf("%d bytes: then it sent %v", size, got)
			}
			p.has(t, name, c.data)
		}
	})
}

// T7: most versions cannot ask for what comes after 1,000 chunks.
func TestT7MoreThanThousandChunks(t *testing.T) {
	onEachGeneration(t, func(t *testing.T, p *place, g generation) {
		c := p.client(t, g, "a", wiretest.Rand(4*1003-1, 3, 0))
		c.chunk, c.stop = 4, 1001
		if c.run(false) {
			t.Fatal("the page was not closed")
		}
		d := p.client(t, g, "a", c.data)
		d.chunk = 4
		if !d.run(false) || !slices.Equal(slices.Sorted(slices.Values(d.sent)), []int{1002, 1003}) {
			t.Errorf("then it sent %d chunks: %.100v", len(d.sent), d.sent)
		}
		if status, parts := d.list(); status != 200 || len(parts) != 1003 {
			t.Errorf("in the end the list is %d, with %d chunks", status, len(parts))
		}
		p.has(t, "a", c.data)
	})
}

// T8: a file of no bytes is a file, and one that was finished is not begun anew.
func TestT8NoBytes(t *testing.T) {
	onEachGeneration(t, func(t *testing.T, p *place, g generation) {
		for range 2 {
			c := p.client(t, g, "nothing", nil)
			if !c.run(false) || len(c.sent) > 0 || c.did != nil {
				t.Errorf("it was not uploaded: sent %v, did %v", c.sent, c.did)
			}
		}
		p.has(t, "nothing", nil)
	})
}

// T10: two tabs have one upload of one file, and finish it together.
func TestT10TwoTabs(t *testing.T) {
	onEachGeneration(t, func(t *testing.T, p *place, g generation) {
		for _, other := range []generation{g2014, g120} {
			name := "with " + other.String()
			data := wiretest.Rand(20_500, 1, 0)
			tabs := []*client{p.client(t, g, name, data), p.client(t, other, name, data)}
			done := make([]bool, len(tabs))
			var all sync.WaitGroup
			for i, c := range tabs {
				all.Go(func() { done[i] = c.run(false) })
			}
			all.Wait()
			if !done[0] || !done[1] || tabs[0].session.Key != tabs[1].session.Key {
				t.Errorf("%s: done are %v, of %s and %s", name, done, tabs[0].session.Key, tabs[1].session.Key)
			}
			p.has(t, name, data)
		}
	})
}

// The server dies and comes back while the page is open: the page asks nobody
// for another key, and goes on with the one that it has.
func TestServerRestarted(t *testing.T) {
	onEachGeneration(t, func(t *testing.T, p *place, g generation) {
		c := p.client(t, g, "a", wiretest.Rand(6000, 4, 0))
		c.ask(false)
		p.restart()
		c.id = c.begin()
		for _, n := range []int{3, 1, 6, 2} {
			p.restart()
			c.send([]int{n})
		}
		p.restart()
		_, parts := c.list()
		if got := c.missing(parts); !slices.Equal(got, []int{4, 5}) {
			t.Errorf("missing are %v", got)
		}
		c.send(c.missing(parts))
		p.restart()
		if got := c.finish(); got != "done" {
			t.Error(got)
		}
		p.restart()
		if _, parts := c.list(); len(c.missing(parts)) > 0 {
			t.Errorf("what is finished is told as %v", parts)
		}
		again := p.client(t, g, "a", c.data)
		if !again.run(false) || len(again.sent) > 0 {
			t.Errorf("once more it sent %v", again.sent)
		}
		if !slices.Equal(slices.Sorted(slices.Values(c.sent)), numbers(6)) {
			t.Errorf("sent %v", c.sent)
		}
		p.has(t, "a", c.data)
	})
}

// Midnight passes between any two requests of an upload, and the clock of the
// browser is any: the script signs by its own day with a key of the server's.
func TestMidnight(t *testing.T) {
	onEachGeneration(t, func(t *testing.T, p *place, g generation) {
		year := 365 * 24 * time.Hour
		for _, wrong := range []time.Duration{0, time.Minute, -time.Minute, 26 * time.Hour, -26 * time.Hour, 30 * year, -30 * year} {
			name := fmt.Sprint("wrong by ", wrong)
			c := p.client(t, g, name, wiretest.Rand(3000, 5, 0))
			c.now = func() time.Time { return p.clock.Now().Add(wrong) }
			before := func() { // the last minute of a day
				now := p.clock.Now().UTC()
				p.clock.Move(now.Truncate(24 * time.Hour).Add(24*time.Hour - 30*time.Second).Sub(now))
			}
			before()
			c.ask(false)
			p.clock.Move(time.Minute)
			c.id = c.begin()
			for _, n := range []int{1, 2, 3} {
				before()
				c.send([]int{n})
				p.clock.Move(time.Minute)
			}
			before()
			if got := c.finish(); got != "done" || len(c.sent) != 3 || c.session.Date[:10] == p.clock.Now().Format("2006-01-02") {
				t.Errorf("%s: %s, sent %v, by a key of %s", name, got, c.sent, c.session.Date)
			}
			p.has(t, name, c.data)
		}
	})
}
