package access

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/time/rate"
)

const (
	keysFor      = 10 * time.Minute // for so long keys are used before they are fetched anew
	keysAtMost   = time.Hour        // and for so long when they cannot be
	keysWait     = 5 * time.Second
	keysLimit    = 1 << 20 // bytes
	keysInterval = 5 * time.Second
	keysBurst    = 3
)

// A KeySet is a JSON Web Key Set (RFC 7517) at an address. It is fetched when it
// is needed, anew when a token names a key that is not in it, and now and then,
// so that keys that were withdrawn are gone. It may be used concurrently.
type KeySet struct {
	url    string
	client *http.Client
	now    func() time.Time

	mu     sync.Mutex
	set    *oidc.RemoteKeySet
	born   time.Time
	before *oidc.RemoteKeySet // until the new one has answered
	old    time.Time          // when before was
}

// NewKeySet returns the keys at a URL. now may be nil.
func NewKeySet(url string, now func() time.Time) *KeySet {
	if now == nil {
		now = time.Now
	}
	return &KeySet{url: url, now: now, client: &http.Client{
		Timeout:       keysWait,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &careful{
			RoundTripper: &http.Transport{Proxy: http.ProxyFromEnvironment, TLSHandshakeTimeout: keysWait, MaxIdleConns: 1, IdleConnTimeout: time.Minute},
			limit:        rate.NewLimiter(rate.Every(keysInterval), keysBurst), now: now,
		},
	}}
}

// signed tells whether a key of the set has signed a token; the caller has
// looked at the algorithm.
func (k *KeySet) signed(ctx context.Context, token string) error {
	set, before := k.current()
	_, err := set.VerifySignature(ctx, token)
	if err == nil {
		k.worked(set)
		return nil
	}
	if errors.Unwrap(err) == nil { // what is wrong with a token wraps nothing, what is wrong with the set does
		return errForeign
	}
	if before != nil {
		if _, err := before.VerifySignature(ctx, token); err == nil {
			return nil
		}
	}
	return unavailable("the key set", err)
}

func (k *KeySet) current() (set, before *oidc.RemoteKeySet) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	if k.set == nil || now.Sub(k.born) > keysFor {
		if k.before == nil {
			k.before, k.old = k.set, k.born
		}
		k.set = oidc.NewRemoteKeySet(oidc.ClientContext(context.Background(), k.client), k.url)
		k.born = now
	}
	if k.before != nil && now.Sub(k.old) > keysAtMost {
		k.before = nil
	}
	return k.set, k.before
}

// worked notes that a set has been fetched: what was before it is not needed.
func (k *KeySet) worked(set *oidc.RemoteKeySet) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.set == set {
		k.before = nil
	}
}

// errOften is told instead of asking for the set, and not logged: strangers
// decide how often.
var errOften = errors.New("it was fetched a moment ago")

// careful fetches keys, but not as often as strangers make us want to, and not
// more than a set can have.
type careful struct {
	http.RoundTripper
	limit *rate.Limiter
	now   func() time.Time
}

func (c *careful) RoundTrip(r *http.Request) (*http.Response, error) {
	if !c.limit.AllowN(c.now(), 1) {
		return nil, errOften
	}
	resp, err := c.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	// The whole is read here: the library has no limit.
	text, err := io.ReadAll(io.LimitReader(resp.Body, keysLimit+1))
	resp.Body.Close()
	switch {
	case err != nil:
		return nil, err
	case resp.StatusCode != http.StatusOK: // what stands in it is not for the log
		return nil, fmt.Errorf("status %d", resp.StatusCode)
	case len(text) > keysLimit:
		return nil, fmt.Errorf("it has more than %d bytes", keysLimit)
	case !json.Valid(text):
		return nil, errors.New("it is no JSON")
	}
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
	return resp, nil
}
