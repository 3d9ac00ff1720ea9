package state

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/muleteer/muleteer/upload"
)

// Options are what an operator chooses beside the place. The zero value is
// the safe one.
type Options struct {
	// Process is the durability level "process": what was acknowledged
	// survives the end of this process, kill -9 included, but the last of it
	// perhaps not a power cut. False is the level "power".
	Process bool
	Now     func() time.Time // nil: time.Now
}

// Open opens the state that a URL names, and makes it if there is none:
//
//	sqlite:dir/state.db      a SQLite database, by a relative path
//	sqlite:///dir/state.db   by an absolute one
//	memory:                  nothing that lasts
//
// Its errors are for the person who chose the URL, and say what to do.
func Open(ctx context.Context, address string, o Options) (State, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	scheme, rest, _ := strings.Cut(address, ":")
	switch scheme {
	case "memory":
		return Memory(o.Now), nil
	case "sqlite":
		if path := strings.TrimPrefix(rest, "//"); path != "" {
			return openSQLite(path, o)
		}
	case "postgres", "postgresql":
		return nil, errors.New("PostgreSQL is not supported yet: use --state sqlite:FILE")
	}
	return nil, fmt.Errorf("the state %q is not one that muleteer knows: use memory: or sqlite:FILE", address)
}

// openSQLite opens the database at path for this process alone.
func openSQLite(path string, o Options) (_ *SQLite, err error) {
	path, err = filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if err := prepare(path); err != nil {
		return nil, refuse(path, err)
	}
	file, err := lock(path)
	if err != nil {
		return nil, err
	}
	writing, readers, err := connect(path, o)
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	s := &SQLite{
		now: o.Now, queue: make(chan request, group), readers: readers,
		closing: make(chan struct{}), written: make(chan struct{}),
	}
	if s.now == nil {
		s.now = time.Now
	}
	s.reserve.path = path + ".reserve"
	s.reserve.keep()
	go s.writer(writing)
	s.end = sync.OnceValue(func() error {
		close(s.closing)
		<-s.written
		return errors.Join(hangUp(s.readers, cap(s.readers)), writing.close(), file.Close())
	})
	return s, nil
}

// prepare makes the file, if there is none, and its directory, for nobody else
// to read. Its name has to survive a power cut as its contents do.
func prepare(path string) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return nil
	} else if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// connect opens the connections, the one that writes and those that read.
func connect(path string, o Options) (_ *conn, _ chan *conn, err error) {
	dsn := (&url.URL{Scheme: "file", Path: path}).String() + "?_pragma=busy_timeout(5000)"
	writing, err := dial(dsn)
	if err != nil {
		return nil, nil, refuse(path, err)
	}
	readers := make(chan *conn, min(max(runtime.GOMAXPROCS(0), 2), 8))
	defer func() {
		if err != nil {
			err = errors.Join(err, hangUp(readers, len(readers)), writing.close())
		}
	}()
	if err := check(writing, path); err != nil {
		return nil, nil, err
	}
	level := "full"
	if o.Process {
		level = "normal"
	}
	for _, sql := range []string{
		"pragma journal_mode = wal", "pragma synchronous = " + level,
		"pragma wal_autocheckpoint = 2000", "pragma cache_size = -8000",
	} {
		if _, err := writing.one(sql); err != nil {
			return nil, nil, refuse(path, err)
		}
	}
	if err := migrate(writing, path); err != nil {
		return nil, nil, err
	}
	for range cap(readers) {
		c, err := dial(dsn + "&_query_only=1")
		if err != nil {
			return nil, nil, refuse(path, err)
		}
		readers <- c
	}
	return writing, readers, nil
}

// hangUp closes n readers, waiting for those at work.
func hangUp(readers chan *conn, n int) error {
	var errs []error
	for range n {
		errs = append(errs, (<-readers).close())
	}
	return errors.Join(errs...)
}

// refuse says in one line why a database cannot be opened, and what to do.
func refuse(path string, err error) error {
	switch code(err) {
	case codeNoDB:
		return fmt.Errorf("%s is not a database: move it away, or choose another --state", path)
	case codeCorrupt:
		return fmt.Errorf("%s is damaged, restore it from a backup, or move it away to begin anew: %w", path, err)
	case codeFull:
		return fmt.Errorf("%s: %w", path, explain(err))
	}
	return fmt.Errorf("%s cannot be opened, see to its permissions and its disk, or choose another --state: %w", path, err)
}

// Ping implements State. It reads and it waits for the writer.
func (s *SQLite) Ping(ctx context.Context) error {
	look := func(c *conn) error { _, err := c.one(selectExists, ""); return err }
	if err := s.read(ctx, look); err != nil {
		return err
	}
	return s.write(ctx, look)
}

// Close implements State.
func (s *SQLite) Close() error { return s.end() }

// read does something with one of the readers.
func (s *SQLite) read(ctx context.Context, do func(*conn) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case <-s.closing:
		return ErrClosed
	default:
	}
	select {
	case c := <-s.readers:
		defer func() { s.readers <- c }()
		return do(c)
	case <-ctx.Done():
		return ctx.Err()
	case <-s.closing:
		return ErrClosed
	}
}

var _ = [...]State{(*SQLite)(nil), (*Volatile)(nil)}
var _ upload.Outbox = State(nil)
