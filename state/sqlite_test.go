package state

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/muleteer/muleteer/upload"
)

func TestReopenKeepsEverything(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a dir", "100%25?#.db")
	s, err := Open(t.Context(), "sqlite:"+path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	u := record("u")
	u.Fingerprint = "f"
	if err := s.Create(t.Context(), u, upload.Quota{}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Add(t.Context(), "u", 0, part(0, 10), part(20, 30)); err != nil {
		t.Fatal(err)
	}
	u.Due = time.Unix(1, 1).UTC()
	if err := s.Save(t.Context(), u, upload.Event{ID: "e"}); err != nil {
		t.Fatal(err)
	}
	want, err := s.Load(t.Context(), "u", everything)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path, Options{})
	got, err := s.Load(t.Context(), "u", everything)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, want)
	}
	n := 0
	for e, err := range s.Pending(t.Context(), "", time.Now()) {
		if n++; err != nil || e.ID != "e" || e.Upload != "u" {
			t.Errorf("event %+v, %v", e, err)
		}
	}
	if n != 1 {
		t.Errorf("%d events", n)
	}
	if err := s.Create(t.Context(), &upload.Record{Fingerprint: "f", Phase: 1}, upload.Quota{}); !errors.Is(err, upload.ErrExists) {
		t.Errorf("create with a taken fingerprint: %v", err)
	}
}

func TestClosedStateAnswersErrClosed(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"memory:", "sqlite:" + filepath.Join(t.TempDir(), "state.db")} {
		s, err := Open(t.Context(), url, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Ping(t.Context()); err != nil {
			t.Errorf("ping: %v", err)
		}
		if err := errors.Join(s.Close(), s.Close()); err != nil {
			t.Errorf("close: %v", err)
		}
		_, load := s.Load(t.Context(), "u", everything)
		for _, err := range []error{s.Ping(t.Context()), load, s.Create(t.Context(), record("u"), upload.Quota{}), s.Purge(t.Context(), "u")} {
			if !errors.Is(err, ErrClosed) {
				t.Errorf("%s: got %v", url, err)
			}
		}
	}
}

func TestDurability(t *testing.T) {
	t.Parallel()
	for _, o := range []Options{{}, {Process: true}} {
		s := open(t, filepath.Join(t.TempDir(), "state.db"), o)
		want := "wal 2" // synchronous=FULL: every commit is synced
		if o.Process {
			want = "wal 1"
		}
		var got string
		err := s.write(t.Context(), func(c *conn) error {
			mode, err := c.one("pragma journal_mode")
			if err != nil {
				return err
			}
			level, err := c.one("pragma synchronous")
			got = fmt.Sprint(text(mode[0]), " ", number(level[0]))
			return err
		})
		if err != nil || got != want {
			t.Errorf("got %s, %v, want %s", got, err, want)
		}
	}
}

// hold stops the writer until release is called; what is written meanwhile is
// in one transaction.
func (s *SQLite) hold(t *testing.T) (release func()) {
	t.Helper()
	begun, end := make(chan struct{}), make(chan struct{})
	go func() {
		_ = s.write(context.Background(), func(*conn) error { close(begun); <-end; return nil })
	}()
	<-begun
	return sync.OnceFunc(func() { close(end) })
}

// queued waits until n requests are in the queue.
func (s *SQLite) queued(n int) {
	for len(s.queue) < n {
		runtime.Gosched()
	}
}

func TestFailedCommitIsAnErrorForEverybodyInIt(t *testing.T) {
	t.Parallel()
	s := open(t, filepath.Join(t.TempDir(), "state.db"), Options{})
	if err := s.Create(t.Context(), record("old"), upload.Quota{}); err != nil {
		t.Fatal(err)
	}
	release := s.hold(t)
	errs := make([]error, 4)
	var wg sync.WaitGroup
	for i, f := range []func() error{
		func() error { return s.Create(t.Context(), record("new"), upload.Quota{}) },
		func() error { _, err := s.Add(t.Context(), "old", 0, part(0, 10)); return err },
		func() error { return s.Create(t.Context(), record("new"), upload.Quota{}) }, // refused by what is undone
		func() error {
			return s.write(t.Context(), func(c *conn) error { _, err := c.exec("rollback"); return err })
		},
	} {
		wg.Go(func() { errs[i] = f() })
		s.queued(i + 1)
	}
	release()
	wg.Wait()
	for i, err := range errs {
		if err == nil || errors.Is(err, upload.ErrExists) {
			t.Errorf("request %d: got %v", i, err)
		}
	}
	if _, err := s.Load(t.Context(), "new", everything); !errors.Is(err, upload.ErrNotFound) {
		t.Errorf("load what was not committed: %v", err)
	}
	if u, err := s.Load(t.Context(), "old", everything); err != nil || u.Here != 0 {
		t.Errorf("load: %+v, %v", u, err)
	}
	if err := s.Create(t.Context(), record("new"), upload.Quota{}); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestContextThatEndsInTheQueue(t *testing.T) {
	t.Parallel()
	s := open(t, filepath.Join(t.TempDir(), "state.db"), Options{})
	u := record("u")
	if err := s.Create(t.Context(), u, upload.Quota{}); err != nil {
		t.Fatal(err)
	}
	release := s.hold(t)
	defer release()
	ctx, cancel := context.WithCancel(t.Context())
	errs := make(chan error, 1)
	go func() { errs <- s.Save(ctx, u, upload.Event{ID: "e"}) }()
	s.queued(1)
	cancel()
	if err := <-errs; !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	u.Owner, u.Version = "somebody", 7 // the record is the caller's again
	release()
	if err := s.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	l, err := s.Load(t.Context(), "u", everything)
	if err != nil || l.Owner != "" || l.Version > 2 {
		t.Errorf("got %+v, %v", l, err)
	}
}

func TestFullDatabase(t *testing.T) {
	t.Parallel()
	s := open(t, filepath.Join(t.TempDir(), "state.db"), Options{})
	limit := func(pages int) {
		if err := s.write(t.Context(), func(c *conn) error {
			_, err := c.one(fmt.Sprintf("pragma max_page_count = %d", pages))
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	limit(60)
	kept := 0
	var err error
	for ; err == nil; kept++ {
		u := record(fmt.Sprint(kept))
		u.Meta.Name = strings.Repeat("x", 5000)
		err = s.Create(t.Context(), u, upload.Quota{})
	}
	if !errors.Is(err, upload.ErrFull) || kept < 5 {
		t.Fatalf("after %d: %v", kept, err)
	}
	if _, err := s.Load(t.Context(), "0", everything); err != nil {
		t.Errorf("load: %v", err)
	}
	limit(10000)
	for i := range kept {
		_, err := s.Load(t.Context(), fmt.Sprint(i), everything)
		if want := i < kept-1; (err == nil) != want {
			t.Errorf("record %d of %d: %v", i, kept, err)
		}
	}
	if err := s.Create(t.Context(), record(fmt.Sprint(kept-1)), upload.Quota{}); err != nil {
		t.Errorf("with space again: %v", err)
	}
}

// What is asked for often must not cost more the more uploads there are.
func TestFindByAnIndex(t *testing.T) {
	t.Parallel()
	s := open(t, filepath.Join(t.TempDir(), "state.db"), Options{})
	owner, endpoint := "ann", "videos"
	open := []upload.Phase{upload.Receiving, upload.Joining, upload.Accepting}
	for index, q := range map[string]upload.Query{
		"upload_claim (fingerprint=?)":          {Owner: &owner, Endpoint: &endpoint, Fingerprint: "f", Phases: open, Limit: 1},
		"upload_fingerprint (fingerprint=?)":    {Owner: &owner, Endpoint: &endpoint, Fingerprint: "f", Phases: []upload.Phase{upload.Held, upload.Done}, Limit: 1},
		"upload_file (file=?)":                  {Owner: &owner, Endpoint: &endpoint, File: "f", Phases: open, Limit: 1},
		"upload_owner (endpoint=? AND owner=?)": {Owner: &owner, Endpoint: &endpoint},
		"upload_open (endpoint=? AND owner=?)":  {Owner: &owner, Endpoint: &endpoint, Phases: open},
		"upload_due (due<?)":                    {DueBefore: time.Unix(1, 0), Limit: 100},
		"INTEGER PRIMARY KEY (rowid=?)":         {Source: "s", Phases: open},
	} {
		sql, args := choose(q, position{}, 1)
		plan := ""
		err := s.read(t.Context(), func(c *conn) error {
			return c.query("explain query plan "+sql, func(row []driver.Value) error { plan += text(row[3]) + "; "; return nil }, args...)
		})
		if err != nil || !strings.HasPrefix(plan, "SEARCH upload USING ") || !strings.Contains(plan, index) {
			t.Errorf("%+v: %q (%v), want %s", q, plan, err, index)
		}
	}
}
