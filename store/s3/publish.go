package s3

import (
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
	for n, tries := 0, 0; err == nil && !found; n++ {
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
		case errors.Is(err, errInterrupted) && tries < most:
			err = nil
			tries++
			n--
		case errors.Is(err, errUnstaged):
			key, found, err = s.find(ctx, o, final) // another Join was faster
			if err == nil && !found {
				err = fmt.Errorf("%s: %w: %w", o.ID, errUnstaged, store.ErrGone)
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

var (
	errUnstaged    = errors.New("the staged object is not there") // any more
	errInterrupted = errors.New("the copy was ended by somebody else")
)

// most is how often a copy is begun again that somebody else has ended.
const most = 8

// copyTo makes an object under a key of the staged one. A ticket names the key
// first: if the multipart upload that is made there cannot be ended now, tidy
// does it by the ticket.
func (s *Store) copyTo(ctx context.Context, o store.Object, key string, final store.Final) error {
	from, to := s.beside(o.ID, stagedName), s.prefix+key
	seen, err := s.look(ctx, from)
	if err != nil {
		return err
	}
	if !owned(seen, o.ID) {
		return errUnstaged
	}
	ticket, err := s.ticket(ctx, o.ID, to)
	if err != nil {
		return err
	}
	h := handle{}
	// Not repeated: of two that were begun, only one would be known.
	if h.uploadID, err = s.begin(ctx, to, true, of(seen), once); err != nil {
		return err
	}
	parts, err := s.copyParts(ctx, from, to, h.uploadID, final.Size)
	if err == nil {
		err = s.complete(ctx, to, h, o.ID, final, parts, !o.Overwrite)
	}
	late := context.WithoutCancel(ctx)
	if err == nil || s.abort(late, to, h.uploadID) == nil {
		_ = s.deleteAll(late, []string{ticket}) // else tidy does it
	}
	if errors.Is(err, store.ErrGone) || errors.Is(err, store.ErrParts) { // not the upload is, but this copy of it
		if seen, again := s.look(ctx, from); again != nil || owned(seen, o.ID) {
			return fmt.Errorf("%s: %w: %v", to, errInterrupted, err)
		}
		return errUnstaged
	}
	return err
}

func once(o *s3.Options) { o.RetryMaxAttempts = 1 }

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
