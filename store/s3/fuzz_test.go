package s3

import (
	"io/fs"
	"strings"
	"testing"
)

// FuzzURL: an address of a bucket is understood or refused; its prefix stays below
// the bucket.
func FuzzURL(f *testing.F) {
	f.Add("s3://bucket/prefix?endpoint=https://s3.example.org&region=eu-1&parts=equal&redirect=1&checksum=md5")
	f.Add("s3://bucket/../a?style=virtual")
	f.Add("s3://user:secret@bucket")
	f.Fuzz(func(t *testing.T, where string) {
		p, err := parseURL(where)
		if err != nil {
			return
		}
		if p.prefix != "" && !fs.ValidPath(strings.TrimSuffix(p.prefix, "/")) || !bucketName.MatchString(p.bucket) {
			t.Errorf("%q is %+v", where, p)
		}
	})
}

// FuzzToken: handles and receipts that are kept in records are read as they were
// written.
func FuzzToken(f *testing.F) {
	f.Add("4d:upload", "1 \"etag\"")
	f.Add("0s:", "10001 x")
	f.Add("s:x", "+1 x")
	f.Fuzz(func(t *testing.T, token, receipt string) {
		if h, err := parseToken(token); err == nil {
			if again, err := parseToken(h.token()); err != nil || again != h {
				t.Errorf("%q is %+v, and then %+v, %v", token, h, again, err)
			}
		}
		if n, etag, err := parseReceipt(receipt); err == nil {
			m, tag, err := parseReceipt(partReceipt(n, etag))
			if err != nil || m != n || tag != etag || n < 1 || n > maxParts {
				t.Errorf("%q is %d %q, and then %d %q, %v", receipt, n, etag, m, tag, err)
			}
		}
	})
}
