package s3

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/muleteer/muleteer/store"
)

// Remove is store.Store's. Of what Walk finds without a key, the ID is enough.
func (s *Store) Remove(ctx context.Context, o store.Object) error {
	if !validID.MatchString(o.ID) {
		return fmt.Errorf("%q is not an id", o.ID)
	}
	h, err := parseToken(o.Token)
	switch {
	case o.Joined && !o.Hidden && o.Key != "":
		err = s.unpublish(ctx, o)
	case err == nil && o.Key != "":
		err = s.abort(ctx, s.at(o, h), h.uploadID)
	default:
		err = s.abortAll(ctx, o.ID, h.uploadID)
	}
	return errors.Join(err, s.tidy(ctx, o.ID))
}

// unpublish deletes a joined object, unless another one has replaced it.
func (s *Store) unpublish(ctx context.Context, o store.Object) error {
	key := s.final(o)
	seen, err := s.look(ctx, key)
	if err != nil || !owned(seen, o.ID) {
		return err
	}
	in := &s3.DeleteObjectInput{Bucket: s.in(), Key: &key}
	if !direct(o) || o.Overwrite {
		in.IfMatch = seen.ETag // it may be replaced at this moment
	}
	_, err = s.client.DeleteObject(ctx, in)
	if in.IfMatch != nil && bad(err) && status(err) != http.StatusPreconditionFailed {
		in.IfMatch = nil // there is no such thing here
		_, err = s.client.DeleteObject(ctx, in)
	}
	if missing(err) || status(err) == http.StatusPreconditionFailed {
		return nil
	}
	if err != nil {
		return fmt.Errorf("deleting %s: %w", key, translate(err))
	}
	return nil
}

// abortAll ends the multipart uploads of an upload, or the one of them that is
// named.
func (s *Store) abortAll(ctx context.Context, id, uploadID string) error {
	prefixes := []string{s.beside(id, "")}
	if ownID.MatchString(id) {
		prefixes = append(prefixes, s.prefix+id+"/")
	}
	for _, prefix := range prefixes {
		for u, err := range s.uploads(ctx, prefix) {
			if err != nil {
				return err
			}
			if uploadID != "" && uploadID != aws.ToString(u.UploadId) {
				continue
			}
			if err := s.abort(ctx, aws.ToString(u.Key), aws.ToString(u.UploadId)); err != nil {
				return err
			}
		}
	}
	return nil
}
