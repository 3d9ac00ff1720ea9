package upload_test

import (
	"bytes"
	"io"
	"testing"
	"testing/synctest"

	"github.com/muleteer/muleteer/store"
	"github.com/muleteer/muleteer/store/mem"
	"github.com/muleteer/muleteer/upload"
)

// Small files are held whole as long as there is memory; those that come when
// there is none go the long way, and nobody waits for memory.
func TestSmallUploadsWithinTheMemory(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, f := counted(mem.Options{})
		h.Memory = store.NewBudget(1000)
		want := content(4, 800)
		take := func(body io.Reader) *upload.Record {
			u, err := h.Take(ctx, upload.New{Size: 800}, upload.Chunk{Len: 800, Size: 800, Body: body})
			if err != nil || u.Phase != upload.Done {
				t.Fatalf("%v %v", u, err)
			}
			return u
		}
		slow, sender := io.Pipe()
		first := make(chan *upload.Record)
		go func() { first <- take(slow) }()
		if _, err := sender.Write(want[:300]); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if h.Memory.Free() != 200 {
			t.Errorf("a file of 800 bytes holds %d", 1000-h.Memory.Free())
		}
		before := f.made()
		u := take(bytes.NewReader(want))
		if f.made()-before <= 2 {
			t.Error("a file was held for which there is no memory")
		}
		h.wantDone(t, u.ID, want)
		if _, err := sender.Write(want[300:]); err != nil {
			t.Fatal(err)
		}
		sender.Close()
		h.wantDone(t, (<-first).ID, want)
		before = f.made()
		take(bytes.NewReader(want))
		if n := f.made() - before; n != 2 {
			t.Errorf("%d calls of store and state, want 2", n)
		}
		if h.Memory.Free() != 1000 {
			t.Errorf("%d bytes were not given back", 1000-h.Memory.Free())
		}
	})
}
