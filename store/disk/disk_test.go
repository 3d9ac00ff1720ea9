package disk

import (
	"testing"
	"time"

	"github.com/muleteer/muleteer/store"
	"github.com/muleteer/muleteer/store/storetest"
)

// opened is a store that storetest can open anew.
type opened struct {
	*Store
	t    *testing.T
	open func() (*Store, error)
}

func (o *opened) Reopen() store.Store {
	o.Store.Close()
	s, err := o.open()
	if err != nil {
		o.t.Fatalf("Open: %v", err)
	}
	o.Store = s
	return o
}

func reopenable(t *testing.T, open func() (*Store, error)) *opened {
	t.Helper()
	s, err := open()
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	o := &opened{s, t, open}
	t.Cleanup(func() { o.Store.Close() })
	return o
}

// small makes every way of taking a body happen with a few bytes.
var small = pace{block: 8 << 10, fast: 10 << 10, per: time.Hour, run: 40 << 10, wait: 200 * time.Millisecond, rush: 1}

func TestStore(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		o Options
		p pace
	}{
		"power":                 {Options{}, defaultPace},
		"process":               {Options{Durability: Process}, defaultPace},
		"small buffers":         {Options{Durability: Process}, small},
		"no memory for buffers": {Options{Durability: Process, Memory: 1}, small},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.Run(t, func(t *testing.T) store.Store {
				dir := t.TempDir()
				return reopenable(t, func() (*Store, error) {
					sys, err := openSystem(dir)
					if err != nil {
						return nil, err
					}
					return open(sys, c.o, c.p)
				})
			})
		})
	}
}
