package chunkform

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"
	"time"

	"github.com/muleteer/muleteer/store"
	"github.com/muleteer/muleteer/upload"
)

// HoldLimit is how many bytes of one request are kept in memory, where what
// says where they belong comes after them or is only their number.
const HoldLimit = 16 << 20

// content is the bytes of a file that a request brings.
type content struct {
	r         io.Reader // of all that was not read yet
	interrupt func()
	most      int64         // so many bytes has the request, -1 if it does not say
	memory    *store.Budget // for what is held
	room      int64         // bytes of memory that are taken
	held      [][]byte      // all of it, nil unless it is held
	size      int64         // of held, in bytes
	n         int64         // bytes read
	hash      hash.Hash     // of these, nil if nobody wants it
}

func (c *content) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	if c.hash != nil {
		_, _ = c.hash.Write(p[:n]) // a hash does not fail
	}
	return n, err
}

// Interrupt ends a Read in another goroutine, as upload.Chunk wants it.
func (c *content) Interrupt() {
	if c.interrupt != nil {
		c.interrupt()
	}
}

// patience is how long a chunk waits for memory in which to be held. It waits
// on its connection, and its sender with it.
const patience = 20 * time.Second

// hold reads all into memory; errHeld if that is not possible. Nobody who calls
// it may have claimed an upload: others might have to go on with that before
// there is memory.
func (c *content) hold(ctx context.Context) error {
	if c.held != nil {
		return nil
	}
	room := c.within(min(HoldLimit, c.memory.Size()))
	wait, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := c.memory.Take(wait, room); err != nil {
		return fmt.Errorf("%w: no memory to hold a chunk: %w", upload.ErrUnavailable, err)
	}
	c.room = room
	return c.keep()
}

// try holds up to limit bytes, if there is memory now. If not, nothing of them
// is lost.
func (c *content) try(limit int64) {
	room := c.within(limit)
	if c.held != nil || !c.memory.Try(room) {
		return
	}
	c.room = room
	if c.keep() != nil {
		c.release() // what was read goes on to the store at once
	}
}

// within is limit, or how many bytes can come if that is less.
func (c *content) within(limit int64) int64 {
	if c.most >= 0 {
		return min(limit, c.most)
	}
	return limit
}

// The sizes in bytes of the blocks in which content is held.
const (
	firstBlock = 4 << 10
	block      = 64 << 10
)

// keep reads all, for which there is c.room.
func (c *content) keep() error {
	var b [][]byte
	var n int64
	var err error
	for err == nil && n <= c.room {
		p, k := make([]byte, min(max(n, firstBlock), block, c.room+1-n)), 0
		for k < len(p) && err == nil {
			var m int
			m, err = c.r.Read(p[k:])
			k += m
		}
		b, n = append(b, p[:k]), n+int64(k)
	}
	if err != io.EOF || n > c.room {
		c.r = io.MultiReader(reader(b), after{err, c.r})
		return errHeld
	}
	c.held, c.size, c.r = b, n, reader(b)
	return nil
}

// errHeld tells that a chunk could not be held: it is too long, or its line
// broke. What is left of it tells which.
var errHeld = errors.New("the chunk cannot be held")

func reader(b [][]byte) io.Reader {
	var all []io.Reader
	for _, p := range b {
		all = append(all, bytes.NewReader(p))
	}
	return io.MultiReader(all...)
}

// release gives the memory back.
func (c *content) release() {
	c.memory.Give(c.room)
	c.room = 0
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
		c.r, c.n, c.hash = reader(c.held), 0, nil
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
