package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/muleteer/muleteer/internal/trial"
	"github.com/muleteer/muleteer/store/s3/s3test"
)

// cell is the smallest piece that a bucket takes.
const cell = 5 << 20

// cloud is a server that keeps its files in a bucket, with a line to each of the
// two.
type cloud struct {
	*server
	front, bucket *line
	signs, tells  atomic.Int64 // requests for an address, and of what was sent
	parts         atomic.Int64 // that were begun to be sent to the bucket
}

func serveCloud(t *testing.T) *cloud {
	t.Helper()
	gateway := s3test.Start(t)
	c := &cloud{bucket: newLine(t, &server{address: strings.TrimPrefix(gateway.Endpoint, "http://")})}
	store := gateway.URL(gateway.Bucket(t), "") + "&direct=1&public=" + url.QueryEscape(c.bucket.URL)
	s := trial.ServeWith(t, s3test.Env(), program, t.TempDir(), "--durability", "process", "--store", store)
	c.server = &server{s, t, s.Address}
	c.front = newLine(t, c.server)
	c.ask(func(http.ResponseWriter, *http.Request, string) bool { return false })
	c.put(func(http.ResponseWriter, *http.Request, int64) bool { return false })
	return c
}

// ask lets a test answer in the server's place; what is "sign", "sent" or "".
func (c *cloud) ask(instead func(w http.ResponseWriter, r *http.Request, what string) bool) {
	c.front.refusing(func(w http.ResponseWriter, r *http.Request) bool {
		what := r.Header.Get("X-Upload-Direct")
		switch what {
		case "sign":
			c.signs.Add(1)
		case "sent":
			c.tells.Add(1)
		}
		return instead(w, r, what)
	})
}

// put lets a test answer in the bucket's place; n counts the parts from 1 on.
func (c *cloud) put(instead func(w http.ResponseWriter, r *http.Request, n int64) bool) {
	c.bucket.refusing(func(w http.ResponseWriter, r *http.Request) bool {
		return instead(w, r, c.parts.Add(1))
	})
}

// into sends a file by direct(), one piece at a time unless there are workers.
func (c *cloud) into(f *file, more ...func(*job)) *client {
	c.t.Helper()
	j := job{Options: quick(), Files: []*file{f}, XHR: true, Direct: map[string]any{"rest": 3_600_000}}
	j.Options["chunkSize"], j.Options["workers"] = cell, 1
	for _, m := range more {
		m(&j)
	}
	return send(c.t, c.front.URL, j)
}

// counts wants so many parts at the bucket, and so many bytes in bodies through
// the server.
func (c *cloud) counts(parts, through int64) {
	c.t.Helper()
	if n := c.parts.Load(); n != parts {
		c.t.Errorf("%d parts were sent to the bucket, not %d", n, parts)
	}
	if n := c.front.carried(); n != through {
		c.t.Errorf("%d bytes went through the server, not %d", n, through)
	}
}

// said is how often the client said that it sends through the server; what it
// said has no address in it.
func (c *cloud) said(x *client, times int) {
	c.t.Helper()
	x.kill()
	_ = x.cmd.Wait() // then all has been said
	words := x.stderr.String()
	if n := strings.Count(words, "through the server"); n != times || strings.Contains(words, "X-Amz") {
		c.t.Errorf("it said: %s", words)
	}
}
