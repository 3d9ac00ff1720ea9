package upload_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/store/mem"
	"github.com/muleteer/muleteer/upload"
)

// deeds are what protocols can do to an upload, by the verb that each needs.
func deeds(h *house) map[upload.Verb][]func(ctx context.Context, id string) error {
	some := func() upload.Chunk { return upload.Chunk{At: 0, Len: 1, Size: -1, Body: strings.NewReader("a")} }
	return map[upload.Verb][]func(ctx context.Context, id string) error{
		upload.MayCreate: {
			func(ctx context.Context, _ string) error { return second(h.Create(ctx, upload.New{Size: 3})) },
			func(ctx context.Context, _ string) error {
				return second(h.Take(ctx, upload.New{Size: 1}, some()))
			},
		},
		upload.MayWrite: {
			func(ctx context.Context, id string) error { return second(h.Write(ctx, id, some())) },
			func(ctx context.Context, id string) error { return second(h.SetSize(ctx, id, 3)) },
			func(ctx context.Context, id string) error {
				return second(h.WriteNumbered(ctx, id, 1, upload.Chunk{Len: 3, Size: -1, Body: strings.NewReader("abc")}))
			},
			func(ctx context.Context, id string) error { return second(h.Complete(ctx, id, []int64{1})) },
			func(ctx context.Context, id string) error {
				return second(h.Amend(ctx, id, func(*upload.Meta) bool { return false }))
			},
			func(ctx context.Context, id string) error { return second(h.Describe(ctx, id, nil)) },
			func(ctx context.Context, id string) error { return h.Withdraw(ctx, id) },
		},
		upload.MayLook: {
			func(ctx context.Context, id string) error {
				for _, err := range h.Find(ctx, upload.Query{}) {
					if err != nil {
						return err
					}
				}
				return nil
			},
			func(ctx context.Context, id string) error { return second(h.Get(ctx, id)) },
			func(ctx context.Context, id string) error { return second(h.Glance(ctx, id)) },
			func(ctx context.Context, id string) error { _, _, err := h.Numbered(ctx, id); return err },
			func(ctx context.Context, id string) error { return second(h.Settle(ctx, id)) },
		},
		upload.MayRead: {
			func(ctx context.Context, id string) error {
				r, _, err := h.Open(ctx, id, extent.Extent{End: 1})
				if err == nil {
					r.Close()
				}
				return err
			},
			func(ctx context.Context, id string) error { return second(h.Link(ctx, id, "", "")) },
			func(ctx context.Context, id string) error { return second(h.Final(ctx, id)) },
		},
		upload.MayRemove: {
			func(ctx context.Context, id string) error { return h.Remove(ctx, id) },
		},
	}
}

func second[T any](_ T, err error) error { return err }

// TestVerbs: whatever a protocol calls, who calls may do only what was granted,
// and only before that ended; what is refused changes nothing.
func TestVerbs(t *testing.T) {
	t.Parallel()
	for _, granted := range upload.Verbs() {
		h := newHouse(mem.Options{})
		for verb, list := range deeds(h) {
			for i, deed := range list {
				u, err := h.Create(upload.As(t.Context(), "ann"), upload.New{Size: 3})
				if err != nil {
					t.Fatal(err)
				}
				before := *u
				ctx := upload.By(t.Context(), upload.Principal{Owner: "ann", Verbs: []upload.Verb{granted}})
				err = deed(ctx, u.ID)
				if denied := errors.Is(err, upload.ErrDenied); denied == (verb == granted) {
					t.Errorf("%s %d, granted %s: %v", verb, i, granted, err)
				}
				ctx = upload.By(t.Context(), upload.Principal{Owner: "ann", Until: h.Now()})
				if err := deed(ctx, u.ID); !errors.Is(err, upload.ErrDenied) {
					t.Errorf("%s %d, when the permission has ended: %v", verb, i, err)
				}
				if verb == granted {
					continue
				}
				if after, err := h.Get(upload.As(t.Context(), "ann"), u.ID); err != nil || after.Version != before.Version || after.Here != 0 {
					t.Errorf("%s %d was refused, and the record is %+v now: %v", verb, i, after, err)
				}
			}
		}
	}
}

// TestSeen: somebody else's upload is none, for every call.
func TestSeen(t *testing.T) {
	t.Parallel()
	h := newHouse(mem.Options{})
	create := func(owner string) string {
		u, err := h.Create(upload.As(t.Context(), owner), upload.New{Size: 3})
		if err != nil {
			t.Fatal(err)
		}
		return u.ID
	}
	ann, nobody, cookie := create("ann"), create(""), create("?1")
	for _, c := range []struct {
		p    upload.Principal
		id   string
		sees bool
	}{
		{upload.Principal{Owner: "ann"}, ann, true},
		{upload.Principal{Owner: "bob"}, ann, false},
		{upload.Principal{}, ann, false},
		{upload.Principal{Owner: "?1"}, ann, false},
		{upload.Principal{Owner: "ann"}, nobody, false},
		{upload.Principal{}, nobody, true},
		{upload.Principal{Owner: "?2"}, nobody, true},
		{upload.Principal{Owner: "?2"}, cookie, true},
		{upload.Principal{}, cookie, true},
		{upload.Principal{Owner: "ann"}, cookie, false},
		{upload.Principal{Owner: "bob", Upload: ann}, ann, true},
		{upload.Principal{Owner: "ann", Upload: nobody}, ann, false},
		{upload.Principal{Owner: "app", Verbs: upload.Verbs()}, ann, true},
	} {
		for verb, list := range deeds(h) {
			for i, deed := range list {
				if verb == upload.MayCreate || verb == upload.MayLook && i == 0 || verb == upload.MayRead && i == 1 || c.sees && (verb == upload.MayRemove || i == 6) {
					continue
				}
				err := deed(upload.By(t.Context(), c.p), c.id)
				if missing := errors.Is(err, upload.ErrNotFound); missing == c.sees {
					t.Errorf("%+v, %s %d of %s: %v", c.p, verb, i, c.id, err)
				}
			}
		}
	}
	other := &upload.Service{Store: h.Store, State: h.State, Endpoint: "other", Now: h.Now}
	if _, err := other.Get(upload.As(t.Context(), "ann"), ann); !errors.Is(err, upload.ErrNotFound) {
		t.Errorf("an upload of another endpoint: %v", err)
	}
	if _, err := other.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestAgain: who may complete an upload is asked when it is complete; without a
// word nobody completes it, not even the sweep, and nothing is lost.
func TestAgain(t *testing.T) {
	t.Parallel()
	h := newHouse(mem.Options{})
	var answer error
	asked := 0
	p := upload.Principal{Owner: "ann", Again: func(context.Context) error { asked++; return answer }}
	ctx := upload.By(t.Context(), p)
	u, err := h.Create(ctx, upload.New{Size: 3})
	if err != nil {
		t.Fatal(err)
	}
	for _, answer = range []error{upload.ErrDenied, io.ErrUnexpectedEOF} {
		want := upload.ErrDenied
		if answer != want {
			want = upload.ErrUnavailable
		}
		_, err := h.Write(ctx, u.ID, upload.Chunk{Len: 3, Size: -1, Body: strings.NewReader("abc")})
		wantErr(t, err, want)
		if _, err := h.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		v, err := h.Get(ctx, u.ID)
		if err != nil || v.Phase != upload.Receiving || v.Here != 3 {
			t.Fatalf("it is %v with %d bytes: %v", v.Phase, v.Here, err)
		}
	}
	answer = nil
	if v, err := h.Settle(ctx, u.ID); err != nil || v.Phase != upload.Done {
		t.Fatalf("permitted at last, it is %+v: %v", v, err)
	}
	if asked != 3 {
		t.Errorf("asked %d times", asked)
	}

	answer = upload.ErrDenied
	u, _ = h.Create(ctx, upload.New{Size: 3})
	_, err = h.Write(ctx, u.ID, upload.Chunk{Len: 3, Size: -1, Body: strings.NewReader("abc")})
	wantErr(t, err, upload.ErrDenied)
	h.clock.add(8 * 24 * time.Hour)
	if _, err := h.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err = h.Get(ctx, u.ID)
	wantErr(t, err, upload.ErrGone)

	// A small file that arrives whole in one request is no exception.
	u, err = h.Take(ctx, upload.New{Size: 3}, upload.Chunk{Len: 3, Size: 3, Last: true, Body: strings.NewReader("abc")})
	wantErr(t, err, upload.ErrDenied)
	if v, err := h.Get(ctx, u.ID); err != nil || v.Phase != upload.Receiving || v.Here != 3 {
		t.Errorf("%+v: %v", v, err)
	}
}

// TestGrant: what was granted is kept with the upload.
func TestGrant(t *testing.T) {
	t.Parallel()
	h := newHouse(mem.Options{})
	ctx := upload.By(t.Context(), upload.Principal{Owner: "ann", Grant: upload.Grant{
		MaxSize: 10, Quota: upload.Quota{Open: 2}, Types: []string{"image/*"}, Prefix: "../albums/ann",
		Fields: map[string]string{"album": "7"}, Data: `{"x":1}`,
	}})
	_, err := h.Create(ctx, upload.New{Size: 11})
	wantErr(t, err, upload.ErrTooLarge)
	u, err := h.Create(ctx, upload.New{Size: -1, Meta: upload.Meta{Name: "a.png", Fields: map[string]string{"album": "8", "b": "c"}}})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(u.Key, "albums/ann/") || u.Meta.Fields["album"] != "7" || u.Meta.Fields["b"] != "c" || u.Meta.Data != `{"x":1}` {
		t.Errorf("%+v", u)
	}
	_, err = h.SetSize(upload.As(t.Context(), "ann"), u.ID, 11)
	wantErr(t, err, upload.ErrTooLarge)
	_, err = h.Write(upload.As(t.Context(), "ann"), u.ID, upload.Chunk{Len: -1, Size: -1, Body: strings.NewReader("01234567890")})
	wantErr(t, err, upload.ErrTooLarge)
	if _, err := h.Create(ctx, upload.New{Size: 1}); err != nil {
		t.Fatal(err)
	}
	_, err = h.Create(ctx, upload.New{Size: 1})
	wantErr(t, err, upload.ErrQuota)

	ctx = upload.By(t.Context(), upload.Principal{Owner: "bob", Grant: upload.Grant{Prefix: "a", Key: "/b/../c"}})
	if u, err := h.Create(ctx, upload.New{Size: 1}); err != nil || u.Key != "a/b/c" {
		t.Fatal(u, err)
	}
}
