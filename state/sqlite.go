package state

import (
	"cmp"
	"context"
	"database/sql/driver"
	"slices"
	"strings"
	"time"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/store"
	"github.com/muleteer/muleteer/upload"
)

// SQLite is a State in a SQLite database that this process owns. One goroutine
// writes, several read; a reader sees all that was answered before it began.
type SQLite struct {
	now     func() time.Time
	queue   chan request
	closing chan struct{} // closed by Close
	written chan struct{} // closed when the writer has ended
	readers chan *conn    // the idle ones; its capacity is how many there are
	reserve reserve
	end     func() error // does what Close does, once
}

// Create implements upload.State.
func (s *SQLite) Create(ctx context.Context, u *upload.Record, q upload.Quota, ev ...upload.Event) error {
	r, parts, ev := keep(u), slices.Clone(u.Parts), slices.Clone(ev)
	meta, err := pack(r.Meta)
	if err != nil {
		return err
	}
	do := func(c *conn) error {
		if err := create(c, &r, meta, parts, q); err != nil {
			return err
		}
		return saveEvents(c, &r, ev)
	}
	if err := s.write(ctx, do); err != nil {
		return err
	}
	u.Version, u.Offset, u.Here = 1, r.Offset, r.Here
	return nil
}

func create(c *conn, r *upload.Record, meta string, parts []store.Part, q upload.Quota) error {
	row, err := c.one(insertUpload, r.ID, r.Owner, r.Protocol, r.Fingerprint, meta, strings.Join(r.Sources, " "),
		int64(r.Phase), flags(r), stamp(r.Began), stamp(r.Touched), stamp(r.Due), r.Key, r.Type,
		r.Size, r.Grid.Cell, r.Grid.Widen, r.Epoch, r.Token, r.Final.Size, int64(r.Final.CRC), r.Final.Key, r.Endpoint, r.File)
	switch {
	case err != nil:
		return err
	case row == nil:
		return upload.ErrExists
	}
	a := account{key: number(row[0]), size: r.Size}
	if err := a.add(c, parts, 0); err != nil {
		return err
	}
	if err := saveSources(c, a.key, nil, r.Sources); err != nil {
		return err
	}
	r.Offset, r.Here = a.reached, a.here
	if q.Once {
		if row, err := c.one(selectClaim, r.Fingerprint, r.ID, int64(upload.Gone)); err != nil || row != nil {
			return cmp.Or(err, upload.ErrExists)
		}
		q.Once = false
	}
	return weigh(c, r, q)
}

// Weigh implements upload.State.
func (s *SQLite) Weigh(ctx context.Context, u *upload.Record, q upload.Quota) error {
	if q.Once = false; q == (upload.Quota{}) {
		return nil
	}
	return s.read(ctx, func(c *conn) error { return weigh(c, u, q) })
}

func weigh(c *conn, u *upload.Record, q upload.Quota) error {
	if q == (upload.Quota{}) {
		return nil
	}
	statement := selectOpen
	if q.Total > 0 {
		statement = selectTotal
	}
	row, err := c.one(statement, u.Endpoint, u.Owner, u.ID)
	if err != nil {
		return err
	}
	return q.Weigh(u, number(row[0]), sum(row[1], row[2]), sum(row[3], row[4]))
}

// sum puts together a sum of sizes that was cut in two; -1 if it is more than
// can be counted.
func sum(high, low driver.Value) int64 {
	h, l := number(high), number(low)
	if h += l >> 32; h > extent.Max>>32 {
		return -1
	}
	return h<<32 + l&(1<<32-1)
}

// Load implements upload.State. Of an empty extent there are no parts.
func (s *SQLite) Load(ctx context.Context, id string, e extent.Extent) (u *upload.Record, err error) {
	err = s.read(ctx, func(c *conn) error {
		if e.Empty() {
			_, u, err = load(c, id)
			return err
		}
		return c.view(func() error {
			var key int64
			if key, u, err = load(c, id); err == nil {
				u.Parts, err = near(c, key, e)
			}
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	return u, nil
}

func load(c *conn, id string) (key int64, u *upload.Record, err error) {
	row, err := c.one(selectUpload, id)
	switch {
	case err != nil:
		return 0, nil, err
	case row == nil:
		return 0, nil, upload.ErrNotFound
	}
	return read(row)
}

// Add implements upload.State.
func (s *SQLite) Add(ctx context.Context, id string, epoch int64, parts ...store.Part) (upload.Progress, error) {
	var p upload.Progress
	parts = slices.Clone(parts)
	err := s.write(ctx, func(c *conn) error {
		now := stamp(s.now())
		row, err := c.one(touchUpload, id, epoch, now)
		if err != nil {
			return err
		}
		if row == nil {
			return exists(c, id)
		}
		a := account{number(row[0]), number(row[1]), number(row[2]), number(row[3]), number(row[4])}
		if err := a.add(c, parts, now); err != nil {
			return err
		}
		p = progress(a.size, a.reached, a.here, a.solid)
		return nil
	})
	if err != nil {
		return upload.Progress{}, err
	}
	return p, nil
}

// exists tells why a change found no record: there is none, or not that one.
func exists(c *conn, id string) error {
	row, err := c.one(selectExists, id)
	switch {
	case err != nil:
		return err
	case row == nil:
		return upload.ErrNotFound
	}
	return upload.ErrChanged
}

// Save implements upload.State. A fingerprint that another upload before Held
// has is ErrExists.
func (s *SQLite) Save(ctx context.Context, u *upload.Record, ev ...upload.Event) error {
	r, ev := keep(u), slices.Clone(ev)
	meta, err := pack(r.Meta)
	if err != nil {
		return err
	}
	do := func(c *conn) error { return save(c, &r, meta, ev) }
	if err := s.send(ctx, request{ctx: ctx, do: do, frees: r.Phase == upload.Gone}); err != nil {
		return err
	}
	u.Version++
	return nil
}

func save(c *conn, r *upload.Record, meta string, ev []upload.Event) error {
	row, err := c.one(selectVersion, r.ID, r.Version)
	switch {
	case err != nil:
		return err
	case row == nil:
		return exists(c, r.ID)
	}
	key, sources := number(row[0]), strings.Fields(text(row[1]))
	if claims(r) {
		if row, err := c.one(selectClaim, r.Fingerprint, r.ID, int64(upload.Held)); err != nil || row != nil {
			return cmp.Or(err, upload.ErrExists)
		}
	}
	n, err := c.exec(saveUpload, key, r.Version, r.Owner, r.Protocol, r.Fingerprint, meta, strings.Join(r.Sources, " "),
		int64(r.Phase), flags(r), stamp(r.Began), stamp(r.Due), r.Key, r.Type,
		r.Size, r.Grid.Cell, r.Grid.Widen, r.Epoch, r.Token, r.Final.Size, int64(r.Final.CRC), r.Final.Key, r.Endpoint, r.File)
	switch {
	case err != nil:
		return err
	case n == 0:
		return upload.ErrChanged
	}
	if !slices.Equal(sources, r.Sources) {
		if err := saveSources(c, key, sources, r.Sources); err != nil {
			return err
		}
	}
	return saveEvents(c, r, ev)
}

// saveEvents appends to the outbox.
func saveEvents(c *conn, r *upload.Record, ev []upload.Event) error {
	for _, e := range ev {
		if _, err := c.exec(insertEvent, e.ID, r.ID, r.Endpoint, string(e.Kind), stamp(e.At), int64(e.Attempts),
			stamp(e.Due), stamp(e.Dead), e.Error); err != nil {
			return err
		}
	}
	return nil
}

// saveSources makes the upload findable by the sources after, not by those
// before.
func saveSources(c *conn, key int64, before, after []string) error {
	for _, id := range before {
		if _, err := c.exec(deleteSource, id, key); err != nil {
			return err
		}
	}
	for _, id := range after {
		if _, err := c.exec(insertSource, id, key); err != nil {
			return err
		}
	}
	return nil
}
