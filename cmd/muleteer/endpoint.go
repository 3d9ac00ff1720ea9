package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"github.com/muleteer/muleteer/internal/wire"
)

// An endpoint is a named target: all paths are there once more, below /NAME,
// and its uploads are its own. The first endpoint has no name and is at /.
type endpoint struct {
	Store  string `yaml:"store"` // as --store; "" is the first one's
	Target `yaml:",inline"`
}

// endpoints are the endpoints of a file by their names, as they stand there.
type endpoints map[string]endpointNode

type endpointNode struct{ node ast.Node }

// UnmarshalYAML keeps what stands there until it is known what it builds on.
func (e *endpointNode) UnmarshalYAML(n ast.Node) error {
	e.node = n
	return errors.Join(yaml.NodeToValue(n, new(endpoint), yaml.Strict()))
}

var endpointName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,30}$`)

// endpoints returns what the file says of endpoints.
func (f configFile) endpoints() (endpoints, error) {
	if f == "" {
		return nil, nil
	}
	text, err := os.ReadFile(string(f))
	if err != nil {
		return nil, fmt.Errorf("the configuration cannot be read: %w", err)
	}
	if v := (values{}); yaml.Unmarshal(text, &v) == nil && isAppYAML(v) {
		return nil, nil
	}
	said := new(settings)
	if err := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict()).Decode(said); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: %s", f, yaml.FormatError(err, false, true))
	}
	return said.Endpoints, nil
}

// stores returns where the endpoints keep their files, as --store would say it;
// "" is the first one's.
func (f configFile) stores() (map[string]string, error) {
	named, err := f.endpoints()
	all := map[string]string{}
	for name, said := range named {
		e := endpoint{}
		if said.node != nil {
			err = errors.Join(err, yaml.NodeToValue(said.node, &e, yaml.Strict()))
		}
		all[name] = e.Store
	}
	return all, err
}

// endpoints returns the endpoints that the file names, complete and checked.
func (s *settings) endpoints() (map[string]endpoint, error) {
	named, err := s.Storage.Config.endpoints()
	if err != nil {
		return nil, err
	}
	all := map[string]endpoint{}
	for name, said := range named {
		e := endpoint{Target: s.Target}
		if said.node != nil { // nothing may be said of it
			if err := yaml.NodeToValue(said.node, &e, yaml.Strict()); err != nil {
				return nil, fmt.Errorf("endpoint %s: %s", name, yaml.FormatError(err, false, true))
			}
		}
		if !endpointName.MatchString(name) {
			return nil, fmt.Errorf("the endpoint %q cannot be called so: a name is of lower-case letters, digits and dashes, and begins with a letter", name)
		}
		if err := e.check(s); err != nil {
			return nil, fmt.Errorf("endpoint %s: %w", name, err)
		}
		if !e.Allow.Open && !e.Allow.asks(s.TLS.ClientCA != "") && s.shared() {
			return nil, fmt.Errorf("endpoint %s: nothing says who may upload there, and it can be reached from other machines: give it a key for tokens, or open: true if it is everybody", name)
		}
		all[name] = e
	}
	return all, nil
}

// measure finds out how large a file may come into the first store.
func (s *settings) measure() error {
	named, err := s.endpoints()
	s.Storage.largest = int64(s.MaxSize)
	for _, e := range named {
		if e.Store == "" && s.Storage.largest > 0 && (e.MaxSize == 0 || int64(e.MaxSize) > s.Storage.largest) {
			s.Storage.largest = int64(e.MaxSize)
		}
	}
	return err
}

// furnish adds the endpoints of the file to the first one. A store that is open
// already, here or in the house before, is not opened again.
func (h *house) furnish(ctx context.Context, before *house) error {
	named, err := h.settings.endpoints()
	if err != nil {
		return err
	}
	taken := map[string]bool{}
	for _, p := range h.places() {
		taken[firstSegment(p.path)] = true
	}
	taken[strings.Trim(wire.TokenPath, "/")] = true
	h.named = map[string]*house{}
	for _, name := range slices.Sorted(maps.Keys(named)) {
		if taken[name] {
			return fmt.Errorf("the endpoint %s cannot be called so: there is something else at /%s", name, name)
		}
		storage := h.settings.Storage
		storage.largest = int64(named[name].MaxSize)
		k, err := h.kept.beside(ctx, storage, named[name].Store)
		if err != nil {
			return fmt.Errorf("endpoint %s: %w", name, err)
		}
		var was *house
		if before != nil {
			was = before.named[name]
		}
		if h.named[name], err = h.annexe(name, named[name].Target, k, was); err != nil {
			return fmt.Errorf("endpoint %s: %w", name, err)
		}
	}
	return nil
}

// annexe is the house of another endpoint below the same roof; before is the one
// in whose place it steps, or nil.
func (h *house) annexe(name string, t Target, k *kept, before *house) (*house, error) {
	s := h.settings
	s.Target = t
	a := *h
	a.name, a.settings, a.kept, a.named = name, s, k, nil
	return &a, a.begin(before)
}

// all are this house and its annexes.
func (h *house) all() []*house {
	list := []*house{h}
	for _, name := range slices.Sorted(maps.Keys(h.named)) {
		list = append(list, h.named[name])
	}
	return list
}

// sweep does what is due at every endpoint, until ctx ends.
func (h *house) sweep(ctx context.Context) {
	var all sync.WaitGroup
	for _, e := range h.all() {
		all.Go(func() { e.service.Run(context.WithValue(ctx, inSweep{}, true)) })
	}
	all.Wait()
}

// below hands a request on to the endpoint whose name its path begins with.
func (h *house) below(tables map[string]http.Handler, first http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := firstSegment(r.URL.Path)
		table := tables[name]
		if table == nil {
			first.ServeHTTP(w, r)
			return
		}
		if r.URL.Path == "/"+name {
			wire.Problem(w, http.StatusNotFound, "", fmt.Sprintf("This is an endpoint; its paths are /%s/upload, /%s/tus/ and so on.", name, name))
			return
		}
		r = wire.Below(r, "/"+name)
		moved := new(url.URL)
		*moved = *r.URL
		moved.Path = strings.TrimPrefix(r.URL.Path, "/"+name)
		moved.RawPath = strings.TrimPrefix(r.URL.RawPath, "/"+name)
		r.URL = moved
		table.ServeHTTP(w, r)
	})
}

func firstSegment(path string) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return first
}
