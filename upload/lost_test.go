package upload_test

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/store"
	"github.com/muleteer/muleteer/store/mem"
	"github.com/muleteer/muleteer/upload"
)

// An upload of which the store has lost something is gone for good, whoever
// asks: it is never complete, and its offset never becomes smaller.
func TestAnUploadThatTheStoreHasLostIsGone(t *testing.T) {
	t.Parallel()
	want := content(3, 3000)
	for name, lost := range map[string]func(t *testing.T, h *house, u *upload.Record) error{
		"bytes come": func(t *testing.T, h *house, u *upload.Record) error {
			_, err := h.Write(ctx, u.ID, piece(want, extent.Extent{Start: 1500, End: 2500}))
			return err
		},
		"the last bytes come": func(t *testing.T, h *house, u *upload.Record) error {
			_, err := h.Write(ctx, u.ID, piece(want, extent.Extent{Start: 1500, End: 3000}))
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(mem.Options{Cell: 1000, MinPart: 1000})
			u := h.begin(t, upload.New{Size: 3000})
			if _, err := h.Write(ctx, u.ID, piece(want, extent.Extent{End: 1500})); err != nil {
				t.Fatal(err)
			}
			if err := h.mem.Remove(ctx, u.Object); err != nil { // as a rule of the bucket does
				t.Fatal(err)
			}
			wantErr(t, lost(t, h, u), upload.ErrGone)
			_, err := h.Get(ctx, u.ID)
			wantErr(t, err, upload.ErrGone)
			_, err = h.Settle(ctx, u.ID)
			wantErr(t, err, upload.ErrGone)
		})
	}
	t.Run("a crumb", func(t *testing.T) {
		t.Parallel()
		h := newHouse(mem.Options{Cell: 1000, MinPart: 1000})
		u := h.begin(t, upload.New{Size: 1000})
		u, err := h.Write(ctx, u.ID, piece(want, extent.Extent{End: 400}))
		if err != nil {
			t.Fatal(err)
		}
		h.Store = crumbless{h.mem}
		_, err = h.Write(ctx, u.ID, piece(want, extent.Extent{Start: 400, End: 1000}))
		wantErr(t, err, upload.ErrGone)
		_, err = h.Get(ctx, u.ID)
		wantErr(t, err, upload.ErrGone)
	})
}

// crumbless is a store that has lost its crumbs.
type crumbless struct{ *mem.Store }

func (crumbless) Fold(context.Context, store.Object, []store.Part) (store.Part, error) {
	return store.Part{}, store.ErrGone
}

// An error of the store is never taken for one of the client's body.
func TestErrorsOfTheStoreAreNotTheClients(t *testing.T) {
	t.Parallel()
	h := newHouse(mem.Options{})
	u := h.begin(t, upload.New{Size: 3000})
	h.Store = cutOff{h.mem}
	_, err := h.Write(ctx, u.ID, piece(content(3, 3000), extent.Extent{End: 1500}))
	wantErr(t, err, upload.ErrUnavailable)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%v is what a client is told whose body was too short", err)
	}
}

type cutOff struct{ *mem.Store }

func (cutOff) Put(context.Context, store.Object, extent.Extent, io.Reader, func(store.Part) error) error {
	return io.ErrUnexpectedEOF
}
