package s3

import (
	"context"
	"crypto/rand"
	"io"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/muleteer/muleteer/store"
)

// ticket notes that a multipart upload will be made on a key which does not
// say whose it is.
func (s *Store) ticket(ctx context.Context, id, key string) (name string, err error) {
	f, err := s.features(ctx)
	if err != nil {
		return "", err
	}
	name = s.beside(id, ticketName+rand.Text())
	in := &s3.PutObjectInput{Bucket: s.in(), Key: &name, Body: strings.NewReader(key)}
	s.encrypt(in)
	return name, s.putObject(ctx, in, f, store.CRC(0).Update([]byte(key)))
}

// tidy removes all that lies beside an upload, and ends what its tickets name.
func (s *Store) tidy(ctx context.Context, id string) error {
	var keys []string
	for e, err := range s.list(ctx, s.beside(id, "")) {
		if err != nil {
			return err
		}
		if strings.HasPrefix(e.Name, s.beside(id, ticketName)) {
			if err := s.redeem(ctx, e.Name); err != nil {
				return err
			}
		}
		keys = append(keys, e.Name)
	}
	return s.deleteAll(ctx, keys)
}

// redeem ends the multipart uploads on the key that a ticket names. Another
// upload that is just being published there has to begin its copy again.
func (s *Store) redeem(ctx context.Context, ticket string) error {
	out, err := s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: s.in(), Key: &ticket})
	if missing(err) {
		return nil
	}
	if err != nil {
		return translate(err)
	}
	defer out.Body.Close()
	key, err := io.ReadAll(io.LimitReader(out.Body, maxKey))
	if err != nil {
		return err
	}
	for u, err := range s.uploads(ctx, string(key)) {
		if err != nil {
			return err
		}
		if aws.ToString(u.Key) != string(key) {
			continue
		}
		if err := s.abort(ctx, string(key), aws.ToString(u.UploadId)); err != nil {
			return err
		}
	}
	return nil
}
