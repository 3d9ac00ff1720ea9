//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// watch looks at the temporary files of a process until the function that it
// returns is called, which tells the most bytes that were on the disk at once.
func (s *server) watch() func() int64 {
	stop, most := make(chan struct{}), make(chan int64)
	go func() {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		peak := int64(0)
		for {
			select {
			case <-stop:
				most <- peak
				return
			case <-tick.C:
				peak = max(peak, s.temporary())
			}
		}
	}()
	return func() int64 {
		close(stop)
		return <-most
	}
}

// temporary is how many bytes lie in the folder for temporary files, and in
// files that the process has open and that have no name any more.
func (s *server) temporary() (bytes int64) {
	seen := map[uint64]bool{}
	count := func(name string, nameless bool) {
		var st syscall.Stat_t
		if syscall.Stat(name, &st) != nil || st.Mode&syscall.S_IFMT != syscall.S_IFREG || seen[st.Ino] || nameless && st.Nlink > 0 {
			return // it has been closed or removed meanwhile, or is no such file
		}
		seen[st.Ino] = true
		bytes += st.Blocks * 512
	}
	named, _ := filepath.Glob(filepath.Join(s.temp(), "*"))
	for _, name := range named {
		count(name, false)
	}
	open, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", s.cmd.Process.Pid))
	for _, name := range open {
		count(name, true)
	}
	return bytes
}

// memory is the most that was resident of a process, in bytes.
func (s *server) memory() (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, after, _ := strings.Cut(string(status), "VmHWM:")
	kib, err := strconv.ParseInt(strings.Fields(after + " x")[0], 10, 64)
	return kib << 10, err
}
