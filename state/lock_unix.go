//go:build unix

package state

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/muleteer/muleteer/store"
)

// lock makes this process the only owner of the database at path until the
// file is closed or the process ends, however it ends. It is a file beside the
// database, because closing any descriptor of the database itself would end
// SQLite's own locks.
func lock(path string) (*os.File, error) {
	f, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return f, nil
	}
	f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, fmt.Errorf("%s is %w: stop that one, or choose another --state", path, store.ErrInUse)
	}
	return nil, fmt.Errorf("lock %s: %w", path, err)
}
