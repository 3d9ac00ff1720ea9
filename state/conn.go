package state

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"

	"modernc.org/sqlite"
)

// conn is one connection to the database with its prepared statements, for one
// goroutine at a time. It is the driver's own: database/sql would cost a Load
// more than the database does.
type conn struct {
	driver   driver.Conn
	prepared map[string]*statement
	args     []driver.NamedValue
}

type statement struct {
	driver.Stmt
	row []driver.Value
}

// dial opens a connection to the database that the data source name tells.
func dial(dsn string) (*conn, error) {
	c, err := new(sqlite.Driver).Open(dsn)
	if err != nil {
		return nil, err
	}
	return &conn{driver: c, prepared: map[string]*statement{}}, nil
}

// close ends the connection.
func (c *conn) close() error {
	var errs []error
	for _, s := range c.prepared {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, c.driver.Close())...)
}

// bind prepares a statement, or finds it, and puts its arguments together.
func (c *conn) bind(sql string, args []driver.Value) (*statement, []driver.NamedValue, error) {
	s, ok := c.prepared[sql]
	if !ok {
		p, err := c.driver.Prepare(sql)
		if err != nil {
			return nil, nil, fmt.Errorf("prepare %q: %w", sql, err)
		}
		s = &statement{Stmt: p}
		c.prepared[sql] = s
	}
	c.args = c.args[:0]
	for i, v := range args {
		c.args = append(c.args, driver.NamedValue{Ordinal: i + 1, Value: v})
	}
	return s, c.args, nil
}

// exec runs a statement and tells how many rows it changed.
func (c *conn) exec(sql string, args ...driver.Value) (int64, error) {
	s, named, err := c.bind(sql, args)
	if err != nil {
		return 0, err
	}
	r, err := s.Stmt.(driver.StmtExecContext).ExecContext(context.Background(), named)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// errStop is what the callback of query returns when it has seen enough.
var errStop = errors.New("enough")

// query hands each row to a callback, which must not keep the slice.
func (c *conn) query(sql string, each func(row []driver.Value) error, args ...driver.Value) (err error) {
	s, named, err := c.bind(sql, args)
	if err != nil {
		return err
	}
	rows, err := s.Stmt.(driver.StmtQueryContext).QueryContext(context.Background(), named)
	if err != nil {
		return err
	}
	defer func() {
		if e := rows.Close(); err == nil {
			err = e
		}
	}()
	if s.row == nil {
		s.row = make([]driver.Value, len(rows.Columns()))
	}
	for {
		switch err := rows.Next(s.row); {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
		if err := each(s.row); err == errStop {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// view lets a function see one state of all tables.
func (c *conn) view(look func() error) error {
	if _, err := c.exec("begin"); err != nil {
		return err
	}
	err := look()
	_, end := c.exec("commit")
	return errors.Join(err, end)
}

// one returns the only row, or nil if there is none. It is good until the
// statement runs again.
func (c *conn) one(sql string, args ...driver.Value) (row []driver.Value, err error) {
	err = c.query(sql, func(r []driver.Value) error { row = r; return nil }, args...)
	return row, err
}

// number reads the integer in a column; there are no nulls.
func number(v driver.Value) int64 { n, _ := v.(int64); return n }

// text reads the string in a column; there are no nulls.
func text(v driver.Value) string { s, _ := v.(string); return s }
