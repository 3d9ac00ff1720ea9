package s3

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/muleteer/muleteer/store"
	"github.com/muleteer/muleteer/store/s3/s3test"
	"github.com/muleteer/muleteer/store/storetest"
)

// server is shared by the tests: each has a bucket of its own.
var server *s3test.Server

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	if err := s3test.Setenv(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	var err error
	if server, err = s3test.Open(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer server.Close()
	return m.Run()
}

// reopening is a Store that can be opened again, as by a new process.
type reopening struct {
	*Store
	where string
	o     Options
}

func (r reopening) Reopen() store.Store {
	s, err := Open(context.Background(), r.where, r.o)
	if err != nil {
		panic(err)
	}
	return reopening{s, r.where, r.o}
}

func open(t *testing.T, where string, o Options) *Store {
	t.Helper()
	s, err := Open(t.Context(), where, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestStore(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		prefix, query string
		limit         int64
		memory        int64
	}{
		"plain":         {limit: 1 << 30},
		"prefix":        {prefix: "some/where", query: "&direct=1"},
		"little memory": {memory: 8 << 20},
		"equal parts":   {query: "&parts=equal"},
		"CRC-32C":       {query: "&checksum=crc32c"},
		"MD5":           {query: "&checksum=md5"},
		"no checksums":  {query: "&checksum=none"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.Run(t, func(t *testing.T) store.Store {
				o := Options{Limit: c.limit}
				if c.memory > 0 {
					o.Memory = store.NewBudget(c.memory)
				}
				where := server.URL(server.Bucket(t), c.prefix) + c.query
				return reopening{open(t, where, o), where, o}
			})
		})
	}
}
