//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/muleteer/muleteer/store/s3/s3test"
)

// The sides of P12. All go over the line of P9: one to the server, and one as
// slow to the bucket.
const (
	straight1 = "straight, 1 worker"
	straight4 = "straight, 4 workers"
	through4  = "through the server, 4"
)

// straight is P12: a page that sends straight into the bucket, four connections
// against one, and against the way through the server.
func (p *plan) straight(ctx context.Context, r *report, size int64) ([]row, error) {
	browser, missing := p.chromium()
	if missing != "" {
		fmt.Println("  left out:", missing)
		return nil, nil
	}
	c, err := p.load(size)
	if err != nil {
		return nil, err
	}
	runs, err := p.turns([]side{{name: straight1}, {name: straight4}, {name: through4}}, func(sd side) (run, error) {
		return p.over(ctx, sd, browser, c)
	})
	if err != nil {
		return nil, err
	}
	r.add("P12", runs)
	return []row{
		compare("P12", "MB/s of the page into the bucket, 4 workers against 1", runs, straight4, straight1, run.rate).atLeast(3.5),
		compare("P12", "MB/s of the page, 4 workers, into the bucket against through the server", runs, straight4, through4, run.rate),
		compare("P12", "CPU s/MB of the server, into the bucket against through it", runs, straight4, through4, run.cost),
	}, nil
}

// over sends the cargo to a new bucket, and reads it from there.
func (p *plan) over(ctx context.Context, sd side, browser string, c *cargo) (run, error) {
	gateway, err := s3test.OpenIn(p.dir)
	if err != nil {
		return run{}, err
	}
	defer gateway.Close()
	bucket, err := gateway.NewBucket(ctx)
	if err != nil {
		return run{}, err
	}
	far, err := newLine(ctx, strings.TrimPrefix(gateway.Endpoint, "http://"), slow())
	if err != nil {
		return run{}, err
	}
	defer far.close()
	store := gateway.URL(bucket, "") + "&direct=1&public=" + url.QueryEscape(trip{}.at("bucket.line.test", far))
	sd.env = s3test.Env()
	sd.args = func(addr, _ string) []string {
		return []string{p.muleteer, "serve", "--listen", addr, "--store", store, "--public-url", "http://page.line.test"}
	}
	s, err := p.start(ctx, sd)
	if err != nil {
		return run{}, err
	}
	defer s.stop()
	near, err := newLine(ctx, s.addr, slow())
	if err != nil {
		return run{}, err
	}
	defer near.close()
	page := trip{}.at("page.line.test", near)
	if err := gateway.Cors(ctx, bucket, fmt.Sprintf(`{"CORSRules": [{"AllowedOrigins": [%q], "AllowedMethods": ["PUT"], "AllowedHeaders": ["*"]}]}`, page)); err != nil {
		return run{}, err
	}
	job := errand{URL: page + "/", Targets: []string{page + "/upload/"}, Workers: 4, File: c.path, Chromium: browser, Direct: sd.name != through4}
	if sd.name == straight1 {
		job.Workers = 1
	}
	seconds := 0.0
	did, err := s.timed(float64(c.size)/1e6, func() error {
		seconds, err = p.browse(ctx, job)
		return err
	})
	if did.Seconds = seconds; err != nil { // without the browser's start
		return did, err
	}
	way := near
	if job.Direct {
		way = far
	}
	if did.Connections = way.busy(); did.Connections != job.Workers {
		return did, fmt.Errorf("%d connections have carried it, not %d", did.Connections, job.Workers)
	}
	keys, err := gateway.List(ctx, bucket)
	if err != nil {
		return did, err
	}
	for key := range keys {
		if strings.HasPrefix(key, ".muleteer/") {
			continue
		}
		if sum, err := sumIn(gateway, bucket, key); err != nil || sum != c.sum {
			return did, fmt.Errorf("%s is not what was sent: SHA-256 %s, not %s; %w", key, sum, c.sum, err)
		}
		s.stop()
		return did, errors.Join(s.forget(), settle())
	}
	return did, errors.New("there is nothing in the bucket")
}
