package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/muleteer/muleteer/state"
	"github.com/muleteer/muleteer/store"
	"github.com/muleteer/muleteer/store/disk"
	"github.com/muleteer/muleteer/store/mem"
	"github.com/muleteer/muleteer/store/s3"
)

// kept is where bytes and records are.
type kept struct {
	store.Store
	State            state.State
	memory           *store.Budget                             // for bodies on their way; nil: no bound
	place            string                                    // of the store, as --store says it
	storeAt, stateAt string                                    // for people
	keyAt            string                                    // the file of the server's own key; "": it has none
	probe            func(ctx context.Context) (string, error) // tells what the store can do; nil where nobody has to ask
	closeStore       func() error
	closed           bool
	others           map[string]*kept // further stores that are open, by what --store would say
}

// beside returns what is kept where an endpoint says, with the same records.
// What was opened stays open until the end.
func (k *kept) beside(ctx context.Context, s storage, where string) (*kept, error) {
	if where == "" || where == s.Store {
		return k, nil
	}
	if found := k.others[where]; found != nil {
		return found, nil
	}
	other := &kept{State: k.State, memory: k.memory, stateAt: k.stateAt, keyAt: k.keyAt}
	s.Store = where
	if err := s.openStore(ctx, other); err != nil {
		return nil, err
	}
	if err := other.ready(ctx); err != nil {
		return nil, errors.Join(err, other.closeStore())
	}
	if k.others == nil {
		k.others = map[string]*kept{}
	}
	k.others[where] = other
	return other, nil
}

// inherit is how long a process waits for the one before it to let go of the
// files: one that was killed may hold them for a moment longer.
const inherit = 3 * time.Second

// open opens store and state, and makes them if they are not there. What
// cannot be is refused before anything is made.
func (s storage) open(ctx context.Context) (*kept, error) {
	for began := time.Now(); ; {
		k, err := s.openOnce(ctx)
		if !errors.Is(err, store.ErrInUse) || time.Since(began) > inherit {
			return k, err
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return nil, err
		}
	}
}

func (s storage) openOnce(ctx context.Context) (*kept, error) {
	k := &kept{memory: store.NewBudget(int64(s.Memory))}
	where, err := s.stateURL(k)
	if err != nil {
		return nil, err
	}
	if err := s.openStore(ctx, k); err != nil {
		return nil, err
	}
	k.State, err = state.Open(ctx, where, state.Options{Process: s.Durability == "process"})
	if err != nil {
		return nil, errors.Join(err, k.closeStore())
	}
	return k, nil
}

func (s storage) openStore(ctx context.Context, k *kept) error {
	where := s.Store
	if where == "" {
		where = defaultStore
	}
	k.place = where
	kind, rest := scheme(where)
	switch kind {
	case "mem", "memory":
		k.Store, k.storeAt, k.closeStore = mem.New(mem.Options{}), "memory, gone when the server ends", func() error { return nil }
		return nil
	case "s3":
		return s.openBucket(ctx, k, where)
	case "", "file":
		durability := disk.Power
		if s.Durability == "process" {
			durability = disk.Process
		}
		d, err := disk.Open(rest, disk.Options{Durability: durability})
		if err != nil {
			return fmt.Errorf("the store cannot be opened: %w", err)
		}
		k.Store, k.storeAt, k.closeStore = d, "disk "+shown(rest), d.Close
		return nil
	}
	return &failure{exitUsage, fmt.Errorf("--store %s is not known: give a directory, file:///directory s3://bucket or mem: instead", secretless(where))}
}

// openBucket opens a store that is asked over the network.
func (s storage) openBucket(ctx context.Context, k *kept, where string) error {
	if err := s3.Check(where); err != nil {
		return &failure{exitUsage, err}
	}
	b, err := s3.Open(ctx, where, s3.Options{Memory: k.memory, Limit: s.largest, Key: s.S3Key, Secret: s.S3Secret})
	if err != nil {
		return err
	}
	k.Store, k.storeAt, k.closeStore, k.probe = b, b.String(), b.Close, b.Probe
	return nil
}

// ready asks the store what it can do, and notes it for people.
func (k *kept) ready(ctx context.Context) error {
	if k.probe == nil {
		return nil
	}
	told, err := k.probe(ctx)
	k.storeAt += ", " + told
	return err
}

// stateURL is the state as state.Open names it.
func (s storage) stateURL(k *kept) (string, error) {
	where := s.State
	if kind, _ := scheme(s.Store); where == "" && (kind == "mem" || kind == "memory") {
		where = "mem:" // records of bytes that are gone would be no use
	}
	if where == "" {
		where = defaultState
	}
	kind, rest := scheme(where)
	switch kind {
	case "postgres", "postgresql":
		return "", &failure{exitUsage, errors.New("records cannot be kept in PostgreSQL yet: that comes with a later version; " +
			"until then unset DATABASE_URL, or give --state a file")}
	case "mem", "memory":
		k.stateAt = "memory"
		return "memory:", nil
	case "", "file", "sqlite":
		k.stateAt, k.keyAt = "sqlite "+shown(rest), rest+".key"
		return "sqlite:" + rest, nil
	}
	return "", &failure{exitUsage, fmt.Errorf("--state %s is not known: give a file, sqlite:///file or mem: instead", secretless(where))}
}

// certificatesAt is the folder of certificates that the server gets for itself,
// beside the records; "" where these are in memory.
func (s storage) certificatesAt() string {
	k := new(kept)
	if _, err := s.stateURL(k); err != nil || k.keyAt == "" {
		return "" // open tells what is wrong
	}
	return strings.TrimSuffix(k.keyAt, ".key") + ".acme"
}

// close ends both; the state first, because it names what is in the store.
func (k *kept) close() error {
	if k.closed {
		return nil
	}
	k.closed = true
	err := errors.Join(k.State.Close(), k.closeStore())
	for _, other := range k.others {
		err = errors.Join(err, other.closeStore())
	}
	return err
}

// free is how many bytes the store can still take, -1 where that means
// nothing.
func (k *kept) free(ctx context.Context) (int64, error) {
	if s, ok := k.Store.(store.Spacer); ok {
		return s.Free(ctx)
	}
	return -1, nil
}

// shown is a path as people want to see it.
func shown(path string) string {
	if filepath.IsAbs(path) || strings.HasPrefix(path, ".") {
		return path
	}
	return "./" + path
}

// secretless is a URL without user and password, which have no place on a
// screen.
func secretless(where string) string {
	kind, rest := scheme(where)
	if _, after, found := strings.Cut(rest, "@"); found {
		rest = "…@" + after
	}
	return kind + "://" + rest
}
