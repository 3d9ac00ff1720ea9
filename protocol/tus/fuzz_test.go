package tus

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/muleteer/muleteer/internal/wire"
	"github.com/muleteer/muleteer/upload"
)

// FuzzHeaders: what a client says in headers is understood as it was meant, or
// refused as its own mistake.
func FuzzHeaders(f *testing.F) {
	f.Add("filename Y2F0LnBuZw==,is_private,filetype aW1hZ2UvcG5n", "sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=", "0", "5", "partial")
	f.Add("filename ***", "crc32 AAAAAA==", "-1", "9223372036854775808", "final;/tus/UQMXPKJ2KBVBLP6SUFQ7RXKBMV /tus/..")
	f.Add("a,a", "rot13 AAAA", "+0", "0x5", "final;http://other/tus/UQMXPKJ2KBVBLP6SUFQ7RXKBMV?token=x")
	f.Fuzz(func(t *testing.T, meta, sum, offset, length, joined string) {
		r, err := http.NewRequest(http.MethodPatch, "http://example.org/tus/", nil)
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range map[string]string{
			"Upload-Metadata": meta, "Upload-Checksum": sum, "Upload-Offset": offset, "Upload-Length": length, "Upload-Concat": joined,
			"Content-Type": "application/offset+octet-stream",
		} {
			r.Header.Set(name, value)
		}
		mistake := func(err error) {
			if err != nil && !errors.Is(err, upload.ErrInvalid) && !errors.Is(err, upload.ErrTooLarge) && !errors.Is(err, upload.ErrNotFound) {
				t.Errorf("%v", err)
			}
		}
		m, err := parseMetadata(r.Header)
		mistake(err)
		if err == nil && (m.raw != meta || strings.ContainsAny(m.mediaType(), "\r\n\x00")) {
			t.Errorf("metadata %q, type %q", m.raw, m.mediaType())
		}
		a, err := parseAppending(r)
		mistake(err)
		if err == nil && (a.offset < 0 || a.length < -1 || strings.Trim(offset+length, "0123456789") != "") {
			t.Errorf("offset %q is %d, length %q is %d", offset, a.offset, length, a.length)
		}
		if err == nil && (a.sum == nil || a.sum.header == nil || len(a.sum.header.sum) != newHash(a.sum.header.name).Size()) {
			t.Errorf("the checksum %q is overlooked: %+v", sum, a.sum)
		}
		c, err := (&handler{base: "/tus/"}).parseConcat(r)
		mistake(err)
		for _, id := range c.sources {
			if !wire.ID(id) {
				t.Errorf("%q has the source %q", joined, id)
			}
		}
	})
}
