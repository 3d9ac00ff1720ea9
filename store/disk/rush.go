package disk

import (
	"errors"
	"sync/atomic"
	"time"
)

// rush syncs for many small files at once. Where so many wait, one sync of the
// whole file system costs less than one of each file and each directory, and
// serves all who had written before it began.
type rush struct {
	sys   system
	power bool
	least int32 // files at once from which on it is worth it

	group  group
	inside atomic.Int32
	alone  atomic.Int64 // Unix nanoseconds: until then each syncs its own
}

const (
	// A sync of all also waits for what others write to the file system.
	slowSync = 250 * time.Millisecond
	// So long each syncs its own after one that took so long.
	slowRest = 10 * time.Second
	never    = 1 << 62
)

// enter counts a file in until the function is called.
func (r *rush) enter() (leave func()) {
	r.inside.Add(1)
	return func() { r.inside.Add(-1) }
}

// sync makes durable what its caller has written, by own or by a sync of all.
func (r *rush) sync(own func() error) error {
	if !r.power {
		return nil
	}
	if r.inside.Load() < r.least || time.Now().UnixNano() < r.alone.Load() {
		return own()
	}
	err := r.group.sync(r.all)
	if errors.Is(err, errors.ErrUnsupported) {
		return own()
	}
	return err
}

// file is sync of a file's bytes. A sync of all tells of an error once, and not
// to whom it belongs: so the file is asked as well.
func (r *rush) file(f file) error {
	asked := false
	err := r.sync(func() error { asked = true; return f.sync() })
	if err != nil || asked || !r.power {
		return err
	}
	return f.written()
}

func (r *rush) all() error {
	began := time.Now()
	err := r.sys.syncAll()
	switch now := time.Now(); {
	case errors.Is(err, errors.ErrUnsupported):
		r.alone.Store(never)
	case now.Sub(began) > slowSync:
		r.alone.Store(now.Add(slowRest).UnixNano())
	}
	return err
}
