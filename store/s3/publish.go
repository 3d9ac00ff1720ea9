package s3

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/store"
)

// publish makes a staged object appear under its key, or a free one beside it.
//
// The server copies its bytes into a second multipart upload, on the final
// key, whose completion makes it appear at once, and never over another one
// where the server has If-None-Match. That works for every size, and the
// server compares the checksum of the whole once more.
func (s *Store) publish(ctx context.Context, o store.Object, final store.Final) (string, error) {
	f, err := s.features(ctx)
	if err != nil {
		return "", err
	}
	if !f.conditional {
		s.naming.Lock()
		defer s.naming.Unlock()
	}
	key, found, err := s.find(ctx, o, final)
	for n := 0; err == nil && !found; n++ {
		key = store.Beside(o.Key, n)
		if !o.Overwrite {
			seen, err := s.look(ctx, s.prefix+key)
			if err != nil {
				return "", err
			}
			if found = owned(seen, o.ID) && agrees(seen, final); seen != nil {
				continue
			}
		}
		switch err = s.copyTo(ctx, o, key, final); {
		case err == nil:
			found = true
		case errors.Is(err, errTaken):
			err = nil
			n-- // look at it again: it may be ours, by another Join
		case errors.Is(err, store.ErrGone):
			key, found, err = s.find(ctx, o, final) // another Join was faster
			if err == nil && !found {
				err = fmt.Errorf("%s: the staged object is not there: %w", o.ID, store.ErrGone)
			}
		}
	}
	if err != nil {
		return "", err
	}
	return key, s.tidy(ctx, o.ID)
}

// find looks for an object that was published before, under its key and all
// the names beside it.
func (s *Store) find(ctx context.Context, o store.Object, final store.Final) (key string, found bool, err error) {
	candidates := []string{o.Key}
	for i := 0; i < len(candidates); i++ {
		seen, err := s.look(ctx, s.prefix+candidates[i])
		if err != nil {
			return "", false, err
		}
		if owned(seen, o.ID) && agrees(seen, final) {
			return candidates[i], true, nil
		}
		if i == 0 {
			for e, err := range s.list(ctx, s.prefix+besidePrefix(o.Key)) {
				if err != nil {
					return "", false, err
				}
				if e.Size == final.Size {
					candidates = append(candidates, strings.TrimPrefix(e.Name, s.prefix))
				}
			}
		}
	}
	return "", false, nil
}

// besidePrefix is what all names beside a key begin with, see store.Beside.
func besidePrefix(key string) string {
	p := store.Beside(key, 1)
	for _, n := range []int{2, 1_000_000_000} {
		q := store.Beside(key, n)
		for !strings.HasPrefix(q, p) {
			p = p[:len(p)-1]
		}
	}
	return p
}

// copyPart is in what pieces the server copies, in bytes.
const copyPart = 1 << 30

// copyTo makes an object under a key of the staged one.
func (s *Store) copyTo(ctx context.Context, o store.Object, key string, final store.Final) error {
	from, to := s.beside(o.ID, stagedName), s.prefix+key
	seen, err := s.look(ctx, from)
	if err != nil {
		return err
	}
	if !owned(seen, o.ID) {
		return store.ErrGone
	}
	h := handle{}
	if h.uploadID, err = s.begin(ctx, to, true, of(seen)); err != nil {
		return err
	}
	if err = s.ticket(ctx, o.ID, to, h.uploadID); err == nil {
		var parts []types.CompletedPart
		if parts, err = s.copyParts(ctx, from, to, h.uploadID, final.Size); err == nil {
			err = s.complete(ctx, to, h, o.ID, final, parts, !o.Overwrite)
		}
	}
	if err != nil {
		return errors.Join(err, s.abort(context.WithoutCancel(ctx), to, h.uploadID))
	}
	return nil
}

func (s *Store) copyParts(ctx context.Context, from, to, uploadID string, size int64) ([]types.CompletedPart, error) {
	var parts []types.CompletedPart
	for e := range (store.Grid{Cell: copyPart}).Cut(extent.Extent{End: size}) {
		number := aws.Int32(int32(len(parts) + 1))
		out, err := s.client.UploadPartCopy(ctx, &s3.UploadPartCopyInput{
			Bucket: s.in(), Key: &to, UploadId: &uploadID, PartNumber: number,
			CopySource: aws.String(s.source(from)), CopySourceRange: aws.String(fmt.Sprintf("bytes=%d-%d", e.Start, e.End-1)),
		})
		switch {
		case missing(err):
			return nil, fmt.Errorf("copying to %s: %w: %w", to, store.ErrGone, err)
		case err != nil:
			return nil, fmt.Errorf("copying to %s: %w", to, translate(err))
		case out.CopyPartResult == nil:
			return nil, fmt.Errorf("copying to %s: the server told no ETag", to)
		}
		parts = append(parts, types.CompletedPart{
			PartNumber: number, ETag: out.CopyPartResult.ETag, ChecksumCRC64NVME: out.CopyPartResult.ChecksumCRC64NVME,
		})
	}
	return parts, nil
}

// source is a key as a copy names it.
func (s *Store) source(key string) string {
	segments := strings.Split(s.bucket+"/"+key, "/")
	for i, g := range segments {
		segments[i] = strings.ReplaceAll(url.QueryEscape(g), "+", "%20")
	}
	return strings.Join(segments, "/")
}

// ticket notes a multipart upload that is made on a key which does not say
// whose it is, so that it can be ended after a crash.
func (s *Store) ticket(ctx context.Context, id, key, uploadID string) error {
	f, err := s.features(ctx)
	if err != nil {
		return err
	}
	b := []byte(uploadID + "\n" + key)
	in := &s3.PutObjectInput{Bucket: s.in(), Key: aws.String(s.beside(id, ticketName+rand.Text())), Body: bytes.NewReader(b)}
	s.encrypt(in)
	return s.putObject(ctx, in, f, store.CRC(0).Update(b))
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

func (s *Store) redeem(ctx context.Context, key string) error {
	out, err := s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: s.in(), Key: &key})
	if missing(err) {
		return nil
	}
	if err != nil {
		return translate(err)
	}
	defer out.Body.Close()
	b, err := io.ReadAll(io.LimitReader(out.Body, 16<<10))
	if err != nil {
		return err
	}
	uploadID, at, found := strings.Cut(string(b), "\n")
	if !found {
		return fmt.Errorf("%s is no ticket", key)
	}
	return s.abort(ctx, at, uploadID)
}
