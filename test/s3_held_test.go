package test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/muleteer/muleteer/internal/trial"
	"github.com/muleteer/muleteer/store/s3/s3test"
)

// TestS3HeldChunks has many send chunks that must be held before anybody knows
// their place, with memory for one or two of them, and for the store as little.
// Those that hold and those that store never wait for each other for ever.
func TestS3HeldChunks(t *testing.T) {
	t.Parallel()
	const people, pieces, size = 10, 3, 3 << 19
	c := inBucket(t, s3test.Start(t), "--memory", "4MiB")
	seed := seed(t)
	ctx := patience(t, 3*time.Minute)
	send := func(u *truth, i int) error {
		var b bytes.Buffer
		form := multipart.NewWriter(&b)
		file, _ := form.CreateFormFile("files", u.name)
		_, _ = file.Write(u.data[i*size : (i+1)*size]) // a buffer takes all
		metadata, _ := json.Marshal(map[string]any{
			"chunkIndex": i, "totalChunks": pieces, "totalFileSize": len(u.data), "uploadUid": u.name, "fileName": u.name,
		})
		_ = form.WriteField("metadata", string(metadata))
		form.Close()
		req, err := http.NewRequestWithContext(ctx, "POST", c.URL("/upload"), &b)
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", form.FormDataContentType())
		resp, err := c.http.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		said, err := io.ReadAll(resp.Body)
		if resp.StatusCode == http.StatusServiceUnavailable {
			return errAgain
		}
		if err != nil || resp.StatusCode != http.StatusOK {
			return fmt.Errorf("%s: chunk %d: %s %s, %v", u.name, i, resp.Status, said, err)
		}
		var told struct {
			ID       string
			Uploaded bool
		}
		if err := json.Unmarshal(said, &told); err != nil || told.Uploaded != (i == pieces-1) {
			return fmt.Errorf("%s: chunk %d: %s, %v", u.name, i, said, err)
		}
		u.named(told.ID)
		return nil
	}
	files := make([]*truth, people)
	var group sync.WaitGroup
	for i := range files {
		u := newTruth(fmt.Sprintf("%d.bin", i), trial.Noise(pieces*size, seed+uint64(i)))
		files[i] = u
		group.Go(func() {
			for i := range pieces {
				if err := retry(ctx, func() error { return send(u, i) }); err != nil {
					t.Error(err)
					return
				}
			}
			if err := c.object(u); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	c.onlyFinished(t, files...)
}
