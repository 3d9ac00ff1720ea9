package disk

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"path"

	"github.com/muleteer/muleteer/store"
)

// Walk is store.Walker's: first the files on their way, then the finished ones.
// What is neither a file of ours nor a directory is left out.
func (s *Store) Walk(ctx context.Context) iter.Seq2[store.Entry, error] {
	return func(yield func(store.Entry, error) bool) {
		if s.walk(ctx, way, yield) {
			s.walk(ctx, ".", yield)
		}
	}
}

// walk tells whether to go on.
func (s *Store) walk(ctx context.Context, dir string, yield func(store.Entry, error) bool) bool {
	if err := ctx.Err(); err != nil {
		yield(store.Entry{}, err)
		return false
	}
	entries, err := s.sys.list(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return true // removed meanwhile
	}
	if err != nil {
		return yield(store.Entry{}, err)
	}
	for _, i := range entries {
		name := path.Join(dir, i.Name())
		e := store.Entry{Name: name, Size: i.Size(), Began: i.ModTime()}
		switch {
		case i.IsDir() && dir != way && name != way:
			if !s.walk(ctx, name, yield) {
				return false
			}
			continue
		case !i.Mode().IsRegular():
			continue
		case dir != way:
			e.Key = name
		case validID.MatchString(i.Name()):
			e.ID = i.Name()
		default:
			continue
		}
		if !yield(e, nil) {
			return false
		}
	}
	return true
}
