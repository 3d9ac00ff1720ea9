package s3

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/muleteer/muleteer/store"
)

// Join is store.Store's. Each of its steps may be repeated: where an answer is
// an error of any kind, a look at the object decides what has happened.
func (s *Store) Join(ctx context.Context, o store.Object, parts []store.Part) (store.Final, error) {
	h, err := parseToken(o.Token)
	if err != nil {
		return store.Final{}, err
	}
	final, completed, err := sumUp(o, parts)
	if err != nil {
		return final, err
	}
	if o.Joined {
		return s.again(ctx, o, final)
	}
	err = s.complete(ctx, s.at(o, h), h, o.ID, final, completed, false)
	staged := !h.direct && !o.Hidden
	switch {
	case errors.Is(err, store.ErrGone) && staged:
		// Somebody may have led it to its end.
		if final.Key, err = s.published(ctx, o, final); err != nil {
			return store.Final{}, err
		}
		return final, s.tidy(ctx, o.ID)
	case err != nil:
		return store.Final{}, err
	case staged:
		final.Key, err = s.publish(ctx, o, final, parts)
	}
	return final, err
}

// again tells of an object that was joined before.
func (s *Store) again(ctx context.Context, o store.Object, final store.Final) (store.Final, error) {
	out, err := s.look(ctx, s.final(o))
	switch {
	case err != nil:
		return store.Final{}, err
	case !owned(out, o.ID):
		return store.Final{}, fmt.Errorf("%s is not in the bucket any more: %w", o.Key, store.ErrGone)
	case !agrees(out, final):
		return final, s.prove(ctx, s.final(o), final)
	}
	return final, nil
}

// sumUp checks the parts against each other, and makes of them what the server
// wants to be told.
func sumUp(o store.Object, parts []store.Part) (store.Final, []types.CompletedPart, error) {
	final := store.Final{Key: o.Key}
	if err := shape(parts); err != nil {
		return store.Final{}, nil, err
	}
	if len(parts) > 0 && parts[0].Start != 0 {
		return store.Final{}, nil, fmt.Errorf("the first part begins at %d: %w", parts[0].Start, store.ErrParts)
	}
	completed := make([]types.CompletedPart, len(parts))
	last := int32(0)
	for i, p := range parts {
		number, etag, err := parseReceipt(p.Receipt)
		switch {
		case p.Crumb:
			return store.Final{}, nil, fmt.Errorf("%s is a crumb: %w", p.Extent, store.ErrParts)
		case err != nil:
			return store.Final{}, nil, err
		case number <= last:
			return store.Final{}, nil, fmt.Errorf("%s is the part %d after the part %d: %w", p.Extent, number, last, store.ErrParts)
		}
		last = number
		completed[i] = types.CompletedPart{PartNumber: aws.Int32(number), ETag: aws.String(etag), ChecksumCRC64NVME: aws.String(p.CRC.String())}
		final.Size, final.CRC = p.End, final.CRC.Append(p.CRC, p.Len())
	}
	if final.Size != o.Size {
		return store.Final{}, nil, fmt.Errorf("%d bytes of an object of %d: %w", final.Size, o.Size, store.ErrParts)
	}
	return final, completed, nil
}

// complete makes an object of the parts of a multipart upload, or finds that it
// is made. With fresh it never replaces another one; the error then is
// errTaken.
func (s *Store) complete(ctx context.Context, key string, h handle, id string, final store.Final, parts []types.CompletedPart, fresh bool) error {
	f, err := s.features(ctx)
	if err != nil {
		return err
	}
	if len(parts) == 0 {
		if parts, err = s.emptyPart(ctx, key, h, f); err != nil {
			return s.settle(ctx, key, id, final, err)
		}
	}
	in := &s3.CompleteMultipartUploadInput{
		Bucket: s.in(), Key: &key, UploadId: &h.uploadID,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
	}
	if f.sum == sumCRC64 {
		in.ChecksumType = types.ChecksumTypeFullObject
		if final.Size > 0 { // of no bytes, MinIO computes no checksum at the join, and finds that ours is wrong
			in.ChecksumCRC64NVME = aws.String(final.CRC.String())
		}
	} else {
		for i := range parts {
			parts[i].ChecksumCRC64NVME = nil
		}
	}
	if fresh && f.conditional {
		in.IfNoneMatch = aws.String("*")
	}
	out, failed := s.client.CompleteMultipartUpload(ctx, in, hasty)
	if partsWrong(failed) && s.renew(ctx, key, h.uploadID, parts) {
		out, failed = s.client.CompleteMultipartUpload(ctx, in, hasty)
	}
	if failed == nil && disagrees(out.ChecksumCRC64NVME, final.CRC) && out.ChecksumType != types.ChecksumTypeComposite {
		failed = fmt.Errorf("the server computed the checksum %s of the object, not %s", *out.ChecksumCRC64NVME, final.CRC)
	}
	return s.settle(ctx, key, id, final, failed)
}

// renew gives parts the ETags that they have now, and tells whether one has
// changed. A client may have put its part twice by one signed request: the bytes
// are the same by their checksum, and where the server encrypts, the ETag is not.
func (s *Store) renew(ctx context.Context, key, uploadID string, parts []types.CompletedPart) (changed bool) {
	at := map[int32]int{}
	for i, p := range parts {
		at[*p.PartNumber] = i
	}
	for p, err := range s.parts(ctx, key, uploadID, 1, maxParts) {
		i, known := at[aws.ToInt32(p.PartNumber)]
		if err != nil {
			return false
		}
		sum := aws.ToString(p.ChecksumCRC64NVME)
		if known && sum != "" && sum == aws.ToString(parts[i].ChecksumCRC64NVME) && aws.ToString(p.ETag) != *parts[i].ETag {
			parts[i].ETag, changed = p.ETag, true
		}
	}
	return changed
}

// settle finds out what a Complete has done, whatever its answer was.
func (s *Store) settle(ctx context.Context, key, id string, final store.Final, failed error) error {
	if failed == nil {
		return nil
	}
	seen, err := s.look(ctx, key)
	switch {
	case err != nil:
		return errors.Join(translate(failed), err)
	case owned(seen, id) && agrees(seen, final):
		return nil
	case taken(failed):
		return errTaken
	case owned(seen, id):
		return s.prove(ctx, key, final)
	case partsWrong(failed):
		return fmt.Errorf("%s: %w: %w", key, store.ErrParts, failed)
	case missing(failed):
		return fmt.Errorf("%s: the bucket has neither the multipart upload nor the object: %w", key, store.ErrGone)
	}
	return fmt.Errorf("joining %s: %w", key, translate(failed))
}

// prove reads an object of which the server tells another size or checksum
// than it should have: too much depends on that to believe it.
func (s *Store) prove(ctx context.Context, key string, final store.Final) error {
	out, err := s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: s.in(), Key: &key})
	if err != nil {
		return fmt.Errorf("reading %s: %w", key, translate(err))
	}
	defer out.Body.Close()
	sum := &summing{}
	if _, err := io.Copy(sum, out.Body); err != nil {
		return fmt.Errorf("reading %s: %w", key, err)
	}
	if sum.n != final.Size || sum.crc != final.CRC {
		return fmt.Errorf("%s has %d bytes with the checksum %s, not %d with %s: %w", key, sum.n, sum.crc, final.Size, final.CRC, store.ErrParts)
	}
	return nil
}

// summing computes the checksum of what is written to it.
type summing struct {
	n   int64
	crc store.CRC
}

func (s *summing) Write(p []byte) (int, error) {
	s.n, s.crc = s.n+int64(len(p)), s.crc.Update(p)
	return len(p), nil
}

var errTaken = errors.New("the key is taken")

// emptyPart is the part of an object without a byte: no multipart upload is
// completed without one.
func (s *Store) emptyPart(ctx context.Context, key string, h handle, f *features) ([]types.CompletedPart, error) {
	b := &buffer{memory: s.memory}
	c, err := sumOf(f.sum, 0, b.reader())
	if err != nil {
		return nil, err
	}
	in := &s3.UploadPartInput{
		Bucket: s.in(), Key: &key, UploadId: &h.uploadID, PartNumber: aws.Int32(1), Body: b.reader(), ContentLength: aws.Int64(0),
	}
	c.onPart(in)
	out, err := s.client.UploadPart(ctx, in, unsigned)
	if err != nil {
		return nil, translate(err)
	}
	return []types.CompletedPart{{PartNumber: aws.Int32(1), ETag: out.ETag, ChecksumCRC64NVME: aws.String(store.CRC(0).String())}}, nil
}
