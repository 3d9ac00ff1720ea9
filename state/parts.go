package state

import (
	"database/sql/driver"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/store"
	"github.com/muleteer/muleteer/upload"
)

// account is the sums that Add keeps up to date for one upload.
type account struct {
	key, size            int64
	reached, here, solid int64
}

// add records parts and keeps the sums; if that makes the upload full, it is
// due now. If it fails, the caller has to roll back.
func (a *account) add(c *conn, parts []store.Part, now int64) error {
	before := *a
	for _, p := range parts {
		if a.size >= 0 && p.End > a.size {
			return upload.ErrTooLarge
		}
		if err := a.put(c, p); err != nil {
			return err
		}
	}
	if *a == before {
		return nil
	}
	if a.here != a.size || before.here == a.size {
		now = 0
	}
	_, err := c.exec(updateProgress, a.key, a.reached, a.here, a.solid, now)
	return err
}

func (a *account) put(c *conn, p store.Part) error {
	around, err := near(c, a.key, p.Extent)
	if err != nil {
		return err
	}
	ch, err := place(around, p)
	if err != nil || ch.none() {
		return err
	}
	if n := len(ch.remove); n > 1 || n == 1 && ch.remove[0].Start != ch.put.Start {
		if _, err := c.exec(deleteParts, a.key, ch.put.Start, ch.put.End); err != nil {
			return err
		}
	}
	if err := insert(c, a.key, ch.put); err != nil {
		return err
	}
	a.here += ch.here()
	a.solid += ch.solid()
	if ch.put.Start > a.reached || ch.put.End <= a.reached {
		return nil
	}
	a.reached = ch.put.End
	if n := len(around); n == 0 || around[n-1].End <= p.End {
		return nil // nothing begins where this part ends
	}
	return a.walk(c)
}

// walk moves the end of what is here without a gap over the parts that follow.
// It passes each part once in the life of an upload.
func (a *account) walk(c *conn) error {
	return c.query(selectFrom, func(row []driver.Value) error {
		if number(row[0]) != a.reached {
			return errStop
		}
		a.reached = number(row[1])
		return nil
	}, a.key, a.reached)
}

// near returns the parts of an upload that overlap or touch e, in order.
func near(c *conn, key int64, e extent.Extent) ([]store.Part, error) {
	var parts []store.Part
	err := c.query(selectNear, func(row []driver.Value) error {
		parts = append(parts, readPart(row))
		return nil
	}, key, e.Start, e.End)
	return parts, err
}

func insert(c *conn, key int64, p store.Part) error {
	_, err := c.exec(upsertPart, key, p.Start, p.End, int64(p.CRC), p.Receipt, flag(p.Crumb, 1))
	return err
}
