package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
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
	body := &folding{ctx: ctx, s: s, o: o, crumbs: crumbs, held: make([]*buffer, len(crumbs)), n: whole.Len()}
	for i, p := range crumbs {
		body.held[i] = s.memory.lift(s.crumbKey(o, p))
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

// folding reads crumbs one after another, any number of times.
type folding struct {
	ctx    context.Context
	s      *Store
	o      store.Object
	crumbs []store.Part
	held   []*buffer // those that are in memory
	n      int64     // bytes of all
	pos    int64
	open   io.ReadCloser // of the crumb that pos is in, from opened on
	opened int64
	lost   error // a crumb is not there
}

func (f *folding) Read(p []byte) (int, error) {
	if f.pos >= f.n {
		return 0, io.EOF
	}
	i, at := 0, f.pos
	for at >= f.crumbs[i].Len() {
		at -= f.crumbs[i].Len()
		i++
	}
	p = p[:min(int64(len(p)), f.crumbs[i].Len()-at)]
	if f.held[i] != nil {
		n, err := (&bufferReader{b: f.held[i], pos: at}).Read(p)
		f.pos += int64(n)
		return n, err
	}
	if f.open == nil || f.opened != f.pos {
		if err := f.fetch(f.crumbs[i], at); err != nil {
			return 0, err
		}
	}
	n, err := f.open.Read(p)
	f.pos += int64(n)
	f.opened = f.pos
	if err == io.EOF {
		f.drop()
		if err = nil; n == 0 {
			err = io.ErrUnexpectedEOF
		}
	}
	if at+int64(n) == f.crumbs[i].Len() {
		f.drop()
	}
	return n, err
}

// fetch opens a crumb at one of its bytes.
func (f *folding) fetch(p store.Part, at int64) error {
	f.drop()
	key := f.s.crumbKey(f.o, p)
	in := &s3.GetObjectInput{Bucket: f.s.in(), Key: aws.String(key)}
	if at > 0 {
		in.Range = aws.String(fmt.Sprintf("bytes=%d-", at))
	}
	out, err := f.s.client.GetObject(f.ctx, in)
	if missing(err) {
		f.lost = fmt.Errorf("the crumb %s is not there: %w", key, store.ErrGone)
		return f.lost
	}
	if err != nil {
		return translate(err)
	}
	f.open, f.opened = out.Body, f.pos
	return nil
}

func (f *folding) drop() {
	if f.open != nil {
		_ = f.open.Close() // it was only read
		f.open = nil
	}
}

func (f *folding) Seek(offset int64, whence int) (int64, error) {
	return seek(&f.pos, f.n, offset, whence)
}

// close gives the crumbs that were in memory back to it: if this fold failed,
// the next one wants them.
func (f *folding) close() {
	f.drop()
	for i, b := range f.held {
		if b != nil {
			f.s.memory.keep(f.s.crumbKey(f.o, f.crumbs[i]), b)
		}
	}
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
