package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

type rmCommand struct {
	ID     []string `arg:"" help:"The ids of the uploads, as ls tells them; or the URLs that put told."`
	Trust  trust    `embed:""`
	Server string   `name:"url" env:"MULETEER_URL" default:"http://127.0.0.1:8080" help:"The server (default: http://127.0.0.1:8080)."`
}

// Run removes uploads, finished or not.
func (m rmCommand) Run(ctx context.Context, c console) error {
	ids, address := m.ID, m.Server
	if last := len(ids) - 1; last > 0 && isURL(ids[last]) && !isURL(ids[0]) {
		ids, address = ids[:last], ids[last] // as put has it
	}
	failed := 0
	for _, id := range ids {
		if err := remove(ctx, id, address, m.Trust); err != nil {
			if ctx.Err() != nil {
				return &failure{exitInterrupted, errors.New("interrupted")}
			}
			if f := (*failure)(nil); errors.As(err, &f) {
				return err
			}
			failed++
			fmt.Fprintf(c.err, "muleteer: %s: %v\n", printable(id), err)
		}
	}
	switch {
	case failed == 0:
		return nil
	case failed < len(ids):
		return &failure{exitPartly, nil}
	}
	return &failure{exitError, nil}
}

// remove removes one upload, of which the id or the URL is given.
func remove(ctx context.Context, what, address string, t trust) error {
	id := what
	if isURL(what) {
		var found bool
		if address, id, found = strings.Cut(what, "/files/"); !found {
			return errors.New("this is no URL of a file at a server: it has no /files/")
		}
	}
	r, err := newRemote(address, 1, t)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodDelete, r.base+"/uploads/"+url.PathEscape(id), nil)
	if err != nil {
		return err
	}
	resp, err := r.do(req)
	if e := (*refused)(nil); errors.As(err, &e) && (e.status == http.StatusNotFound || e.status == http.StatusGone) {
		return errors.New("there is no such upload (any more)")
	}
	if err != nil {
		return r.trouble(err)
	}
	resp.Body.Close()
	return nil
}
