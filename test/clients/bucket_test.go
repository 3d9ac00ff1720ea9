package clients

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/url"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/muleteer/muleteer/internal/trial"
	"github.com/muleteer/muleteer/store/s3/s3test"
)

// bucket is where files are that clients put past the server.
type bucket struct {
	gateway *s3test.Server
	name    string
}

// newStageInBucket is a stage whose server keeps files in a bucket, into which
// browsers put parts by another line than the one to the server.
func newStageInBucket(t *testing.T, b *browser, c client, gateway *s3test.Server) *stage {
	t.Helper()
	c.name += ", straight"
	home := &bucket{gateway, gateway.Bucket(t)}
	parts := newLine(t, strings.TrimPrefix(gateway.Endpoint, "http://"), nil)
	server := trial.ServeWith(t, s3test.Env(), program, t.TempDir(),
		"--store", gateway.URL(home.name, "kept")+"&direct=1&public="+url.QueryEscape(parts.url))
	s := &stage{client: c, browser: b, server: server, line: newLine(t, server.Address, c.scripts(t)), parts: parts, bucket: home, dir: t.TempDir()}
	s.line.server = server
	text := rules(t, s.line.url)
	if err := gateway.Cors(t.Context(), home.name, text); err != nil {
		t.Fatal(err)
	}
	// This gateway lets every page see the ETag, others only as their rules say.
	var said struct {
		CORSRules []struct{ ExposeHeaders []string }
	}
	if err := json.Unmarshal([]byte(text), &said); err != nil {
		t.Fatal(err)
	}
	parts.see = strings.Join(said.CORSRules[0].ExposeHeaders, ", ")
	return s
}

// rules are those that docs/companion.md has for a bucket, with our origin.
func rules(t *testing.T, origin string) string {
	t.Helper()
	said, err := os.ReadFile("../../docs/companion.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(string(said), "```json\n")
	text, _, _ = strings.Cut(text, "```")
	if !found || !strings.Contains(text, "https://its.origin") {
		t.Fatal("docs/companion.md has no rules for a bucket")
	}
	return strings.ReplaceAll(text, "https://its.origin", origin)
}

// sums are the SHA-256 of all files in the bucket, sorted, each after its name.
func (b *bucket) sums(t *testing.T) (found []string) {
	t.Helper()
	for key := range b.gateway.Objects(t, b.name) {
		if strings.Contains(key, ".muleteer/") {
			continue // on its way
		}
		r, err := b.gateway.Read(b.name, key)
		if err != nil {
			t.Fatal(err)
		}
		h := sha256.New()
		_, err = io.Copy(h, r)
		r.Close()
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, path.Base(key)+" "+hex.EncodeToString(h.Sum(nil)))
	}
	slices.Sort(found)
	return found
}

// past wants the server to have seen nothing of all parts, and the bucket to have
// what is finished and nothing else.
func (s *stage) past(t *testing.T) {
	t.Helper()
	if brought := s.line.brought(); brought > 64<<10 {
		t.Errorf("%d bytes went through the server", brought)
	}
	if least := int64(len(s.want)-1) * 5 * int64(s.chunk); s.parts.brought() < least {
		t.Errorf("%d bytes went into the bucket, and not %d", s.parts.brought(), least)
	}
	if here := s.bucket.gateway.Objects(t, s.bucket.name); len(here) != len(s.want) {
		t.Errorf("the bucket has %v", here)
	}
	if left := s.bucket.gateway.Unjoined(t, s.bucket.name); len(left) > 0 {
		t.Errorf("the bucket has what is not joined: %v", left)
	}
}
