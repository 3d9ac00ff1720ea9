package disk

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/muleteer/muleteer/extent"
)

var errPower = errors.New("the power is off")

// powerFS is a file system in memory that loses what was not synced, as a real
// one may: any of the 4 KiB blocks, a part of the last one, the bytes but not
// the size, and names whose directory was not synced. A rename is lost as a
// whole or not at all; on a plain one, where it is a link and a removal, the old
// name may stay.
type powerFS struct {
	mu   sync.Mutex
	root *node
	rnd  *rand.Rand // chooses what is lost
	left int        // calls until the power goes; negative: it stays

	fault  func(op string) error // may fail a call
	lies   string                // a planted bug: "sync", "dirs", "late" or "all"
	nodes  []*node               // all that were ever made here
	plain  bool                  // there are no unnamed files, no marks and no true renames
	calls  int
	awhile func() // what a sync of a file does when it knows what it will write
}

// node is a file or a directory.
type node struct {
	dir  bool
	mode fs.FileMode

	names, onDisk map[string]*node // of a directory, in memory and on the disk
	ops           []*op            // what makes names of onDisk

	data, disk   []byte // of a file
	dirty        map[int64]bool
	mark, marked string
	errors       int    // how often a sync of all has lost bytes of it
	late         func() // the sync that a liar still owes
}

// op is a change of a directory that is not on the disk yet.
type op struct {
	in    *node
	name  string
	to    *node // nil: the name goes
	after *op   // the other half of a rename, which is not lost if this is not
	done  bool
}

func newPowerFS(seed uint64) *powerFS {
	return &powerFS{root: newDir(), rnd: rand.New(rand.NewPCG(seed, 11)), left: -1}
}

// made notes a new file or directory; the lock must be held.
func (p *powerFS) made(n *node) *node {
	p.nodes = append(p.nodes, n)
	return n
}

func newDir() *node {
	return &node{dir: true, mode: fs.ModeDir, names: map[string]*node{}, onDisk: map[string]*node{}}
}

func (o *op) apply() {
	if o.done {
		return
	}
	o.done = true
	for _, before := range o.in.ops { // a name's changes keep their order
		if before == o {
			break
		}
		before.done = before.done || before.name == o.name
	}
	if o.after != nil {
		o.after.apply()
	}
	if o.to == nil {
		delete(o.in.onDisk, o.name)
	} else {
		o.in.onDisk[o.name] = o.to
	}
}

// change does an op in memory.
func (n *node) change(name string, to *node) *op {
	o := &op{in: n, name: name, to: to}
	n.ops = append(n.ops, o)
	if to == nil {
		delete(n.names, name)
	} else {
		n.names[name] = to
	}
	return o
}

// step counts a call that changes something; the lock must be held. The call
// at which the power goes still reaches the kernel.
func (p *powerFS) step(kind string) error {
	if p.left == 0 {
		return errPower
	}
	p.calls++
	if p.left > 0 {
		p.left--
	}
	if p.fault != nil {
		return p.fault(kind)
	}
	return nil
}

func (p *powerFS) find(name string) *node {
	n := p.root
	for name != "." && name != "" {
		first, rest := name, ""
		for i := range name {
			if name[i] == '/' {
				first, rest = name[:i], name[i+1:]
				break
			}
		}
		if !n.dir || n.names[first] == nil {
			return nil
		}
		n, name = n.names[first], rest
	}
	return n
}

func (p *powerFS) open(name string, flag int) (file, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.left == 0 {
		return nil, errPower
	}
	n := p.find(name)
	if n == nil {
		dir := p.find(path.Dir(name))
		if flag&os.O_CREATE == 0 || dir == nil {
			return nil, fs.ErrNotExist
		}
		if err := p.step("create"); err != nil {
			return nil, err
		}
		n = p.made(&node{dirty: map[int64]bool{}})
		dir.change(path.Base(name), n)
	}
	return &powerFile{p, n, n.errors}, nil
}

func (p *powerFS) temp() (file, error) {
	if p.plain {
		return nil, errors.ErrUnsupported
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.step("create"); err != nil {
		return nil, err
	}
	return &powerFile{p, p.made(&node{dirty: map[int64]bool{}}), 0}, nil
}

func (p *powerFS) link(f file, name string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	dir := p.find(path.Dir(name))
	if dir == nil {
		return fs.ErrNotExist
	}
	if dir.names[path.Base(name)] != nil {
		return fs.ErrExist
	}
	if err := p.step("link"); err != nil {
		return err
	}
	dir.change(path.Base(name), f.(*powerFile).n)
	return nil
}

func (p *powerFS) mkdir(name string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	dir := p.find(path.Dir(name))
	if dir == nil {
		return fs.ErrNotExist
	}
	if dir.names[path.Base(name)] != nil {
		return fs.ErrExist
	}
	if err := p.step("mkdir"); err != nil {
		return err
	}
	dir.change(path.Base(name), p.made(newDir()))
	return nil
}

func (p *powerFS) rename(from, to string, replace bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	n, a, b := p.find(from), p.find(path.Dir(from)), p.find(path.Dir(to))
	if n == nil || b == nil {
		return fs.ErrNotExist
	}
	if b.names[path.Base(to)] != nil && !replace {
		return fs.ErrExist
	}
	if err := p.step("rename"); err != nil {
		return err
	}
	there := b.change(path.Base(to), n)
	gone := a.change(path.Base(from), nil)
	gone.after = there
	if !p.plain {
		there.after = gone
	}
	return nil
}

func (p *powerFS) remove(name string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.find(name) == nil {
		return fs.ErrNotExist
	}
	if err := p.step("remove"); err != nil {
		return err
	}
	p.find(path.Dir(name)).change(path.Base(name), nil)
	return nil
}

func (p *powerFS) rmdir(name string) error {
	p.mu.Lock()
	n := p.find(name)
	p.mu.Unlock()
	if n != nil && (!n.dir || len(n.names) > 0) {
		return syscall.ENOTEMPTY
	}
	return p.remove(name)
}

func (p *powerFS) list(name string) ([]fs.FileInfo, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.find(name)
	if n == nil {
		return nil, fs.ErrNotExist
	}
	var r []fs.FileInfo
	for name, c := range n.names {
		r = append(r, powerInfo{name, int64(len(c.data)), c.mode})
	}
	return r, nil
}

func (p *powerFS) sync(name string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.find(name)
	if n == nil {
		return fs.ErrNotExist
	}
	if err := p.step("syncdir"); err != nil {
		return err
	}
	if p.lies == "dirs" {
		return nil
	}
	n.settle()
	return nil
}

// settle brings the names of a directory to the disk.
func (n *node) settle() {
	for _, o := range n.ops {
		o.apply()
	}
	n.ops = nil
}

func (p *powerFS) syncAll() error {
	if p.plain {
		return errors.ErrUnsupported
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	err := p.step("syncall")
	if err != nil && !errors.Is(err, syscall.EIO) || p.lies == "all" {
		return err
	}
	for _, n := range append(p.nodes, p.root) {
		switch {
		case n.dir:
			n.settle()
		case err != nil && len(n.dirty) > 0: // as in sync
			n.lose()
			n.errors++
		default:
			n.flush()
		}
	}
	return err
}

// lose calls what is dirty clean without writing it, as kernels do.
func (n *node) lose() {
	n.disk = append(n.disk, make([]byte, max(0, len(n.data)-len(n.disk)))...)
	clear(n.dirty)
}

func (p *powerFS) free() (int64, error) { return -1, nil }
func (p *powerFS) close() error         { return nil }

type powerInfo struct {
	name string
	size int64
	mode fs.FileMode
}

func (i powerInfo) Name() string       { return i.name }
func (i powerInfo) Size() int64        { return i.size }
func (i powerInfo) Mode() fs.FileMode  { return i.mode }
func (i powerInfo) ModTime() time.Time { return time.Time{} }
func (i powerInfo) IsDir() bool        { return i.mode.IsDir() }
func (i powerInfo) Sys() any           { return nil }

type powerFile struct {
	p      *powerFS
	n      *node
	errors int // of which it knows
}

func (f *powerFile) written() error {
	f.p.mu.Lock()
	defer f.p.mu.Unlock()
	if f.p.lies != "told" && f.errors < f.n.errors {
		f.errors = f.n.errors
		return syscall.EIO
	}
	return nil
}

func (f *powerFile) ReadAt(b []byte, off int64) (int, error) {
	f.p.mu.Lock()
	defer f.p.mu.Unlock()
	if f.p.left == 0 {
		return 0, errPower
	}
	if off >= int64(len(f.n.data)) {
		return 0, io.EOF
	}
	n := copy(b, f.n.data[off:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (f *powerFile) WriteAt(b []byte, off int64) (int, error) {
	f.p.mu.Lock()
	defer f.p.mu.Unlock()
	if len(b) == 0 {
		return 0, nil
	}
	if err := f.p.step("write"); err != nil {
		if errors.Is(err, syscall.ENOSPC) { // some of it still fitted
			f.write(b[:len(b)/2], off)
		}
		return 0, err
	}
	f.write(b, off)
	return len(b), nil
}

func (f *powerFile) write(b []byte, off int64) {
	end := off + int64(len(b))
	if end > int64(len(f.n.data)) {
		f.n.data = append(f.n.data, make([]byte, end-int64(len(f.n.data)))...)
	}
	copy(f.n.data[off:], b)
	for k := off / 4096; k*4096 < end; k++ {
		f.n.dirty[k] = true
	}
}

func (f *powerFile) sync() error {
	if f.p.awhile != nil {
		defer f.p.awhile()
	}
	f.p.mu.Lock()
	defer f.p.mu.Unlock()
	if err := f.p.step("sync"); err != nil {
		if errors.Is(err, syscall.EIO) { // the pages count as clean from now on
			f.n.lose()
		}
		return err
	}
	owed := f.n.late
	f.n.late = f.n.flush
	switch f.p.lies {
	case "sync":
	case "late":
		if owed != nil {
			owed()
		}
	default:
		f.n.flush()
	}
	return nil
}

// flush brings to the disk what is dirty.
func (n *node) flush() {
	disk := slices.Grow(n.disk, max(0, len(n.data)-len(n.disk)))[:len(n.data)]
	clear(disk[min(len(n.disk), len(disk)):])
	for k := range n.dirty {
		if k*4096 < int64(len(disk)) {
			copy(disk[k*4096:min((k+1)*4096, int64(len(disk)))], n.data[k*4096:])
		}
	}
	n.disk, n.marked = disk, n.mark
	clear(n.dirty)
}

func (f *powerFile) trim(size int64) (bool, error) {
	f.p.mu.Lock()
	defer f.p.mu.Unlock()
	if int64(len(f.n.data)) == size {
		return false, nil
	}
	if err := f.p.step("trim"); err != nil {
		return false, err
	}
	f.n.data = append(f.n.data[:min(size, int64(len(f.n.data)))], make([]byte, max(0, size-int64(len(f.n.data))))...)
	f.n.data = f.n.data[:size:size]
	return true, nil
}

func (f *powerFile) copy(at int64, from file, off, n int64) (int64, error) {
	if at%4096 != 0 {
		return 0, errors.ErrUnsupported
	}
	b := make([]byte, min(n, 4096*3))
	if _, err := from.ReadAt(b, off); err != nil {
		return 0, err
	}
	if _, err := f.WriteAt(b, at); err != nil {
		return 0, err
	}
	if int64(len(b)) < n {
		return int64(len(b)), errors.ErrUnsupported
	}
	return n, nil
}

func (f *powerFile) mark(id string) error {
	f.p.mu.Lock()
	defer f.p.mu.Unlock()
	if f.p.plain {
		return errors.ErrUnsupported
	}
	if err := f.p.step("mark"); err != nil {
		return err
	}
	f.n.mark = id
	return nil
}

func (f *powerFile) marked() string              { f.p.mu.Lock(); defer f.p.mu.Unlock(); return f.n.mark }
func (f *powerFile) reserve(extent.Extent) error { return nil }
func (f *powerFile) same(g file) bool            { return f.n == g.(*powerFile).n }
func (f *powerFile) Close() error                { return nil }
func (f *powerFile) stat() (fs.FileInfo, error) {
	f.p.mu.Lock()
	defer f.p.mu.Unlock()
	return powerInfo{"", int64(len(f.n.data)), f.n.mode}, nil
}

// crash returns what is there when the power is back.
func (p *powerFS) crash() *powerFS {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left = 0
	q := &powerFS{rnd: p.rnd, left: -1, lies: p.lies, plain: p.plain}
	var all []*op
	seen := map[*node]bool{}
	var gather func(n *node)
	gather = func(n *node) {
		if seen[n] {
			return
		}
		seen[n] = true
		all = append(all, n.ops...)
		for _, o := range n.ops {
			if o.to != nil {
				gather(o.to)
			}
		}
		for _, names := range []map[string]*node{n.names, n.onDisk} {
			for _, name := range slices.Sorted(maps.Keys(names)) {
				gather(names[name])
			}
		}
	}
	gather(p.root)
	keep := p.rnd.IntN(4) // also nothing and everything, not only halves
	for _, o := range all {
		if keep == 3 || keep > 0 && p.rnd.IntN(2) == 0 {
			o.apply()
		}
	}
	copies := map[*node]*node{}
	q.root = p.survive(p.root, copies)
	for _, n := range copies {
		q.nodes = append(q.nodes, n)
	}
	return q
}

// survive returns what is on the disk of n.
func (p *powerFS) survive(n *node, copies map[*node]*node) *node {
	if c := copies[n]; c != nil {
		return c
	}
	if n.dir {
		c := newDir()
		copies[n] = c
		for _, name := range slices.Sorted(maps.Keys(n.onDisk)) {
			k := p.survive(n.onDisk[name], copies)
			c.names[name], c.onDisk[name] = k, k
		}
		return c
	}
	size := len(n.disk)
	if p.rnd.IntN(2) == 0 {
		size = len(n.data)
	}
	b := make([]byte, size)
	copy(b, n.disk)
	for _, k := range slices.Sorted(maps.Keys(n.dirty)) {
		from, to := k*4096, min((k+1)*4096, int64(size), int64(len(n.data)))
		if from >= to {
			continue
		}
		switch p.rnd.IntN(3) {
		case 0:
			copy(b[from:to], n.data[from:to])
		case 1: // torn
			copy(b[from:from+p.rnd.Int64N(to-from)], n.data[from:to])
		}
	}
	mark := n.marked
	if p.rnd.IntN(2) == 0 {
		mark = n.mark
	}
	c := &node{data: b, disk: append([]byte(nil), b...), dirty: map[int64]bool{}, mark: mark, marked: mark}
	copies[n] = c
	return c
}
