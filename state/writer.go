package state

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"

	"modernc.org/sqlite"

	"github.com/muleteer/muleteer/upload"
)

// group is the largest number of requests in one transaction.
const group = 512

// request is one change that waits to be written.
type request struct {
	ctx    context.Context
	do     func(*conn) error // runs in the writer's goroutine, perhaps long after its caller has gone
	answer chan error        // takes one without a reader
	frees  bool              // it makes space, so that it may use the reserve
}

// write has the writer do something in a transaction, and returns when it is
// committed. Until then what do has left behind must not be touched, and if
// the context ends first, never: do may run still.
func (s *SQLite) write(ctx context.Context, do func(*conn) error) error {
	return s.send(ctx, request{ctx: ctx, do: do})
}

// send is write for a request of any kind.
func (s *SQLite) send(ctx context.Context, r request) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r.answer = make(chan error, 1)
	select {
	case s.queue <- r:
	case <-ctx.Done():
		return ctx.Err()
	case <-s.closing:
		return ErrClosed
	}
	select {
	case err := <-r.answer:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-s.written:
	}
	select { // the writer has ended, but it may have come to this one before
	case err := <-r.answer:
		return err
	default:
		return ErrClosed
	}
}

// writer commits what has queued up as one transaction, again and again.
func (s *SQLite) writer(c *conn) {
	defer close(s.written)
	for {
		select {
		case r := <-s.queue:
			s.commit(c, r)
			continue
		default:
		}
		select {
		case r := <-s.queue:
			s.commit(c, r)
		case <-s.closing:
			return
		}
	}
}

// commit does r, and what queues up behind it meanwhile, in one transaction,
// and answers all of it.
func (s *SQLite) commit(c *conn, r request) {
	batch := make([]request, 0, group)
	errs := make([]error, 0, group)
	_, failed := c.exec("begin immediate")
	for more := true; more; {
		batch = append(batch, r)
		if failed == nil {
			var err error
			err, failed = attempt(c, r)
			errs = append(errs, err)
		}
		if more = len(batch) < group; more {
			r, more = s.next()
		}
	}
	if failed == nil {
		_, failed = c.exec("commit")
	}
	if failed != nil {
		// A refusal may rest on what is undone now, so that it does not hold
		// either. If there is nothing to roll back, SQLite has done so.
		_, _ = c.exec("rollback")
	}
	for i, r := range batch {
		err := failed
		if err == nil {
			err = errs[i]
		}
		if r.frees && code(err) == codeFull {
			err = s.alone(c, r)
		}
		r.answer <- explain(err)
	}
	if failed == nil {
		s.reserve.keep()
	}
}

// alone does one request that makes space on a full disk, if it must at the
// cost of the reserve.
func (s *SQLite) alone(c *conn, r request) error {
	for {
		_, failed := c.exec("begin immediate")
		var refused error
		if failed == nil {
			refused, failed = attempt(c, r)
		}
		if failed == nil {
			_, failed = c.exec("commit")
		}
		if failed != nil {
			_, _ = c.exec("rollback")
		}
		err := cmp.Or(failed, refused)
		if code(err) != codeFull || !s.reserve.release() {
			return err
		}
	}
}

// next returns a request that waits already. Before it says that there is
// none, it lets those who were answered last come back with their next one:
// that costs a microsecond, a commit for each of them costs a millisecond.
func (s *SQLite) next() (r request, ok bool) {
	for range 2 {
		select {
		case r = <-s.queue:
			return r, true
		default:
			runtime.Gosched()
		}
	}
	return r, false
}

// attempt does one request of a transaction so that, if it is refused, the
// others do not notice. If failed is not nil, the transaction is lost.
func attempt(c *conn, r request) (refused, failed error) {
	if err := r.ctx.Err(); err != nil {
		return err, nil
	}
	if _, err := c.exec("savepoint request"); err != nil {
		return nil, err
	}
	if err := r.do(c); err != nil {
		if _, e := c.exec("rollback to request"); e != nil {
			return nil, errors.Join(err, e)
		}
		refused = err
	}
	_, failed = c.exec("release request")
	return refused, failed
}

// The result codes of SQLite, https://sqlite.org/rescode.html, that need words
// of their own.
const (
	codeCorrupt = 11
	codeFull    = 13
	codeNoDB    = 26
)

// code is the result code in an error of SQLite, or 0.
func code(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code() & 0xff
	}
	return 0
}

// explain says what a caller can act on.
func explain(err error) error {
	if code(err) == codeFull {
		return fmt.Errorf("%w: %w", upload.ErrFull, err)
	}
	return err
}
