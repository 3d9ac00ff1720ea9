package chunkform

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/muleteer/muleteer/upload"
)

// HoldLimit is how many bytes of one request are kept in memory, where what
// says where they belong comes after them or is only their number. One budget
// for the whole process is to stand beside it in hold, the one place where
// bytes of a file are kept.
const HoldLimit = 16 << 20

// content is the bytes of a file that a request brings.
type content struct {
	r         io.Reader // of all that was not read yet
	interrupt func()
	held      []byte // all of it, nil unless it is held
	n         int64  // bytes read
}

func (c *content) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// Interrupt ends a Read in another goroutine, as upload.Chunk wants it.
func (c *content) Interrupt() {
	if c.interrupt != nil {
		c.interrupt()
	}
}

// hold reads all into memory, and tells whether that was possible within so
// many bytes. If not, nothing of it is lost.
func (c *content) hold(limit int) bool {
	if c.held != nil {
		return true
	}
	b, err := io.ReadAll(io.LimitReader(c.r, int64(limit)+1))
	if err != nil || len(b) > limit {
		c.r = io.MultiReader(bytes.NewReader(b), after{err, c.r})
		return false
	}
	c.held = append([]byte{}, b...) // not nil, and no larger than it is
	c.r = bytes.NewReader(c.held)
	return true
}

// after is what comes after a read that ended with err.
type after struct {
	err error
	r   io.Reader
}

func (a after) Read(p []byte) (int, error) {
	if a.err != nil {
		return 0, a.err
	}
	return a.r.Read(p)
}

// rewind makes it as if nothing had been read, and tells whether that was
// possible.
func (c *content) rewind() bool {
	if c.held != nil {
		c.r, c.n = bytes.NewReader(c.held), 0
	}
	return c.n == 0
}

// dataURL is how one client sends a chunk as text: "data:", a media type,
// ";base64," and the bytes; only "data:" where there are none.
const dataURL = "data:"

// decoded returns the bytes of a data URL of which the beginning was read.
func decoded(r io.Reader) (io.Reader, error) {
	head := make([]byte, 0, 300)
	for len(head) < cap(head) {
		n, err := r.Read(head[len(head) : len(head)+1])
		head = head[:len(head)+n]
		if n == 1 && head[len(head)-1] == ',' {
			if !strings.HasSuffix(string(head), ";base64,") {
				break
			}
			return base64Text{base64.NewDecoder(base64.StdEncoding, r)}, nil
		}
		if err == io.EOF && len(head) == 0 {
			return strings.NewReader(""), nil
		}
		if err != nil && err != io.EOF {
			return nil, err
		}
		if err == io.EOF {
			break
		}
	}
	return nil, fmt.Errorf("the chunk is no data URL with base64: %w", upload.ErrInvalid)
}

// base64Text says that what is no base64 is the client's doing.
type base64Text struct{ io.Reader }

func (t base64Text) Read(p []byte) (int, error) {
	n, err := t.Reader.Read(p)
	var corrupt base64.CorruptInputError
	if errors.As(err, &corrupt) {
		err = fmt.Errorf("the chunk is no base64: %w: %w", upload.ErrInvalid, err)
	}
	return n, err
}
