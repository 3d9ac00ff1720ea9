package upload_test

import (
	"crypto/sha256"
	"crypto/sha512"
	"testing"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/upload"
)

// C3: a file with other digests than were announced is never Done, and leaves
// nothing; one with the right ones is, also when it comes whole.
func TestC3DigestsOfTheWholeFile(t *testing.T) {
	onEachGrid(t, func(t *testing.T, h *house) {
		want := content(5, 3456)
		short, long := sha256.Sum256(want), sha512.Sum512(want)
		other := sha512.Sum512(want[1:])
		for _, c := range []struct {
			digests map[string][]byte
			right   bool
		}{
			{map[string][]byte{"sha-256": short[:]}, true},
			{map[string][]byte{"sha-256": short[:], "sha-512": long[:], "md5": nil}, true},
			{map[string][]byte{"sha-256": short[:], "sha-512": other[:]}, false},
			{map[string][]byte{"sha-256": nil}, false},
		} {
			n := upload.New{Size: 3456, Meta: upload.Meta{Name: "f", Digests: c.digests}}
			u := h.begin(t, n)
			if _, err := h.Write(ctx, u.ID, piece(want, extent.Extent{End: 2000})); err != nil {
				t.Fatal(err)
			}
			_, inPieces := h.Write(ctx, u.ID, piece(want, extent.Extent{Start: 2000, End: 3456}))
			v, atOnce := h.Take(ctx, n, piece(want, extent.Extent{End: 3456}))
			for id, err := range map[string]error{u.ID: inPieces, v.ID: atOnce} {
				if c.right {
					if err != nil {
						t.Errorf("%v: %v", c.digests, err)
					}
					h.wantDone(t, id, want)
					if err := h.Remove(ctx, id); err != nil {
						t.Error(err)
					}
					continue
				}
				wantErr(t, err, upload.ErrChecksum)
				_, err = h.Get(ctx, id)
				wantErr(t, err, upload.ErrGone)
			}
			for e := range h.mem.Walk(ctx) {
				t.Errorf("%v: the store has %+v", c.digests, e)
			}
		}
	})
}
