package state

import (
	"context"
	"database/sql/driver"
	"iter"
	"strings"
	"time"

	"github.com/muleteer/muleteer/upload"
)

// Pending implements upload.Outbox. An event whose elder was settled meanwhile
// may be yielded in the same run.
func (s *SQLite) Pending(ctx context.Context, endpoint string, now time.Time) iter.Seq2[upload.Event, error] {
	return s.events(ctx, func(last int64) (string, []driver.Value) {
		return selectPending, []driver.Value{last, stamp(now), endpoint, int64(page)}
	})
}

// Events implements upload.Outbox.
func (s *SQLite) Events(ctx context.Context, id string) iter.Seq2[upload.Event, error] {
	return s.events(ctx, func(last int64) (string, []driver.Value) {
		if id != "" {
			return selectEvent, []driver.Value{last, int64(page), id}
		}
		return selectEvents, []driver.Value{last, int64(page)}
	})
}

// events yields what a statement finds, page by page, so that its caller may
// write meanwhile. The statement is given the key of the last event of the page
// before.
func (s *SQLite) events(ctx context.Context, statement func(last int64) (string, []driver.Value)) iter.Seq2[upload.Event, error] {
	return func(yield func(upload.Event, error) bool) {
		var last int64
		for {
			var found []upload.Event
			err := s.read(ctx, func(c *conn) error {
				sql, args := statement(last)
				return c.query(sql, func(row []driver.Value) error {
					last = number(row[0])
					found = append(found, event(row))
					return nil
				}, args...)
			})
			if err != nil {
				yield(upload.Event{}, err)
				return
			}
			for _, e := range found {
				if !yield(e, nil) {
					return
				}
			}
			if len(found) < page {
				return
			}
		}
	}
}

// event reads a row of eventColumns.
func event(row []driver.Value) upload.Event {
	return upload.Event{
		ID: text(row[1]), Upload: text(row[2]), Endpoint: text(row[3]), Kind: upload.Kind(text(row[4])),
		At: moment(number(row[5])), Attempts: int(number(row[6])),
		Due: moment(number(row[7])), Dead: moment(number(row[8])), Error: text(row[9]),
	}
}

// Settle implements upload.Outbox.
func (s *SQLite) Settle(ctx context.Context, id string) error {
	return s.write(ctx, func(c *conn) error {
		_, err := c.exec(deleteEvent, id)
		return err
	})
}

// Defer implements upload.Outbox.
func (s *SQLite) Defer(ctx context.Context, e upload.Event) error {
	return s.write(ctx, func(c *conn) error {
		_, err := c.exec(deferEvent, e.ID, int64(e.Attempts), stamp(e.Due), stamp(e.Dead), e.Error)
		return err
	})
}

// Purge implements upload.Outbox. A record that is not there was purged
// before, which is no error; one that is not Gone is ErrChanged.
func (s *SQLite) Purge(ctx context.Context, id string) error {
	return s.write(ctx, func(c *conn) error {
		row, err := c.one(selectPurge, id)
		switch {
		case err != nil || row == nil:
			return err
		case upload.Phase(number(row[1])) != upload.Gone:
			return upload.ErrChanged
		case number(row[3]) > 0:
			return upload.ErrBusy
		}
		key := number(row[0])
		if err := saveSources(c, key, strings.Fields(text(row[2])), nil); err != nil {
			return err
		}
		if _, err := c.exec(deleteAll, key); err != nil {
			return err
		}
		_, err = c.exec(deleteUpload, key)
		return err
	})
}
