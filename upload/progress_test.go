package upload_test

import (
	"testing"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/upload"
)

// What Progress tells is recorded already, and grows; of a chunk that counts as
// a whole it tells nothing before the end.
func TestProgressIsRecordedFirst(t *testing.T) {
	onEachGrid(t, func(t *testing.T, h *house) {
		want := content(3, 5000)
		for _, atomic := range []bool{false, true} {
			u := h.begin(t, upload.New{Size: 5000})
			var told []int64
			c := piece(want, extent.Extent{End: 4500})
			c.Append, c.Atomic = true, atomic
			c.Progress = func(offset int64) {
				told = append(told, offset)
				if now, err := h.Get(ctx, u.ID); err != nil || now.Offset < offset {
					t.Errorf("%d was told, and the record says %d, %v", offset, now.Offset, err)
				}
			}
			if _, err := h.Write(ctx, u.ID, c); err != nil {
				t.Fatal(err)
			}
			if len(told) == 0 || told[len(told)-1] != 4500 || atomic && len(told) != 1 {
				t.Errorf("atomic %v: told %v", atomic, told)
			}
			for i := range told[1:] {
				if told[i+1] <= told[i] {
					t.Errorf("told %v", told)
				}
			}
		}
	})
}
