package disk

import (
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/store"
)

// Space is reserved only for what a client sends, and given back at Join.
func TestReserve(t *testing.T) {
	t.Parallel()
	const sent = 20 << 20
	s := openAt(t, t.TempDir(), Options{}, defaultPace)
	o, _ := s.Begin(t.Context(), id, store.Spec{Key: "x", Size: -1})
	var part store.Part
	blocks := func(name string) int64 {
		info, err := os.Stat(filepath.Join(s.sys.(*osSystem).root.Name(), name))
		if err != nil {
			t.Fatal(err)
		}
		return info.Sys().(*syscall.Stat_t).Blocks * 512
	}
	body := io.LimitReader(zeros{}, sent)
	if err := s.Put(t.Context(), o, extent.Extent{End: 1 << 40}, body, func(p store.Part) error {
		part.CRC, part.End = part.CRC.Append(p.CRC, p.Len()), p.End
		return nil
	}); err != nil || part.End != sent {
		t.Fatalf("Put: %v after %d bytes", err, part.End)
	}
	if n := blocks(onWay(id)); n > 3*sent {
		t.Errorf("%d bytes take %d", sent, n)
	}
	o.Size = sent
	if _, err := s.Join(t.Context(), o, []store.Part{part}); err != nil {
		t.Fatal(err)
	}
	if n := blocks("x"); n > sent+1<<16 {
		t.Errorf("after Join, %d bytes take %d", sent, n)
	}
}
