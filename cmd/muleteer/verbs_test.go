package main

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/muleteer/muleteer/access"
	"github.com/muleteer/muleteer/upload"
)

// TestOneVerb: who was granted one verb can do that, by every protocol, and
// nothing else; what is refused leaves nothing behind.
func TestOneVerb(t *testing.T) {
	t.Parallel()
	h, _ := tokenHouse(t, nil)
	base := served(t, h)
	for i, c := range matrix() {
		if c.verb == upload.MayManage || c.place == "/socket.io" || c.place == "/socket.io/" {
			continue
		}
		for _, granted := range upload.Verbs() {
			owner := fmt.Sprint("ann", i, granted)
			id := c.prepare(t, h, base, owner, tokenFor(t, owner, time.Hour, nil))
			before := census(t, h)
			// To find what is meant, some requests have to look as well.
			verbs := slices.Compact([]upload.Verb{granted, upload.MayLook})
			if granted == upload.MayManage || c.verb == upload.MayLook {
				verbs = []upload.Verb{granted} // who manages sees what others have, and does no more to it
			}
			status, body, _ := c.send(t, base, id, tokenFor(t, owner, time.Hour, func(c *access.Claims) { c.Verbs = verbs }))
			if granted == c.verb {
				// A range or a chunk may be the first one, and is written then: it needs both; and so
				// does who is given a key by which to write.
				if pieces := c.protocol == "contentrange" || c.protocol == "chunkform" || c.protocol == "mule"; status >= 400 && !pieces {
					t.Errorf("%d %s %s %s: %s was granted: %d %s", i, c.protocol, c.method, c.path, granted, status, body)
				}
				continue
			}
			if status < 400 && c.protocol != "photo" { // a picture of nothing is one, too
				t.Errorf("%d %s %s %s: %s was granted, and it needs %s: %d", i, c.protocol, c.method, c.path, granted, c.verb, status)
			}
			if after := census(t, h); after != before {
				t.Errorf("%d %s %s %s: %s was granted, and it did %s", i, c.protocol, c.method, c.path, granted, after[len(before):])
			}
		}
	}
}
