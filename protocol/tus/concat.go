package tus

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/muleteer/muleteer/internal/wire"
	"github.com/muleteer/muleteer/upload"
)

// concat is the header Upload-Concat.
type concat struct {
	raw     string
	partial bool
	sources []string // ids; nil unless it is a final upload
}

func (h *handler) parseConcat(r *http.Request) (concat, error) {
	raw, present, err := wire.Header(r.Header, "Upload-Concat")
	if err != nil || !present {
		return concat{}, err
	}
	if raw == "partial" {
		return concat{raw: raw, partial: true}, nil
	}
	list, final := strings.CutPrefix(raw, "final;")
	list = wire.Tokenless(list) // they are for this request, and are not kept
	urls := strings.Fields(list)
	if !final || len(urls) == 0 {
		return concat{}, fmt.Errorf("%w: Upload-Concat is %.40q", upload.ErrInvalid, raw)
	}
	c := concat{raw: "final;" + list}
	for _, u := range urls {
		id, err := h.id(r, u)
		if err != nil {
			return concat{}, err
		}
		c.sources = append(c.sources, id)
	}
	return c, nil
}

// id returns the id that a URL of ours, absolute or relative, ends in.
func (h *handler) id(r *http.Request, raw string) (string, error) {
	foreign := fmt.Errorf("%w: %.100q is no upload of this server", upload.ErrInvalid, raw)
	ref, err := url.Parse(raw)
	if err != nil || ref.User != nil || ref.Scheme != "" && ref.Scheme != "http" && ref.Scheme != "https" {
		return "", foreign
	}
	own, err := url.Parse(wire.Tokenless(h.links.To(r, h.base)))
	if err != nil {
		return "", fmt.Errorf("the URL of %s: %w", h.base, err)
	}
	if ref.Host != "" && ref.Host != own.Host && ref.Host != r.Host {
		return "", foreign
	}
	target := own.ResolveReference(ref)
	// A proxy may have put something before our path, and the client's word may
	// be from either side of it.
	id, ok := strings.CutPrefix(target.Path, own.Path)
	if !ok {
		id, ok = strings.CutPrefix(target.Path, h.base)
	}
	if !ok || !wire.ID(id) {
		return "", foreign
	}
	return id, nil
}

// window is how long a concatenation that is asked for again is taken for the
// retry of a client that did not get the answer.
const window = time.Hour

// concatenate begins a final upload. A client that lost the answer asks again
// for the same parts under the same name, and gets what it has begun.
func (h *handler) concatenate(ctx context.Context, n upload.New) (*upload.Record, error) {
	fields := append([]string{n.Meta.Wire["Upload-Metadata"]}, n.Sources...)
	n.Fingerprint = h.service.Fingerprint(ctx, "tus concatenation", fields...)
	if u, err := h.before(ctx, n.Fingerprint); u != nil || err != nil {
		return u, err
	}
	u, err := h.service.Create(ctx, n)
	if errors.Is(err, upload.ErrExists) { // two such requests at once
		return h.before(ctx, n.Fingerprint)
	}
	if errors.Is(err, upload.ErrBusy) && u != nil {
		return u, nil // it goes on without the client
	}
	return u, err
}

// before returns the concatenation of that fingerprint if there is one, and it
// is young enough.
func (h *handler) before(ctx context.Context, fingerprint string) (*upload.Record, error) {
	for u, err := range h.service.Find(ctx, upload.Query{Fingerprint: fingerprint}) {
		switch {
		case err != nil:
			return nil, err
		case u.Phase < upload.Done, u.Phase == upload.Done && u.Began.Add(window).After(h.now()):
			return u, nil
		}
	}
	return nil, nil
}

func (h *handler) now() time.Time {
	if h.service.Now != nil {
		return h.service.Now()
	}
	return time.Now()
}
