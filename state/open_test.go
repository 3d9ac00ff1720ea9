package state

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/upload"
)

// TestOpenRefuses: what cannot be a state is refused with one line that says
// what to do, and is left as it was.
func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	database := func(name string, sql ...string) string {
		path := filepath.Join(dir, name)
		c, err := dial(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range sql {
			if _, err := c.exec(q); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.close(); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, c := range []struct{ name, url, says string }{
		{"postgres", "postgres://user:secret@host/db", "PostgreSQL is not supported yet"},
		{"postgresql", "postgresql://host/db", "PostgreSQL is not supported yet"},
		{"unknown", "mysql://host/db", "use memory: or sqlite:FILE"},
		{"no path", "sqlite:", "use memory: or sqlite:FILE"},
		{"empty", "", "use memory: or sqlite:FILE"},
		{"directory", "sqlite:" + dir, "choose another --state"},
		{"below a file", "sqlite:" + file("plain", nil) + "/state.db", "choose another --state"},
		{"not a database", "sqlite:" + file("text", bytes.Repeat([]byte("hello "), 1000)), "is not a database"},
		{"cut", "sqlite:" + file("cut", healthy(t)[:9000]), "is damaged"},
		{"corrupt", "sqlite:" + file("corrupt", scratch(healthy(t))), "is damaged"},
		{"foreign", "sqlite:" + database("foreign", "create table t (x)"), "another program"},
		{"foreign id", "sqlite:" + database("id", "pragma application_id = 7"), "another program"},
		{"newer", "sqlite:" + database("newer", "pragma application_id = 1836412005", "pragma user_version = 99"), "newer muleteer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := strings.TrimPrefix(c.url, "sqlite:")
			before, _ := os.ReadFile(path)
			s, err := Open(t.Context(), c.url, Options{})
			if err == nil {
				s.Close()
				t.Fatal("it was opened")
			}
			if line := err.Error(); !strings.Contains(line, c.says) || strings.Contains(line, "\n") || strings.Contains(line, "secret") {
				t.Errorf("it says %q", line)
			}
			if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
				t.Error("the file has changed")
			}
		})
	}
}

// healthy returns the file of a state with a few records.
func healthy(t *testing.T) []byte {
	path := filepath.Join(t.TempDir(), "state.db")
	s, err := Open(t.Context(), "sqlite:"+path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"a", "b", "c"} {
		if err := s.Create(t.Context(), record(id), upload.Quota{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// scratch overwrites all pages but the first.
func scratch(b []byte) []byte {
	for i := 4096; i < len(b); i++ {
		b[i] ^= 0x55
	}
	return b
}

// TestMigrate: what an older version has kept stays, and can be found as what is
// new wants it.
func TestMigrate(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state.db")
	c, err := dial(path)
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"migrations/0001.sql", "migrations/0002.sql"} {
		if err := upgrade(c, name, int64(i+1)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.exec(`insert into upload values (1, 'old', 'ann', 'tus', 'f', '{"name":"a"}', '', 1, 7, 0, 1, 2, 3, 0, 0, 0,
		'p', 'text/plain', 9, 0, 0, 0, '', 0, 0, '', 'films')`); err != nil {
		t.Fatal(err)
	}
	if err := c.close(); err != nil {
		t.Fatal(err)
	}
	s := open(t, path, Options{})
	u, err := s.Load(t.Context(), "old", extent.Extent{})
	if err != nil || u.Owner != "ann" || u.Endpoint != "films" || u.Version != 7 || u.Size != 9 || u.Meta.Name != "a" || u.File != "" {
		t.Fatalf("%+v, %v", u, err)
	}
	u.File = "word"
	if err := s.Save(t.Context(), u); err != nil {
		t.Fatal(err)
	}
	found := 0
	for u, err := range s.Find(t.Context(), upload.Query{File: "word"}) {
		if err != nil || u.ID != "old" {
			t.Fatal(u, err)
		}
		found++
	}
	if found != 1 {
		t.Errorf("%d are found", found)
	}
}

func TestOneProcessOwnsTheFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state.db")
	s, err := Open(t.Context(), "sqlite:"+path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = Open(t.Context(), "sqlite:"+path, Options{})
	if err == nil || !strings.Contains(err.Error(), "in use by another process") || strings.Contains(err.Error(), "\n") {
		t.Errorf("the second owner is told %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, path, Options{})
}

func TestOpenMakesFilesForNobodyElse(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "new", "state.db")
	open(t, path, Options{})
	files, err := filepath.Glob(path + "*")
	if err != nil || len(files) < 3 {
		t.Fatalf("files: %v, %v", files, err)
	}
	for _, f := range append(files, filepath.Dir(path)) {
		if i, err := os.Stat(f); err != nil || i.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v, %v", f, i.Mode(), err)
		}
	}
}
