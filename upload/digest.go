package upload

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/store"
)

// Digest returns the hash of that name (RFC 9530, the active ones: sha-256 and
// sha-512), nil if there is none.
func Digest(name string) hash.Hash {
	switch name {
	case "sha-256":
		return sha256.New()
	case "sha-512":
		return sha512.New()
	}
	return nil
}

// errDigest is the end of an upload: a retry would bring the same bytes.
var errDigest = fmt.Errorf("%w, and the upload is removed", ErrChecksum)

// verify reads a full upload and compares it with the digests that its client
// has announced; with other bytes it is the end of the upload, and ErrChecksum.
// It answers store.ErrNotYet where the store cannot read it before the join.
func (s *Service) verify(ctx context.Context, u *Record) error {
	hashes := map[string]hash.Hash{}
	var all []io.Writer
	for name := range u.Meta.Digests {
		if h := Digest(name); h != nil {
			hashes[name] = h
			all = append(all, h)
		}
	}
	if len(all) == 0 || u.Meta.Verified {
		return nil
	}
	r, err := s.Store.Open(ctx, u.object(), extent.Extent{End: u.Size})
	if err != nil {
		return err
	}
	defer r.Close()
	if _, err := io.Copy(io.MultiWriter(all...), r); err != nil {
		return err
	}
	for name, h := range hashes {
		if !bytes.Equal(h.Sum(nil), u.Meta.Digests[name]) {
			return cmp.Or(s.forget(ctx, u), fmt.Errorf("%w: the %s of the file is another one than was announced", errDigest, name))
		}
	}
	u.Meta.Verified = true
	return nil
}

// verifyEarly is verify before the join, so that nothing wrong ever appears,
// where the store can do that; else it is done after the join.
func (s *Service) verifyEarly(ctx context.Context, u *Record) error {
	err := s.verify(ctx, u)
	if errors.Is(err, store.ErrNotYet) || errors.Is(err, store.ErrGone) { // the join says what it means
		return nil
	}
	return verifyError(err)
}

// verifyError says what an error of verify means for a client.
func verifyError(err error) error {
	if err == nil || errors.Is(err, errDigest) || errors.Is(err, ErrChanged) {
		return err
	}
	return storeError(err)
}
