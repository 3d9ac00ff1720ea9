// Package disk keeps objects as files of one directory.
//
// A finished file lies at its key. A file on its way lies at .muleteer/<id>; it
// is made by the first Put, written in place in any order, and renamed when it
// is whole. Nothing else is ever written: no lock files, no temporary names.
package disk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/store"
)

// way is the directory of the files on their way.
const way = ".muleteer"

// Durability is what an acknowledged byte survives.
type Durability int

const (
	Power   Durability = iota // a power cut: data and directories are synced
	Process                   // the death of the process: the kernel has the bytes
)

// Options say how a Store works. The zero value is safe.
type Options struct {
	Durability Durability
	// Memory is how many bytes the buffers of bodies may take together, but for
	// 8 KiB that each may have; 0 is 64 MiB.
	Memory int64
}

// Store is a store.Store, WholePutter, Copier, Walker and Spacer. It is the
// only owner of its directory until Close. There is no grid, parts have no
// receipts, and what is not joined yet can be read.
type Store struct {
	sys   system
	power bool
	pace  pace
	tiny  *pool
	small *pool
	large *pool
	tree  tree
	rush  *rush
	turns turns

	handles handles
}

// pace is when Put does what. Tests lower it.
type pace struct {
	block int64         // bytes of a large buffer, a power of two
	fast  int64         // bytes after which a body may be called fast
	per   time.Duration // within which they must have arrived for that
	run   int64         // bytes, at most, between two syncs
	wait  time.Duration // that bytes wait for a sync, at most
	rush  int32         // small files at once from which on one sync serves them all
}

var defaultPace = pace{block: 1 << 20, fast: 64 << 10, per: 20 * time.Millisecond, run: 8 << 20, wait: 200 * time.Millisecond, rush: 8}

// Open opens the directory, which is made if it is not there. It is an error
// if another process has it open.
func Open(dir string, o Options) (*Store, error) {
	sys, err := openSystem(dir)
	if err != nil {
		return nil, err
	}
	s, err := open(sys, o, defaultPace)
	if err != nil {
		sys.close()
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	return s, nil
}

func open(sys system, o Options, p pace) (*Store, error) {
	if o.Memory == 0 {
		o.Memory = 64 << 20
	}
	s := &Store{
		sys: sys, power: o.Durability == Power, pace: p,
		tiny:  newPool(tinyBuffer, -1),
		small: newPool(smallBuffer, o.Memory/4/smallBuffer),
		large: newPool(p.block, o.Memory*3/4/p.block),
	}
	s.rush = &rush{sys: sys, power: s.power, least: p.rush}
	s.tree = tree{sys: sys, rush: s.rush, settled: map[string]bool{}, fresh: map[string]bool{}, groups: map[string]*group{}}
	s.handles = handles{s: s, open: map[string]*handle{}}
	if err := sys.mkdir(way); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	// What an earlier process has made may not have been synced by it.
	for _, d := range []string{".", way} {
		if err := s.tree.sync(d); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Close gives the directory free. No method may be called after it.
func (s *Store) Close() error { return s.sys.close() }

var validID = regexp.MustCompile(`^[A-Za-z0-9_-]{22,64}$`)

// Begin is store.Store's. It touches no file.
func (s *Store) Begin(_ context.Context, id string, spec store.Spec) (store.Object, error) {
	if err := errors.Join(checkID(id), checkKey(spec.Key)); err != nil {
		return store.Object{}, err
	}
	return store.Object{
		ID: id, Key: spec.Key, Type: spec.Type, Size: spec.Size,
		Hidden: spec.Hidden, Overwrite: spec.Overwrite,
	}, nil
}

// Rename is store.Renamer's: until the join a file has no name but its id.
func (s *Store) Rename(o store.Object, key string) (store.Object, bool) {
	if checkKey(key) != nil {
		return o, false
	}
	o.Key = key
	return o, true
}

// checkID tells whether id may become a path. Every method that makes one asks,
// because records come from elsewhere; so does checkKey.
func checkID(id string) error {
	if !validID.MatchString(id) {
		return fmt.Errorf("%.80q is not an id", id)
	}
	return nil
}

func checkKey(key string) error {
	if !fs.ValidPath(key) || key == "." || len(key) > 3072 || strings.Contains(key, "\x00") {
		return fmt.Errorf("%.80q is not a key", key)
	}
	for i, segment := range strings.Split(key, "/") {
		// Also where the file system does not tell upper from lower case.
		if len(segment) > 255 || i == 0 && strings.EqualFold(segment, way) {
			return fmt.Errorf("%.80q is not a key", key)
		}
	}
	return checkLocal(key)
}

// checkExtent refuses bytes that the object cannot have.
func checkExtent(o store.Object, e extent.Extent) error {
	if e.Start < 0 || e.End < e.Start || o.Size >= 0 && e.End > max(o.Size, e.Start) {
		return fmt.Errorf("bytes %d to %d of an object of %d", e.Start, e.End, o.Size)
	}
	return nil
}

// onWay is where an object lies before Join, and a hidden one always.
func onWay(id string) string { return path.Join(way, id) }

// Free is store.Spacer's.
func (s *Store) Free(context.Context) (int64, error) { return s.sys.free() }

// wrap makes the errors of a full disk ErrFull.
func wrap(err error) error {
	if err != nil && isFull(err) {
		return fmt.Errorf("%w: %w", store.ErrFull, err)
	}
	return err
}

// turns lets one at a time work on an id.
type turns struct {
	mu   sync.Mutex
	busy map[string]*turn
}

type turn struct {
	mu   sync.Mutex
	want int
}

// take waits for the turn of id; the caller calls what it returns afterwards.
func (t *turns) take(id string) (leave func()) {
	t.mu.Lock()
	if t.busy == nil {
		t.busy = map[string]*turn{}
	}
	u := t.busy[id]
	if u == nil {
		u = &turn{}
		t.busy[id] = u
	}
	u.want++
	t.mu.Unlock()
	u.mu.Lock()
	return func() {
		u.mu.Unlock()
		t.mu.Lock()
		defer t.mu.Unlock()
		if u.want--; u.want == 0 {
			delete(t.busy, id)
		}
	}
}
