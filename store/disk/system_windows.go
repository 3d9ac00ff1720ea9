package disk

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/windows"
)

func lockFile(f *os.File) error {
	const flags = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	return windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, &windows.Overlapped{})
}

// syncDir does nothing: NTFS journals its directories.
func syncDir(*os.File) error { return nil }

func isFull(err error) bool {
	return errors.Is(err, windows.ERROR_DISK_FULL) || errors.Is(err, windows.ERROR_HANDLE_DISK_FULL)
}

// checkLocal refuses what means something else here: backslashes, drives,
// devices.
func checkLocal(key string) error {
	if strings.ContainsAny(key, `\:`) || !filepath.IsLocal(key) {
		return fmt.Errorf("%.80q is not a key", key)
	}
	return nil
}

func (s *osSystem) free() (int64, error) {
	name, err := windows.UTF16PtrFromString(s.root.Name())
	if err != nil {
		return 0, err
	}
	var n uint64
	if err := windows.GetDiskFreeSpaceEx(name, &n, nil, nil); err != nil {
		return 0, err
	}
	return int64(n), nil
}
