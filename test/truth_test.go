package test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/muleteer/muleteer/extent"
)

// truth is what the sender of one file knows by itself.
type truth struct {
	name string
	data []byte
	size int64
	sum  [sha256.Size]byte

	partial bool // only to be concatenated

	mu     sync.Mutex
	id     string     // "" until the server tells it
	safe   extent.Set // acknowledged, or told to be here
	offset int64      // the largest that was ever told
	done   bool       // told to be whole
	doomed bool       // its removal was asked for, so that it may be gone
}

func newTruth(name string, data []byte) *truth {
	return &truth{name: name, data: data, size: int64(len(data)), sum: sha256.Sum256(data)}
}

// known is what was known at one moment.
type known struct {
	id     string
	safe   extent.Set
	offset int64
	done   bool
	doomed bool
}

func (u *truth) now() known {
	u.mu.Lock()
	defer u.mu.Unlock()
	return known{u.id, u.safe, u.offset, u.done, u.doomed}
}

// acknowledged notes that the server has promised to keep e.
func (u *truth) acknowledged(e extent.Extent) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.safe = u.safe.Add(e)
	u.offset = max(u.offset, u.safe.Prefix())
}

func (u *truth) named(id string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.id = id
}

func (u *truth) finished() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.done = true
}

func (u *truth) doom() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.doomed = true
}

// told compares what the server says with what was known before it was asked,
// and makes it known. Whatever is missing now was lost.
func (u *truth) told(before known, here extent.Set, offset int64) error {
	whole := extent.Extent{End: u.size}
	for _, e := range before.safe {
		if !here.Has(e) {
			return fmt.Errorf("%s (%s): LOST: %v were acknowledged, and now only %v are here", u.name, before.id, before.safe, here)
		}
	}
	switch {
	case offset < before.offset:
		return fmt.Errorf("%s (%s): the offset was %d and is %d now", u.name, before.id, before.offset, offset)
	case offset != here.Prefix():
		return fmt.Errorf("%s (%s): the offset is %d, and %v are here", u.name, before.id, offset, here)
	case len(here) > 0 && !whole.Contains(here[len(here)-1]):
		return fmt.Errorf("%s (%s): %v are here of %d bytes", u.name, before.id, here, u.size)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.safe = extent.Of(append(append(extent.Set{}, u.safe...), here...)...)
	u.offset = max(u.offset, offset)
	return nil
}

var errOther = errors.New("OTHER BYTES")

// same compares a file with what was sent.
func (u *truth) same(r io.Reader) error {
	h := sha256.New()
	n, err := io.Copy(h, r)
	if err != nil {
		return err
	}
	if got := h.Sum(nil); string(got) != string(u.sum[:]) {
		return fmt.Errorf("%s: %w: %d of them with SHA-256 %x, but %d with %x were sent", u.name, errOther, n, got, len(u.data), u.sum)
	}
	return nil
}

// view is how the server tells of an upload.
type view struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Size   *int64 `json:"size"`
	State  string `json:"state"`
	Offset int64  `json:"offset"`
	Ranges string `json:"ranges"`
	CRC    string `json:"crc64nvme"`
	URL    string `json:"url"`
}

// parseRanges reads "0-99,200-299".
func parseRanges(s string) (extent.Set, error) {
	var all []extent.Extent
	for word := range strings.SplitSeq(s, ",") {
		if word == "" {
			continue
		}
		first, last, _ := strings.Cut(word, "-")
		f, err1 := strconv.ParseInt(first, 10, 64)
		l, err2 := strconv.ParseInt(last, 10, 64)
		if err := errors.Join(err1, err2); err != nil {
			return nil, fmt.Errorf("ranges %q: %w", s, err)
		}
		all = append(all, extent.Extent{Start: f, End: l + 1})
	}
	return extent.Of(all...), nil
}

// errDown is any failure to get an answer.
var errDown = errors.New("no answer")

// look asks for the JSON of an upload, which disturbs nobody, and judges it.
func (u *truth) look(c *http.Client, s *server) error {
	before := u.now()
	if before.id == "" {
		return nil
	}
	resp, err := c.Get(s.URL("/uploads/" + before.id))
	if err != nil {
		return errDown
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return errDown
	}
	if resp.StatusCode != http.StatusOK {
		if now := u.now(); now.doomed && (resp.StatusCode == http.StatusNotFound || resp.StatusCode == http.StatusGone) {
			return nil
		}
		return fmt.Errorf("%s: GET /uploads/%s: %s: %s", u.name, before.id, resp.Status, body)
	}
	var v view
	if err := json.Unmarshal(body, &v); err != nil {
		return fmt.Errorf("%s: %w", u.name, err)
	}
	here, err := parseRanges(v.Ranges)
	if err != nil {
		return err
	}
	if before.done && v.State != "done" {
		return fmt.Errorf("%s (%s): it was whole, and is %s now", u.name, before.id, v.State)
	}
	return u.told(before, here, v.Offset)
}

// download reads the finished file.
func (u *truth) download(c *http.Client, s *server) error {
	resp, err := c.Get(s.URL("/files/" + u.now().id))
	if err != nil {
		return errDown
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: GET /files/%s: %s", u.name, u.now().id, resp.Status)
	}
	if err := u.same(resp.Body); err == nil || errors.Is(err, errOther) {
		return err
	}
	return errDown
}

// fileSum is the SHA-256 of a file in hexadecimal.
func fileSum(t *testing.T, name string) string {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// finishedFiles are the paths of all files that the server shows as finished.
func (s *server) finishedFiles(t *testing.T) (found []string) {
	t.Helper()
	err := filepath.WalkDir(s.Store(), func(path string, d os.DirEntry, err error) error {
		switch {
		case errors.Is(err, os.ErrNotExist):
			return nil // removed meanwhile
		case err != nil:
			return err
		case d.IsDir() && d.Name() == ".muleteer":
			return filepath.SkipDir
		case !d.IsDir():
			found = append(found, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
