package main

import (
	"bytes"
	"compress/gzip"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// What is committed is what the sources give.
func TestFresh(t *testing.T) {
	t.Parallel()
	built, err := build("..")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range built {
		got, err := os.ReadFile(filepath.Join("../dist", name))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("dist/%s is stale (%v); run: go generate ./web", name, err)
		}
	}
	err = filepath.WalkDir("../dist", func(path string, d fs.DirEntry, err error) error {
		if name, e := filepath.Rel("../dist", path); e == nil && err == nil && !d.IsDir() && built[filepath.ToSlash(name)] == nil {
			t.Errorf("nothing builds dist/%s", name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// The client is light, and stays so: what every upload needs has ten kilobytes.
func TestWeight(t *testing.T) {
	t.Parallel()
	for name, limit := range map[string]int{"client.js": 10_000, "box.js": 20 << 10, "resumable.global.js": 20 << 10} {
		content, err := os.ReadFile(filepath.Join("../dist", name))
		if err != nil {
			t.Fatal(err)
		}
		if n := zipped(t, content); n > limit {
			t.Errorf("%s has %d bytes gzipped, %d are allowed", name, n, limit)
		} else {
			t.Logf("%s: %d bytes gzipped of %d", name, n, limit)
		}
	}
}

func zipped(t *testing.T, b []byte) int {
	t.Helper()
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Len()
}

// A source that does not build is said, and nothing is written.
func TestBroken(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "src"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "src/index.ts"), []byte("let a: = 1"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run(root); err == nil {
		t.Error("no error")
	}
	if _, err := os.Stat(filepath.Join(root, "dist")); err == nil {
		t.Error("something was written")
	}
}
