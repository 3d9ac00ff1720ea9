// Package wiretest plays conversations between a client and a protocol over
// real connections: the wire is the golden file.
//
// A bug of a protocol is reported as such a conversation and fixed by adding
// it to the protocol's testdata. See Play for the language.
package wiretest

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/muleteer/muleteer/state"
	"github.com/muleteer/muleteer/store"
	"github.com/muleteer/muleteer/store/disk"
	"github.com/muleteer/muleteer/store/mem"
	"github.com/muleteer/muleteer/store/s3"
	"github.com/muleteer/muleteer/store/s3/s3test"
	"github.com/muleteer/muleteer/upload"
)

// A Grid is a store that cuts uploads in a way of its own. No protocol may
// show a difference.
type Grid struct {
	Name  string
	Store func(t testing.TB) store.Store
	Most  int64 // bytes of the largest file, 0: no limit
}

// Grids are the stores over which every conversation is played.
func Grids() []Grid {
	memory := func(o mem.Options) func(testing.TB) store.Store {
		return func(testing.TB) store.Store { return mem.New(o) }
	}
	return []Grid{
		{Name: "plain", Store: memory(mem.Options{})},
		{Name: "cells", Store: memory(mem.Options{Cell: 1000, MinPart: 1000})},
		{Name: "widening", Store: memory(mem.Options{Cell: 512, Widen: 4})},
		{Name: "disk", Store: directory},
	}
}

// directory is a store on disk. What a power cut would do is not asked here.
func directory(t testing.TB) store.Store {
	s, err := disk.Open(t.TempDir(), disk.Options{Durability: disk.Process})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// bucket is a store in S3, on a server that lives as long as the test and is
// shared by all its conversations. It takes a process, so it is not one of
// Grids.
func bucket(t testing.TB) Grid {
	if err := s3test.Setenv(); err != nil {
		t.Fatal(err)
	}
	server := s3test.Start(t)
	return Grid{Name: "bucket", Most: 5 << 40, Store: func(t testing.TB) store.Store {
		s, err := s3.Open(context.Background(), server.URL(server.Bucket(t), "kept"), s3.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
		return s
	}}
}

// Service returns a service over a new store of the grid and a new state in
// memory, and the clock by which both go.
func (g Grid) Service(t testing.TB) (*upload.Service, *Clock) {
	c := &Clock{now: time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)}
	return &upload.Service{Store: g.Store(t), State: state.Memory(c.Now), Now: c.Now}, c
}

// Clock is a time that stands still until it is moved.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// Now returns the time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Move puts the clock forward.
func (c *Clock) Move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}
