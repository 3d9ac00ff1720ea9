//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
)

// bare runs one of the yardsticks, as a process of its own:
//
//	discard ADDR DIR    net/http that reads bodies and keeps nothing
//	copy ADDR DIR       net/http that copies bodies to files, by 32 KiB
//	direct FILE BYTES   no server, only the writing
//
// The servers speak as much of tus as the load generator needs.
func bare(args []string) error {
	if len(args) != 3 {
		return errors.New("bare servers take two arguments")
	}
	if args[0] == "direct" {
		return writeDirect(args[1], args[2])
	}
	y := &yardstick{}
	if args[0] == "copy" {
		y.dir = args[2]
	}
	return http.ListenAndServe(args[1], y)
}

type yardstick struct {
	dir  string // "" to keep nothing
	last atomic.Int64
}

func (y *yardstick) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	at := int64(0)
	name := filepath.Base(r.URL.Path)
	switch r.Method {
	case http.MethodPost:
		name = fmt.Sprint(y.last.Add(1))
		w.Header().Set("Location", "/files/"+name)
	case http.MethodPatch:
		at, _ = strconv.ParseInt(r.Header.Get("Upload-Offset"), 10, 64) // the load generator writes numbers
	case http.MethodGet:
		http.ServeFile(w, r, filepath.Join(y.dir, name))
		return
	case http.MethodHead:
		w.Header().Set("Upload-Offset", "0")
		return
	}
	n, err := y.keep(name, at, r.ContentLength, r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Upload-Offset", fmt.Sprint(at+n))
	if r.Method == http.MethodPost {
		w.WriteHeader(http.StatusCreated)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// plain hides what a writer can do beyond Write, so that io.Copy copies.
type plain struct{ io.Writer }

func (y *yardstick) keep(name string, at, length int64, body io.Reader) (int64, error) {
	if y.dir == "" {
		// In large reads, else the floor would not be one.
		return io.CopyBuffer(plain{io.Discard}, body, make([]byte, min(slice, max(length, 1))))
	}
	f, err := os.OpenFile(filepath.Join(y.dir, name), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	if _, err := f.Seek(at, io.SeekStart); err != nil {
		return 0, err
	}
	n, err := io.Copy(plain{f}, body)
	if err != nil {
		return n, err
	}
	return n, f.Close()
}
