package hook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"time"

	"github.com/muleteer/muleteer/upload"
)

// DefaultTimeout is how long a receiver may take for its answer.
const DefaultTimeout = 15 * time.Second

// WebOptions say how a receiver on the network is reached.
type WebOptions struct {
	URL     string         // http or https; only ever from the configuration
	Secrets []Secret       // each signs every message; none: nobody can verify them
	Timeout time.Duration  // for one message with its answer; 0: DefaultTimeout
	Allow   []netip.Prefix // networks that may be reached although they are not public
	Now     func() time.Time
}

// Web sends messages by POST. It follows no redirect, uses no proxy, and
// connects to public addresses only, but for those that are allowed, and but for
// this machine if the URL names it.
type Web struct {
	o      WebOptions
	client *http.Client
}

// NewWeb returns the sender to a URL, or what is wrong with that.
func NewWeb(o WebOptions) (*Web, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Fragment != "" {
		return nil, errors.New("it is no address: write https://example.org/path")
	}
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	dialer := &net.Dialer{Timeout: o.Timeout, Control: newGuard(u, o.Allow).control}
	return &Web{o, &http.Client{
		Timeout:       o.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext:            dialer.DialContext,
			TLSHandshakeTimeout:    o.Timeout,
			MaxIdleConnsPerHost:    16,
			IdleConnTimeout:        30 * time.Second,
			MaxResponseHeaderBytes: 32 << 10,
			ForceAttemptHTTP2:      true,
		},
	}}, nil
}

// Close ends the connections that nobody uses.
func (w *Web) Close() { w.client.CloseIdleConnections() }

func (w *Web) send(ctx context.Context, m message) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.o.URL, bytes.NewReader(m.body))
	if err != nil {
		return nil, err
	}
	for name, values := range m.header {
		r.Header[name] = values
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "muleteer")
	r.Header.Set("Idempotency-Key", m.id)
	sign(r.Header, w.o.Secrets, m.id, w.o.Now(), m.body)
	resp, err := w.client.Do(r)
	if err != nil {
		if e := (*url.Error)(nil); errors.As(err, &e) {
			err = e.Err // without the URL, which may have a password
		}
		return nil, fmt.Errorf("%s was not delivered: %w", m.name, err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, answerLimit+1))
	switch {
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		return nil, w.later(resp, fmt.Errorf("the receiver answered %s with %d %s", m.name, resp.StatusCode, http.StatusText(resp.StatusCode)))
	case err != nil:
		return nil, fmt.Errorf("the answer to %s broke off: %w", m.name, err)
	case len(answer) > answerLimit:
		return nil, fmt.Errorf("the answer to %s has more than %d bytes", m.name, answerLimit)
	}
	return answer, nil
}

// later heeds Retry-After (RFC 9110, section 10.2.3), in seconds or as a date.
func (w *Web) later(resp *http.Response, err error) error {
	said := resp.Header.Get("Retry-After")
	if seconds, e := strconv.ParseUint(said, 10, 31); e == nil {
		return &upload.Later{After: time.Duration(seconds) * time.Second, Err: err}
	}
	if at, e := http.ParseTime(said); e == nil {
		return &upload.Later{After: at.Sub(w.o.Now()), Err: err}
	}
	return err
}
