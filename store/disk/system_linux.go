package disk

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// direct opens a file so that writes bypass the page cache; they must be
// aligned to align then.
const direct = unix.O_DIRECT

// unsupported makes the errors by which Linux says that this file system or
// this kernel cannot do something errors.ErrUnsupported.
func unsupported(err error) error {
	switch err {
	case unix.ENOSYS, unix.EOPNOTSUPP, unix.EINVAL, unix.EXDEV, unix.EISDIR, unix.ENOTTY:
		return errors.ErrUnsupported
	}
	return err
}

// temp makes a file without a name (O_TMPFILE, open(2)), which vanishes with
// its last descriptor unless link names it.
func (s *osSystem) temp() (file, error) {
	f, err := s.way.OpenFile(".", unix.O_TMPFILE|os.O_RDWR, 0o600)
	if err != nil {
		var e syscall.Errno
		if errors.As(err, &e) {
			return nil, unsupported(e)
		}
		return nil, err
	}
	return &osFile{File: f}, nil
}

func (s *osSystem) link(f file, name string) error {
	dir, base, err := s.parent(name)
	if err != nil {
		return err
	}
	defer dir.Close()
	self := "/proc/self/fd/" + strconv.Itoa(int(f.(*osFile).Fd()))
	return wrapErrno(unix.Linkat(unix.AT_FDCWD, self, int(dir.Fd()), base, unix.AT_SYMLINK_FOLLOW))
}

func (s *osSystem) renameNew(from, to string) error {
	fromDir, fromBase, err := s.parent(from)
	if err != nil {
		return err
	}
	defer fromDir.Close()
	toDir, toBase, err := s.parent(to)
	if err != nil {
		return err
	}
	defer toDir.Close()
	err = unix.Renameat2(int(fromDir.Fd()), fromBase, int(toDir.Fd()), toBase, unix.RENAME_NOREPLACE)
	return wrapErrno(unsupported(err))
}

// parent opens the directory of name.
func (s *osSystem) parent(name string) (*os.File, string, error) {
	dir, base := path.Split(name)
	if dir == way+"/" {
		d, err := s.way.Open(".")
		return d, base, err
	}
	d, err := s.root.Open(path.Clean(dir))
	return d, base, err
}

// wrapErrno lets errors.Is know fs.ErrExist and fs.ErrNotExist.
func wrapErrno(err error) error {
	if e, ok := err.(syscall.Errno); ok {
		return &fs.PathError{Op: "link", Path: way, Err: e}
	}
	return err
}

// syncAll is syncfs(2), where that is known to make everything durable that was
// written before: not every file system does so.
func (s *osSystem) syncAll() error {
	if s.lock == nil {
		return errors.ErrUnsupported
	}
	fd := int(s.lock.Fd())
	var st unix.Statfs_t
	if err := unix.Fstatfs(fd, &st); err != nil {
		return err
	}
	if st.Type != unix.EXT4_SUPER_MAGIC && st.Type != unix.XFS_SUPER_MAGIC {
		return errors.ErrUnsupported
	}
	return unix.Syncfs(fd)
}

// written asks by sync_file_range(2), which has nothing to write any more, and
// tells of errors that its descriptor has not been told.
func (f *osFile) written() error {
	const wait = unix.SYNC_FILE_RANGE_WAIT_BEFORE | unix.SYNC_FILE_RANGE_WRITE | unix.SYNC_FILE_RANGE_WAIT_AFTER
	for {
		if err := unix.SyncFileRange(int(f.Fd()), 0, 0, wait); err != unix.EINTR {
			return err
		}
	}
}

func syncData(f *os.File) error {
	for {
		if err := unix.Fdatasync(int(f.Fd())); err != unix.EINTR {
			return err
		}
	}
}

// reserve allocates blocks without changing the size.
func reserve(f *os.File, off, n int64) error {
	return unsupported(unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_KEEP_SIZE, off, n))
}

// overlong tells whether a file has more blocks than its size needs.
func overlong(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return !ok || st.Blocks*512 > (st.Size+1<<16-1)&^(1<<16-1)
}

// copyRange shares the blocks of src where the file system can, else lets the
// kernel copy.
func copyRange(dst *os.File, at int64, src *os.File, off, n int64) (int64, error) {
	var done int64
	if at%align == 0 && off%align == 0 && n >= align {
		whole := n &^ (align - 1)
		err := unix.IoctlFileCloneRange(int(dst.Fd()), &unix.FileCloneRange{
			Src_fd: int64(src.Fd()), Src_offset: uint64(off), Src_length: uint64(whole), Dest_offset: uint64(at),
		})
		if err == nil {
			done = whole
		}
	}
	for done < n {
		from, to := off+done, at+done
		k, err := unix.CopyFileRange(int(src.Fd()), &from, int(dst.Fd()), &to, int(min(n-done, 1<<30)), 0)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return done, unsupported(err)
		}
		if k == 0 {
			return done, errors.ErrUnsupported
		}
		done += int64(k)
	}
	return done, nil
}

// attribute is where a file says whose it is, see Join.
const attribute = "user.muleteer"

func (f *osFile) mark(id string) error {
	return unsupported(unix.Fsetxattr(int(f.Fd()), attribute, []byte(id), 0))
}

func (f *osFile) marked() string {
	var b [64]byte
	n, err := unix.Fgetxattr(int(f.Fd()), attribute, b[:])
	if err != nil {
		return ""
	}
	return string(b[:n])
}
