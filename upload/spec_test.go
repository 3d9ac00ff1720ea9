package upload_test

import (
	"context"
	"maps"
	"testing"

	"github.com/muleteer/muleteer/store"
	"github.com/muleteer/muleteer/store/mem"
	"github.com/muleteer/muleteer/upload"
)

// specStore notes what it is told of an object.
type specStore struct {
	*mem.Store
	last store.Spec
}

func (s *specStore) Begin(ctx context.Context, id string, spec store.Spec) (store.Object, error) {
	s.last = spec
	return s.Store.Begin(ctx, id, spec)
}

// Stores that keep a name beside the bytes are told it.
func TestStoreIsToldWhatTheClientSays(t *testing.T) {
	t.Parallel()
	h := newHouse(mem.Options{})
	kept := &specStore{Store: mem.New(mem.Options{})}
	h.Store = kept
	h.begin(t, upload.New{Size: 10, Type: "text/plain", Chunk: 7, Meta: upload.Meta{Name: "größe.txt", Fields: map[string]string{"a": "b"}}})
	if s := kept.last; s.Name != "größe.txt" || !maps.Equal(s.Fields, map[string]string{"a": "b"}) || s.Type != "text/plain" || s.Chunk != 7 {
		t.Errorf("the store was told %+v", s)
	}
}
