//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// errand is what page.mjs is to send.
type errand struct {
	URL     string   `json:"url"`     // of the page
	Targets []string `json:"targets"` // where to
	Workers int      `json:"workers"`
	File    string   `json:"file,omitempty"`
	Count   int      `json:"count,omitempty"`   // of files that the page makes
	Size    int      `json:"size,omitempty"`    // of each, in bytes
	Streams bool     `json:"streams,omitempty"` // over Socket.IO
	Direct  bool     `json:"direct,omitempty"`  // straight into the bucket

	SPKI     string `json:"spki"`
	Chromium string `json:"chromium"`
}

// chromium finds a browser and what drives it; else it says what is missing.
func (p *plan) chromium() (browser, missing string) {
	browser, err := exec.LookPath("chromium")
	if err != nil {
		return "", "there is no Chromium; apt-get install chromium"
	}
	if _, err := exec.LookPath("node"); err != nil {
		return "", "there is no Node, which drives Chromium"
	}
	driver := filepath.Join(filepath.Dir(p.page), "../web/browser/node_modules/playwright-core")
	if _, err := os.Stat(driver); err != nil {
		return "", "what drives Chromium is not installed; npm ci --prefix web/browser"
	}
	return browser, ""
}

// browse runs an errand and returns how many seconds it took.
func (p *plan) browse(ctx context.Context, e errand) (float64, error) {
	job, err := json.Marshal(e)
	if err != nil {
		return 0, err
	}
	c := exec.CommandContext(ctx, "node", p.page, string(job))
	var said bytes.Buffer
	c.Stderr = &said
	out, err := c.Output()
	if err != nil {
		return 0, fmt.Errorf("the page: %w\n%.2000s", err, said.String())
	}
	var seconds float64
	if err := json.Unmarshal(out, &seconds); err != nil {
		return 0, fmt.Errorf("the page said %q: %w", out, err)
	}
	return seconds, nil
}
