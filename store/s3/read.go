package s3

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/store"
)

// Open is store.Store's. What is not joined cannot be read.
func (s *Store) Open(ctx context.Context, o store.Object, e extent.Extent) (io.ReadCloser, error) {
	if e.Start < 0 || e.End < e.Start || o.Size >= 0 && e.End > o.Size {
		return nil, fmt.Errorf("bytes %d to %d of an object of %d", e.Start, e.End, o.Size)
	}
	key := s.final(o)
	if e.Empty() {
		out, err := s.look(ctx, key)
		if err == nil && !owned(out, o.ID) {
			err = s.notThere(ctx, o)
		}
		return io.NopCloser(bytes.NewReader(nil)), err
	}
	in := &s3.GetObjectInput{Bucket: s.in(), Key: &key}
	if e.Start > 0 || e.End != o.Size {
		in.Range = aws.String(fmt.Sprintf("bytes=%d-%d", e.Start, e.End-1))
	}
	out, err := s.client.GetObject(ctx, in)
	switch {
	case missing(err), status(err) == http.StatusRequestedRangeNotSatisfiable: // then it is another one
		return nil, s.notThere(ctx, o)
	case err != nil:
		return nil, fmt.Errorf("reading %s: %w", key, translate(err))
	case out.Metadata[idField] != o.ID:
		out.Body.Close()
		return nil, s.notThere(ctx, o)
	case out.ContentLength != nil && *out.ContentLength != e.Len():
		out.Body.Close()
		return nil, fmt.Errorf("reading %s: %d bytes came, not %d", key, *out.ContentLength, e.Len())
	}
	return out.Body, nil
}

// notThere tells what it means that an object is not under its key.
func (s *Store) notThere(ctx context.Context, o store.Object) error {
	h, err := parseToken(o.Token)
	if o.Joined || err != nil {
		return fmt.Errorf("%s is not in the bucket: %w", o.Key, store.ErrGone)
	}
	_, err = s.client.ListParts(ctx, &s3.ListPartsInput{
		Bucket: s.in(), Key: aws.String(s.at(o, h)), UploadId: &h.uploadID, MaxParts: aws.Int32(1),
	})
	switch {
	case err == nil:
		return store.ErrNotYet
	case missing(err):
		return s.gone(ctx, o, h, err)
	}
	return translate(err)
}

// Link is store.Linker's: an address at which the object can be read without
// this server. It is empty unless the store's URL asks for it.
func (s *Store) Link(ctx context.Context, o store.Object, kind, disposition string) (string, error) {
	if !s.redirect {
		return "", nil
	}
	signed, err := s.sign.PresignGetObject(ctx, &s3.GetObjectInput{
		Bucket: s.in(), Key: aws.String(s.final(o)),
		ResponseContentType: optional(kind), ResponseContentDisposition: optional(disposition),
	})
	if err != nil {
		return "", err
	}
	return signed.URL, nil
}
