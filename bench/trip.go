//go:build linux

package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// trip is a way to send over a line: what sends, how, and where to.
type trip struct {
	side
	cert    *certificate // nil for plain HTTP
	browser string       // in which the page sends; "" for muleteer put
	workers int
	ports   int // at how many the page is told to find the server; 0 is 1
	shape   shape
	files   int // so many small ones, made by the page; 0 for the cargo
}

// cargo is a file on the disk that is sent.
type cargo struct {
	path string
	size int64
	sum  string
}

func (p *plan) load(size int64) (*cargo, error) {
	b := noise(int(size))
	sum := sha256.Sum256(b)
	c := &cargo{filepath.Join(p.dir, "cargo.bin"), size, hex.EncodeToString(sum[:])}
	return c, os.WriteFile(c.path, b, 0o600)
}

// smallSize is how many bytes a small file has.
const smallSize = 16 << 10

// travel makes a trip and sees to it that everything has arrived. A run's units
// are MB, or files if there are several.
func (p *plan) travel(ctx context.Context, t trip, c *cargo) (run, error) {
	s, err := p.start(ctx, t.side)
	if err != nil {
		return run{}, err
	}
	defer s.stop()
	var lines []*line
	for range max(t.ports, 1) {
		l, err := newLine(ctx, s.addr, t.shape)
		if err != nil {
			return run{}, err
		}
		defer l.close()
		lines = append(lines, l)
	}
	r := run{Units: float64(c.size) / 1e6}
	if t.files > 0 {
		r.Units = float64(t.files)
	}
	cpu, err := s.cpu()
	if err != nil {
		return r, err
	}
	if r.Seconds, err = p.send(ctx, t, lines, c); err != nil {
		return r, err
	}
	after, err := s.cpu()
	if err != nil {
		return r, err
	}
	r.CPU = (after - cpu).Seconds()
	for _, l := range lines {
		r.Connections += l.busy()
	}
	s.stop()
	sum := c.sum
	if t.files > 0 {
		sum = ""
	}
	return r, errors.Join(s.holds(max(t.files, 1), sum), s.forget())
}

// send returns how many seconds it took.
func (p *plan) send(ctx context.Context, t trip, lines []*line, c *cargo) (float64, error) {
	if t.browser == "" {
		args := []string{"put", "--quiet", "--workers", fmt.Sprint(t.workers), c.path, t.at("127.0.0.1", lines[0])}
		if t.cert != nil {
			args = append(args, "--ca", t.cert.cert)
		}
		began := time.Now()
		if out, err := exec.CommandContext(ctx, p.muleteer, args...).CombinedOutput(); err != nil {
			return 0, fmt.Errorf("put: %w: %.500s", err, out)
		}
		return time.Since(began).Seconds(), nil
	}
	e := errand{URL: t.at("page.line.test", lines[0]) + "/", Workers: t.workers, File: c.path, Chromium: t.browser}
	for _, l := range lines {
		e.Targets = append(e.Targets, t.at("page.line.test", l)+"/upload/")
	}
	if t.cert != nil {
		e.SPKI = t.cert.spki
	}
	if t.files > 0 {
		e.File, e.Count, e.Size = "", t.files, smallSize
	}
	return p.browse(ctx, e)
}

// at is the URL of a host at the end of a line.
func (t trip) at(host string, l *line) string {
	u := url.URL{Scheme: "http", Host: host + l.addr[strings.LastIndex(l.addr, ":"):]}
	if t.cert != nil {
		u.Scheme = "https"
	}
	return u.String()
}

// holds wants so many files in the store, and nothing else; all with this
// SHA-256, if it is not empty.
func (s *server) holds(want int, sum string) error {
	files := 0
	err := filepath.WalkDir(filepath.Join(s.dir, "muleteer-data", "files"), func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() == ".muleteer":
			return fs.SkipDir // what is on its way
		case d.IsDir():
			return nil
		}
		files++
		if sum == "" {
			return nil
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		h := sha256.New()
		if _, err := io.Copy(h, f); err != nil {
			return err
		}
		if got := hex.EncodeToString(h.Sum(nil)); got != sum {
			return fmt.Errorf("%s is not what was sent: SHA-256 %s, not %s", path, got, sum)
		}
		return nil
	})
	if err == nil && files != want {
		err = fmt.Errorf("%d files are in the store, not %d", files, want)
	}
	return err
}
