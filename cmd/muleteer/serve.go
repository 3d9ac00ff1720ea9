package main

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/muleteer/muleteer/access"
	"github.com/muleteer/muleteer/internal/wire"
	"github.com/muleteer/muleteer/protocol/socketio"
	"github.com/muleteer/muleteer/store"
	"github.com/muleteer/muleteer/upload"
)

type serveCommand struct {
	Settings settings `embed:""`
}

// Run takes uploads until ctx ends.
func (k serveCommand) Run(ctx context.Context, c console) error {
	s := k.Settings
	if err := s.check(); err != nil {
		return &failure{exitUsage, err}
	}
	log := newLog(c.err, s.Verbose)
	encrypted, obtain, err := s.TLS.open(s.Storage.certificatesAt(), log)
	if err != nil {
		return err
	}
	if err := s.measure(); err != nil {
		return &failure{exitUsage, err}
	}
	kept, err := s.Storage.open(ctx)
	if err != nil {
		return err
	}
	defer kept.close()
	if err := kept.ready(ctx); err != nil {
		return err
	}
	listeners, err := listen(s.Listen)
	if err != nil {
		return err
	}
	h, err := newHouse(s, kept, log)
	if err != nil {
		return &failure{exitUsage, err}
	}
	h.encrypted = encrypted
	if h.audit, err = openAudit(s.Audit, c.out); err != nil {
		return err
	}
	if err := h.furnish(ctx, nil); err != nil {
		return &failure{exitUsage, err}
	}
	h.announce(ctx, c.out, listeners)
	obtain(ctx)
	h.reread = func() (settings, error) { return reread(c) }
	err = h.serve(ctx, listeners)
	return errors.Join(err, kept.close())
}

// house is a running server with all that it consists of.
type house struct {
	name      string // of its endpoint; "" is the first one
	settings  settings
	service   *upload.Service
	named     map[string]*house // the other endpoints, at the first one
	kept      *kept
	metrics   *metrics
	gate      *access.Gate
	proxies   access.Proxies
	limits    *limiter
	audit     *audit        // nil: nothing is noted
	held      *store.Budget // for what has to be held before it can be stored
	signs     []byte        // by which protocols sign what they permit
	encrypted *tls.Config   // nil for plain HTTP
	log       *slog.Logger
	streams   *socketio.Server
	grace     time.Duration
	reread    func() (settings, error) // what is to be from now on; nil where that never changes
	drain     *drain
}

// newHouse puts a server together.
func newHouse(s settings, k *kept, log *slog.Logger) (*house, error) {
	h := &house{
		settings: s, kept: k, metrics: newMetrics(), log: log, grace: grace, drain: new(drain),
		held: k.memory.Share(k.memory.Size() / 2),
	}
	h.metrics.registry.MustRegister(newUndelivered(k.State))
	return h, h.begin(nil)
}

// token is what tells a socket who has a token, nil where there are none.
func (h *house) token() func(ctx context.Context, token string) (upload.Principal, error) {
	if h.gate.Tokens == nil {
		return nil
	}
	return func(ctx context.Context, token string) (upload.Principal, error) {
		if token == "" {
			return upload.Principal{}, access.ErrNone
		}
		return h.gate.Token(ctx, token)
	}
}

// begin makes what takes uploads at this endpoint; before is the house in whose
// place it steps, or nil.
func (h *house) begin(before *house) (err error) {
	if h.proxies, err = h.settings.believed(); err != nil {
		return err
	}
	certificates := h.settings.TLS.ClientCA != ""
	h.gate, err = h.settings.Allow.open(h.name, certificates, func() ([]byte, error) { return ownKey(h.kept.keyAt) }, h.log)
	if err != nil {
		return err
	}
	h.limits = newLimiter(h.settings.Limits)
	if before != nil {
		h.signs = before.signs
	} else if h.signs, err = h.signingKey(); err != nil {
		return err
	}
	s := h.settings.service(h.name)
	s.Store, s.State, s.Memory, s.Log = h.kept.Store, observed{h.kept.State, h.metrics, h.log}, h.kept.memory, h.log
	if before != nil {
		s.Succeed(before.service)
	}
	if err := h.settings.Notices.install(s, h.kept.place, h.metrics); err != nil {
		return err
	}
	h.service = s
	h.streams = socketio.Handler(s, socketio.Options{URL: wire.Public(h.settings.PublicURL), Origins: h.settings.Cors, Scope: h.gate.Scope, Token: h.token()})
	return h.clash()
}

// signingKey is by which protocols sign, at this endpoint, what clients bring back.
func (h *house) signingKey() ([]byte, error) {
	key, err := ownKey(h.kept.keyAt)
	if err != nil {
		return nil, err
	}
	return hkdf.Key(sha256.New, key, nil, "protocols of "+h.name, sha256.Size)
}

// listen opens all addresses or none.
func listen(addresses []string) ([]net.Listener, error) {
	var open []net.Listener
	for _, a := range addresses {
		l, err := net.Listen("tcp", a)
		if err != nil {
			for _, l := range open {
				l.Close()
			}
			return nil, fmt.Errorf("%s is not to be had: %w; choose another one by --listen", a, reason(err))
		}
		open = append(open, l)
	}
	return open, nil
}

// reason is the last cause of a network or file error, without the address and
// the call, which the sentence around it names.
func reason(err error) error {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err
		}
		err = next
	}
}

// grace is how long requests may go on after the server was asked to end.
const grace = 5 * time.Second

// server is what speaks HTTP.
func (h *house) server() *http.Server {
	return &http.Server{
		Handler:           h.handler(),
		TLSConfig:         h.encrypted,
		Protocols:         h.settings.TLS.protocols(),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    32 << 10,
		// HTTP/2 has windows of its own, and with the usual ones a long line is
		// never full: a stream needs twice what TCP has under way (decision 008).
		// When the store is slow, a connection keeps as much as its window in
		// memory: a budget for all bodies has to count it.
		HTTP2:    &http.HTTP2Config{MaxReceiveBufferPerStream: 32 << 20, MaxReceiveBufferPerConnection: 64 << 20},
		ErrorLog: slog.NewLogLogger(h.log.Handler(), slog.LevelDebug),
	}
}

// serve answers on the listeners until ctx ends, and then ends in order: no
// new connections; a while for what is on its way; then the bodies that still
// come are cut, so that what arrived of them is kept.
func (h *house) serve(ctx context.Context, listeners []net.Listener) error {
	server := h.server()
	var working sync.WaitGroup
	following, stopFollowing := context.WithCancel(ctx)
	defer stopFollowing()
	change, current := h.follow(following, server, &working)
	hangUp := func() { current().hangUp() }
	server.RegisterOnShutdown(hangUp) // their clients poll, and would poll on
	defer hangUp()
	sweeping, stopSweeping := context.WithCancel(context.WithoutCancel(ctx))
	swept := make(chan struct{})
	go func() {
		defer close(swept)
		h.sweepAlways(sweeping, change)
	}()
	failed := make(chan error, len(listeners))
	for _, l := range listeners {
		go func() {
			if h.encrypted != nil {
				failed <- server.ServeTLS(l, "", "")
				return
			}
			failed <- server.Serve(l)
		}()
	}
	var err error
	select {
	case <-ctx.Done():
		h.log.Info("ending; what arrived is kept")
	case err = <-failed:
	}
	h.drain.begin()
	cut := time.AfterFunc(h.grace, h.drain.cut)
	defer cut.Stop()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), h.grace+2*grace)
	defer cancel()
	if server.Shutdown(last) != nil {
		server.Close()
	}
	stopFollowing() // before the stores are closed, of which it may open more
	working.Wait()
	stopSweeping()
	<-swept
	return err
}

// newLog writes lines for people to w.
func newLog(w io.Writer, verbose bool) *slog.Logger {
	level := slog.LevelInfo
	if verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level}))
}
