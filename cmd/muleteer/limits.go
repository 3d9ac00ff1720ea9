package main

import (
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/muleteer/muleteer/internal/wire"
	"github.com/muleteer/muleteer/upload"
)

// limits are how fast one owner, or one address without a name, may and must
// send to an endpoint.
type limits struct {
	Uploads  tempo `name:"rate-uploads" yaml:"rate-uploads" env:"MULETEER_RATE_UPLOADS" placeholder:"N/TIME" help:"How many uploads one owner, or one address without a name, may begin, as 60/m or 5/s (default: any number)."`
	Bytes    size  `name:"rate-bytes" yaml:"rate-bytes" env:"MULETEER_RATE_BYTES" default:"0" placeholder:"SIZE" help:"How many bytes a second one owner, or one address without a name, may send; faster ones wait; 0 for any (default: 0)."`
	MinSpeed size  `name:"min-speed" yaml:"min-speed" env:"MULETEER_MIN_SPEED" default:"1KiB" placeholder:"SIZE" help:"A client that sends less than so many bytes a second, over 30 seconds, is cut off, and may come again; 0 for any speed (default: 1KiB)."`
}

// tempo is a number of times in a while; zero is any number.
type tempo struct {
	n     int
	while time.Duration
}

// UnmarshalText reads "60/m": a number, and s, m or h.
func (o *tempo) UnmarshalText(text []byte) error {
	number, unit, _ := strings.Cut(string(text), "/")
	n, err := strconv.Atoi(strings.TrimSpace(number))
	while := map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour}[strings.TrimSpace(unit)]
	if err != nil || n < 1 || while == 0 {
		return fmt.Errorf("%q is no rate: write 60/m, 5/s or 1000/h", text)
	}
	*o = tempo{n, while}
	return nil
}

// limiter keeps clients to the limits. Its methods may be called concurrently.
type limiter struct {
	limits
	mu      sync.Mutex
	clients map[string]*client
}

// client is what one owner or address has left.
type client struct {
	uploads, bytes *rate.Limiter
	seen           time.Time
}

// manyClients is when those are forgotten who have not been seen for long: by
// then they have all back that they had used.
const manyClients = 10_000

func newLimiter(l limits) *limiter { return &limiter{limits: l, clients: map[string]*client{}} }

// of returns what a client has left.
func (l *limiter) of(key string) *client {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if len(l.clients) >= manyClients && l.clients[key] == nil {
		for k, c := range l.clients {
			if now.Sub(c.seen) > max(l.Uploads.while, time.Second) {
				delete(l.clients, k)
			}
		}
	}
	c := l.clients[key]
	if c == nil {
		c = new(client)
		if l.Uploads.n > 0 {
			c.uploads = rate.NewLimiter(rate.Limit(float64(l.Uploads.n)/l.Uploads.while.Seconds()), l.Uploads.n)
		}
		if l.Bytes > 0 {
			c.bytes = rate.NewLimiter(rate.Limit(l.Bytes), int(min(l.Bytes, 1<<30)))
		}
		l.clients[key] = c
	}
	c.seen = now
	return c
}

// limit has a request keep to what its client has left.
func (h *house) limit(r *http.Request, who upload.Principal) (*http.Request, upload.Principal) {
	pace := wire.Pace{Least: int64(h.limits.MinSpeed)}
	if h.limits.Uploads.n > 0 || h.limits.Bytes > 0 {
		c := h.limits.of(clientKey(r, who))
		if c.uploads != nil {
			who.Begin = func() error {
				if !c.uploads.Allow() {
					return upload.ErrTooMany
				}
				return nil
			}
		}
		if c.bytes != nil {
			pace.Most = func(n int) time.Duration { return c.wait(n) }
		}
	}
	return wire.Paced(r, pace), who
}

// wait returns how long those who have sent n bytes have to wait.
func (c *client) wait(n int) time.Duration {
	now, wait := time.Now(), time.Duration(0)
	for n > 0 {
		part := min(n, c.bytes.Burst())
		wait = max(wait, c.bytes.ReserveN(now, part).DelayFrom(now))
		n -= part
	}
	return wait
}

// clientKey names a client: by its owner, or else by its address, of which with
// IPv6 one household has many.
func clientKey(r *http.Request, who upload.Principal) string {
	if who.Owner != "" && !strings.HasPrefix(who.Owner, upload.Nobody) {
		return "owner " + who.Owner
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	if ip := net.ParseIP(host); ip != nil && ip.To4() == nil {
		host = ip.Mask(net.CIDRMask(64, 128)).String()
	}
	return "address " + host
}
