package main

import (
	"context"
	"net/http"
	"os"
	"os/signal"
	"reflect"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// reread reads the settings once more, as they are to be from now on.
func reread(c console) (settings, error) {
	grammar := new(commands)
	if _, err := parseInto(grammar, c); err != nil {
		return settings{}, err
	}
	s := grammar.Serve.Settings
	return s, s.check()
}

// follow reads the settings once more at each SIGHUP, until ctx ends, and lets
// the server go by them; requests that are under way end by the old ones. It
// returns where those hear of it who sweep, and what tells the house of the
// moment. What goes on for it is counted in working.
func (h *house) follow(ctx context.Context, server *http.Server, working *sync.WaitGroup) (<-chan *house, func() *house) {
	change := make(chan *house)
	var standing atomic.Pointer[house]
	standing.Store(h)
	if h.reread == nil {
		return change, standing.Load
	}
	var current atomic.Pointer[http.Handler]
	first := server.Handler
	current.Store(&first)
	server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*current.Load()).ServeHTTP(w, r) })
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGHUP)
	working.Go(func() {
		defer signal.Stop(signals)
		for now := h; ; {
			select {
			case <-ctx.Done():
				return
			case <-signals:
			}
			next, err := now.renew(ctx)
			if err != nil {
				h.log.Error("the settings stay as they were", "error", err)
				continue
			}
			handler := next.handler()
			select {
			case change <- next:
			case <-ctx.Done():
				return
			}
			current.Store(&handler)
			standing.Store(next)
			if was := now.audit; was != nil {
				time.AfterFunc(time.Minute, func() { _ = was.file.Close() }) // requests may still note something
			}
			now.hangUp() // their clients come back to the next one
			h.log.Info("the settings were read again", "endpoints", len(next.all()))
			now = next
		}
	})
	return change, standing.Load
}

// hangUp closes the sockets of all endpoints.
func (h *house) hangUp() {
	for _, e := range h.all() {
		e.streams.Close()
	}
}

// renew returns the house by the settings as they are now. What only a restart
// can change stays as it was.
func (h *house) renew(ctx context.Context) (*house, error) {
	s, err := h.reread()
	if err != nil {
		return nil, err
	}
	was := h.settings
	s.Storage.largest = was.Storage.largest
	if !reflect.DeepEqual(s.Listen, was.Listen) || !reflect.DeepEqual(s.Storage, was.Storage) || !reflect.DeepEqual(s.TLS, was.TLS) {
		h.log.Warn("where to listen, where bytes and records are kept and the files of TLS change with the next start only")
	}
	s.Listen, s.Storage, s.TLS = was.Listen, was.Storage, was.TLS
	next := *h
	next.settings, next.named = s, nil
	if next.audit, err = openAudit(s.Audit, os.Stdout); err != nil { // the file may have been moved away
		return nil, err
	}
	if err := next.begin(h); err != nil {
		return nil, err
	}
	return &next, next.furnish(ctx, h)
}

// sweepAlways sweeps by the settings of the moment, until ctx ends.
func (h *house) sweepAlways(ctx context.Context, change <-chan *house) {
	for now := h; ctx.Err() == nil; {
		sweeping, stop := context.WithCancel(ctx)
		done := make(chan struct{})
		go func() {
			defer close(done)
			now.sweep(sweeping)
		}()
		next := now
		select {
		case <-ctx.Done():
		case next = <-change:
		}
		stop()
		<-done
		now = next
	}
}
