package ietf

import (
	"bytes"
	"hash"
	"io"
	"net/http"
	"slices"

	"github.com/dunglas/httpsfv"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/upload"
)

// digests reads Content-Digest or Repr-Digest (RFC 9530). Algorithms that
// nobody knows any more, or not yet, are left out.
func digests(h http.Header, name string) map[string][]byte {
	d := dictionary(h, name)
	if d == nil {
		return nil
	}
	var sums map[string][]byte
	for _, algorithm := range d.Names() {
		m, _ := d.Get(algorithm)
		i, _ := m.(httpsfv.Item)
		sum, ok := i.Value.([]byte)
		if !ok || upload.Digest(algorithm) == nil {
			continue
		}
		if sums == nil {
			sums = map[string][]byte{}
		}
		sums[algorithm] = sum
	}
	return sums
}

// summed is a body of which digests are computed while it is read.
type summed struct {
	body
	sums io.Writer
}

// body is what a Chunk reads from.
type body interface {
	io.Reader
	Interrupt()
}

func (s *summed) Read(p []byte) (int, error) {
	n, err := s.body.Read(p)
	_, _ = s.sums.Write(p[:n]) // a hash does not fail
	return n, err
}

// trailers are the fields after the body that have digests of it (RFC 9530,
// sections 2 and 3, and RFC 9110, section 6.5): of the content, and of the whole
// file, if that is the content of this request. Only those that were announced
// before are looked at.
func (a *answer) trailers(c content) []string {
	names := []string{"Content-Digest"}
	if c.at == 0 && c.complete {
		names = append(names, "Repr-Digest")
	}
	return slices.DeleteFunc(names, func(name string) bool {
		_, announced := a.r.Trailer[name]
		return !announced
	})
}

// verified returns b, and what to ask when it has been read, if the request
// tells digests of it, or will do so in its trailers.
func (a *answer) verified(b body, want map[string][]byte, trailers []string) (body, func() error) {
	hashes := map[string]hash.Hash{}
	for name := range want {
		hashes[name] = upload.Digest(name)
	}
	if len(trailers) > 0 {
		hashes["sha-256"], hashes["sha-512"] = upload.Digest("sha-256"), upload.Digest("sha-512")
	}
	if len(hashes) == 0 {
		return b, nil
	}
	var all []io.Writer
	for _, h := range hashes {
		all = append(all, h)
	}
	right := func(want map[string][]byte) bool {
		for name, sum := range want {
			if !bytes.Equal(hashes[name].Sum(nil), sum) {
				return false
			}
		}
		return true
	}
	return &summed{b, io.MultiWriter(all...)}, func() error {
		ok := right(want)
		for _, name := range trailers {
			ok = ok && right(digests(a.r.Trailer, name))
		}
		if !ok {
			return upload.ErrChecksum
		}
		return nil
	}
}

// readable is up to which size, in bytes, a file is read again because its
// client wants its digest: about a second.
const readable = 512 << 20

// tellDigest answers Want-Repr-Digest for a finished file. What cannot be told
// is left out, as it may be.
func (a *answer) tellDigest(u *upload.Record) {
	name := preferred(dictionary(a.r.Header, "Want-Repr-Digest"))
	if name == "" || u.Phase != upload.Done {
		return
	}
	sum := u.Meta.Digests[name]
	if !u.Meta.Verified || sum == nil {
		if u.Size > readable {
			return
		}
		r, _, err := a.service.Open(a.r.Context(), u.ID, extent.Extent{End: u.Size})
		if err != nil {
			return
		}
		defer r.Close()
		h := upload.Digest(name)
		if _, err := io.Copy(h, r); err != nil {
			return
		}
		sum = h.Sum(nil)
	}
	d := httpsfv.NewDictionary()
	d.Add(name, httpsfv.NewItem(sum))
	setDictionary(a.w.Header(), "Repr-Digest", d)
}

// preferred returns the digest that a client wants most of those that we have;
// "" if it wants none.
func preferred(d *httpsfv.Dictionary) (name string) {
	if d == nil {
		return ""
	}
	best := int64(0) // 0 means "not acceptable", 10 is the most
	for _, n := range slices.Sorted(slices.Values(d.Names())) {
		m, _ := d.Get(n)
		i, _ := m.(httpsfv.Item)
		if weight, ok := i.Value.(int64); ok && weight > best && upload.Digest(n) != nil {
			name, best = n, weight
		}
	}
	return name
}
