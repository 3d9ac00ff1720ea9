package mem_test

import (
	"testing"

	"github.com/muleteer/muleteer/store"
	"github.com/muleteer/muleteer/store/mem"
	"github.com/muleteer/muleteer/store/storetest"
)

func TestStore(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]mem.Options{
		"no grid":       {},
		"small cells":   {Cell: 1000, Widen: 7},
		"S3":            {Cell: 512 << 10, Widen: 1000, MinPart: 512 << 10, MaxParts: 10000},
		"page and more": {Cell: 64<<10 + 1, MinPart: 64<<10 + 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.Run(t, func(t *testing.T) store.Store { return mem.New(o) })
		})
	}
}
