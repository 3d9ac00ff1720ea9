package s3

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/muleteer/muleteer/store"
)

// publish makes a staged object appear under its key, or a free one beside it.
//
// The server copies its bytes into a second multipart upload, on the final
// key, whose completion makes it appear at once, and never over another one
// where the server has If-None-Match. That works for every size, and the
// server compares the checksum of the whole once more.
func (s *Store) publish(ctx context.Context, o store.Object, final store.Final, parts []store.Part) (string, error) {
	f, err := s.features(ctx)
	if err != nil {
		return "", err
	}
	defer s.publishing.lock(o.ID)()
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
		switch err = s.copyTo(ctx, o, key, final, parts); {
		case err == nil:
			found = true
		case errors.Is(err, errTaken):
			err = nil
			n-- // look at it again: it may be ours, by another Join
		case errors.Is(err, errInterrupted) && tries < most:
			tries++
			n--
			err = pause(ctx, time.Duration(tries)*100*time.Millisecond)
		case errors.Is(err, errUnstaged):
			key, err = s.published(ctx, o, final) // by another Join, which was faster
			found = err == nil
		}
	}
	if err != nil {
		return "", err
	}
	return key, s.tidy(ctx, o.ID)
}

// published finds an object of which nothing is staged any more. That it is not
// there either is believed only when it is still so a moment later: there are
// servers on which an object is away while somebody tries to replace it.
func (s *Store) published(ctx context.Context, o store.Object, final store.Final) (key string, err error) {
	for _, wait := range []time.Duration{0, time.Second / 4, time.Second} {
		if err := pause(ctx, wait); err != nil {
			return "", err
		}
		if key, found, err := s.find(ctx, o, final); err != nil || found {
			return key, err
		}
	}
	return "", fmt.Errorf("%s: the bucket has neither the multipart upload nor the object: %w", o.ID, store.ErrGone)
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
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

// copyPart is how much the server copies at once, in bytes, unless its parts
// are larger: it answers when it is done.
const copyPart = 1 << 30

var (
	errUnstaged    = errors.New("the staged object is not there") // any more
	errInterrupted = errors.New("the copy has to begin again")
)

// most is how often a copy is begun again.
const most = 8

// copyTo makes an object under a key of the staged one. A ticket names the key
// first: if the multipart upload that is made there cannot be ended now, tidy
// does it by the ticket.
func (s *Store) copyTo(ctx context.Context, o store.Object, key string, final store.Final, parts []store.Part) error {
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
		return fmt.Errorf("%w: %w", errInterrupted, err) // the ticket stays: it may have been begun
	}
	copied, err := s.copyParts(ctx, from, to, h.uploadID, parts)
	if err == nil {
		err = s.complete(ctx, to, h, o.ID, final, copied, !o.Overwrite)
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

// copyParts has the server copy an object into a multipart upload.
func (s *Store) copyParts(ctx context.Context, from, to, uploadID string, parts []store.Part) ([]types.CompletedPart, error) {
	var copied []types.CompletedPart
	size := int64(0)
	if len(parts) > 0 {
		size = parts[len(parts)-1].End
	}
	for len(parts) > 0 {
		run := parts[0]
		for parts = parts[1:]; len(parts) > 0 && run.Len()+parts[0].Len() <= s.copyPart; parts = parts[1:] {
			run.End, run.CRC = parts[0].End, run.CRC.Append(parts[0].CRC, parts[0].Len())
		}
		number := int32(len(copied) + 1)
		etag, err := s.copyRun(ctx, from, size, to, uploadID, number, run)
		if err != nil {
			return nil, fmt.Errorf("copying to %s: %w", to, err)
		}
		copied = append(copied, types.CompletedPart{PartNumber: &number, ETag: &etag, ChecksumCRC64NVME: aws.String(run.CRC.String())})
	}
	return copied, nil
}

// copyRun copies a run of an object, which has size bytes, into a part. There
// are servers that tell, and note, a wrong checksum of a copied range, and some
// that compute none and refuse the part: what is not as it should be passes
// through.
func (s *Store) copyRun(ctx context.Context, from string, size int64, to, uploadID string, number int32, run store.Part) (etag string, err error) {
	if !s.miscopies.Load() {
		in := &s3.UploadPartCopyInput{
			Bucket: s.in(), Key: &to, UploadId: &uploadID, PartNumber: &number, CopySource: aws.String(s.source(from)),
		}
		if run.Len() < size { // of a small object no range may be copied (UploadPartCopy, API reference)
			in.CopySourceRange = aws.String(fmt.Sprintf("bytes=%d-%d", run.Start, run.End-1))
		}
		out, err := s.client.UploadPartCopy(ctx, in)
		switch {
		case bad(err):
			// It passes through.
		case missing(err):
			return "", fmt.Errorf("%w: %w", store.ErrGone, err)
		case err != nil:
			return "", translate(err)
		case out.CopyPartResult == nil || aws.ToString(out.CopyPartResult.ETag) == "":
			return "", errors.New("the server told no ETag")
		case !disagrees(out.CopyPartResult.ChecksumCRC64NVME, run.CRC):
			return *out.CopyPartResult.ETag, nil
		}
	}
	f, err := s.features(ctx)
	if err != nil {
		return "", err
	}
	body := &relaying{ctx: ctx, s: s, n: run.Len(), runs: []stretch{{key: from, at: run.Start, n: run.Len()}}}
	defer body.close()
	etag, err = s.uploadPart(ctx, f, &s3.UploadPartInput{
		Key: &to, UploadId: &uploadID, PartNumber: &number, Body: body, ContentLength: aws.Int64(run.Len()),
	}, run.CRC)
	if missing(err) {
		err = fmt.Errorf("%w: %w", store.ErrGone, err)
	}
	return etag, cmp.Or(body.lost, err)
}

// source is a key as a copy names it.
func (s *Store) source(key string) string {
	segments := strings.Split(s.bucket+"/"+key, "/")
	for i, g := range segments {
		segments[i] = strings.ReplaceAll(url.QueryEscape(g), "+", "%20")
	}
	return strings.Join(segments, "/")
}
