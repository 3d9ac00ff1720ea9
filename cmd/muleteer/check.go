package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/store"
	"github.com/muleteer/muleteer/upload"
)

type checkCommand struct {
	Storage  storage `embed:""`
	ReadData bool    `help:"Read all bytes, and compare their checksums with what is recorded."`
}

// checking compares what is recorded with what is kept.
type checking struct {
	*kept
	console
	here   func(endpoint string) bool // whether its uploads are in this store
	read   bool
	buffer []byte

	byKey map[string]store.Entry // what lies in the store, joined
	byID  map[string]store.Entry // and on its way
	walks bool                   // whether the store can tell these

	finished, unfinished, wrong int
	unseen                      int   // parts that the store cannot show before it joins them
	bytes                       int64 // that were read
	told                        time.Time
}

// Run compares state and store.
func (k checkCommand) Run(ctx context.Context, c console) error {
	if err := k.Storage.there(); err != nil {
		return err
	}
	kept, err := k.Storage.open(ctx)
	if err != nil {
		return err
	}
	defer kept.close()
	elsewhere, err := k.Storage.Config.stores()
	if err != nil {
		return err
	}
	stores := slices.Compact(slices.Sorted(maps.Values(elsewhere)))
	stores = slices.Insert(slices.DeleteFunc(stores, func(s string) bool { return s == "" || s == k.Storage.Store }), 0, "")
	var wrong error
	for _, where := range stores {
		one, err := kept.beside(ctx, k.Storage, where)
		if err != nil {
			return err
		}
		if len(stores) > 1 {
			fmt.Fprintf(c.out, "store %s\n", one.storeAt)
		}
		h := &checking{kept: one, console: c, read: k.ReadData, buffer: make([]byte, 1<<20), told: time.Now()}
		// Records of an endpoint that the file does not name any more are looked
		// for in the first store.
		h.here = func(endpoint string) bool {
			at := elsewhere[endpoint]
			return at == where || where == "" && at == k.Storage.Store
		}
		if err := h.all(ctx); err != nil {
			return err
		}
		wrong = errors.Join(wrong, h.result())
	}
	return errors.Join(wrong, kept.close())
}

// all checks all that is recorded of one store.
func (h *checking) all(ctx context.Context) error {
	if err := h.walk(ctx); err != nil {
		return fmt.Errorf("the store cannot be listed: %w", err)
	}
	for u, err := range h.State.Find(ctx, upload.Query{}) {
		if err != nil {
			return fmt.Errorf("the state cannot be read: %w", err)
		}
		if !h.here(u.Endpoint) {
			continue
		}
		if err := h.record(ctx, u.ID); err != nil {
			return err
		}
	}
	return nil
}

// there refuses to make a new state only to find nothing in it.
func (s storage) there() error {
	where := s.State
	if where == "" {
		where = defaultState
	}
	kind, path := scheme(where)
	if kind != "" && kind != "file" && kind != "sqlite" {
		return nil
	}
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("there is no state at %s: run this where the server ran, or give --state and --store", path)
	}
	return nil
}

// walk notes what lies in the store.
func (h *checking) walk(ctx context.Context) error {
	h.byKey, h.byID = map[string]store.Entry{}, map[string]store.Entry{}
	walker, ok := h.Store.(store.Walker)
	if !ok {
		return nil
	}
	h.walks = true
	for e, err := range walker.Walk(ctx) {
		switch {
		case err != nil:
			return err
		case e.Key != "":
			h.byKey[e.Key] = e
		default:
			h.byID[e.ID] = e
		}
	}
	return nil
}

// record checks one upload.
func (h *checking) record(ctx context.Context, id string) error {
	u, err := h.State.Load(ctx, id, extent.Extent{End: extent.Max})
	if err != nil {
		return fmt.Errorf("the state cannot be read: %w", err)
	}
	var found error
	switch u.Phase {
	case upload.Receiving, upload.Joining:
		h.unfinished++
		found = h.parts(ctx, u)
	case upload.Accepting, upload.Held, upload.Done:
		h.finished++
		found = h.file(ctx, u)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if found != nil {
		h.wrong++
		fmt.Fprintf(h.out, "wrong: %s %q (%v): %v\n", u.ID, u.Meta.Name, u.Phase, found)
	}
	if u.Phase != upload.Gone || !u.Cleared {
		delete(h.byKey, u.Key)
		delete(h.byID, u.ID)
	}
	h.tell()
	return nil
}

// file checks a finished file.
func (h *checking) file(ctx context.Context, u *upload.Record) error {
	if u.Final.Size != u.Size {
		return fmt.Errorf("the record says %d bytes, and %d", u.Size, u.Final.Size)
	}
	o := u.Object
	o.Joined = true
	entry, ok := h.byKey[u.Key]
	switch {
	case h.walks && !u.Hidden && !ok:
		return fmt.Errorf("the store has no file %s", u.Key)
	case ok && !u.Hidden && entry.Size != u.Size:
		return fmt.Errorf("the file %s has %d bytes, not %d", u.Key, entry.Size, u.Size)
	case h.read:
		return h.compare(ctx, o, extent.Extent{End: u.Size}, u.Final.CRC)
	}
	return h.touch(ctx, o, extent.Extent{End: u.Size})
}

// parts checks an unfinished upload.
func (h *checking) parts(ctx context.Context, u *upload.Record) error {
	if here := u.Ranges(); here.Len() != u.Here || here.Prefix() != u.Offset {
		return fmt.Errorf("the record says %d bytes, %d of them without a gap, but its parts are %v", u.Here, u.Offset, here)
	}
	if entry, ok := h.byKey[u.Key]; ok && u.Phase == upload.Joining && entry.Size == u.Size {
		return nil // it was joined, and the next start of the server will note it
	}
	for i, p := range u.Parts {
		err := h.part(ctx, u.Object, p)
		switch {
		case errors.Is(err, store.ErrNotYet):
			h.unseen += len(u.Parts) - i // the others are like it
			return nil
		case err != nil:
			return err
		}
	}
	return nil
}

func (h *checking) part(ctx context.Context, o store.Object, p store.Part) error {
	if h.read {
		return h.compare(ctx, o, p.Extent, p.CRC)
	}
	return h.touch(ctx, o, p.Extent)
}

// touch reads the last of the bytes, without which the others are not there.
func (h *checking) touch(ctx context.Context, o store.Object, e extent.Extent) error {
	e.Start = max(e.Start, e.End-1)
	_, err := h.sum(ctx, o, e)
	return err
}

// compare reads all of the bytes.
func (h *checking) compare(ctx context.Context, o store.Object, e extent.Extent, want store.CRC) error {
	got, err := h.sum(ctx, o, e)
	if err == nil && got != want {
		err = fmt.Errorf("bytes %v have changed: their checksum is %v, not %v", e, got, want)
	}
	return err
}

func (h *checking) sum(ctx context.Context, o store.Object, e extent.Extent) (store.CRC, error) {
	r, err := h.Store.Open(ctx, o, e)
	if err != nil {
		return 0, fmt.Errorf("bytes %v cannot be read: %w", e, err)
	}
	defer r.Close()
	crc, err := sum(&told{r, h}, e.Len(), h.buffer)
	if err != nil {
		return 0, fmt.Errorf("bytes %v cannot be read: %w", e, err)
	}
	return crc, nil
}

// told is a reader that tells how far the check is.
type told struct {
	io.Reader
	*checking
}

func (t *told) Read(p []byte) (int, error) {
	n, err := t.Reader.Read(p)
	t.bytes += int64(n)
	t.tell()
	return n, err
}

// tell says now and then how far it is.
func (h *checking) tell() {
	if time.Since(h.told) < often {
		return
	}
	h.told = time.Now()
	fmt.Fprintf(h.err, "checked %d uploads, read %v\n", h.finished+h.unfinished, size(h.bytes))
}

// result tells what is left over, and how it all ended.
func (h *checking) result() error {
	for _, e := range h.byKey {
		fmt.Fprintf(h.out, "orphan: %s, %v: no record names it\n", e.Key, size(e.Size))
	}
	for _, e := range h.byID {
		fmt.Fprintf(h.out, "orphan: %s, %v: no record names it\n", e.Name, size(e.Size))
	}
	if h.unseen > 0 {
		fmt.Fprintf(h.out, "%d parts cannot be read before their files are whole\n", h.unseen)
	}
	how := ""
	if h.read {
		how = fmt.Sprintf(", %v read", size(h.bytes))
	}
	fmt.Fprintf(h.out, "checked %d finished and %d unfinished uploads%s\n", h.finished, h.unfinished, how)
	if h.wrong > 0 {
		return fmt.Errorf("%d uploads are not as they were recorded", h.wrong)
	}
	return nil
}
