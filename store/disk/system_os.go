package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/store"
)

// osSystem is a directory of the operating system. No name leaves it.
type osSystem struct {
	root *os.Root
	way  *os.Root
	lock *os.File
}

func openSystem(dir string) (_ *osSystem, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	s := &osSystem{}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if s.root, err = os.OpenRoot(dir); err != nil {
		return nil, err
	}
	if err := s.root.Mkdir(way, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	if s.way, err = s.root.OpenRoot(way); err != nil {
		return nil, err
	}
	if s.lock, err = s.way.OpenFile("lock", os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return nil, err
	}
	if err := lockFile(s.lock); err != nil {
		return nil, fmt.Errorf("%s is %w (%w); each needs a directory of its own", dir, store.ErrInUse, err)
	}
	return s, nil
}

func (s *osSystem) close() error {
	var errs []error
	for _, c := range []interface{ Close() error }{s.lock, s.way, s.root} {
		switch c := c.(type) {
		case *os.File:
			if c != nil {
				errs = append(errs, c.Close())
			}
		case *os.Root:
			if c != nil {
				errs = append(errs, c.Close())
			}
		}
	}
	return errors.Join(errs...)
}

// in returns the root that name is opened in, and its name there: most files
// are on their way, and their directory is open already.
func (s *osSystem) in(name string) (*os.Root, string) {
	if dir, base := path.Split(name); dir == way+"/" {
		return s.way, base
	}
	return s.root, name
}

func (s *osSystem) open(name string, flag int) (file, error) {
	root, name := s.in(name)
	f, err := root.OpenFile(name, flag, 0o600)
	if err != nil {
		return nil, err
	}
	return &osFile{File: f}, nil
}

func (s *osSystem) mkdir(name string) error { return s.root.Mkdir(name, 0o700) }

func (s *osSystem) remove(name string) error {
	root, name := s.in(name)
	return root.Remove(name)
}

// rmdir leaves what a link points to alone, and the link.
func (s *osSystem) rmdir(name string) error {
	if info, err := s.root.Lstat(name); err != nil || !info.IsDir() {
		return errors.Join(err, fs.ErrInvalid)
	}
	return s.root.Remove(name)
}

func (s *osSystem) rename(from, to string, replace bool) error {
	if replace {
		return s.root.Rename(from, to)
	}
	err := s.renameNew(from, to)
	if !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	if err := s.root.Link(from, to); err != nil {
		return err
	}
	return s.root.Remove(from)
}

func (s *osSystem) list(name string) ([]fs.FileInfo, error) {
	d, err := s.root.Open(name)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.Readdir(-1)
}

func (s *osSystem) sync(name string) error {
	d, err := s.root.Open(name)
	if err != nil {
		return err
	}
	defer d.Close()
	return syncDir(d)
}

// osFile is a file of the operating system.
type osFile struct{ *os.File }

func (f *osFile) stat() (fs.FileInfo, error) { return f.File.Stat() }

func (f *osFile) same(g file) bool {
	a, err1 := f.stat()
	b, err2 := g.stat()
	return err1 == nil && err2 == nil && os.SameFile(a, b)
}

func (f *osFile) sync() error { return syncData(f.File) }

func (f *osFile) trim(size int64) (bool, error) {
	info, err := f.File.Stat()
	if err != nil {
		return false, err
	}
	if info.Size() == size && !overlong(info) {
		return false, nil
	}
	return info.Size() != size, f.File.Truncate(size)
}

func (f *osFile) reserve(e extent.Extent) error { return reserve(f.File, e.Start, e.Len()) }

func (f *osFile) copy(at int64, from file, off, n int64) (int64, error) {
	src, ok := from.(*osFile)
	if !ok {
		return 0, errors.ErrUnsupported
	}
	return copyRange(f.File, at, src.File, off, n)
}
