package disk

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"

	"github.com/muleteer/muleteer/store"
)

// Remove is store.Store's. Directories that it leaves empty go too. Of what
// Walk finds without a key, the ID is enough.
func (s *Store) Remove(_ context.Context, o store.Object) error {
	if err := checkID(o.ID); err != nil {
		return err
	}
	defer s.turns.take(o.ID)()
	s.tree.forget(o.ID)
	if err := s.sys.remove(onWay(o.ID)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	s.handles.left(o.ID)
	if !o.Joined || o.Hidden {
		return nil
	}
	if err := checkKey(o.Key); err != nil {
		return err
	}
	f, err := s.sys.open(o.Key, os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		s.tree.prune(o.Key) // an earlier Remove may not have come so far
		return nil
	}
	if err != nil {
		return err
	}
	info, err := f.stat()
	stranger := err == nil && (!info.Mode().IsRegular() || !mine(f, o))
	f.Close()
	if err != nil || stranger {
		return err
	}
	if err := s.sys.remove(o.Key); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return s.gone(o.Key)
}

// gone makes durable that key is no longer there.
func (s *Store) gone(key string) error {
	err := s.tree.sync(path.Dir(key))
	s.tree.prune(key)
	if errors.Is(err, fs.ErrNotExist) { // the directory has gone too
		return nil
	}
	return err
}
