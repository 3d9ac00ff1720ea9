package access

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/golang-jwt/jwt/v5"

	"github.com/muleteer/muleteer/upload"
)

// Claims are what a token says (RFC 7519): whose it is, for how long it is good,
// and what it permits. Zero values permit what the server permits everybody.
type Claims struct {
	jwt.RegisteredClaims // sub: the owner, may be missing beside Upload only; exp: must be there; nbf, aud, iss
	Permit
	Endpoint string `json:"endpoint,omitempty"` // "" is "default"
	Upload   string `json:"upload,omitempty"`   // the id of the one upload that it is for
}

// Permit is what somebody may do, as a token says it, or the application.
type Permit struct {
	Verbs   []upload.Verb     `json:"verbs,omitempty"`    // nil: all but manage
	MaxSize int64             `json:"max_size,omitempty"` // bytes per upload
	MaxOpen int64             `json:"max_open,omitempty"` // unfinished uploads of the owner
	Quota   int64             `json:"quota,omitempty"`    // bytes of all uploads of the owner
	Types   []string          `json:"types,omitempty"`    // media types by content, "image/*" for a family
	Prefix  string            `json:"prefix,omitempty"`   // keys begin with it
	Fields  map[string]string `json:"fields,omitempty"`   // of the files, over what the client says
	Data    json.RawMessage   `json:"data,omitempty"`     // any JSON, for hooks
}

// check tells whether a permit makes sense; one that does not permits nothing.
func (p Permit) check() error {
	for _, v := range p.Verbs {
		if !slices.Contains(upload.Verbs(), v) {
			return fmt.Errorf("%.40q is no verb", v)
		}
	}
	if p.Verbs != nil && len(p.Verbs) == 0 {
		return fmt.Errorf("it has no verbs")
	}
	if p.MaxSize < 0 || p.MaxOpen < 0 || p.Quota < 0 {
		return fmt.Errorf("a limit is below 0")
	}
	for _, t := range p.Types {
		if family, kind, ok := strings.Cut(t, "/"); !ok || family == "" || kind == "" {
			return fmt.Errorf("%.40q is no media type", t)
		}
	}
	return nil
}

// grant is what a permit is to the package upload.
func (p Permit) grant() upload.Grant {
	data := ""
	var compact bytes.Buffer
	if len(p.Data) > 0 && json.Compact(&compact, p.Data) == nil && compact.String() != "null" {
		data = compact.String()
	}
	return upload.Grant{
		MaxSize: p.MaxSize, Quota: upload.Quota{Open: p.MaxOpen, Total: p.Quota}, Types: p.Types, Prefix: p.Prefix, Fields: p.Fields, Data: data,
	}
}

// Check tells whether a token with these claims would be taken at the endpoint
// that it names.
func (c *Claims) Check() error {
	switch {
	case c.ExpiresAt == nil:
		return fmt.Errorf("%w: it has no end (exp)", ErrBad)
	case c.Subject == "" && c.Upload == "" || c.Subject != "" && !validOwner(c.Subject):
		return fmt.Errorf("%w: it has no owner (sub), or one whose name has control characters, begins with %q or is longer than 255 bytes", ErrBad, upload.Nobody)
	}
	if err := c.check(); err != nil {
		return fmt.Errorf("%w: %w", ErrBad, err)
	}
	return nil
}

// principal is who comes with these claims to an endpoint.
func (c *Claims) principal(endpoint string) (upload.Principal, error) {
	if err := c.Check(); err != nil {
		return upload.Principal{}, err
	}
	if canonical(c.Endpoint) != canonical(endpoint) {
		return upload.Principal{}, fmt.Errorf("%w: the token is for another endpoint", upload.ErrDenied)
	}
	return upload.Principal{
		Owner: c.Subject, Verbs: c.Verbs, Upload: c.Upload, Until: c.ExpiresAt.Add(Leeway), Grant: c.grant(),
	}, nil
}

// canonical is the one name of an endpoint.
func canonical(endpoint string) string {
	if endpoint == "default" {
		return ""
	}
	return endpoint
}
