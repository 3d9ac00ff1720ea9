package upload

import (
	"io/fs"
	"strings"
	"testing"
	"time"
	"unicode"
)

// FuzzKey: whatever a client calls its file, the key stays below the store, is of
// names that file systems take, and is not where stores keep what is on its way.
func FuzzKey(f *testing.F) {
	f.Add("{id}/{name}", "cat.png", "pets/cat.png", "ann")
	f.Add("{path}", "..", "../../etc/passwd", "..")
	f.Add("{name}", ".muleteer", `..\..\x`, "a/b")
	f.Add(".{name}", "muleteer", "", "")
	f.Add("{owner}.{date}", strings.Repeat("ä", 200)+".tar.gz", "a\u202eb", "\x00")
	f.Fuzz(func(t *testing.T, template, name, path, owner string) {
		if Template(template).Check() != nil {
			return
		}
		u := &Record{Owner: owner, Meta: Meta{Name: name, Path: path}}
		u.ID = "UQMXPKJ2KBVBLP6SUFQ7RXKBMV"
		key := Template(template).key(u, time.Unix(0, 0))
		if !fs.ValidPath(key) || key == "." {
			t.Fatalf("%q", key)
		}
		for segment := range strings.SplitSeq(key, "/") {
			if len(segment) > maxSegment || strings.EqualFold(segment, ".muleteer") || strings.ContainsFunc(segment, unicode.IsControl) || strings.Contains(segment, `\`) {
				t.Errorf("%q has the segment %q", key, segment)
			}
		}
	})
}
