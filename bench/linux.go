//go:build linux

package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func cpus() int { return runtime.NumCPU() }

// cpu returns the CPU time that a process has used, all threads, in user and
// system mode, to the nanosecond. Other processes have CPU clocks too, whose
// numbers are made of their ids (clock_getcpuclockid(3)).
func (s *server) cpu() (time.Duration, error) {
	const sched = 2 // CPUCLOCK_SCHED
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^s.cmd.Process.Pid<<3|sched), &t); err != nil {
		return 0, fmt.Errorf("the CPU clock of process %d: %w", s.cmd.Process.Pid, err)
	}
	return time.Duration(t.Nano()), nil
}

// settle writes what is dirty, so that it does not weigh on what comes next.
func settle() error {
	syscall.Sync()
	return nil
}

// spread has ext4 put the folders below dir into block groups far from each
// other. Else a side would search for free inodes among those that others, or
// this program, deleted seconds ago, which ext4 does not take again at once.
// It is a wish: other file systems need no such thing.
func spread(dir string) {
	const topdir = 0x00020000 // FS_TOPDIR_FL, chattr +T
	f, err := os.Open(dir)
	if err != nil {
		return
	}
	defer f.Close()
	flags, err := unix.IoctlGetInt(int(f.Fd()), unix.FS_IOC_GETFLAGS)
	if err != nil {
		return
	}
	_ = unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, flags|topdir)
}

func fileSystem(dir string) (string, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return "", err
	}
	switch int64(s.Type) {
	case unix.TMPFS_MAGIC:
		return "tmpfs", nil
	case unix.EXT4_SUPER_MAGIC:
		return "ext4", nil
	case unix.XFS_SUPER_MAGIC:
		return "xfs", nil
	case unix.BTRFS_SUPER_MAGIC:
		return "btrfs", nil
	case unix.OVERLAYFS_SUPER_MAGIC:
		return "overlayfs", nil
	}
	return fmt.Sprintf("file system %x", s.Type), nil
}

// writeDirect writes size bytes past the page cache, makes them durable, and
// prints the CPU seconds that it took: with the discarding server's, the floor
// of what taking a file can cost.
func writeDirect(file, size string) error {
	n, err := strconv.ParseInt(size, 10, 64)
	if err != nil {
		return err
	}
	const block = 1 << 20
	buf, err := unix.Mmap(-1, 0, block, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return err
	}
	for i := range buf {
		buf[i] = byte(i * 7)
	}
	before, err := used()
	if err != nil {
		return err
	}
	f, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY|unix.O_DIRECT, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_KEEP_SIZE, 0, n); err != nil {
		return err
	}
	for off := int64(0); off < n; off += block {
		if _, err := f.WriteAt(buf, off); err != nil {
			return err
		}
	}
	if err := unix.Fdatasync(int(f.Fd())); err != nil {
		return err
	}
	after, err := used()
	if err != nil {
		return err
	}
	fmt.Println((after - before).Seconds())
	return nil
}

// used returns the CPU time of this process.
func used() (time.Duration, error) {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0, err
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), nil
}
