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
	return func(yield func(upload.Event, error) bool) {
		var last int64
		for {
			var due []upload.Event
			err := s.read(ctx, func(c *conn) error {
				return c.query(selectPending, func(row []driver.Value) error {
					last = number(row[0])
					due = append(due, upload.Event{
						ID: text(row[1]), Upload: text(row[2]), Kind: upload.Kind(text(row[3])),
						At: moment(number(row[4])), Attempts: int(number(row[5])),
					})
					return nil
				}, last, stamp(now), endpoint, int64(page))
			})
			if err != nil {
				yield(upload.Event{}, err)
				return
			}
			for _, e := range due {
				if !yield(e, nil) {
					return
				}
			}
			if len(due) < page {
				return
			}
		}
	}
}

// Settle implements upload.Outbox. An event that is not there was delivered
// before, which is no error.
func (s *SQLite) Settle(ctx context.Context, id string, again time.Time) error {
	return s.write(ctx, func(c *conn) (err error) {
		if again.IsZero() {
			_, err = c.exec(deleteEvent, id)
		} else {
			_, err = c.exec(retryEvent, id, stamp(again))
		}
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
