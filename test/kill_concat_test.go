package test

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"path"
	"strconv"
	"time"
)

// concatenate sends a file as two partial uploads, which are put together
// before or after they are complete.
func (u *tusUpload) concatenate(ctx context.Context) error {
	cut := 0
	if n := len(u.data); n > 0 {
		cut = u.rng.IntN(n)
	}
	var parts [2]*tusUpload
	for i, data := range [][]byte{u.data[:cut], u.data[cut:]} {
		part := newTruth(fmt.Sprintf("%s-part-%d", u.name, i), data)
		part.partial = true
		parts[i] = &tusUpload{tusClient: u.tusClient, truth: u.known(part)}
	}
	early := u.rng.IntN(2) == 0
	if early {
		for _, p := range parts {
			if err := p.create(ctx); err != nil {
				return err
			}
		}
		if err := u.join(ctx, parts); err != nil {
			return err
		}
	}
	for _, p := range parts {
		if err := p.run(ctx); err != nil {
			return err
		}
	}
	if !early {
		if err := u.join(ctx, parts); err != nil {
			return err
		}
	}
	// After a death it may be a minute until it is put together.
	for end := time.Now().Add(30 * time.Second); ; {
		resp, err := u.request(ctx, "HEAD", u.url, nil, 0, nil)
		switch {
		case err != nil:
			if err := again(ctx, err); err != nil {
				return err
			}
		case resp.StatusCode == http.StatusOK && resp.Header.Get("Upload-Offset") == strconv.Itoa(len(u.data)):
			return u.read(ctx)
		case resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusLocked:
			return fmt.Errorf("%s: HEAD of the concatenation: %s", u.name, resp.Status)
		default:
			time.Sleep(5 * time.Millisecond) // it is being put together
		}
		if time.Now().After(end) {
			return fmt.Errorf("%s (%s): the concatenation is not done after 30 s", u.name, u.now().id)
		}
	}
}

// join begins the upload that is made of the parts.
func (u *tusUpload) join(ctx context.Context, parts [2]*tusUpload) error {
	h := http.Header{
		"Upload-Concat":   {"final;" + parts[0].url + " " + parts[1].url},
		"Upload-Metadata": {"filename " + base64.StdEncoding.EncodeToString([]byte(u.name))},
	}
	for {
		resp, err := u.request(ctx, "POST", u.server.URL(u.base), nil, 0, h)
		switch {
		case err != nil:
			u.creationLost()
			if err := again(ctx, err); err != nil {
				return err
			}
			continue
		case resp.StatusCode != http.StatusCreated:
			return fmt.Errorf("%s: POST of the concatenation: %s", u.name, resp.Status)
		}
		u.url = resp.Header.Get("Location")
		u.named(path.Base(u.url))
		return nil
	}
}
