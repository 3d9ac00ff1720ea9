package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/muleteer/muleteer/state"
	"github.com/muleteer/muleteer/store"
	"github.com/muleteer/muleteer/upload"
)

type eventsCommand struct {
	What    []string `arg:"" optional:"" help:"Nothing lists all events that are not delivered; ids tell more of these; “replay ID…” has them tried again, “drop ID…” forgets them."`
	Dead    bool     `help:"Only those that are not tried any more."`
	All     bool     `help:"With replay: all that are dead."`
	JSON    bool     `name:"json" help:"Tell of each event in a line of JSON."`
	Server  string   `name:"url" env:"MULETEER_URL" placeholder:"URL" help:"The server (default: the records here, or, while a server has them, http://127.0.0.1:8080)."`
	Trust   trust    `embed:""`
	Storage storage  `embed:""`
}

// Run shows, replays or drops events.
func (e eventsCommand) Run(ctx context.Context, c console) error {
	verb, ids := "", e.What
	if len(ids) > 0 && (ids[0] == "replay" || ids[0] == "drop") {
		verb, ids = ids[0], ids[1:]
	}
	if err := e.check(verb, ids); err != nil {
		return &failure{exitUsage, err}
	}
	box, err := e.open(ctx)
	if err != nil {
		return err
	}
	defer box.close()
	if verb == "" {
		return e.show(ctx, c.out, box, ids)
	}
	if e.All {
		all, err := box.events(ctx, "", true)
		if err != nil {
			return err
		}
		for _, v := range all {
			ids = append(ids, v.ID)
		}
	}
	for _, id := range ids {
		if err := box.do(ctx, verb, id); err != nil {
			return fmt.Errorf("%s: %w", printable(id), err)
		}
	}
	_, err = fmt.Fprintf(c.out, "%s: %d events\n", verb, len(ids))
	return err
}

func (e eventsCommand) check(verb string, ids []string) error {
	switch {
	case e.All && (verb != "replay" || len(ids) > 0):
		return errors.New("--all is said with replay, and without an id")
	case verb != "" && len(ids) == 0 && !e.All:
		return fmt.Errorf("which one? “muleteer events” lists them; then: muleteer events %s ID", verb)
	}
	return nil
}

// show lists the events, or tells all of some.
func (e eventsCommand) show(ctx context.Context, out io.Writer, box office, ids []string) error {
	var found []eventView
	for _, id := range ids {
		one, err := box.events(ctx, id, false)
		if err == nil && len(one) == 0 {
			err = errNoEvent
		}
		if err != nil {
			return fmt.Errorf("%s: %w", printable(id), err)
		}
		found = append(found, one...)
	}
	if len(ids) == 0 {
		var err error
		if found, err = box.events(ctx, "", e.Dead); err != nil {
			return err
		}
	}
	if e.JSON {
		for _, v := range found {
			if err := json.NewEncoder(out).Encode(v); err != nil {
				return err
			}
		}
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for i, v := range found {
		if i == 0 {
			fmt.Fprintln(w, "STATE\tKIND\tTIME\tTRIED\tUPLOAD\tID\tERROR")
		}
		how := "pending"
		if v.Dead != nil {
			how = "dead"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\t%s\n", how, printable(v.Kind), v.Time.Format(time.RFC3339), v.Attempts,
			printable(v.Upload), printable(v.ID), printable(v.Error))
	}
	return w.Flush()
}

// office is where events can be had: at a server, or, if none runs, in the
// records.
type office interface {
	events(ctx context.Context, id string, dead bool) ([]eventView, error)
	do(ctx context.Context, verb, id string) error
	close()
}

var errNoEvent = errors.New("there is no such event (any more): it was delivered, or dropped")

// open opens the records that are here, or speaks to the server that has them.
func (e eventsCommand) open(ctx context.Context) (office, error) {
	if e.Server == "" && e.Storage.there() == nil {
		where, err := e.Storage.stateURL(new(kept))
		if err != nil {
			return nil, err
		}
		s, err := state.Open(ctx, where, state.Options{})
		if err == nil {
			return records{s}, nil
		}
		if !errors.Is(err, store.ErrInUse) {
			return nil, err
		}
	}
	if e.Server == "" {
		e.Server = "http://" + defaultAddress
	}
	r, err := newRemote(e.Server, 1, e.Trust)
	if err != nil {
		return nil, err
	}
	return afar{r}, nil
}

// records are a state that no server has.
type records struct{ state.State }

func (r records) close() { _ = r.Close() } // what was done is committed

func (r records) events(ctx context.Context, id string, dead bool) (found []eventView, err error) {
	for e, err := range r.Events(ctx, id) {
		if err != nil {
			return nil, fmt.Errorf("the records cannot be read: %w", err)
		}
		if !dead || !e.Dead.IsZero() {
			found = append(found, viewOfEvent(e))
		}
	}
	return found, nil
}

func (r records) do(ctx context.Context, verb, id string) error {
	var found []upload.Event
	for e, err := range r.Events(ctx, id) {
		if err != nil {
			return err
		}
		found = append(found, e)
	}
	switch {
	case len(found) != 1:
		return errNoEvent
	case verb == "drop":
		return r.Settle(ctx, id)
	}
	return r.Defer(ctx, found[0].Again())
}

// afar is a server.
type afar struct{ *remote }

func (a afar) close() {}

func (a afar) events(ctx context.Context, id string, dead bool) ([]eventView, error) {
	if id != "" {
		var one eventView
		if err := a.get(ctx, "/events/"+url.PathEscape(id), &one); err != nil {
			return nil, noEvent(err)
		}
		return []eventView{one}, nil
	}
	var all []eventView
	query := "/events"
	if dead {
		query += "?dead=1"
	}
	err := a.get(ctx, query, &all)
	return all, err
}

func (a afar) do(ctx context.Context, verb, id string) error {
	method, path := http.MethodDelete, "/events/"+url.PathEscape(id)
	if verb == "replay" {
		method, path = http.MethodPost, path+"/replay"
	}
	req, err := http.NewRequestWithContext(ctx, method, a.base+path, nil)
	if err != nil {
		return err
	}
	resp, err := a.remote.do(req)
	if err != nil {
		return noEvent(a.trouble(err))
	}
	return resp.Body.Close()
}

// noEvent says of a 404 what it means here.
func noEvent(err error) error {
	if e := (*refused)(nil); errors.As(err, &e) && slices.Contains([]int{http.StatusNotFound, http.StatusGone}, e.status) && strings.Contains(e.detail, "event") {
		return errNoEvent
	}
	return err
}
