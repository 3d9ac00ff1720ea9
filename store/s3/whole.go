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

// PutWhole is store.WholePutter's: one request. The body is not counted
// against the budget: who has it did that.
func (s *Store) PutWhole(ctx context.Context, id string, spec store.Spec, body []byte) (store.Object, store.Final, error) {
	size := int64(len(body))
	o := store.Object{ID: id, Key: spec.Key, Type: spec.Type, Size: size, Hidden: spec.Hidden, Overwrite: spec.Overwrite}
	if err := s.checkName(id, spec.Key); err != nil {
		return o, store.Final{}, err
	}
	var err error
	if o.Grid, _, err = s.layout(size, spec.Chunk); err != nil {
		return o, store.Final{}, err
	}
	final := store.Final{Size: size, CRC: store.CRC(0).Update(body), Key: o.Key}
	// Its key is its own, or may be taken from others.
	if o.Hidden || direct(o) || o.Overwrite {
		err = s.putAt(ctx, s.final(o), o, spec, final, body, false)
	} else {
		final.Key, err = s.putBeside(ctx, o, spec, final, body)
	}
	o.Key, o.Joined = final.Key, err == nil
	return o, final, err
}

// putBeside puts an object under its key, or a free one beside it.
func (s *Store) putBeside(ctx context.Context, o store.Object, spec store.Spec, final store.Final, body []byte) (string, error) {
	f, err := s.features(ctx)
	if err != nil {
		return o.Key, err
	}
	if !f.conditional {
		s.naming.Lock()
		defer s.naming.Unlock()
	}
	for n := 0; ; n++ {
		key := store.Beside(o.Key, n)
		if !f.conditional {
			seen, err := s.look(ctx, s.prefix+key)
			if err != nil {
				return o.Key, err
			}
			if seen != nil && !owned(seen, o.ID) {
				continue
			}
		}
		if err := s.putAt(ctx, s.prefix+key, o, spec, final, body, f.conditional); !errors.Is(err, errTaken) {
			return key, err
		}
	}
}

// putAt puts an object under a key; with fresh, not over another one. A look
// decides where the answer is an error: the first of two tries may have come
// through.
func (s *Store) putAt(ctx context.Context, key string, o store.Object, spec store.Spec, final store.Final, body []byte, fresh bool) error {
	f, err := s.features(ctx)
	if err != nil {
		return err
	}
	b := &buffer{memory: s.memory, blocks: [][]byte{body}, n: final.Size}
	in := &s3.PutObjectInput{Bucket: s.in(), Key: &key, Body: b.reader(), ContentLength: aws.Int64(final.Size)}
	if !o.Hidden {
		in.StorageClass = types.StorageClass(s.class)
	}
	if fresh {
		in.IfNoneMatch = aws.String("*")
	}
	s.encrypt(in)
	tell(o.ID, spec).onObject(in)
	failed := s.putObject(ctx, in, f, final.CRC)
	if failed == nil {
		return nil
	}
	seen, err := s.look(ctx, key)
	switch {
	case err != nil:
		return errors.Join(failed, err)
	case owned(seen, o.ID) && agrees(seen, final):
		return nil
	case taken(failed) && seen != nil:
		return errTaken
	}
	return fmt.Errorf("putting %s: %w", key, failed)
}
