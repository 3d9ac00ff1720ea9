package state

import (
	"os"
	"time"
)

// reserve is a little space on the disk of the database, kept so that an upload
// can be removed when the disk is full: in SQLite a removal has to be written
// too. Only the writer uses it.
type reserve struct {
	path  string
	here  bool
	tried time.Time // when it was made or missed last
}

// reserved is enough for some dozens of removals, in bytes.
const reserved = 1 << 20

// refill is how long a reserve that could not be kept is not tried again.
const refill = 10 * time.Second

// keep sees to it that the space is there, if it can be had.
func (r *reserve) keep() {
	if r.here || r.path == "" || time.Since(r.tried) < refill {
		return
	}
	r.tried = time.Now()
	if i, err := os.Stat(r.path); err == nil && i.Size() == reserved {
		r.here = true
		return
	}
	if err := os.WriteFile(r.path, make([]byte, reserved), 0o600); err != nil {
		_ = os.Remove(r.path) // half a reserve only takes space from others
		return
	}
	r.here = true
}

// release frees the space, and tells whether there was any.
func (r *reserve) release() bool {
	if !r.here {
		return false
	}
	r.here, r.tried = false, time.Now()
	return os.Remove(r.path) == nil
}
