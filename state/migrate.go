package state

import (
	"context"
	"database/sql/driver"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// The schema's history: 0001.sql makes the first version of an empty database,
// each later file makes the next version of the one before. A file that was
// released once never changes.
//
//go:embed migrations/*.sql
var migrations embed.FS

// application marks a database file as ours, in the place that SQLite's file
// format has for it: the letters "mule".
const application = 0x6d756c65

// check refuses a database that is damaged or not ours, before anything is
// changed in it. Only a small one is read as a whole, to be ready in time.
func check(c *conn, path string) error {
	version, err := identify(c)
	if err != nil {
		return refuse(path, err)
	}
	names, err := steps()
	switch {
	case err != nil:
		return err
	case version == foreign:
		return fmt.Errorf("%s is the database of another program: choose another --state", path)
	case version > int64(len(names)):
		return fmt.Errorf("%s was written by a newer muleteer (schema %d, this one knows %d): run that version, or choose another --state",
			path, version, len(names))
	}
	if f, err := os.Stat(path); err != nil || f.Size() > small {
		return err
	}
	row, err := c.one("pragma quick_check(1)")
	if err == nil && text(row[0]) != "ok" {
		err = errors.New(strings.ReplaceAll(text(row[0]), "\n", " "))
	} else if err == nil {
		return nil
	}
	return fmt.Errorf("%s is damaged, restore it from a backup, or move it away to begin anew: %w", path, err)
}

// small is the size in bytes up to which a database is read as a whole when it
// is opened.
const small = 16 << 20

// steps returns the names of the migrations, in order.
func steps() ([]string, error) { return fs.Glob(migrations, "migrations/*.sql") }

// migrate brings a database that passed check to the newest version of the
// schema.
func migrate(c *conn, path string) error {
	version, err := identify(c)
	if err != nil {
		return refuse(path, err)
	}
	names, err := steps()
	if err != nil {
		return err
	}
	for _, name := range names[version:] {
		version++
		if err := upgrade(c, name, version); err != nil {
			return refuse(path, fmt.Errorf("%s: %w", name, err))
		}
	}
	return nil
}

// foreign is the version of a database that is not ours.
const foreign = -1

// identify returns the version of the schema, 0 if there is nothing yet.
func identify(c *conn) (int64, error) {
	var n [3]int64
	for i, sql := range []string{"pragma application_id", "pragma user_version", "select count(*) from sqlite_schema"} {
		row, err := c.one(sql)
		if err != nil {
			return 0, err
		}
		n[i] = number(row[0])
	}
	switch {
	case n[0] == application:
		return n[1], nil
	case n == [3]int64{}:
		return 0, nil
	}
	return foreign, nil
}

// upgrade runs one migration, wholly or not at all.
func upgrade(c *conn, name string, version int64) error {
	script, err := migrations.ReadFile(name)
	if err != nil {
		return err
	}
	sql := fmt.Sprintf("begin immediate;\n%s;\npragma application_id = %d;\npragma user_version = %d;\ncommit", script, application, version)
	_, err = c.driver.(driver.ExecerContext).ExecContext(context.Background(), sql, nil)
	return err
}
