package state

import (
	"context"
	"database/sql/driver"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/muleteer/muleteer/upload"
)

// page is how many rows are read at once. No connection is held while a caller
// looks at them, so that it may ask for more.
const page = 256

// Find implements upload.State. What changes while it runs may be yielded as
// it was, as it is, or both.
func (s *SQLite) Find(ctx context.Context, q upload.Query) iter.Seq2[*upload.Record, error] {
	return func(yield func(*upload.Record, error) bool) {
		var last position
		for left := q.Limit; ; {
			n := page
			if q.Limit > 0 {
				n = min(n, left)
			}
			found, err := s.findPage(ctx, q, &last, n)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, u := range found {
				if !yield(u, nil) {
					return
				}
			}
			left -= len(found)
			if len(found) < n || q.Limit > 0 && left == 0 {
				return
			}
		}
	}
}

// position is where a page ended.
type position struct {
	begun    bool
	due, key int64
}

// findPage reads the next n records at most.
func (s *SQLite) findPage(ctx context.Context, q upload.Query, last *position, n int) ([]*upload.Record, error) {
	found := make([]*upload.Record, 0, n)
	sql, args := choose(q, *last, n)
	var keys []int64
	look := func(c *conn) error {
		return c.query(sql, func(row []driver.Value) error {
			key, u, err := read(row)
			if err != nil {
				return err
			}
			*last = position{true, stamp(u.Due), key}
			found, keys = append(found, u), append(keys, key)
			return nil
		}, args...)
	}
	err := s.read(ctx, func(c *conn) error {
		if q.Near.Empty() {
			return look(c)
		}
		return c.view(func() error {
			err := look(c)
			for i := 0; i < len(keys) && err == nil; i++ {
				found[i].Parts, err = near(c, keys[i], q.Near)
			}
			return err
		})
	})
	return found, err
}

// choose writes the statement for a query. It takes the forms of the query
// only, never its strings.
func choose(q upload.Query, last position, n int) (sql string, args []driver.Value) {
	var where []string
	and := func(condition string, values ...driver.Value) {
		places := make([]any, len(values))
		for i, v := range values {
			args = append(args, v)
			places[i] = len(args)
		}
		where = append(where, fmt.Sprintf(condition, places...))
	}
	// Few uploads have one fingerprint, or are of one file, many are of one owner:
	// an index that begins with the owner must not be taken then, so that it does
	// not fit.
	whose := ""
	if q.Fingerprint != "" {
		and("fingerprint = $%d and fingerprint <> ''", q.Fingerprint)
		whose = " || ''"
	}
	if q.File != "" {
		and("file = $%d and file <> ''", q.File)
		whose = " || ''"
	}
	if q.Endpoint != nil {
		and("endpoint"+whose+" = $%d", *q.Endpoint)
	}
	if q.Owner != nil {
		and("owner"+whose+" = $%d", *q.Owner)
	}
	if len(q.Phases) > 0 {
		phases := slices.Sorted(slices.Values(q.Phases))
		switch last := phases[len(phases)-1]; { // as the indexes have it
		case q.Fingerprint == "" && q.File == "" && last < upload.Done:
			and("phase < 5")
		case q.Fingerprint != "" && last < upload.Held:
			and("phase < 4")
		}
		and("phase in (" + join(slices.Compact(phases)) + ")")
	}
	if q.Source != "" {
		and("key in (select upload from source where id = $%d)", q.Source)
	}
	order := "key desc"
	if !q.DueBefore.IsZero() {
		order = "due, key"
		and("due <> 0 and due < $%d", stamp(q.DueBefore))
		if last.begun {
			and("(due, key) > ($%d, $%d)", last.due, last.key)
		}
	} else if last.begun {
		and("key < $%d", last.key)
	}
	if where == nil {
		where = []string{"1 = 1"}
	}
	args = append(args, int64(n))
	// SQLite plans by the value of a plain limit, and so would parse the statement
	// again each time it is bound; a sum it does not look into.
	return fmt.Sprintf("select %s from upload where %s order by %s limit $%d + 0",
		columns, strings.Join(where, " and "), order, len(args)), args
}

// join writes phases as a list.
func join(phases []upload.Phase) string {
	s := make([]string, len(phases))
	for i, p := range phases {
		s[i] = fmt.Sprintf("%d", int(p))
	}
	return strings.Join(s, ", ")
}
