package s3

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/muleteer/muleteer/store"
)

// Begin is store.Store's. It begins a multipart upload.
func (s *Store) Begin(ctx context.Context, id string, spec store.Spec) (store.Object, error) {
	o := store.Object{ID: id, Key: spec.Key, Type: spec.Type, Size: spec.Size, Hidden: spec.Hidden, Overwrite: spec.Overwrite}
	if err := s.checkName(id, spec.Key); err != nil {
		return o, err
	}
	h := handle{direct: direct(o)}
	var err error
	if o.Grid, h.k, err = s.layout(spec.Size, spec.Chunk); err != nil {
		return o, err
	}
	if h.uploadID, err = s.begin(ctx, s.at(o, h), h.direct, tell(id, spec)); err != nil {
		return o, err
	}
	o.Token = h.token()
	return o, nil
}

// Rename is store.Renamer's. What is made under its own key has to keep that.
func (s *Store) Rename(o store.Object, key string) (store.Object, bool) {
	h, err := parseToken(o.Token)
	named := o
	named.Key = key
	if err != nil || h.direct || direct(named) || s.checkName(o.ID, key) != nil {
		return o, false
	}
	return named, true
}

// multipart is a multipart upload as the store's address wants it. Only what is
// made where it stays has the storage class of finished objects.
func (s *Store) multipart(key string, stays bool) *s3.CreateMultipartUploadInput {
	in := &s3.CreateMultipartUploadInput{
		Bucket: s.in(), Key: &key,
		ServerSideEncryption: types.ServerSideEncryption(s.sse), SSEKMSKeyId: optional(s.kmsKey),
	}
	if stays {
		in.StorageClass = types.StorageClass(s.class)
	}
	return in
}

// begin begins a multipart upload under a key, see multipart.
func (s *Store) begin(ctx context.Context, key string, stays bool, a about, how ...func(*s3.Options)) (uploadID string, err error) {
	f, err := s.features(ctx)
	if err != nil {
		return "", err
	}
	in := s.multipart(key, stays)
	a.onUpload(in)
	onUpload(f.sum, in)
	out, err := s.client.CreateMultipartUpload(ctx, in, how...)
	if err != nil {
		return "", fmt.Errorf("beginning %s: %w", key, translate(err))
	}
	if aws.ToString(out.UploadId) == "" {
		return "", fmt.Errorf("beginning %s: the server gave the upload no id", key)
	}
	return *out.UploadId, nil
}

// abort ends a multipart upload; one that is not there is no error.
func (s *Store) abort(ctx context.Context, key, uploadID string) error {
	_, err := s.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: s.in(), Key: &key, UploadId: &uploadID})
	if err != nil && !missing(err) {
		return fmt.Errorf("ending the multipart upload of %s: %w", key, translate(err))
	}
	return nil
}
