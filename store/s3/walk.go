package s3

import (
	"context"
	"fmt"
	"iter"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/muleteer/muleteer/store"
)

// Walk is store.Walker's: first what is not finished, then the rest of the
// bucket below the prefix.
func (s *Store) Walk(ctx context.Context) iter.Seq2[store.Entry, error] {
	return func(yield func(store.Entry, error) bool) {
		for e, err := range s.Unfinished(ctx) {
			if !yield(e, err) || err != nil {
				return
			}
		}
		for e, err := range s.list(ctx, s.prefix) {
			e.Key = strings.TrimPrefix(e.Name, s.prefix)
			if strings.HasPrefix(e.Key, private) {
				continue
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

// Unfinished is store.Sweeper's. Of multipart uploads it tells those that are
// made where everything lies that is not finished, and those whose key begins
// with an upload's id; others may be anybody's.
func (s *Store) Unfinished(ctx context.Context) iter.Seq2[store.Entry, error] {
	return func(yield func(store.Entry, error) bool) {
		at := s.prefix + private
		for e, err := range s.list(ctx, at) {
			e.ID, _, _ = strings.Cut(strings.TrimPrefix(e.Name, at), "/")
			if !yield(e, err) {
				return
			}
		}
		for u, err := range s.uploads(ctx, s.prefix) {
			e := store.Entry{Name: aws.ToString(u.Key), Began: aws.ToTime(u.Initiated)}
			h := handle{k: 1, uploadID: aws.ToString(u.UploadId)}
			if rest, staged := strings.CutPrefix(e.Name, at); staged {
				e.ID, _, _ = strings.Cut(rest, "/")
			} else {
				e.ID, _, h.direct = strings.Cut(strings.TrimPrefix(e.Name, s.prefix), "/")
			}
			if err == nil && (h.direct && !ownID.MatchString(e.ID) || !validID.MatchString(e.ID)) {
				continue
			}
			e.Token = h.token()
			e.Name += " (multipart upload)"
			if !yield(e, err) {
				return
			}
		}
	}
}

// list yields the objects under a prefix, with their whole keys as names. After
// an error it ends.
func (s *Store) list(ctx context.Context, prefix string) iter.Seq2[store.Entry, error] {
	return func(yield func(store.Entry, error) bool) {
		in := &s3.ListObjectsV2Input{Bucket: s.in(), Prefix: aws.String(prefix), EncodingType: types.EncodingTypeUrl}
		for {
			out, err := s.client.ListObjectsV2(ctx, in)
			if err != nil {
				yield(store.Entry{}, fmt.Errorf("listing %s: %w", prefix, translate(err)))
				return
			}
			for _, c := range out.Contents {
				e := store.Entry{Name: decoded(aws.ToString(c.Key), out.EncodingType), Size: aws.ToInt64(c.Size), Began: aws.ToTime(c.LastModified)}
				if !yield(e, nil) {
					return
				}
			}
			if !aws.ToBool(out.IsTruncated) || aws.ToString(out.NextContinuationToken) == "" {
				return
			}
			in.ContinuationToken = out.NextContinuationToken
		}
	}
}

// decoded is a key as it is; not every server knows how to encode one.
func decoded(key string, how types.EncodingType) string {
	if how == types.EncodingTypeUrl {
		if k, err := url.QueryUnescape(key); err == nil {
			return k
		}
	}
	return key
}

// uploads yields the multipart uploads under a prefix. After an error it ends.
//
// MinIO lists by a whole key, or all of the bucket: where a folder seems to have
// none, it is looked for among all.
func (s *Store) uploads(ctx context.Context, prefix string) iter.Seq2[types.MultipartUpload, error] {
	return func(yield func(types.MultipartUpload, error) bool) {
		any := false
		for u, err := range s.uploadsUnder(ctx, prefix) {
			any = true
			if !yield(u, err) {
				return
			}
		}
		if any || !strings.HasSuffix(prefix, "/") {
			return
		}
		for u, err := range s.uploadsUnder(ctx, "") {
			if (err != nil || strings.HasPrefix(aws.ToString(u.Key), prefix)) && !yield(u, err) {
				return
			}
		}
	}
}

// uploadsUnder is uploads as the server understands it.
func (s *Store) uploadsUnder(ctx context.Context, prefix string) iter.Seq2[types.MultipartUpload, error] {
	return func(yield func(types.MultipartUpload, error) bool) {
		in := &s3.ListMultipartUploadsInput{Bucket: s.in(), Prefix: aws.String(prefix), EncodingType: types.EncodingTypeUrl}
		for {
			out, err := s.client.ListMultipartUploads(ctx, in)
			if err != nil {
				yield(types.MultipartUpload{}, fmt.Errorf("listing the multipart uploads of %s: %w", prefix, translate(err)))
				return
			}
			for _, u := range out.Uploads {
				u.Key = aws.String(decoded(aws.ToString(u.Key), out.EncodingType))
				if !yield(u, nil) {
					return
				}
			}
			if !aws.ToBool(out.IsTruncated) || aws.ToString(out.NextKeyMarker) == "" {
				return
			}
			in.KeyMarker, in.UploadIdMarker = aws.String(decoded(*out.NextKeyMarker, out.EncodingType)), out.NextUploadIdMarker
		}
	}
}
