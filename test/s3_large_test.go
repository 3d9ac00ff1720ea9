//go:build linux

package test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/muleteer/muleteer/internal/trial"
	"github.com/muleteer/muleteer/store/s3/s3test"
)

// large is the size of a large file.
func large() int {
	if long() {
		return 1 << 30
	}
	return 200 << 20
}

// TestS3Large sends one file in pieces of all sizes, in order and in any order:
// it lies in the bucket as it was sent, and nothing of it was on our disk.
func TestS3Large(t *testing.T) {
	t.Parallel()
	seed := seed(t)
	data := trial.Noise(large(), seed)
	gateway := s3test.Start(t)
	t.Run("ways", func(t *testing.T) { // one after another: the disk is looked at
		for _, chunk := range []int64{8 << 20, 64 << 20, int64(len(data)), 1 << 20, 333_333} {
			t.Run(fmt.Sprintf("tus %d", chunk), func(t *testing.T) {
				straight(t, gateway, affordable(data, chunk), chunk, func(u *sender) error { return u.tus(patience(t, 20*time.Minute), chunk) })
			})
		}
		for _, piece := range []int64{1 << 20, 6 << 20, 8 << 20} {
			t.Run(fmt.Sprintf("ranges %d", piece), func(t *testing.T) {
				straight(t, gateway, affordable(data, piece), piece, func(u *sender) error { return u.swarm(patience(t, 20*time.Minute), piece, 4, seed) })
			})
		}
	})
}

// affordable is less of the file where it takes many requests, unless there is
// time.
func affordable(data []byte, piece int64) []byte {
	if piece < 5<<20 && !long() {
		return data[:40<<20]
	}
	return data
}

// straight sends a file while nothing fails.
func straight(t *testing.T, gateway *s3test.Server, data []byte, piece int64, send func(*sender) error) {
	c := inBucket(t, gateway, "--chunk-size", fmt.Sprint(min(max(piece, 5<<20), 8<<20)))
	seen := c.watch()
	u := &sender{cloud: c, truth: newTruth("large.bin", data)}
	began := time.Now()
	if err := send(u); err != nil {
		t.Fatal(err)
	}
	took := time.Since(began)
	if files := seen(); len(files) > 0 {
		t.Errorf("the server had temporary files: %v", files)
	}
	if err := u.object(u.truth); err != nil {
		t.Error(err)
	}
	puts := c.proxy.Count(s3test.PutObject)
	t.Logf("%.0f MiB/s; %d parts, %d crumbs, %d reads of them", float64(len(data))/(1<<20)/took.Seconds(),
		c.proxy.Count(s3test.UploadPart), puts, c.proxy.Count(s3test.GetObject))
	if piece >= 5<<20 && piece <= 8<<20 && puts > 1 { // P6; the last piece may be one
		t.Errorf("pieces of %d bytes made %d crumbs", piece, puts)
	}
	// Where nothing fails, nothing is left for the sweep.
	within(t, 10*time.Second, "a bucket with the file alone", func() bool {
		return len(gateway.Objects(t, c.bucket)) == 1 && len(gateway.Unjoined(t, c.bucket)) == 0
	})
	c.onlyFinished(t, u.truth)
}

// TestS3Memory: fifty uploads at once take the memory that the contract allows
// (C9), and none of the disk.
func TestS3Memory(t *testing.T) {
	t.Parallel()
	const uploads, memory = 50, 64 << 20
	size := 12 << 20
	if long() {
		size = 64 << 20
	}
	seed := seed(t)
	data := trial.Noise(size+uploads, seed)
	c := inBucket(t, s3test.Start(t), "--memory", "64MiB")
	seen := c.watch()
	ctx := patience(t, 10*time.Minute)
	var group sync.WaitGroup
	all := make([]*sender, uploads)
	for i := range all {
		u := &sender{cloud: c, truth: newTruth(fmt.Sprintf("file-%d.bin", i), data[i:i+size])}
		all[i] = u
		group.Go(func() {
			var err error
			if i%2 == 0 {
				err = u.tus(ctx, []int64{8 << 20, int64(size), 3 << 20}[i/2%3])
			} else {
				err = u.swarm(ctx, []int64{1 << 20, 6 << 20, 8 << 20}[i/2%3], 3, seed+uint64(i))
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if files := seen(); len(files) > 0 {
		t.Errorf("the server had temporary files: %v", files)
	}
	const connections = 100
	limit := int64(64<<20 + memory + uploads*24<<10 + connections*12<<10)
	rss := c.resident(t)
	t.Logf("%d uploads of %d MiB took %d MiB of memory, %d are allowed", uploads, size>>20, rss>>20, limit>>20)
	if rss > limit {
		t.Errorf("%d bytes of memory, and %d are allowed", rss, limit)
	}
	files := make([]*truth, uploads)
	for i, u := range all {
		files[i] = u.truth
	}
	c.onlyFinished(t, files...)
}

// resident is the most memory that the server ever had, in bytes (VmHWM,
// proc(5)).
func (s *server) resident(t *testing.T) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.Process().Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(status), "VmHWM:")
	kib, err := strconv.ParseInt(strings.Fields(after + " none")[0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return kib << 10
}

// watch looks, until the function that it returns is called, for files that the
// server keeps beside its state: what lies in the folder for temporary files,
// what lies elsewhere where it runs, and what it has open.
func (c *cloud) watch() func() []string {
	stop, result := make(chan struct{}), make(chan []string)
	go func() {
		found := map[string]bool{}
		for {
			c.strays(found)
			select {
			case <-stop:
				var all []string
				for name := range found {
					all = append(all, name)
				}
				result <- all
				return
			case <-time.After(10 * time.Millisecond):
			}
		}
	}()
	return func() []string {
		close(stop)
		return <-result
	}
}

func (c *cloud) strays(found map[string]bool) {
	data := filepath.Join(c.Dir, "muleteer-data", "state.db")
	ours := func(name string) bool { return strings.HasPrefix(name, data) || name == c.LogName }
	for _, root := range []string{c.temp, c.Dir} {
		_ = filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && !ours(name) {
				found[name] = true
			}
			return nil // what vanished meanwhile was seen by its name before, or was nothing
		})
	}
	open, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", c.Process().Process.Pid))
	for _, fd := range open {
		var st syscall.Stat_t
		if syscall.Stat(fd, &st) != nil || st.Mode&syscall.S_IFMT != syscall.S_IFREG {
			continue // closed again, or no file
		}
		// The runtime reads its limits from the kernel now and then.
		if name, err := os.Readlink(fd); err == nil && !ours(name) && !strings.HasPrefix(name, "/sys/") && !strings.HasPrefix(name, "/proc/") {
			found[name] = true
		}
	}
}
