// Package mem keeps bytes in memory, for tests, and is as strict as S3 about
// it: what S3 would refuse, it refuses, and what S3 cannot do, it does not do.
package mem

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/store"
)

// Options say how a Store behaves. With a Cell of 0 it has no grid and is like
// a directory on disk: parts have no receipts, there are no crumbs, and what is
// not joined can be read.
type Options struct {
	Cell     int64 // bytes, see store.Grid
	Widen    int64 // cells, see store.Grid
	MinPart  int64 // bytes of every part but the last, at least
	MaxParts int   // cells of an object, at most; 0: any number
	Signs    bool  // it is a store.Signer, for clients that call Deliver
}

// Store is a store.Store, Folder, Copier, WholePutter, Walker and Signer. Unlike a
// disk, and like anything behind a network, it refuses to work for a context
// that has ended: who wants what has arrived to be kept when a client goes away
// must not hand on that client's context.
type Store struct {
	options Options

	mu      sync.Mutex
	uploads map[string]*upload // by id
	names   map[string]string  // id by key, of the objects that have appeared
	serial  int64
}

// upload is one object, on its way or joined.
type upload struct {
	token  string
	began  time.Time
	hidden bool
	slots  map[slot]piece   // parts, where there is a grid
	crumbs map[string]piece // by receipt
	file   file             // all bytes, once joined or where there is no grid
	here   extent.Set       // which bytes of file are here
	final  *store.Final     // once joined
}

// slot is what a part of an S3 multipart upload is kept under. The epoch is in
// it, so that a stale writer cannot replace what a newer one wrote.
type slot struct{ cell, epoch int64 }

type piece struct {
	store.Part
	bytes []byte
}

// New returns an empty store.
func New(o Options) *Store {
	return &Store{options: o, uploads: map[string]*upload{}, names: map[string]string{}}
}

func (s *Store) grid() store.Grid {
	return store.Grid{Cell: s.options.Cell, Widen: s.options.Widen}
}

var validID = regexp.MustCompile(`^[A-Za-z0-9_-]{22,}$`)

// Begin is store.Store's. It answers an id that is there already with the
// object that is there.
func (s *Store) Begin(ctx context.Context, id string, spec store.Spec) (store.Object, error) {
	if err := ctx.Err(); err != nil {
		return store.Object{}, err
	}
	if !validID.MatchString(id) {
		return store.Object{}, fmt.Errorf("%q is not an id", id)
	}
	if !valid(spec.Key) {
		return store.Object{}, fmt.Errorf("%.80q is not a key", spec.Key)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	o := store.Object{
		ID: id, Key: spec.Key, Type: spec.Type, Size: spec.Size, Grid: s.grid(),
		Hidden: spec.Hidden, Overwrite: spec.Overwrite,
	}
	if s.options.Cell > 0 {
		u := s.uploads[id]
		if u == nil {
			u = s.create(id, spec.Hidden)
		}
		o.Token = u.token
	}
	return o, nil
}

func valid(key string) bool {
	return fs.ValidPath(key) && key != "." && len(key) <= 1024 && !strings.Contains(key, "\x00")
}

// Rename is store.Renamer's.
func (s *Store) Rename(o store.Object, key string) (store.Object, bool) {
	if !valid(key) {
		return o, false
	}
	o.Key = key
	return o, true
}

// create must be called with the lock held.
func (s *Store) create(id string, hidden bool) *upload {
	s.serial++
	u := &upload{
		token: fmt.Sprintf("upload-%d", s.serial), began: time.Now(), hidden: hidden,
		slots: map[slot]piece{}, crumbs: map[string]piece{}, file: file{},
	}
	s.uploads[id] = u
	return u
}

// lookup returns the upload of o, or ErrGone. The lock must be held.
func (s *Store) lookup(o store.Object) (*upload, error) {
	u := s.uploads[o.ID]
	if u == nil || s.options.Cell > 0 && u.token != o.Token {
		return nil, fmt.Errorf("%s: %w", o.ID, store.ErrGone)
	}
	return u, nil
}

// Open is store.Store's.
func (s *Store) Open(ctx context.Context, o store.Object, e extent.Extent) (io.ReadCloser, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	u, err := s.lookup(o)
	if err != nil {
		if e.Empty() && s.options.Cell == 0 {
			return io.NopCloser(&reader{}), nil // there is no file before the first byte
		}
		return nil, err
	}
	if u.final == nil && s.options.Cell > 0 {
		return nil, store.ErrNotYet
	}
	if !u.here.Has(e) {
		return nil, fmt.Errorf("%s is not all here", e)
	}
	return io.NopCloser(&reader{s: s, f: u.file, e: e}), nil
}

// Remove is store.Store's. Of what Walk finds without a key, the ID is enough.
func (s *Store) Remove(ctx context.Context, o store.Object) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.uploads[o.ID]
	if u == nil || o.Token != "" && o.Token != u.token {
		return nil
	}
	if u.final != nil && !u.hidden {
		if !o.Joined {
			return nil // the contract: what has appeared is not touched then
		}
		delete(s.names, u.final.Key)
	}
	delete(s.uploads, o.ID)
	return nil
}
