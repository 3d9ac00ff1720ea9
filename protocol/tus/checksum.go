package tus

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"net/http"
	"strings"

	"github.com/muleteer/muleteer/internal/wire"
	"github.com/muleteer/muleteer/store"
	"github.com/muleteer/muleteer/upload"
)

const algorithmNames = "sha1,sha256,sha384,sha512,md5,crc32,crc32c,crc64nvme"

// newHash returns the hash of that name, nil if there is none. Those of more
// than one byte order are in the network's, as their hash.Hash has it.
func newHash(name string) hash.Hash {
	switch name {
	case "sha1":
		return sha1.New()
	case "sha256":
		return sha256.New()
	case "sha384":
		return sha512.New384()
	case "sha512":
		return sha512.New()
	case "md5":
		return md5.New()
	case "crc32":
		return crc32.NewIEEE()
	case "crc32c":
		return crc32.New(crc32.MakeTable(crc32.Castagnoli))
	case "crc64nvme":
		return new(crc64)
	}
	return nil
}

// crc64 makes a hash.Hash of a store.CRC.
type crc64 struct{ store.CRC }

func (c *crc64) Write(p []byte) (int, error) { c.CRC = c.Update(p); return len(p), nil }
func (c *crc64) Sum(b []byte) []byte         { return binary.BigEndian.AppendUint64(b, uint64(c.CRC)) }
func (c *crc64) Reset()                      { c.CRC = 0 }
func (c *crc64) Size() int                   { return 8 }
func (c *crc64) BlockSize() int              { return 1 }

// digest is the value of Upload-Checksum.
type digest struct {
	name string
	sum  []byte
}

func parseDigest(s string) (digest, error) {
	name, sum, _ := strings.Cut(s, " ")
	h := newHash(name)
	if h == nil {
		return digest{}, fmt.Errorf("%w: Upload-Checksum must be one of %s", upload.ErrInvalid, algorithmNames)
	}
	b, err := base64.StdEncoding.Strict().DecodeString(sum)
	if err != nil || len(b) != h.Size() {
		return digest{}, fmt.Errorf("%w: Upload-Checksum is no %s in base64", upload.ErrInvalid, name)
	}
	return digest{name, b}, nil
}

// checksum is what a request says about the checksum of its body.
type checksum struct {
	header  *digest // nil if it is not there
	trailer bool    // one is announced
}

func parseChecksum(r *http.Request) (*checksum, error) {
	var c checksum
	s, present, err := wire.Header(r.Header, "Upload-Checksum")
	if err != nil {
		return nil, err
	}
	if present {
		d, err := parseDigest(s)
		if err != nil {
			return nil, err
		}
		c.header = &d
	}
	if _, c.trailer = r.Trailer["Upload-Checksum"]; !present && !c.trailer {
		return nil, nil
	}
	return &c, nil
}

// verify returns the body to read, and what to ask when it has ended. A trailer
// names its algorithm only when the bytes are gone, so all are computed then
// unless the header has named one.
func (c *checksum) verify(b *wire.BodyReader, r *http.Request) (io.Reader, func() error) {
	hashes := map[string]hash.Hash{}
	var writers []io.Writer
	for name := range strings.SplitSeq(algorithmNames, ",") {
		if c.header == nil || c.header.name == name {
			hashes[name] = newHash(name)
			writers = append(writers, hashes[name])
		}
	}
	return &summed{b, io.MultiWriter(writers...)}, func() error {
		want := c.header
		if c.trailer {
			d, err := c.announced(b, r)
			if err != nil {
				return err
			}
			want = &d
		}
		if got := hashes[want.name].Sum(nil); !bytes.Equal(got, want.sum) {
			return upload.ErrChecksum
		}
		return nil
	}
}

// announced returns the checksum in the trailer, which is there when the body
// has ended.
func (c *checksum) announced(b *wire.BodyReader, r *http.Request) (digest, error) {
	if n, err := b.Read(make([]byte, 1)); n > 0 || !b.Ended() {
		return digest{}, fmt.Errorf("%w: the body has not ended: %w", upload.ErrInvalid, err)
	}
	s, _, err := wire.Header(r.Trailer, "Upload-Checksum")
	if err != nil {
		return digest{}, err
	}
	d, err := parseDigest(s)
	if err != nil {
		return digest{}, err
	}
	if h := c.header; h != nil && (h.name != d.name || !bytes.Equal(h.sum, d.sum)) {
		return digest{}, fmt.Errorf("%w: header and trailer have different checksums", upload.ErrInvalid)
	}
	return d, nil
}

// summed is a body of which checksums are computed while it is read.
type summed struct {
	*wire.BodyReader
	sums io.Writer
}

func (s *summed) Read(p []byte) (int, error) {
	n, err := s.BodyReader.Read(p)
	_, _ = s.sums.Write(p[:n]) // a hash does not fail
	return n, err
}
