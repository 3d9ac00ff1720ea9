package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"text/tabwriter"
)

type lsCommand struct {
	URL   string `arg:"" optional:"" env:"MULETEER_URL" default:"http://127.0.0.1:8080" help:"The server (default: http://127.0.0.1:8080)."`
	Trust trust  `embed:""`
	JSON  bool   `name:"json" help:"Tell of each upload in a line of JSON."`
}

// Run lists the uploads that the server shows to the caller.
func (l lsCommand) Run(ctx context.Context, c console) error {
	r, err := newRemote(l.URL, 1, l.Trust)
	if err != nil {
		return err
	}
	var uploads []json.RawMessage
	const most = 1000 // is what a server lists at once
	if err := r.get(ctx, fmt.Sprintf("/uploads?limit=%d", most), &uploads); err != nil {
		return err
	}
	if l.JSON {
		for _, u := range uploads {
			if _, err := fmt.Fprintf(c.out, "%s\n", u); err != nil {
				return err
			}
		}
		return nil
	}
	if len(uploads) == most {
		defer fmt.Fprintf(c.err, "There may be more; these are the newest %d.\n", most)
	}
	return table(c.out, uploads)
}

func table(out io.Writer, uploads []json.RawMessage) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for i, raw := range uploads {
		var v view
		if err := json.Unmarshal(raw, &v); err != nil {
			return fmt.Errorf("the server's list cannot be read: %w", err)
		}
		if i == 0 {
			fmt.Fprintln(w, "STATE\tSIZE\tHERE\tNAME\tID")
		}
		total, here := "?", size(v.here()).String()
		if v.Size != nil {
			total = size(*v.Size).String()
			here = "100 %"
			if *v.Size > 0 {
				here = fmt.Sprintf("%d %%", 100*v.here()/(*v.Size))
			}
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", printable(v.State), total, here, printable(v.Name), printable(v.ID))
	}
	return w.Flush()
}

// here is how many bytes the server has, at any place.
func (v *view) here() int64 {
	return ranges(http.Header{"X-Upload-Ranges": {v.Ranges}}).Len()
}
