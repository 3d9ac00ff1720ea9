package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// remote is a server of ours, as its clients put, ls and rm see it.
type remote struct {
	base   string // its URL, without a slash at the end
	token  string // "" for none
	client *http.Client
}

// stall is how long a request may stand still before its connection is given
// up.
const stall = 60 * time.Second

// newRemote returns the server at address, which is what a person wrote, for so
// many requests at once.
func newRemote(address string, connections int, t trust) (*remote, error) {
	base, err := parseServer(address)
	if err != nil {
		return nil, &failure{exitUsage, err}
	}
	roots, err := t.roots()
	if err != nil {
		return nil, &failure{exitUsage, err}
	}
	return &remote{base, t.Token, &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			DialContext:         (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
			TLSHandshakeTimeout: 10 * time.Second,
			TLSClientConfig:     &tls.Config{RootCAs: roots},
			IdleConnTimeout:     30 * time.Second,
			MaxIdleConnsPerHost: connections,
			WriteBufferSize:     256 << 10,
			// HTTP/2 would put all parts of a file onto one connection, and one
			// connection is what is slow.
			TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{},
		},
	}}, nil
}

// parseServer reads the URL of a server, or of its path for uploads.
func parseServer(address string) (string, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "" && !strings.Contains(address, "://"):
		return "", fmt.Errorf("%q is no URL: write http://%s", address, strings.TrimPrefix(address, "//"))
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return "", fmt.Errorf("%q is no URL of a server: write http://host:port", address)
	case u.RawQuery != "" || u.Fragment != "":
		return "", fmt.Errorf("%q has more than the address of a server", address)
	}
	path := strings.TrimRight(u.EscapedPath(), "/")
	path = strings.TrimRight(strings.TrimSuffix(path, "/upload"), "/")
	u.Path, u.RawPath = path, ""
	if unescaped, err := url.PathUnescape(path); err == nil {
		u.Path, u.RawPath = unescaped, path
	}
	return u.String(), nil
}

// isURL tells a URL from a file among arguments.
func isURL(argument string) bool {
	return strings.HasPrefix(argument, "http://") || strings.HasPrefix(argument, "https://")
}

// refused is an answer that is neither yes nor "more".
type refused struct {
	status int
	title  string
	detail string
	after  time.Duration // the server wants to be left alone for so long
	cell   int64         // bytes of a piece as the store wants it, 0 where nothing was said of that
	own    bool          // a server of ours said it, and not a proxy before it
}

func (r *refused) Error() string {
	s := fmt.Sprintf("the server answered %d %s", r.status, r.title)
	if r.detail != "" {
		s += ": " + r.detail
	}
	if r.status == http.StatusUnauthorized {
		s += "; give a token by --token or MULETEER_TOKEN"
	}
	return s
}

// do sends a request and returns the answer if it is below 300, or 308 without
// a new place. Any other one becomes an error. The caller closes the body.
func (r *remote) do(req *http.Request) (*http.Response, error) {
	req.Header.Set("User-Agent", "muleteer/"+release)
	if r.token != "" {
		req.Header.Set("Authorization", "Bearer "+r.token)
	}
	resp, err := r.client.Do(req)
	if err != nil {
		if e := (*url.Error)(nil); errors.As(err, &e) {
			err = e.Err // without the URL, which may have a password
		}
		return nil, strange(err)
	}
	place := resp.Header.Get("Location")
	if resp.StatusCode < 300 || resp.StatusCode == http.StatusPermanentRedirect && place == "" {
		return resp, nil
	}
	defer resp.Body.Close()
	return nil, refusal(resp, place)
}

func refusal(resp *http.Response, place string) error {
	e := &refused{status: resp.StatusCode, title: http.StatusText(resp.StatusCode)}
	if resp.StatusCode < 400 {
		e.detail = fmt.Sprintf("it is at %s now", place)
		return e
	}
	if seconds, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && seconds >= 0 {
		e.after = time.Duration(min(seconds, 3600)) * time.Second
	}
	if cell, err := strconv.ParseInt(resp.Header.Get("X-Upload-Cell"), 10, 64); err == nil {
		e.cell = cell
	}
	if media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); media == "application/problem+json" {
		var problem struct{ Title, Detail string }
		if json.NewDecoder(io.LimitReader(resp.Body, 64<<10)).Decode(&problem) == nil {
			e.own, e.title, e.detail = true, printable(problem.Title), printable(problem.Detail)
		}
	}
	return e
}

// printable takes out of a stranger's text what would steer the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return -1
		}
		return r
	}, s)
}

// view is an upload as servers tell it.
type view struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Size    *int64    `json:"size"`
	State   string    `json:"state"`
	Offset  int64     `json:"offset"`
	Ranges  string    `json:"ranges"`
	CRC     string    `json:"crc64nvme"`
	URL     string    `json:"url"`
	Created time.Time `json:"created"`
}

// get reads a JSON document into v.
func (r *remote) get(ctx context.Context, path string, v any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.base+path, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "application/json")
	resp, err := r.do(req)
	if err != nil {
		return r.trouble(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(io.LimitReader(resp.Body, 64<<20)).Decode(v); err != nil {
		return fmt.Errorf("what answers at %s is no muleteer", r.host())
	}
	return nil
}

// trouble says what a person can do about an error of do.
func (r *remote) trouble(err error) error {
	if e := (*refused)(nil); errors.As(err, &e) || errors.Is(err, context.Canceled) || errors.Is(err, errStrange) {
		return err
	}
	return fmt.Errorf("no server at %s: %w; give its URL, or start one by “muleteer serve”", r.host(), reason(err))
}

// host is the server without what may be secret.
func (r *remote) host() string {
	u, err := url.Parse(r.base)
	if err != nil {
		return "the URL"
	}
	return u.Redacted()
}
