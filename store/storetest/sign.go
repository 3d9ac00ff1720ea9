package storetest

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/store"
)

var signPromises = []promise{
	{"a signed request puts the part of a cell", signCell},
	{"a signed request is for one part of just these bytes", signExact},
	{"a signed request ends with its life, and with the object", signEnds},
	{"parts of which nothing is known come by their numbers", signBlind},
}

func signCell(t *testing.T, s store.Store) {
	f := signer(t, s)
	c := cell(begin(t, s, store.Spec{Size: -1, Key: "probe", Chunk: 5 << 20}))
	body := random(2*c+4097, 1)
	o := begin(t, s, store.Spec{Size: int64(len(body)), Key: "signed/file", Chunk: c})
	x := &sender{t: t, s: s, o: o, data: body}
	for e := range o.Grid.Cut(extent.Extent{End: o.Size}) {
		p := store.Part{Extent: e, CRC: store.CRC(0).Update(body[e.Start:e.End])}
		n := number(t, f, o, e)
		for range 2 { // whose answer was lost
			if status := putSigned(t, sign(t, f, o, n, &p), body[e.Start:e.End]); status != http.StatusOK {
				t.Fatalf("putting part %d: %d", n, status)
			}
		}
		all := arrived(t, reopen(f.(store.Store)).(store.Signer), o, n, n)
		if len(all) != 1 || all[0].Size != e.Len() || all[0].CRC != p.CRC || all[0].Number != n {
			t.Fatalf("part %d arrived as %+v, not as %+v", n, all, p)
		}
		p.Receipt = all[0].Receipt
		x.parts = append(x.parts, p)
	}
	x.join()
	x.verify()
}

func signExact(t *testing.T, s store.Store) {
	f := signer(t, s)
	body := random(5<<20, 2)
	o := begin(t, s, store.Spec{Size: 3 * int64(len(body)), Key: "file", Chunk: int64(len(body))})
	e := extent.At(0, int64(len(body)))
	p := store.Part{Extent: e, CRC: store.CRC(0).Update(body)}
	good := sign(t, f, o, number(t, f, o, e), &p)
	other := slices.Clone(body)
	other[100]++
	for name, try := range map[string]struct {
		change func(r *http.Request)
		body   []byte
	}{
		"other bytes":     {func(*http.Request) {}, other},
		"fewer bytes":     {func(*http.Request) {}, body[1:]},
		"more bytes":      {func(*http.Request) {}, append(slices.Clone(body), 1)},
		"another sum":     {func(r *http.Request) { changeHeaders(r, store.CRC(0).Update(other).String()) }, other},
		"no sum":          {func(r *http.Request) { clear(r.Header) }, other},
		"another part":    {func(r *http.Request) { setQuery(r, "partNumber", "9") }, body},
		"another method":  {func(r *http.Request) { r.Method = http.MethodDelete }, nil},
		"the object":      {func(r *http.Request) { setQuery(r, "partNumber", "") }, body},
		"another object":  {func(r *http.Request) { r.URL.Path += "x" }, body},
		"another upload":  {func(r *http.Request) { setQuery(r, "uploadId", "x") }, body},
		"a longer life":   {func(r *http.Request) { setQuery(r, "X-Amz-Expires", "604800") }, body},
		"no signature":    {func(r *http.Request) { setQuery(r, "X-Amz-Signature", "") }, body},
		"listing instead": {func(r *http.Request) { r.Method = http.MethodGet; setQuery(r, "partNumber", "") }, nil},
	} {
		if status := putChanged(t, good, try.body, try.change); status < 400 {
			t.Errorf("%s: %d", name, status)
		}
	}
	if all := arrived(t, f, o, 1, 10_000); len(all) != 0 {
		t.Errorf("arrived: %+v", all)
	}
	if status := putSigned(t, good, body); status != http.StatusOK {
		t.Errorf("what was signed: %d", status)
	}
}

func signEnds(t *testing.T, s store.Store) {
	f := signer(t, s)
	body := random(5<<20, 2)
	o := begin(t, s, store.Spec{Size: int64(len(body)), Key: "file", Chunk: int64(len(body))})
	p := store.Part{Extent: extent.At(0, o.Size), CRC: store.CRC(0).Update(body)}
	n := number(t, f, o, p.Extent)
	short, err := f.Sign(t.Context(), o, n, &p, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); putSigned(t, short, body) == http.StatusOK; {
		if time.Now().After(deadline) {
			t.Fatal("a request that was signed for a second is good half a minute later")
		}
	}
	good := sign(t, f, o, n, &p)
	if status := putSigned(t, good, body); status != http.StatusOK {
		t.Fatalf("putting the part: %d", status)
	}
	p.Receipt = arrived(t, f, o, n, n)[0].Receipt
	x := &sender{t: t, s: s, o: o, data: body, parts: []store.Part{p}}
	x.join()
	if status := putSigned(t, good, body); status < 400 {
		t.Errorf("after the join: %d", status)
	}
	if all := arrived(t, f, o, 1, 10_000); len(all) != 0 {
		t.Errorf("after the join arrived: %+v", all)
	}
	remove(t, x)
	if status := putSigned(t, good, body); status < 400 {
		t.Errorf("after the removal: %d", status)
	}
}

func signBlind(t *testing.T, s store.Store) {
	f := signer(t, s)
	if signs, err := f.Signs(t.Context()); err != nil || !signs.Blind {
		t.Skip("this store signs only what is known")
	}
	o := begin(t, s, store.Spec{Size: -1, Key: "file"})
	x := &sender{t: t, s: s, o: o}
	for _, n := range []int64{1, 3, 7} {
		body := random(5<<20+n, uint64(n))
		if n == 7 {
			body = body[:100]
		}
		if status := putSigned(t, sign(t, f, o, n, nil), body); status != http.StatusOK {
			t.Fatalf("part %d: %d", n, status)
		}
		x.parts = append(x.parts, store.Part{Extent: extent.At(int64(len(x.data)), int64(len(body))), CRC: store.CRC(0).Update(body)})
		x.data = append(x.data, body...)
	}
	for i, a := range arrived(t, f, o, 1, 10_000) {
		if a.Size != x.parts[i].Len() || a.CRC != x.parts[i].CRC {
			t.Fatalf("part %d is %+v", a.Number, a)
		}
		x.parts[i].Receipt = a.Receipt
	}
	if few := arrived(t, f, o, 2, 6); len(few) != 1 || few[0].Number != 3 {
		t.Errorf("from 2 to 6: %+v", few)
	}
	x.o.Size = int64(len(x.data))
	x.join()
	x.verify()
}

// signer returns the store as a Signer; where it signs nothing, the test ends.
func signer(t *testing.T, s store.Store) store.Signer {
	t.Helper()
	f, ok := s.(store.Signer)
	if !ok {
		t.Skip("this store signs nothing")
	}
	signs, err := f.Signs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if signs.Origin == "" {
		t.Skip("this store signs nothing")
	}
	return f
}

func number(t *testing.T, f store.Signer, o store.Object, e extent.Extent) int64 {
	t.Helper()
	n, err := f.Number(o, e)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func sign(t *testing.T, f store.Signer, o store.Object, number int64, p *store.Part) store.Signed {
	t.Helper()
	signed, err := f.Sign(t.Context(), o, number, p, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func arrived(t *testing.T, f store.Signer, o store.Object, first, last int64) []store.Arrival {
	t.Helper()
	var all []store.Arrival
	for a, err := range f.Arrived(t.Context(), o, first, last) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, a)
	}
	return all
}

// putSigned sends a body as a signed request, and returns the status of the answer.
func putSigned(t *testing.T, s store.Signed, body []byte) int {
	t.Helper()
	return putChanged(t, s, body, func(*http.Request) {})
}

func putChanged(t *testing.T, s store.Signed, body []byte, change func(*http.Request)) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, s.Method, s.URL, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range s.Header {
		r.Header.Set(name, value)
	}
	change(r)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 999 // the connection was ended: that is a refusal too
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

// changeHeaders gives all headers another value.
func changeHeaders(r *http.Request, value string) {
	for name := range r.Header {
		r.Header.Set(name, value)
	}
}

// setQuery sets a parameter, or takes it out if the value is empty.
func setQuery(r *http.Request, name, value string) {
	q := r.URL.Query()
	if q.Set(name, value); value == "" {
		q.Del(name)
	}
	r.URL.RawQuery = q.Encode()
}
