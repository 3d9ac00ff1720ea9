package upload_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/store"
	"github.com/muleteer/muleteer/upload"
)

// What several requests say late is all kept, while bytes come; once the file
// is whole, nothing is changed any more.
func TestAmendWhileBytesCome(t *testing.T) {
	onEachGrid(t, func(t *testing.T, h *house) {
		want := content(1, 2000)
		u := h.begin(t, upload.New{Size: -1})
		var all sync.WaitGroup
		for i := range 10 {
			all.Go(func() {
				_, err := h.Amend(ctx, u.ID, func(m *upload.Meta) bool {
					m.Name += "x"
					return true
				})
				if err != nil {
					t.Error(err)
				}
				c := piece(want, extent.At(int64(i)*200, 200))
				c.Size = 2000
				if i > 0 {
					c.Size = -1
				}
				if _, err := h.Write(ctx, u.ID, c); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		h.wantDone(t, u.ID, want)
		v, err := h.Amend(ctx, u.ID, func(m *upload.Meta) bool {
			m.Name = "late"
			return true
		})
		if err != nil || v.Meta.Name != "xxxxxxxxxx" {
			t.Errorf("%q, %v", v.Meta.Name, err)
		}
	})
}

// What another request has said meanwhile is not undone.
func TestAmendLosesNothing(t *testing.T) {
	h := newHouse(grids["none"])
	u := h.begin(t, upload.New{Size: 10})
	first := true
	v, err := h.Amend(ctx, u.ID, func(m *upload.Meta) bool {
		if first {
			first = false
			if _, err := h.Amend(ctx, u.ID, func(m *upload.Meta) bool { m.PartSize = 5; return true }); err != nil {
				t.Error(err)
			}
		}
		m.Name = "late"
		return true
	})
	if err != nil || v.Meta.Name != "late" || v.Meta.PartSize != 5 {
		t.Errorf("%v, %v", v.Meta, err)
	}
}

// A name that comes late names the file too, unless a hook or the store has
// settled that already.
func TestLateNameIsTheFilesName(t *testing.T) {
	want := content(1, 2000)
	for name, c := range map[string]struct {
		template upload.Template
		verdict  upload.Verdict
		store    func(*house) store.Store
		key      string
	}{
		"by default":                       {key: "ID/late.txt"},
		"by a template":                    {template: "{owner}/{path}", key: "ann/d/late.txt"},
		"where names do not matter":        {template: "x/{id}", key: "x/ID"},
		"where a hook has chosen":          {verdict: upload.Verdict{Key: "chosen"}, key: "chosen"},
		"where a hook has named it":        {verdict: upload.Verdict{Meta: &upload.Meta{Name: "hers"}}, key: "ID/hers"},
		"where the store has used the key": {store: func(h *house) store.Store { return struct{ store.Store }{h.mem} }, key: "ID/unnamed"},
	} {
		h := newHouse(grids["none"])
		h.Key = c.template
		if c.store != nil {
			h.Store = c.store(h)
		}
		if c.verdict.Key != "" || c.verdict.Meta != nil {
			h.Hook = func(_ context.Context, turn upload.Turn) (upload.Verdict, error) {
				if turn.Kind != upload.Creating {
					return upload.Verdict{}, nil
				}
				return c.verdict, nil
			}
		}
		ann := upload.As(ctx, "ann")
		u, err := h.Create(ann, upload.New{Size: 2000})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second time nothing changes
			if _, err := h.Amend(ann, u.ID, func(m *upload.Meta) bool {
				m.Name, m.Path = "late.txt", "d/late.txt"
				return true
			}); err != nil {
				t.Fatal(err)
			}
		}
		v, err := h.Write(ann, u.ID, piece(want, extent.Extent{End: 2000}))
		if key := strings.Replace(c.key, "ID", u.ID, 1); err != nil || v.Phase != upload.Done || v.Key != key {
			t.Errorf("%s: it appeared under %q, want %q, %v", name, v.Key, key, err)
		}
	}
}

// Why a file was refused is remembered with it, so that its other chunks can
// be told.
func TestRefusalIsRemembered(t *testing.T) {
	for _, kind := range []upload.Kind{upload.FirstBytes, upload.Completing} {
		h := newHouse(grids["cells"])
		h.Hook = func(_ context.Context, turn upload.Turn) (upload.Verdict, error) {
			if turn.Kind == kind {
				return upload.Verdict{}, &upload.Refusal{Reason: "no " + string(kind)}
			}
			return upload.Verdict{}, nil
		}
		u := h.begin(t, upload.New{Size: 5000})
		_, err := h.Write(ctx, u.ID, piece(content(1, 5000), extent.Extent{End: 5000}))
		wantErr(t, err, upload.ErrRefused)
		u, err = h.Get(ctx, u.ID)
		wantErr(t, err, upload.ErrGone)
		if want := fmt.Sprintf("%v: no %s", upload.ErrRefused, kind); u.Meta.Refused != want {
			t.Errorf("%q, want %q", u.Meta.Refused, want)
		}
	}
}
