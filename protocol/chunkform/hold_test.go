package chunkform_test

import (
	"fmt"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muleteer/muleteer/protocol/chunkform"
	"github.com/muleteer/muleteer/protocol/wiretest"
	"github.com/muleteer/muleteer/store"
)

// late is a chunk of which the fields come after the bytes.
func late(index, count int, content string) string {
	return "--x\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a\"\r\n\r\n" + content + "\r\n" +
		fmt.Sprintf("--x\r\nContent-Disposition: form-data; name=\"chunk-index\"\r\n\r\n%d\r\n", index) +
		fmt.Sprintf("--x\r\nContent-Disposition: form-data; name=\"total-chunk\"\r\n\r\n%d\r\n--x--\r\n", count)
}

// A chunk for which there is no memory waits, and what it would bring is not
// read before; it is asked for again when that takes long.
func TestHeldWaitsForMemory(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, _ := wiretest.Grids()[0].Service(t)
		memory := store.NewBudget(1000)
		h := chunkform.Handler(s, chunkform.Options{Pause: -1, Memory: memory})
		post := func(body string) (*httptest.ResponseRecorder, *counter) {
			return send(h, "POST", "/form/", multipartX, body)
		}
		if !memory.Try(1000) {
			t.Fatal("the memory is not there")
		}
		began := time.Now()
		w, read := post(late(0, 2, strings.Repeat("x", 5000)))
		if w.Code != 503 || w.Header().Get("Retry-After") == "" || time.Since(began) < 10*time.Second || left(t, s) != "" {
			t.Errorf("%d after %v: %s, %s", w.Code, time.Since(began), w.Body, left(t, s))
		}
		if read.n > 8<<10 {
			t.Errorf("%d bytes were read", read.n)
		}
		time.AfterFunc(5*time.Second, func() { memory.Give(1000) })
		if w, _ := post(late(0, 2, "hello")); w.Code != 200 {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		if w, _ := post(late(1, 2, "world")); w.Code != 200 || !strings.Contains(w.Body.String(), `"complete":true`) {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		// More than there will ever be is refused for good.
		if w, _ := post(late(0, 2, strings.Repeat("x", 1001))); w.Code != 413 {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		if memory.Free() != 1000 {
			t.Errorf("%d bytes of memory were not given back", 1000-memory.Free())
		}
	})
}

// However a request ends, it gives its memory back.
func TestHeldIsGivenBack(t *testing.T) {
	t.Parallel()
	good := late(1, 3, strings.Repeat("x", 3000))
	web := func(i int, content string) string {
		return form([]string{"id=WU_FILE_0", "name=a", "size=9000", "chunks=3", fmt.Sprint("chunk=", i)}, content)
	}
	for name, body := range map[string]string{
		"good": late(0, 3, strings.Repeat("x", 3000)), "out of order": good, "cut": good[:2000], "cut in a field": good[:len(good)-20],
		"two files":           strings.Replace(good, "--x--", "--x\r\nContent-Disposition: form-data; name=\"f\"; filename=\"b\"\r\n\r\nx\r\n--x--", 1),
		"unknown":             strings.ReplaceAll(good, "total-chunk", "other"),
		"held for its number": web(1, strings.Repeat("x", 3000)), "the last first": web(2, strings.Repeat("x", 3000)),
		"beyond the end": web(2, strings.Repeat("x", 9001)), "whole": late(0, 1, "x"),
	} {
		s, _ := wiretest.Grids()[0].Service(t)
		memory := store.NewBudget(64 << 10)
		h := chunkform.Handler(s, chunkform.Options{Pause: -1, Memory: memory})
		for _, length := range []int64{int64(len(body)), -1} {
			r := httptest.NewRequest("POST", "/form/", struct{ io.Reader }{strings.NewReader(body)})
			r.ContentLength = length
			r.Header.Set("Content-Type", multipartX)
			h.ServeHTTP(httptest.NewRecorder(), r)
			if free := memory.Free(); free != memory.Size() {
				t.Errorf("%s: %d bytes of memory were not given back", name, memory.Size()-free)
			}
		}
	}
}
