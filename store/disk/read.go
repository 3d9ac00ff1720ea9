package disk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/store"
)

// Open is store.Store's. It reads what is there also before Join.
func (s *Store) Open(_ context.Context, o store.Object, e extent.Extent) (io.ReadCloser, error) {
	if err := checkExtent(o, e); err != nil {
		return nil, err
	}
	f, err := s.at(o)
	if errors.Is(err, store.ErrGone) && e.Empty() && (!o.Joined || o.Hidden) {
		return io.NopCloser(eof{}), nil // there is no file before the first byte
	}
	if err != nil {
		return nil, err
	}
	info, err := f.stat()
	if err == nil && info.Size() < e.End {
		err = fmt.Errorf("%s of a file of %d bytes", e, info.Size())
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return &body{f: f, SectionReader: io.NewSectionReader(f, e.Start, e.Len())}, nil
}

// at opens the file of o, wherever it is.
func (s *Store) at(o store.Object) (file, error) {
	if err := checkID(o.ID); err != nil {
		return nil, err
	}
	name := onWay(o.ID)
	if o.Joined && !o.Hidden {
		if err := checkKey(o.Key); err != nil {
			return nil, err
		}
		name = o.Key
	}
	f, err := s.sys.open(name, os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", o.ID, store.ErrGone)
	}
	if err != nil {
		return nil, err
	}
	if name == o.Key {
		info, err := f.stat()
		if err == nil && (!info.Mode().IsRegular() || info.Size() != o.Size || !mine(f, o)) {
			err = fmt.Errorf("%s: something else lies at %q: %w", o.ID, o.Key, store.ErrGone)
		}
		if err != nil {
			f.Close()
			return nil, err
		}
	}
	return f, nil
}

// mine tells whether f, which lies under the key of o, is still that of o: an
// object that replaces others has a mark.
func mine(f file, o store.Object) bool {
	mark := f.marked()
	return mark == "" || mark == o.ID
}

// body is what Open returns.
type body struct {
	*io.SectionReader
	f file
}

func (b *body) Close() error { return b.f.Close() }

// WriteTo lets the kernel send the file where it can.
func (b *body) WriteTo(w io.Writer) (int64, error) {
	left := b.Size()
	pos, err := b.Seek(0, io.SeekCurrent)
	if err != nil {
		return 0, err
	}
	left -= pos
	var n int64
	if f, ok := b.f.(*osFile); ok {
		_, off, _ := b.Outer()
		if _, err := f.Seek(off+pos, io.SeekStart); err != nil {
			return 0, err
		}
		n, err = io.Copy(w, io.LimitReader(f.File, left))
	} else {
		n, err = io.Copy(w, struct{ io.Reader }{b.SectionReader})
	}
	if _, e := b.Seek(n, io.SeekCurrent); e != nil && err == nil {
		err = e
	}
	return n, err
}

type eof struct{}

func (eof) Read([]byte) (int, error) { return 0, io.EOF }
