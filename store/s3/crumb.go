package s3

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/store"
)

// Fold is store.Folder's. It sends the crumbs as one part; those that are not
// in memory any more pass through from the bucket.
func (s *Store) Fold(ctx context.Context, o store.Object, crumbs []store.Part) (store.Part, error) {
	if err := shape(crumbs); err != nil || len(crumbs) == 0 {
		return store.Part{}, errors.Join(err, fmt.Errorf("%d crumbs: %w", len(crumbs), store.ErrParts))
	}
	whole := store.Part{Extent: extent.Extent{Start: crumbs[0].Start, End: crumbs[len(crumbs)-1].End}}
	h, err := s.check(o, whole.Extent)
	if err != nil {
		return store.Part{}, err
	}
	if !o.Grid.Fills(whole.Extent, o.Size) {
		return store.Part{}, fmt.Errorf("%s does not fill its cell: %w", whole.Extent, store.ErrParts)
	}
	for _, p := range crumbs {
		if !p.Crumb {
			return store.Part{}, fmt.Errorf("%s is no crumb: %w", p.Extent, store.ErrParts)
		}
		whole.CRC = whole.CRC.Append(p.CRC, p.Len())
	}
	f, err := s.features(ctx)
	if err != nil {
		return store.Part{}, err
	}
	body := &relaying{ctx: ctx, s: s, n: whole.Len()}
	for _, p := range crumbs {
		key := s.crumbKey(o, p)
		body.runs = append(body.runs, stretch{key: key, n: p.Len(), held: s.memory.lift(key)})
	}
	defer body.close()
	whole.Receipt, err = s.putPart(ctx, o, h, f, whole.Extent, whole.CRC, body)
	if body.lost != nil {
		return store.Part{}, body.lost
	}
	return whole, err
}

// shape checks that parts are in order and without a gap.
func shape(parts []store.Part) error {
	for i, p := range parts {
		if p.Empty() || i > 0 && p.Start != parts[i-1].End {
			return fmt.Errorf("%s after %d others: %w", p.Extent, i, store.ErrParts)
		}
	}
	return nil
}

// Drop is store.Folder's.
func (s *Store) Drop(ctx context.Context, o store.Object, crumbs []store.Part) error {
	var keys []string
	for _, p := range crumbs {
		if !p.Crumb {
			return fmt.Errorf("%s is no crumb: %w", p.Extent, store.ErrParts)
		}
		keys = append(keys, s.crumbKey(o, p))
	}
	return s.deleteAll(ctx, keys)
}

// deleteAll deletes some keys, several at once. Not every server can delete
// many by one request.
func (s *Store) deleteAll(ctx context.Context, keys []string) error {
	const atOnce = 8
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		errs  []error
		turns = make(chan struct{}, atOnce)
	)
	for _, key := range keys {
		s.memory.forget(key)
		turns <- struct{}{}
		wg.Go(func() {
			defer func() { <-turns }()
			_, err := s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: s.in(), Key: aws.String(key)})
			if err != nil && !missing(err) {
				mu.Lock()
				errs = append(errs, fmt.Errorf("deleting %s: %w", key, translate(err)))
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}
