package disk

import (
	"context"
	"errors"
	"io/fs"

	"github.com/muleteer/muleteer/store"
)

// PutWhole is store.WholePutter's: a file without a name is written, synced and
// named.
func (s *Store) PutWhole(ctx context.Context, id string, spec store.Spec, body []byte) (store.Object, store.Final, error) {
	spec.Size = int64(len(body))
	o, err := s.Begin(ctx, id, spec)
	if err != nil {
		return o, store.Final{}, err
	}
	final := store.Final{Size: spec.Size, CRC: store.CRC(0).Update(body), Key: o.Key}
	final, err = s.putWhole(o, final, body)
	if err != nil {
		return o, store.Final{}, wrap(err)
	}
	o.Key, o.Joined = final.Key, true
	return o, final, nil
}

func (s *Store) putWhole(o store.Object, final store.Final, body []byte) (store.Final, error) {
	defer s.rush.enter()()
	f, err := s.sys.temp()
	named := false // whether it lies at onWay, as where there is no temp, or to replace another
	if errors.Is(err, errors.ErrUnsupported) {
		defer s.turns.take(o.ID)()
		named = true
		f, err = s.create(o.ID)
	}
	if err != nil {
		return final, err
	}
	defer f.Close()
	if err := s.fill(f, body); err != nil {
		if named {
			s.sys.remove(onWay(o.ID))
		}
		return final, err
	}
	if !named && (o.Hidden || o.Overwrite) {
		s.tree.making(o.ID)
		if err := s.sys.link(f, onWay(o.ID)); err != nil && !errors.Is(err, fs.ErrExist) {
			return final, err
		}
		named = true
	}
	if named {
		return s.publish(o, f, final)
	}
	final.Key, err = s.name(o, f, false, func(key string) error { return s.sys.link(f, key) })
	return final, err
}

// fill writes the whole of a new file.
func (s *Store) fill(f file, body []byte) error {
	if len(body) > 0 {
		if _, err := f.WriteAt(body, 0); err != nil {
			return err
		}
	}
	return s.rush.file(f)
}
