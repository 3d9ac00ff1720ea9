package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"sync"
)

// tree makes directories and names durable. A sync of a directory serves all
// whose names were there when it began, so that many small files at once share
// a few of them.
type tree struct {
	sys  system
	rush *rush

	standing sync.RWMutex // held while directories are removed, so that settled tells the truth
	pruned   int          // how many were

	mu      sync.Mutex
	settled map[string]bool   // directories that are there durably
	fresh   map[string]bool   // ids whose file was made, or may have been, since way was synced
	groups  map[string]*group // by directory, where a sync runs or is awaited
}

// remembered is how many settled directories are known, at most; what is
// forgotten is only synced once more.
const remembered = 4096

// sync makes durable which names are in dir now.
func (t *tree) sync(dir string) error {
	return t.rush.sync(func() error { return t.syncDir(dir) })
}

func (t *tree) syncDir(dir string) error {
	t.mu.Lock()
	g := t.groups[dir]
	if g == nil {
		g = &group{}
		t.groups[dir] = g
	}
	g.users++
	t.mu.Unlock()
	err := g.sync(func() error { return t.sys.sync(dir) })
	t.mu.Lock()
	if g.users--; g.users == 0 {
		delete(t.groups, dir)
	}
	t.mu.Unlock()
	if err != nil {
		return fmt.Errorf("sync of directory %q: %w", dir, wrap(err))
	}
	return nil
}

// making notes that the file of id on its way is about to be made.
func (t *tree) making(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.fresh[id] = true
}

// entered makes the name of the file of id on its way durable.
func (t *tree) entered(id string) error {
	t.mu.Lock()
	fresh := t.fresh[id]
	t.mu.Unlock()
	if !fresh {
		return nil
	}
	if err := t.sync(way); err != nil {
		return err
	}
	t.forget(id)
	return nil
}

func (t *tree) forget(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.fresh, id)
}

// mkdir makes dir and those above it, durably: what is renamed into a directory
// that is lost is lost with it.
func (t *tree) mkdir(dir string) error {
	if dir == "." {
		return nil
	}
	t.mu.Lock()
	known := t.settled[dir]
	t.mu.Unlock()
	if known {
		return nil
	}
	if err := t.mkdir(path.Dir(dir)); err != nil {
		return err
	}
	t.standing.RLock()
	pruned := t.pruned
	err := t.sys.mkdir(dir)
	t.standing.RUnlock()
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := t.sync(path.Dir(dir)); err != nil { // also if it was there: who made it may be before its sync
		return err
	}
	t.standing.RLock()
	defer t.standing.RUnlock()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.pruned == pruned {
		if len(t.settled) >= remembered {
			clear(t.settled)
		}
		t.settled[dir] = true
	}
	return nil
}

// unsettle forgets dir and those above it, after somebody else has removed one.
func (t *tree) unsettle(dir string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for ; dir != "."; dir = path.Dir(dir) {
		delete(t.settled, dir)
	}
}

// prune removes the directory of name and those above it, as far as they are
// empty.
func (t *tree) prune(name string) {
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if err := t.rmdir(dir); err != nil {
			return
		}
	}
}

func (t *tree) rmdir(dir string) error {
	t.standing.Lock()
	defer t.standing.Unlock()
	if err := t.sys.rmdir(dir); err != nil {
		return err
	}
	t.pruned++
	t.unsettle(dir)
	return nil
}
