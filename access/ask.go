package access

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/muleteer/muleteer/internal/wire"
	"github.com/muleteer/muleteer/upload"
)

const (
	askWait    = 5 * time.Second
	askLimit   = 64 << 10 // bytes of an answer
	askKeep    = 3 * time.Second
	askLongest = 5 * time.Minute
	askCache   = 4096 // answers
)

// An Application is asked whether a request is permitted, before its body is
// read: by a GET with the request's Authorization and Cookie, and what is known of
// the file as X-Upload-Method, -Name, -Size, -Content-Type, -Protocol, -Id, and
// X-Forwarded-For. 200 and 201 permit it; a JSON object in the answer may say
// more, see Answer. It may be used concurrently.
type Application struct {
	url    string
	key    []byte
	log    *slog.Logger
	now    func() time.Time
	client *http.Client

	mu    sync.Mutex
	known map[[sha256.Size]byte]kept
}

// An Answer is what an application says beside yes.
type Answer struct {
	Principal string `json:"principal"` // the owner; without it, whoever has the same Authorization is the same
	Key       string `json:"key"`       // where the file appears
	TTL       *int64 `json:"ttl"`       // for how many seconds the answer may be used again, up to 300; 0: it may not
	Permit
}

type kept struct {
	answer Answer
	until  time.Time
}

// NewApplication returns the application that is asked at a URL. The key makes
// owners of those who have none otherwise, and has to survive a restart; log and
// now may be nil.
func NewApplication(at string, key []byte, log *slog.Logger, now func() time.Time) *Application {
	if now == nil {
		now = time.Now
	}
	if log == nil {
		log = slog.Default()
	}
	return &Application{
		url: at, key: key, log: log, now: now, known: map[[sha256.Size]byte]kept{},
		client: &http.Client{
			Timeout:       askWait,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Transport: &http.Transport{
				TLSHandshakeTimeout: askWait, MaxIdleConnsPerHost: 16, MaxConnsPerHost: 64, IdleConnTimeout: time.Minute,
				MaxResponseHeaderBytes: askLimit,
			},
		},
	}
}

// admit asks who sends a request, or remembers the answer for a little while.
// When an upload completes, it is asked anew.
func (a *Application) admit(r *http.Request, s Subject) (upload.Principal, error) {
	question := question(r, s)
	answer, err := a.remembered(r.Context(), question)
	if err != nil {
		return upload.Principal{}, err
	}
	owner := a.owner(answer, question)
	grant := answer.grant()
	grant.Key = answer.Key
	return upload.Principal{Owner: owner, Verbs: answer.Verbs, Grant: grant, Again: func(ctx context.Context) error {
		again, err := a.ask(ctx, question)
		switch {
		case errors.Is(err, upload.ErrUnavailable):
			return err
		case err != nil:
			return fmt.Errorf("%w: the application says so, now that the upload is complete", upload.ErrDenied)
		case a.owner(again, question) != owner:
			return fmt.Errorf("%w: to the application this is somebody else now", upload.ErrDenied)
		}
		return nil
	}}, nil
}

// question is what the application is told.
func question(r *http.Request, s Subject) http.Header {
	q := http.Header{}
	for _, name := range []string{"Authorization", "Cookie"} {
		q[name] = slices.Clone(r.Header.Values(name))
	}
	set := func(name, value string) {
		if value != "" {
			q.Set(name, value)
		}
	}
	set("X-Upload-Method", r.Method)
	set("X-Upload-Protocol", s.Protocol)
	set("X-Upload-Name", url.PathEscape(s.Name))
	if s.Size >= 0 {
		set("X-Upload-Size", strconv.FormatInt(s.Size, 10))
	}
	set("X-Upload-Content-Type", s.Type)
	if id := path.Base(r.URL.Path); wire.ID(id) {
		set("X-Upload-Id", id)
	}
	set("X-Forwarded-For", address(r))
	return q
}

// owner is whose the uploads are.
func (a *Application) owner(answer Answer, question http.Header) string {
	authorization := question.Get("Authorization")
	if answer.Principal != "" || authorization == "" {
		return answer.Principal
	}
	return "auth-" + base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(mac(a.key, "owner", authorization)[:20])
}

func (a *Application) remembered(ctx context.Context, question http.Header) (Answer, error) {
	id := hash(question)
	a.mu.Lock()
	k, ok := a.known[id]
	a.mu.Unlock()
	if ok && a.now().Before(k.until) {
		return k.answer, nil
	}
	answer, err := a.ask(ctx, question)
	if err != nil {
		return Answer{}, err
	}
	keep := askKeep
	if answer.TTL != nil {
		keep = time.Duration(min(*answer.TTL, int64(askLongest/time.Second))) * time.Second
	}
	if keep > 0 {
		a.mu.Lock()
		defer a.mu.Unlock()
		if len(a.known) >= askCache {
			clear(a.known) // they are asked for again, that is all
		}
		a.known[id] = kept{answer, a.now().Add(keep)}
	}
	return answer, nil
}

// hash is of all that was sent.
func hash(question http.Header) (sum [sha256.Size]byte) {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(question)) {
		for _, value := range question[name] {
			writeField(h, name)
			writeField(h, value)
		}
	}
	h.Sum(sum[:0])
	return sum
}

// writeField writes a field and before it its length.
func writeField(w io.Writer, field string) {
	_, _ = w.Write(binary.BigEndian.AppendUint64(nil, uint64(len(field)))) // a hash takes all
	_, _ = io.WriteString(w, field)
}

// ask asks the application, whatever is remembered.
func (a *Application) ask(ctx context.Context, question http.Header) (Answer, error) {
	answer, err := a.talk(ctx, question)
	if errors.Is(err, upload.ErrUnavailable) {
		a.log.Error("the application cannot be asked who may upload", "error", err)
	}
	return answer, err
}

func (a *Application) talk(ctx context.Context, question http.Header) (Answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.url, nil)
	if err != nil {
		return Answer{}, unavailable("the application", err)
	}
	req.Header = question.Clone()
	req.Header.Set("User-Agent", "muleteer")
	resp, err := a.client.Do(req)
	if err != nil {
		if u := (*url.Error)(nil); errors.As(err, &u) {
			err = u.Err // without the URL, which may have a password
		}
		return Answer{}, unavailable("the application", err)
	}
	defer resp.Body.Close()
	if err := refusal(resp.StatusCode); err != nil {
		return Answer{}, err
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, askLimit+1))
	switch {
	case err != nil:
		return Answer{}, unavailable("the application", err)
	case len(text) > askLimit:
		return Answer{}, unavailable("the application", fmt.Errorf("its answer has more than %d bytes", askLimit))
	}
	return parseAnswer(resp.Header.Get("Content-Type"), text)
}

// refusal is what a status means for the client: a refusal that it can
// understand is passed on, without what stands in it.
func refusal(status int) error {
	const reason = "the application that uploads are for does not permit it"
	switch status {
	case http.StatusOK, http.StatusCreated:
		return nil
	case http.StatusUnauthorized, http.StatusPaymentRequired, http.StatusForbidden, http.StatusNotFound,
		http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusTooManyRequests:
		return &upload.Refusal{Status: status, Reason: reason}
	}
	if status >= 400 && status < 500 {
		return fmt.Errorf("%w: %s", upload.ErrDenied, reason)
	}
	return unavailable("the application", fmt.Errorf("it answers with status %d", status))
}

// parseAnswer reads what an application says beside yes. One that says it in
// another form than a JSON object says no more than yes.
func parseAnswer(kind string, text []byte) (Answer, error) {
	var a Answer
	media, _, _ := mime.ParseMediaType(kind)
	if media != "application/json" && !strings.HasSuffix(media, "+json") || len(bytes.TrimSpace(text)) == 0 {
		return a, nil
	}
	var any json.RawMessage
	if err := json.Unmarshal(text, &any); err != nil {
		return Answer{}, unavailable("the application", fmt.Errorf("its answer is no JSON: %w", err))
	}
	if bytes.TrimSpace(any)[0] != '{' {
		return a, nil
	}
	if err := json.Unmarshal(text, &a); err != nil {
		return Answer{}, unavailable("the application", fmt.Errorf("its answer: %w", err))
	}
	err := a.check()
	switch {
	case err == nil && a.TTL != nil && *a.TTL < 0:
		err = errors.New("its ttl is below 0")
	case err == nil && a.Principal != "" && !validOwner(a.Principal):
		err = errors.New("its principal is none that uploads can have")
	}
	if err != nil {
		return Answer{}, unavailable("the application", fmt.Errorf("its answer: %w", err))
	}
	return a, nil
}
