// Package statetest is the suite that every state passes. Each subtest is
// named with the promise that it checks; the promises are those of
// upload.State and upload.Outbox.
package statetest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/store"
	"github.com/muleteer/muleteer/upload"
)

// State is what is tested.
type State interface {
	upload.State
	upload.Outbox
}

// Run checks a state. The function opens a new and empty one for each subtest,
// by the clock time.Now, and closes it by t.Cleanup.
func Run(t *testing.T, open func(t *testing.T) State) {
	for _, group := range [][]promise{records, saves, adds, finds, outbox, races} {
		for _, p := range group {
			t.Run(p.name, func(t *testing.T) {
				t.Parallel()
				p.check(&tester{T: t, State: open(t), ctx: t.Context()})
			})
		}
	}
}

// promise is one sentence and the function that checks it.
type promise struct {
	name  string
	check func(t *tester)
}

// tester is a test with its state.
type tester struct {
	*testing.T
	State
	ctx context.Context
	n   int
}

var everything = extent.Extent{Start: 0, End: extent.Max}

// noon is a time with nanoseconds and without a monotonic clock.
var noon = time.Date(2024, 2, 29, 12, 0, 0, 123456789, time.UTC)

// record returns a new record that is in no state yet, in phase Receiving.
func (t *tester) record(size int64) *upload.Record {
	t.n++
	u := &upload.Record{Phase: upload.Receiving, Owner: "ann", Began: noon, Touched: noon}
	u.ID = fmt.Sprintf("upload-%022d", t.n)
	u.Size = size
	return u
}

// create keeps a record.
func (t *tester) create(u *upload.Record) *upload.Record {
	t.Helper()
	if err := t.Create(t.ctx, u, upload.Quota{}); err != nil {
		t.Fatalf("create %s: %v", u.ID, err)
	}
	return u
}

// load returns a record with all its parts.
func (t *tester) load(id string) *upload.Record {
	t.Helper()
	u, err := t.Load(t.ctx, id, everything)
	if err != nil {
		t.Fatalf("load %s: %v", id, err)
	}
	return u
}

// save keeps a record again.
func (t *tester) save(u *upload.Record, ev ...upload.Event) {
	t.Helper()
	if err := t.Save(t.ctx, u, ev...); err != nil {
		t.Fatalf("save %s: %v", u.ID, err)
	}
}

// add makes parts count.
func (t *tester) add(u *upload.Record, parts ...store.Part) upload.Progress {
	t.Helper()
	p, err := t.Add(t.ctx, u.ID, u.Epoch, parts...)
	if err != nil {
		t.Fatalf("add %v to %s: %v", parts, u.ID, err)
	}
	return p
}

// found returns the ids that a query finds, in order.
func (t *tester) found(q upload.Query) []string {
	t.Helper()
	ids := []string{}
	for u, err := range t.Find(t.ctx, q) {
		if err != nil {
			t.Fatalf("find %+v: %v", q, err)
		}
		if u.Parts != nil {
			t.Errorf("find yields %s with parts", u.ID)
		}
		ids = append(ids, u.ID)
	}
	return ids
}

// is fails the test unless err is want, or both are nil.
func (t *tester) is(err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got error %v, want %v", err, want)
	}
}

// equal fails the test unless both are deeply equal.
func (t *tester) equal(what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}

// parts fails the test unless the record has these parts, and nothing else.
func (t *tester) parts(u *upload.Record, want ...store.Part) {
	t.Helper()
	if got := t.load(u.ID).Parts; !slices.Equal(got, want) {
		t.Fatalf("parts:\n got %v\nwant %v", got, want)
	}
}

// The parts in these tests are of a file of which byte i is content(i).
func content(i int64) byte { return byte(i*i>>3) ^ byte(i*131) }

// plain is a part without a receipt.
func plain(start, end int64) store.Part {
	b := make([]byte, 0, end-start)
	for i := start; i < end; i++ {
		b = append(b, content(i))
	}
	return store.Part{Extent: extent.Extent{Start: start, End: end}, CRC: store.CRC(0).Update(b)}
}

// receipt is a part with one.
func receipt(start, end int64, name string) store.Part {
	p := plain(start, end)
	p.Receipt = name
	return p
}

// crumb is a crumb, with a receipt.
func crumb(start, end int64, name string) store.Part {
	p := receipt(start, end, name)
	p.Crumb = true
	return p
}
