package statetest

import (
	"context"
	"fmt"
	"math"
	"reflect"
	"slices"
	"time"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/store"
	"github.com/muleteer/muleteer/upload"
)

var records = []promise{
	{"Load returns all that Create kept", func(t *tester) {
		u := full(t, 1)
		want := *u
		t.create(u)
		want.Version, want.Offset, want.Here = 1, 0, 0
		t.equal("record", *t.load(u.ID), want)
	}},
	{"Load returns bytes that are not text as they were", func(t *tester) {
		u := t.record(1)
		strange := "\x00 \xff\xfe é \u2028 <&> \" \\"
		u.Meta = upload.Meta{Name: strange, Path: "\x00", Fields: map[string]string{strange: strange}, Wire: map[string]string{"": "\x00AA=="}}
		u.Owner, u.Key, u.Type, u.Token = "o'\"\n\\", "é/\u2028", "%s $1", "''"
		want := *u
		want.Version = 1
		t.create(u)
		t.equal("record", *t.load(u.ID), want)
	}},
	{"Load returns the greatest and the smallest numbers as they were", func(t *tester) {
		u := t.record(math.MaxInt64)
		u.Grid, u.Epoch = store.Grid{Cell: math.MaxInt64, Widen: 1 << 62}, math.MaxInt64
		u.Final = store.Final{Size: math.MaxInt64, CRC: math.MaxUint64}
		u.Parts = []store.Part{
			{Extent: extent.Extent{Start: 0, End: 1 << 62}, CRC: 1 << 63, Receipt: "a"},
			{Extent: extent.Extent{Start: 1 << 62, End: math.MaxInt64}, CRC: math.MaxUint64, Receipt: "b"},
		}
		want := *u
		want.Version, want.Offset, want.Here = 1, math.MaxInt64, math.MaxInt64
		t.create(u)
		t.equal("record", *t.load(u.ID), want)
	}},
	{"A state shares no memory with its callers", func(t *tester) {
		scribble := func(u *upload.Record) {
			for k := range u.Meta.Fields {
				u.Meta.Fields[k] = "x"
			}
			for k := range u.Meta.Wire {
				delete(u.Meta.Wire, k)
			}
			u.Meta.Answer.Fields["x"], u.Meta.Answer.Response.Header["x"] = "x", "x"
			u.Sources[0], u.Meta.Pieces[0].At, u.Meta.Pieces[1].Bytes[0] = "x", -1, 255
		}
		like := func(id string, version int64, salt int) *upload.Record {
			u := full(t, salt)
			u.ID, u.Version, u.Offset, u.Here = id, version, 0, 0
			return u
		}
		u := t.create(full(t, 1))
		want := like(u.ID, 1, 1)
		scribble(u)
		scribble(t.load(u.ID))
		for u := range t.Find(t.ctx, upload.Query{}) {
			scribble(u)
		}
		t.equal("record", t.load(u.ID), want)
		touched := want.Touched
		u, want = like(u.ID, 1, 1000), like(u.ID, 2, 1000)
		want.Touched = touched
		t.save(u)
		scribble(u)
		t.equal("record after Save", t.load(u.ID), want)
	}},
	{"Create sets Version to 1 and Offset and Here by the parts", func(t *tester) {
		u := t.record(100)
		u.Version, u.Offset, u.Here = 7, 7, 7
		u.Parts = []store.Part{plain(60, 80), plain(0, 20), receipt(20, 30, "r")}
		t.create(u)
		t.equal("Version, Offset, Here", []int64{u.Version, u.Offset, u.Here}, []int64{1, 30, 50})
		l := t.load(u.ID)
		t.equal("what is kept", []int64{l.Version, l.Offset, l.Here}, []int64{1, 30, 50})
		t.parts(u, plain(0, 20), receipt(20, 30, "r"), plain(60, 80))
	}},
	{"Create merges neighbours without receipts", func(t *tester) {
		u := t.record(100)
		u.Parts = []store.Part{plain(0, 20), plain(20, 100)}
		t.create(u)
		t.parts(u, plain(0, 100))
	}},
	{"Create keeps a record that is Done already", func(t *tester) {
		u := t.record(10)
		u.Phase, u.Parts, u.Final = upload.Done, []store.Part{plain(0, 10)}, store.Final{Size: 10, CRC: plain(0, 10).CRC, Key: "k"}
		t.create(u)
		l := t.load(u.ID)
		t.equal("phase", l.Phase, upload.Done)
		t.equal("offset", l.Offset, int64(10))
		t.equal("final", l.Final, u.Final)
	}},
	{"Create answers ErrExists for an id that is there, in any phase", func(t *tester) {
		for _, p := range []upload.Phase{upload.Receiving, upload.Done, upload.Gone} {
			u := t.record(10)
			u.Phase, u.Meta.Name = p, "first"
			t.create(u)
			again := *u
			again.Meta.Name, again.Version = "second", 9
			t.is(t.Create(t.ctx, &again, upload.Quota{}), upload.ErrExists)
			t.equal("the caller's version", again.Version, int64(9))
			t.equal("name", t.load(u.ID).Meta.Name, "first")
		}
	}},
	{"Create answers ErrExists for a fingerprint whose upload is before Held", func(t *tester) {
		for p := upload.Receiving; p <= upload.Gone; p++ {
			u := t.record(10)
			u.Phase, u.Fingerprint = p, "print-"+p.String()
			t.create(u)
			other := t.record(10)
			other.Fingerprint = u.Fingerprint
			want := upload.ErrExists
			if p >= upload.Held {
				want = nil
			}
			t.is(t.Create(t.ctx, other, upload.Quota{}), want)
		}
	}},
	{"Create takes a fingerprint anew when its upload is Done", func(t *tester) {
		a, b, c := t.record(1), t.record(1), t.record(1)
		a.Fingerprint, b.Fingerprint, c.Fingerprint = "f", "f", "f"
		t.create(a)
		t.is(t.Create(t.ctx, b, upload.Quota{}), upload.ErrExists)
		a.Phase = upload.Done
		t.save(a)
		t.create(b)
		t.is(t.Create(t.ctx, c, upload.Quota{}), upload.ErrExists)
	}},
	{"Create answers ErrExists where a fingerprint is for one upload until that is Gone", func(t *tester) {
		for mine := upload.Receiving; mine <= upload.Done; mine += upload.Done - upload.Receiving {
			for p := upload.Receiving; p <= upload.Gone; p++ {
				u := t.record(10)
				u.Phase, u.Fingerprint = p, fmt.Sprintf("print-%v-%v", mine, p)
				t.create(u)
				other := t.record(10)
				other.Phase, other.Fingerprint = mine, u.Fingerprint
				want := upload.ErrExists
				if p == upload.Gone {
					want = nil
				}
				t.is(t.Create(t.ctx, other, upload.Quota{Once: true}), want)
			}
		}
		a, b := t.record(1), t.record(1) // without a fingerprint there is nothing to be one of
		t.is(t.Create(t.ctx, a, upload.Quota{Once: true}), nil)
		t.is(t.Create(t.ctx, b, upload.Quota{Once: true}), nil)
	}},
	{"Create takes any number of empty fingerprints", func(t *tester) {
		t.create(t.record(1))
		t.create(t.record(1))
	}},
	{"Create answers ErrOverlap for parts that overlap, and keeps nothing", func(t *tester) {
		u := t.record(100)
		u.Fingerprint, u.Parts = "f", []store.Part{receipt(0, 20, "a"), receipt(10, 30, "b")}
		t.is(t.Create(t.ctx, u, upload.Quota{}), upload.ErrOverlap)
		_, err := t.Load(t.ctx, u.ID, everything)
		t.is(err, upload.ErrNotFound)
		u.Parts = nil
		t.create(u)
		t.parts(u)
	}},
	{"Create answers ErrFull beyond the number that an owner may have open", func(t *tester) {
		q := upload.Quota{Open: 2}
		a, b, c := t.record(1), t.record(1), t.record(1)
		t.is(t.Create(t.ctx, a, q), nil)
		t.is(t.Create(t.ctx, b, q), nil)
		t.is(t.Create(t.ctx, c, q), upload.ErrFull)
		_, err := t.Load(t.ctx, c.ID, everything)
		t.is(err, upload.ErrNotFound)
		other := t.record(1)
		other.Owner = "bob"
		t.is(t.Create(t.ctx, other, q), nil)
		whole := t.record(1)
		whole.Phase = upload.Done
		t.is(t.Create(t.ctx, whole, q), nil)
		t.is(t.Create(t.ctx, a, q), upload.ErrExists)
		a.Phase = upload.Done
		t.save(a)
		t.is(t.Create(t.ctx, c, q), nil)
	}},
	{"Create answers ErrFull beyond the bytes that an owner may have open", func(t *tester) {
		q := upload.Quota{Bytes: 100}
		a, b := t.record(60), t.record(-1)
		t.is(t.Create(t.ctx, a, q), nil)
		t.is(t.Create(t.ctx, b, q), nil)
		t.add(b, plain(0, 10), plain(20, 30)) // of an unknown size, the bytes here count
		t.is(t.Create(t.ctx, t.record(21), q), upload.ErrFull)
		t.is(t.Create(t.ctx, t.record(20), q), nil)
		t.is(t.Create(t.ctx, t.record(1), q), upload.ErrFull)
		t.is(t.Create(t.ctx, t.record(0), q), nil)
		t.is(t.Create(t.ctx, t.record(1), upload.Quota{}), nil)
	}},
	{"Create answers ErrQuota beyond all that an owner may have, finished or not", func(t *tester) {
		q := upload.Quota{Total: 100}
		a, b := t.record(60), t.record(30)
		t.is(t.Create(t.ctx, a, q), nil)
		a.Phase = upload.Done
		t.save(a)
		b.Phase = upload.Done
		t.is(t.Create(t.ctx, b, q), nil)
		t.is(t.Create(t.ctx, t.record(11), q), upload.ErrQuota)
		whole := t.record(11)
		whole.Phase = upload.Done
		t.is(t.Create(t.ctx, whole, q), upload.ErrQuota)
		t.is(t.Create(t.ctx, t.record(10), q), nil)
		a.Phase = upload.Gone
		t.save(a)
		t.is(t.Create(t.ctx, t.record(60), q), nil)
	}},
	{"Create counts the uploads of one endpoint only", func(t *tester) {
		a, b := t.record(60), t.record(60)
		b.Endpoint = "photos"
		q := upload.Quota{Bytes: 100, Open: 1, Total: 100}
		t.is(t.Create(t.ctx, a, q), nil)
		t.is(t.Create(t.ctx, b, q), nil)
		t.equal("endpoint", t.load(b.ID).Endpoint, "photos")
		c := t.record(1)
		c.Endpoint = "photos"
		t.is(t.Create(t.ctx, c, q), upload.ErrQuota)
	}},
	{"Weigh answers ErrQuota for an upload that would be too much, as it is given", func(t *tester) {
		q := upload.Quota{Bytes: 100, Open: 2, Total: 100}
		t.create(t.record(60))
		u := t.create(t.record(-1))
		t.is(t.Weigh(t.ctx, u, q), nil)
		u.Here = 40
		t.is(t.Weigh(t.ctx, u, q), nil)
		u.Here = 41
		t.is(t.Weigh(t.ctx, u, q), upload.ErrQuota)
		t.is(t.Weigh(t.ctx, u, upload.Quota{}), nil)
		u.Size, u.Here = 40, 0
		t.is(t.Weigh(t.ctx, u, q), nil)
		u.Size = 41
		t.is(t.Weigh(t.ctx, u, q), upload.ErrQuota)
		t.equal("size", t.load(u.ID).Size, int64(-1))
	}},
	{"Create counts sizes that have no sum", func(t *tester) {
		for range 5 {
			t.create(t.record(math.MaxInt64))
		}
		t.is(t.Create(t.ctx, t.record(0), upload.Quota{Bytes: math.MaxInt64}), upload.ErrFull)
		t.is(t.Create(t.ctx, t.record(0), upload.Quota{Open: 6}), nil)
	}},
	{"Create allows the greatest quota to be filled", func(t *tester) {
		q := upload.Quota{Bytes: math.MaxInt64}
		t.is(t.Create(t.ctx, t.record(1<<62), q), nil)
		t.is(t.Create(t.ctx, t.record(1<<62-1), q), nil)
		t.is(t.Create(t.ctx, t.record(1), q), upload.ErrFull)
	}},
	{"Load answers ErrNotFound if there is no record", func(t *tester) {
		_, err := t.Load(t.ctx, "nobody", everything)
		t.is(err, upload.ErrNotFound)
		_, err = t.Load(t.ctx, "nobody", extent.Extent{})
		t.is(err, upload.ErrNotFound)
	}},
	{"Load returns the parts that overlap or touch the extent, in order", loadTouching},
	{"A call with a context that has ended answers its error", func(t *tester) {
		u := t.create(t.record(10))
		ctx, cancel := context.WithCancel(t.ctx)
		cancel()
		_, err := t.Load(ctx, u.ID, everything)
		t.is(err, context.Canceled)
		_, err = t.Add(ctx, u.ID, 0, plain(0, 10))
		t.is(err, context.Canceled)
		t.is(t.Create(ctx, t.record(1), upload.Quota{}), context.Canceled)
		t.is(t.Save(ctx, u), context.Canceled)
		t.is(t.Settle(ctx, "e"), context.Canceled)
		t.is(t.Defer(ctx, event("e", "u")), context.Canceled)
		t.is(t.Purge(ctx, u.ID), context.Canceled)
		for _, err := range t.Find(ctx, upload.Query{}) {
			t.is(err, context.Canceled)
		}
		for _, err := range t.Pending(ctx, "", noon) {
			t.is(err, context.Canceled)
		}
	}},
}

func loadTouching(t *tester) {
	u := t.record(100)
	u.Parts = []store.Part{
		receipt(0, 10, "a"), receipt(10, 20, "b"), receipt(30, 40, "c"), receipt(40, 41, "d"), receipt(60, 100, "e"),
	}
	t.create(u)
	for start := int64(0); start <= 105; start++ {
		for _, n := range []int64{1, 2, 9, 10, 11, 20, 35, extent.Max} {
			e := extent.At(start, n)
			var want []store.Part
			for _, p := range u.Parts {
				if p.Start <= e.End && p.End >= e.Start {
					want = append(want, p)
				}
			}
			l, err := t.Load(t.ctx, u.ID, e)
			t.is(err, nil)
			if !slices.Equal(l.Parts, want) {
				t.Fatalf("%v:\n got %v\nwant %v", e, l.Parts, want)
			}
		}
	}
	l, err := t.Load(t.ctx, u.ID, extent.Extent{})
	t.is(err, nil)
	t.equal("parts of an empty extent", len(l.Parts), 0)
}

// full returns a record of which every field, known to this suite or not, has
// a value of its own.
func full(t *tester, salt int) *upload.Record {
	u := t.record(0)
	id := u.ID
	fill(reflect.ValueOf(u).Elem(), &salt)
	u.ID, u.Phase, u.Parts = id, upload.Receiving, nil
	return u
}

// fill sets everything in v.
func fill(v reflect.Value, n *int) {
	*n++
	if t, ok := v.Addr().Interface().(*time.Time); ok {
		*t = noon.Add(time.Duration(*n) * 1000000007)
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprintf("text-%d", *n))
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*n))
	case reflect.Uint8, reflect.Uint64:
		v.SetUint(uint64(*n) % 251)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 3, 3))
		for i := range 3 {
			fill(v.Index(i), n)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key, n)
		fill(value, n)
		v.SetMapIndex(key, value)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	default:
		panic("a record has a field of kind " + v.Kind().String())
	}
}
