package socketio

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"sync"

	"github.com/muleteer/muleteer/store"
	"github.com/muleteer/muleteer/upload"
)

// piece is the argument of upload_chunk_ID. All but the first two is what only
// some clients say.
type piece struct {
	Chunk  json.RawMessage `json:"chunk"`
	Last   bool            `json:"last"`   // the file ends where this chunk does
	Offset *int64          `json:"offset"` // of the first byte
	Length *int64          `json:"length"` // bytes
	SHA256 string          `json:"sha256"` // hexadecimal or base64
	CRC    string          `json:"crc64nvme"`
}

// taken is what a client that said an offset is told of a chunk.
type taken struct {
	Offset int64  `json:"offset"`    // of the upload: the bytes before it are here
	CRC    string `json:"crc64nvme"` // of the chunk, base64
	*standing
}

// chunk makes ready for the bytes of a chunk, which come next.
func (s *socket) chunk(id string, arg []byte, binary bool, ack int64) error {
	var p piece
	err := json.Unmarshal(arg, &p)
	if err != nil || !binary || !placeholder(p.Chunk) ||
		p.Offset != nil && *p.Offset < 0 || p.Length != nil && *p.Length < 0 {
		err = fmt.Errorf("%w: a chunk is {chunk, last}, and its bytes are binary", upload.ErrInvalid)
	}
	var sum []byte
	if err == nil && p.SHA256 != "" {
		sum, err = digest(p.SHA256)
	}
	var more []failure
	if p.Offset != nil {
		more = []failure{{Ack: ack}}
	}
	if err != nil {
		return s.fail(id, err, more...)
	}
	s.awaited = func(r io.Reader) error {
		a := newAttachment(s, r, sum != nil)
		defer a.free()
		if a.failed != nil {
			return a.failed
		}
		s.hold(true)
		defer s.hold(false)
		u, err := s.put(id, &p, a, sum)
		switch {
		case a.failed != nil:
			return a.failed // the client has gone
		case err != nil && (u == nil || !full(u) || !passing(err)):
			return s.fail(id, err, more...)
		}
		if !full(u) {
			s.told(u, &p, a, ack)
			return nil
		}
		// Whoever hears the acknowledgement, leaves and comes back has to find it.
		s.h.news.add(item{s.from(), id, u.ID, s.h.now()})
		s.told(u, &p, a, ack)
		s.finish(id, u.ID)
		return nil
	}
	return nil
}

// full tells whether all bytes of an upload are here.
func full(u *upload.Record) bool {
	return u.Phase > upload.Receiving || u.Size >= 0 && u.Here == u.Size
}

// passing tells whether what failed, after all bytes had come, will succeed
// later without the client.
func passing(err error) bool {
	return errors.Is(err, upload.ErrBusy) || errors.Is(err, upload.ErrUnavailable) || errors.Is(err, upload.ErrFull)
}

// put hands the bytes of a chunk to the Service.
func (s *socket) put(id string, p *piece, a *attachment, sum []byte) (*upload.Record, error) {
	u, err := s.find(id)
	if err != nil {
		return nil, err
	}
	c := upload.Chunk{At: u.Offset, Len: a.length(), Size: -1, Body: a, Last: p.Last}
	if p.Offset == nil {
		// The client does not know an offset, and sends nothing again: what it
		// is not told of must not count.
		c.Append, c.Atomic = true, true
		if u.Phase > upload.Receiving {
			c.At = u.Size
		}
	} else {
		c.At = *p.Offset
	}
	if p.Length != nil {
		if c.Len >= 0 && c.Len != *p.Length {
			return u, fmt.Errorf("%w: a chunk of %d bytes that says it has %d", upload.ErrInvalid, c.Len, *p.Length)
		}
		c.Len = *p.Length
	}
	if sum != nil || p.CRC != "" {
		c.Verify = func() error {
			if sum != nil && subtle.ConstantTimeCompare(sum, a.sha.Sum(nil)) == 0 || p.CRC != "" && p.CRC != a.crc.String() {
				return upload.ErrChecksum
			}
			return nil
		}
	}
	return s.h.s.Write(s.as(), u.ID, c)
}

// told acknowledges a chunk.
func (s *socket) told(u *upload.Record, p *piece, a *attachment, ack int64) {
	if p.Offset == nil {
		s.acknowledge(ack)
		return
	}
	t := taken{Offset: u.Offset, CRC: a.crc.String()}
	if full(u) {
		st := s.standing(u)
		t.Offset, t.standing = st.Offset, &st
	}
	s.acknowledge(ack, t)
}

// digest reads a SHA-256.
func digest(said string) ([]byte, error) {
	for _, read := range [...]func(string) ([]byte, error){hex.DecodeString, base64.StdEncoding.DecodeString} {
		if sum, err := read(said); err == nil && len(sum) == sha256.Size {
			return sum, nil
		}
	}
	return nil, fmt.Errorf("%w: sha256 is 64 hexadecimal digits, or base64", upload.ErrInvalid)
}

// ahead is how much of a chunk is read before it is handed on, so that the
// length of a small one is known. In bytes.
const ahead = 16 << 10

var buffers = sync.Pool{New: func() any { return new([ahead]byte) }}

// attachment is the body of a chunk. One goroutine reads.
type attachment struct {
	s      *socket
	buffer *[ahead]byte
	r      io.Reader
	first  int  // bytes that were read ahead
	whole  bool // and there are no more
	crc    store.CRC
	sha    hash.Hash // nil if nobody asks
	failed error     // why reading ended, unless it was the proper end
}

func newAttachment(s *socket, r io.Reader, sha bool) *attachment {
	a := &attachment{s: s, buffer: buffers.Get().(*[ahead]byte)}
	if sha {
		a.sha = sha256.New()
	}
	var err error
	for a.first < ahead && err == nil { // io.ReadFull would not tell a proper end from a torn one
		var n int
		n, err = r.Read(a.buffer[a.first:])
		a.first += n
	}
	switch a.r = bytes.NewReader(a.buffer[:a.first]); {
	case err == nil:
		a.r = io.MultiReader(a.r, r)
	case err == io.EOF:
		a.whole = true
	default:
		a.failed = err
	}
	return a
}

// length is how many bytes there are, -1 if that is not known.
func (a *attachment) length() int64 {
	if a.whole {
		return int64(a.first)
	}
	return -1
}

func (a *attachment) free() { buffers.Put(a.buffer) }

func (a *attachment) Read(p []byte) (int, error) {
	if a.failed != nil {
		return 0, a.failed
	}
	a.s.hold(false)
	n, err := a.r.Read(p)
	a.s.hold(true)
	a.crc = a.crc.Update(p[:n])
	if a.sha != nil {
		a.sha.Write(p[:n])
	}
	if err != nil && err != io.EOF {
		a.failed = err
	}
	return n, err
}

// Interrupt ends a Read, and the socket with it: somebody else sends the same
// bytes, so the client is believed to be there.
func (a *attachment) Interrupt() {
	if !a.whole {
		a.s.close()
	}
}
