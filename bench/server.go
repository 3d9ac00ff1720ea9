//go:build linux

package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// side is a server to be measured.
type side struct {
	name string
	args func(addr, dir string) []string
	env  []string
}

// ours is muleteer, as it is without further flags but for the durability.
func (p *plan) ours(durability string) side {
	return side{"muleteer " + durability, func(addr, _ string) []string {
		return []string{p.muleteer, "serve", "--listen", addr, "--durability", durability}
	}, nil}
}

func (p *plan) tusd() side {
	return side{"tusd", func(addr, dir string) []string {
		return []string{p.peer, "-listen", addr, "-dir", dir}
	}, nil}
}

// bareSide is one of the servers of bare.go.
func bareSide(kind string) side {
	return side{"bare " + kind, func(addr, dir string) []string {
		return []string{"/proc/self/exe", kind, addr, dir}
	}, nil}
}

// server is a running side.
type server struct {
	cmd  *exec.Cmd
	addr string
	dir  string
	done chan struct{} // closed when the process has ended
}

// start runs a side in a directory of its own and waits until it answers.
func (p *plan) start(ctx context.Context, sd side) (*server, error) {
	dir, err := os.MkdirTemp(p.dir, "side-")
	if err != nil {
		return nil, err
	}
	addr, err := free()
	if err != nil {
		return nil, err
	}
	log, err := os.Create(dir + ".log")
	if err != nil {
		return nil, err
	}
	defer log.Close()
	args := sd.args(addr, dir)
	s := &server{cmd: exec.CommandContext(ctx, args[0], args[1:]...), addr: addr, dir: dir, done: make(chan struct{})}
	s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr = dir, log, log
	s.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TMPDIR=" + s.temp()}, sd.env...)
	if err := os.Mkdir(s.temp(), 0o755); err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = s.cmd.Wait() // how it ended is seen by what it answered
		close(s.done)
	}()
	for deadline := time.Now().Add(10 * time.Second); ; {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			return s, c.Close()
		}
		select {
		case <-s.done:
			return nil, fmt.Errorf("%s ended at once: %s", sd.name, tail(dir+".log"))
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			s.stop()
			return nil, fmt.Errorf("%s does not listen: %s", sd.name, tail(dir+".log"))
		}
	}
}

// temp is where the process is to keep temporary files.
func (s *server) temp() string { return filepath.Join(s.dir, "tmp") }

// free finds a port that nobody listens on.
func free() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

func tail(file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-2000):])
}

// stop ends the process, by force if it does not end by itself.
func (s *server) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case <-s.done:
	case <-time.After(10 * time.Second):
		_ = s.cmd.Process.Kill()
		<-s.done
	}
}

// forget removes the files of a side that has ended, so that the next one does
// not write against dirty pages. Many small files stay until the end: after
// mass deletes ext4 is slow to create.
func (s *server) forget() error {
	if err := os.RemoveAll(s.dir); err != nil {
		return err
	}
	return settle()
}

// describe says on what the figures are from, and refuses a file system in
// memory, because nothing there is like a disk.
func describe(dir string) (string, error) {
	kind, err := fileSystem(dir)
	if err != nil {
		return "", err
	}
	if kind == "tmpfs" {
		return "", fmt.Errorf("%s is in memory; name a directory on a disk with -dir", dir)
	}
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return "", err
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d CPUs, Linux %.20s, %s on %s", cpus(), release[:len(release)-1], abs, kind), nil
}
