package s3

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/muleteer/muleteer/store"
)

// look asks what lies under a key. It answers an error only if nobody can say.
func (s *Store) look(ctx context.Context, key string) (*s3.HeadObjectOutput, error) {
	out, err := s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: s.in(), Key: aws.String(key), ChecksumMode: types.ChecksumModeEnabled})
	switch {
	case missing(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("looking at %s: %w", key, translate(err))
	}
	return out, nil
}

// owned tells whether what look found belongs to an upload.
func owned(out *s3.HeadObjectOutput, id string) bool {
	return out != nil && out.Metadata[idField] == id
}

// agrees tells whether what look found can be what was to be joined.
func agrees(out *s3.HeadObjectOutput, final store.Final) bool {
	if aws.ToInt64(out.ContentLength) != final.Size {
		return false
	}
	return out.ChecksumType != types.ChecksumTypeFullObject || !disagrees(out.ChecksumCRC64NVME, final.CRC)
}

// gone is what it means that the server does not know a multipart upload. It
// was aborted, by a rule of the bucket maybe, if it is still unknown when asked
// again and the object is not there either.
func (s *Store) gone(ctx context.Context, o store.Object, h handle, cause error) error {
	_, err := s.client.ListParts(ctx, &s3.ListPartsInput{
		Bucket: s.in(), Key: aws.String(s.at(o, h)), UploadId: &h.uploadID, MaxParts: aws.Int32(1),
	})
	switch {
	case err == nil:
		return fmt.Errorf("%s: the server contradicts itself: %w", o.ID, cause)
	case !missing(err):
		return translate(err)
	}
	for _, key := range []string{s.at(o, h), s.final(o)} {
		out, err := s.look(ctx, key)
		switch {
		case err != nil:
			return err
		case owned(out, o.ID):
			return fmt.Errorf("%s: %w: %w", o.ID, errJoined, cause)
		}
	}
	return fmt.Errorf("%s: the bucket has neither the multipart upload nor the object: %w", o.ID, store.ErrGone)
}

var errJoined = errors.New("the object is joined already")
