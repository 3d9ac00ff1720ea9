package disk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/muleteer/muleteer/store"
)

// Join is store.Store's. A file is renamed without replacing; one that cannot
// be told from others by its key alone, because it is empty, replaces or had
// to take another name, is marked with its id first, so that a Join that is
// repeated after a crash finds it.
func (s *Store) Join(_ context.Context, o store.Object, parts []store.Part) (store.Final, error) {
	if err := errors.Join(checkID(o.ID), checkKey(o.Key)); err != nil {
		return store.Final{}, err
	}
	final, err := sum(o, parts)
	if err != nil {
		return store.Final{}, err
	}
	defer s.turns.take(o.ID)()
	f, err := s.sys.open(onWay(o.ID), os.O_RDWR)
	if errors.Is(err, fs.ErrNotExist) {
		return s.joined(o, final)
	}
	if err != nil {
		return store.Final{}, wrap(err)
	}
	defer f.Close()
	return s.publish(o, f, final)
}

// sum checks the parts and adds them up.
func sum(o store.Object, parts []store.Part) (store.Final, error) {
	final := store.Final{Key: o.Key}
	for _, p := range parts {
		if p.Start != final.Size || p.Empty() || p.Crumb {
			return store.Final{}, fmt.Errorf("%s after %d bytes: %w", p.Extent, final.Size, store.ErrParts)
		}
		final.Size, final.CRC = p.End, final.CRC.Append(p.CRC, p.Len())
	}
	if final.Size != o.Size {
		return store.Final{}, fmt.Errorf("%d bytes of an object of %d: %w", final.Size, o.Size, store.ErrParts)
	}
	return final, nil
}

// publish gives the file f, which is on its way, its key.
func (s *Store) publish(o store.Object, f file, final store.Final) (store.Final, error) {
	info, err := f.stat()
	if err != nil {
		return store.Final{}, err
	}
	if info.Size() < final.Size {
		return store.Final{}, fmt.Errorf("%d bytes are here of %d: %w", info.Size(), final.Size, store.ErrParts)
	}
	// What lies beyond was never acknowledged, or only reserved.
	if changed, err := f.trim(final.Size); err != nil {
		return store.Final{}, wrap(err)
	} else if changed && s.power {
		if err := f.sync(); err != nil {
			f.trim(final.Size + 1) // so that a Join that is repeated syncs again
			return store.Final{}, wrap(err)
		}
	}
	if o.Hidden {
		return final, s.tree.entered(o.ID)
	}
	final.Key, err = s.name(o, f, o.Overwrite || final.Size == 0, func(key string) error {
		return s.sys.rename(onWay(o.ID), key, o.Overwrite)
	})
	if err != nil {
		return store.Final{}, wrap(err)
	}
	s.tree.forget(o.ID)
	s.handles.left(o.ID)
	return final, nil
}

// name finds a free name for f, gives it by the function, and makes it durable.
func (s *Store) name(o store.Object, f file, mark bool, give func(key string) error) (string, error) {
	for n, marked := 0, false; ; n++ {
		key := store.Beside(o.Key, n)
		if (mark || n > 0) && !marked { // also if it bears a mark: that may not be durable
			if err := s.mark(f, o.ID); err != nil {
				return "", err
			}
			marked = true
		}
		err := s.into(path.Dir(key), func() error { return give(key) })
		if errors.Is(err, fs.ErrExist) {
			if s.same(f, key) { // two names of one file: a crash between link and unlink
				s.sys.remove(onWay(o.ID))
				return key, s.tree.sync(path.Dir(key))
			}
			continue
		}
		if err != nil {
			return "", err
		}
		return key, s.tree.sync(path.Dir(key))
	}
}

// into makes dir and calls the function, again if somebody has removed the
// directory in between.
func (s *Store) into(dir string, give func() error) error {
	var err error
	for range 100 {
		if err = s.tree.mkdir(dir); err != nil {
			return err
		}
		if err = give(); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		s.tree.unsettle(dir)
	}
	return err
}

// mark notes durably whose f is, where the file system can.
func (s *Store) mark(f file, id string) error {
	err := f.mark(id)
	if errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	if err == nil && s.power {
		err = f.sync()
	}
	return err
}

// same tells whether key is a name of f.
func (s *Store) same(f file, key string) bool {
	g, err := s.sys.open(key, os.O_RDONLY)
	if err != nil {
		return false
	}
	defer g.Close()
	return f.same(g)
}

// joined answers a Join of what is not on its way: either there was no byte to
// put, or an earlier Join came so far.
func (s *Store) joined(o store.Object, final store.Final) (store.Final, error) {
	if !o.Hidden {
		key, err := s.find(o, final)
		if err != nil {
			return store.Final{}, err
		}
		if key != "" {
			final.Key = key
			return final, errors.Join(s.tree.mkdir(path.Dir(key)), s.tree.sync(path.Dir(key)))
		}
	}
	if final.Size > 0 || o.Joined && !o.Hidden {
		return store.Final{}, fmt.Errorf("%s: %w", o.ID, store.ErrGone)
	}
	if o.Hidden {
		return final, nil // no bytes need no file
	}
	f, err := s.create(o.ID)
	if err != nil {
		return store.Final{}, wrap(err)
	}
	defer f.Close()
	return s.publish(o, f, final)
}

// find looks for the finished file of o: one that bears its mark, or else one
// that bears none and has the right bytes.
func (s *Store) find(o store.Object, final store.Final) (string, error) {
	entries, err := s.sys.list(path.Dir(o.Key))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	var numbers []int
	for _, e := range entries {
		n, ok := number(o.Key, path.Join(path.Dir(o.Key), e.Name()))
		if ok && e.Mode().IsRegular() && e.Size() == final.Size {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	found := ""
	for _, n := range numbers {
		key := store.Beside(o.Key, n)
		f, err := s.sys.open(key, os.O_RDONLY)
		if err != nil {
			continue
		}
		mark := f.marked()
		right := mark == o.ID || mark == "" && found == "" && final.Size > 0
		if right {
			right, err = holds(f, final)
		}
		f.Close()
		if err != nil {
			return "", err
		}
		if right && mark == o.ID {
			return key, nil
		}
		if right {
			found = key
		}
	}
	return found, nil
}

// holds reads f and tells whether it has the bytes of final.
func holds(f file, final store.Final) (bool, error) {
	buf := make([]byte, min(final.Size+1, 1<<20))
	var crc store.CRC
	for r := io.NewSectionReader(f, 0, final.Size); ; {
		n, err := r.Read(buf)
		crc = crc.Update(buf[:n])
		if err == io.EOF {
			return crc == final.CRC, nil
		}
		if err != nil {
			return false, err
		}
	}
}

// number is the inverse of store.Beside.
func number(key, name string) (n int, ok bool) {
	if name == key {
		return 0, true
	}
	i := strings.LastIndex(name, " (")
	if i < 0 {
		return 0, false
	}
	digits, _, _ := strings.Cut(name[i+2:], ")")
	n, err := strconv.Atoi(digits)
	return n, err == nil && n > 0 && store.Beside(key, n) == name
}
