//go:build linux

package test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime/multipart"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/internal/trial"
	"github.com/muleteer/muleteer/store/s3/s3test"
)

// TestS3Resumable sends a file into a bucket as Resumable.js does, in chunks of
// which the last is longer than the others, three at a time, in any order.
func TestS3Resumable(t *testing.T) {
	t.Parallel()
	seed := seed(t)
	data := trial.Noise(large(), seed)
	gateway := s3test.Start(t)
	t.Run("ways", func(t *testing.T) { // one after another: the disk is looked at
		for _, chunk := range []int64{1 << 20, 8 << 20} {
			t.Run(fmt.Sprintf("chunks of %d", chunk), func(t *testing.T) {
				some := affordable(data, chunk)
				straight(t, gateway, some[:int64(len(some))-chunk/2], chunk, func(u *sender) error {
					return u.chunks(patience(t, 20*time.Minute), chunk, seed)
				})
			})
		}
	})
}

// chunks sends the file as chunks, over three connections, in an order of the
// seed's.
func (u *sender) chunks(ctx context.Context, size int64, seed uint64) error {
	n := max(int(u.size/size), 1)
	todo := make(chan int, n)
	for _, number := range random(seed, 8).Perm(n) {
		todo <- number
	}
	close(todo)
	errs := make([]error, 3)
	var group sync.WaitGroup
	for i := range errs {
		group.Go(func() {
			for number := range todo {
				if errs[i] = retry(ctx, func() error { return u.chunk(ctx, number, n, size) }); errs[i] != nil {
					return
				}
			}
		})
	}
	group.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if !u.now().done {
		return fmt.Errorf("%s: all was acknowledged, and no answer said that it is whole", u.name)
	}
	return u.object(u.truth)
}

// chunk sends one of n chunks, by its number from 0, once.
func (u *sender) chunk(ctx context.Context, number, n int, size int64) error {
	e := extent.At(int64(number)*size, size)
	if number == n-1 {
		e.End = u.size
	}
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	for _, field := range [][2]string{
		{"resumableChunkNumber", strconv.Itoa(number + 1)}, {"resumableChunkSize", strconv.FormatInt(size, 10)},
		{"resumableCurrentChunkSize", strconv.FormatInt(e.Len(), 10)}, {"resumableTotalSize", strconv.FormatInt(u.size, 10)},
		{"resumableIdentifier", fmt.Sprintf("%d-%s", u.size, u.name)}, {"resumableFilename", u.name},
		{"resumableRelativePath", u.name}, {"resumableTotalChunks", strconv.Itoa(n)},
	} {
		_ = form.WriteField(field[0], field[1]) // a buffer takes all
	}
	file, _ := form.CreateFormFile("file", u.name)
	_, _ = file.Write(u.data[e.Start:e.End])
	form.Close()
	_, said, err := u.request(ctx, "POST", u.server.URL("/upload"), b.Bytes(), "Content-Type", form.FormDataContentType())
	if err != nil {
		return err
	}
	var told struct {
		ID       string
		Complete bool
	}
	if err := json.Unmarshal(said, &told); err != nil || told.ID == "" {
		return fmt.Errorf("%s: 200 says %s, %v", u.name, said, err)
	}
	u.named(told.ID)
	u.acknowledged(e)
	if told.Complete {
		u.finished()
	}
	return nil
}
