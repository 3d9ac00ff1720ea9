package mule

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/muleteer/muleteer/internal/wire"
	"github.com/muleteer/muleteer/upload"
)

// suffix is what the client appends to the name of the bucket.
var suffix = regexp.MustCompile(`^` + bucketName + `\.s3(-[a-z0-9-]{1,40})?\.amazonaws\.com$`)

// partPatience is how long an answer waits after the last byte of a chunk, until
// the file is whole. The client gives up 15 s after it has sent the last byte.
const partPatience = 8 * time.Second

// errAgain makes the client look what is missing, send that, and try again.
var errAgain = errors.New("parts are missing")

// Bucket is what the client takes for a bucket of S3, at Options.Bucket. Who is
// known by the signature needs no other permission. It may be called
// concurrently.
func Bucket(s *upload.Service, o Options) http.Handler {
	h := newHandler(s, o)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		if r.Method == http.MethodGet && r.URL.Path == h.Bucket { // somebody has typed that
			wire.Problem(w, http.StatusNotFound, "", "Pages with Mule Uploader take this for their bucket, and send chunks here. There is nothing to see.")
			return
		}
		if err := h.bucket(w, r); err != nil {
			h.failS3(w, r, err)
		}
	})
}

func (h *handler) bucket(w http.ResponseWriter, r *http.Request) error {
	if r.Method == http.MethodHead { // 200 would end the client in the middle of its work
		return upload.ErrNotFound
	}
	name, key, _ := strings.Cut(strings.TrimPrefix(r.URL.EscapedPath(), h.Bucket), "/")
	q, err := parse(r.URL.RawQuery)
	if err != nil || !suffix.MatchString(name) || !wire.ID(key) {
		return upload.ErrNotFound
	}
	u, ctx, err := h.signed(r, q, name, key)
	if err != nil {
		return err
	}
	id, named := q["uploadId"]
	_, begins := q["uploads"]
	number, part := q["partNumber"]
	switch {
	case named == begins, named && id != u.ID, part && r.Method != http.MethodPut:
		return upload.ErrNotFound
	case begins && r.Method == http.MethodPost:
		wire.S3Begun(w, bucketName, key, u.ID)
		return nil
	case named && r.Method == http.MethodGet:
		return h.list(ctx, w, u)
	case named && part:
		return h.part(ctx, w, r, u, number)
	case named && r.Method == http.MethodPost:
		return h.complete(ctx, w, r, u)
	}
	return upload.ErrNotFound
}

// signed returns the upload whose key has signed a request, and the context in
// which it is done: that of the upload's owner, for this upload alone.
func (h *handler) signed(r *http.Request, q query, name, key string) (*upload.Record, context.Context, error) {
	id, err := q.owner()
	if err != nil || id != key {
		return nil, nil, upload.ErrNotFound
	}
	who := upload.Principal{Upload: id, Verbs: []upload.Verb{upload.MayLook, upload.MayWrite}}
	u, err := h.s.Glance(upload.By(r.Context(), who), id)
	if err != nil {
		return nil, nil, err
	}
	_, host, _ := strings.Cut(h.URL.To(r, h.Bucket+name), "://")
	if u.Protocol != Protocol || q.verify(r, u.Meta.Wire[secretField], host, key) != nil {
		return nil, nil, upload.ErrNotFound
	}
	who.Owner = u.Owner
	return u, upload.By(r.Context(), who), nil
}

// list tells all the chunks that are here, never some of them: most versions
// cannot ask for the rest.
func (h *handler) list(ctx context.Context, w http.ResponseWriter, u *upload.Record) error {
	var parts []upload.Numbered
	err := wire.Patiently(ctx, func() (err error) {
		_, parts, err = h.s.Numbered(ctx, u.ID)
		return err
	}, upload.ErrUnavailable)
	if err != nil {
		return err
	}
	list := wire.S3Parts(u.ID, parts)
	for i, p := range list {
		if h.asExpected(p.PartNumber, p.Size, u.Size) {
			list[i].Size = 0
		}
	}
	wire.S3List(w, bucketName, u.ID, u.ID, list)
	return nil
}

// asExpected tells whether a chunk is the last one of a file that is a multiple
// of the chunk size. The client then wants it to be of no bytes, and else sends
// it again for ever. Of a file in one chunk nobody knows whether the chunk size
// is that of the file, or larger: it is taken to be the one that pages are set
// to.
func (h *handler) asExpected(number, size, whole int64) bool {
	return size > 0 && size <= whole/number && number*size == whole && (number > 1 || size == h.Chunk)
}

// part takes a chunk.
func (h *handler) part(ctx context.Context, w http.ResponseWriter, r *http.Request, u *upload.Record, text string) error {
	number, err := wire.Int(text)
	if err != nil || text == "" || number > upload.MaxNumber {
		return fmt.Errorf("%w: %.10q is no number of a part", upload.ErrInvalid, text)
	}
	if r.ContentLength < 0 {
		return fmt.Errorf("%w: a part needs a Content-Length", upload.ErrInvalid)
	}
	if number == 0 && r.ContentLength == 0 { // what the client sends to look again, see complete
		w.WriteHeader(http.StatusOK)
		return nil
	}
	if number > 0 && r.ContentLength > u.Size/number { // no chunk before it is smaller
		return fmt.Errorf("%w: %d bytes as part %d of %d", upload.ErrTooLarge, r.ContentLength, number, u.Size)
	}
	c := upload.Chunk{Len: r.ContentLength, Size: -1, Body: wire.Body(w, r), Patience: partPatience}
	v, err := h.s.WriteNumbered(ctx, u.ID, number, c)
	if errors.Is(err, upload.ErrBusy) && v != nil && v.Here == v.Size { // it is safe, and the file is being finished
		err = nil
	}
	if err != nil {
		return err
	}
	w.Header().Set("ETag", wire.PartETag(u.ID, number, r.ContentLength))
	w.WriteHeader(http.StatusOK)
	return nil
}

// complete answers when the file is whole, however long that takes.
func (h *handler) complete(ctx context.Context, w http.ResponseWriter, r *http.Request, u *upload.Record) error {
	wanted, err := wire.S3Complete(wire.Body(w, r))
	if err != nil {
		return fmt.Errorf("%w: %w", errAgain, err)
	}
	id := u.ID
	err = wire.Patiently(ctx, func() error {
		v, parts, err := h.s.Numbered(ctx, id)
		if err != nil {
			return err
		}
		if u = v; u.Whole() { // the answer may have been lost
			return nil
		}
		numbers, err := wire.S3Same(wanted, wire.S3Parts(id, parts))
		if err == nil {
			u, err = h.s.Complete(ctx, id, numbers)
		}
		return err
	}, upload.ErrUnavailable, upload.ErrFull, upload.ErrInterrupted)
	switch {
	case err == nil:
	case errors.Is(err, upload.ErrNotFound), errors.Is(err, upload.ErrGone) && !errors.Is(err, upload.ErrRefused):
		return err
	default:
		return fmt.Errorf("%w: %w", errAgain, err)
	}
	wire.S3Completed(w, h.URL.To(r, "/files/"+id), bucketName, id, wire.ObjectETag(u))
	return nil
}

// failS3 answers with an error as a bucket does.
func (h *handler) failS3(w http.ResponseWriter, r *http.Request, err error) {
	status, code, known := wire.S3Code(err)
	line := err.Error()
	if !known {
		wire.Log(h.s, r, err)
		line = "This is a fault of the server, which has noted it."
	}
	if errors.Is(err, errAgain) {
		status, code = http.StatusBadRequest, "EntityTooSmall"
	}
	wire.S3Error(w, status, code, line)
}
