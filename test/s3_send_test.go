package test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/muleteer/muleteer/extent"
)

// sender sends one file to a cloud, however often it is refused, and holds each
// answer against the truth.
type sender struct {
	*cloud
	*truth
	url string // of tus
}

// errAgain is an answer after which clients come again.
var errAgain = errors.New("not now")

// request gets the answer to one request; errDown when there is none, errAgain
// when it says so.
func (u *sender) request(ctx context.Context, method, url string, b []byte, headers ...string) (*http.Response, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(b))
	if err != nil {
		return nil, nil, err
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := u.http.Do(req)
	if err != nil {
		return nil, nil, errors.Join(errDown, ctx.Err())
	}
	defer resp.Body.Close()
	said, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, nil, errors.Join(errDown, ctx.Err())
	}
	switch resp.StatusCode {
	case http.StatusConflict, http.StatusLocked, http.StatusServiceUnavailable:
		return resp, said, errAgain
	case http.StatusOK, http.StatusCreated, http.StatusNoContent, http.StatusPermanentRedirect:
		return resp, said, nil
	}
	return resp, said, fmt.Errorf("%s (%s): %s: %s: %s", u.name, u.now().id, method, resp.Status, said)
}

// retry repeats f until it has an answer, or a failure that no repetition
// mends.
func retry(ctx context.Context, f func() error) error {
	for {
		err := f()
		if !errors.Is(err, errAgain) && !errors.Is(err, errDown) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: it went on until the end: %w", context.Cause(ctx), err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// create begins a tus upload.
func (u *sender) create(ctx context.Context) error {
	return retry(ctx, func() error {
		resp, _, err := u.request(ctx, "POST", u.server.URL("/tus/"), nil, "Tus-Resumable", "1.0.0",
			"Upload-Length", strconv.FormatInt(u.size, 10),
			"Upload-Metadata", "filename "+base64.StdEncoding.EncodeToString([]byte(u.name)))
		if err != nil {
			return err
		}
		u.url = resp.Header.Get("Location")
		u.named(path.Base(u.url))
		return nil
	})
}

// head asks for the offset, once.
func (u *sender) head(ctx context.Context) (int64, error) {
	before := u.now()
	resp, _, err := u.request(ctx, "HEAD", u.url, nil, "Tus-Resumable", "1.0.0")
	if err != nil {
		return 0, err
	}
	return u.at(before, resp)
}

// at judges the offset that an answer tells: at the end, the file is whole.
func (u *sender) at(before known, resp *http.Response) (int64, error) {
	offset, err := strconv.ParseInt(resp.Header.Get("Upload-Offset"), 10, 64)
	if err != nil {
		return 0, err
	}
	if err := u.told(before, extent.Of(extent.Extent{End: offset}), offset); err != nil || offset < u.size {
		return offset, err
	}
	u.finished()
	return offset, u.object(u.truth)
}

// patch sends n bytes from an offset on, once.
func (u *sender) patch(ctx context.Context, offset, n int64) (int64, error) {
	to := min(offset+n, u.size)
	before := u.now()
	resp, _, err := u.request(ctx, "PATCH", u.url, u.data[offset:to], "Tus-Resumable", "1.0.0",
		"Content-Type", "application/offset+octet-stream", "Upload-Offset", strconv.FormatInt(offset, 10))
	if err != nil {
		return offset, err
	}
	at, err := u.at(before, resp)
	if err == nil && at != to {
		err = fmt.Errorf("%s: PATCH of bytes %d to %d is at %d", u.name, offset, to, at)
	}
	return at, err
}

// tus sends the whole file in PATCHes of so many bytes.
func (u *sender) tus(ctx context.Context, chunk int64) error {
	if u.url == "" {
		if err := u.create(ctx); err != nil {
			return err
		}
	}
	for at := int64(0); at < u.size; {
		var err error
		if at, err = u.patch(ctx, at, chunk); err == nil {
			continue
		} else if !errors.Is(err, errAgain) && !errors.Is(err, errDown) {
			return err
		}
		if err := retry(ctx, func() (err error) { at, err = u.head(ctx); return err }); err != nil {
			return err
		}
	}
	return nil
}

// put sends a range by Content-Range, once.
func (u *sender) put(ctx context.Context, e extent.Extent) error {
	resp, said, err := u.request(ctx, "PUT", u.server.URL("/upload/"+u.name), u.data[e.Start:e.End],
		"Content-Range", fmt.Sprintf("bytes %v/%d", e, u.size), "X-Upload-Fingerprint", "f-"+u.name)
	if resp != nil {
		if at := resp.Header.Get("X-Upload-Location"); at != "" {
			u.named(path.Base(at))
		}
	}
	if err != nil {
		return err
	}
	u.acknowledged(e)
	if resp.StatusCode == http.StatusPermanentRedirect {
		return nil
	}
	return u.whole(said)
}

// whole takes an answer that says that the file is whole.
func (u *sender) whole(said []byte) error {
	var v view
	if err := json.Unmarshal(said, &v); err != nil || v.State != "done" {
		return fmt.Errorf("%s: 200 says %s, %v", u.name, said, err)
	}
	u.named(v.ID)
	u.acknowledged(extent.Extent{End: u.size})
	u.finished()
	return u.object(u.truth)
}

// query asks how the upload stands, once; false while it is not whole.
func (u *sender) query(ctx context.Context) (whole bool, err error) {
	before := u.now()
	resp, _, err := u.request(ctx, "PUT", u.server.URL("/upload/"+u.name), nil,
		"Content-Range", "bytes */*", "X-Upload-Fingerprint", "f-"+u.name)
	if err != nil {
		return false, err
	}
	if resp.StatusCode == http.StatusOK {
		u.finished()
		return true, errors.Join(u.told(before, extent.Of(extent.Extent{End: u.size}), u.size), u.object(u.truth))
	}
	here, err := parseRanges(resp.Header.Get("X-Upload-Ranges"))
	if err != nil {
		return false, err
	}
	prefix := int64(0)
	if last, ok := strings.CutPrefix(resp.Header.Get("Range"), "bytes=0-"); ok {
		if prefix, err = strconv.ParseInt(last, 10, 64); err != nil {
			return false, err
		}
		prefix++
	}
	return false, u.told(before, here, prefix)
}

// swarm sends the file in pieces, in an order of the seed's, over several
// connections.
func (u *sender) swarm(ctx context.Context, piece int64, connections int, seed uint64) error {
	var all []extent.Extent
	for at := int64(0); at < u.size; at += piece {
		all = append(all, extent.Extent{Start: at, End: min(at+piece, u.size)})
	}
	rng := random(seed, 7)
	rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	// The first one begins the upload: two that begin it at once could make two.
	if err := retry(ctx, func() error { return u.put(ctx, all[0]) }); err != nil {
		return err
	}
	todo := make(chan extent.Extent, len(all))
	for _, e := range all[1:] {
		todo <- e
	}
	close(todo)
	errs := make([]error, connections)
	var group sync.WaitGroup
	for i := range errs {
		group.Go(func() {
			for e := range todo {
				if errs[i] = retry(ctx, func() error {
					if u.now().done {
						return nil
					}
					return u.put(ctx, e)
				}); errs[i] != nil {
					return
				}
			}
		})
	}
	group.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return retry(ctx, func() error {
		whole, err := u.query(ctx)
		if err == nil && !whole {
			return fmt.Errorf("%s: all was acknowledged, and it is not whole", u.name)
		}
		return err
	})
}
