package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// healthCommand is for images that have no other program in them.
type healthCommand struct {
	URL string `arg:"" optional:"" default:"http://${address}" help:"Of the server (default: http://${address})."`
}

// Run asks a server whether it takes uploads.
func (k healthCommand) Run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(k.URL, "/")+"/readyz", nil)
	if err != nil {
		return fmt.Errorf("%s is no address: %w", k.URL, err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return fmt.Errorf("%s does not answer: %w; start the server", k.URL, reason(err))
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		said, _ := io.ReadAll(io.LimitReader(resp.Body, 1000)) // what it says is only shown
		return fmt.Errorf("%s is not ready: %s %s", k.URL, resp.Status, said)
	}
	return nil
}
