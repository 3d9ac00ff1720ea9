package s3test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestServer(t *testing.T) {
	t.Parallel()
	s := Start(t)
	one, two := s.Bucket(t), s.Bucket(t)
	keys := []string{"plain", "a/b c/d+e=f.bin", "größe/✓ & co"}
	for _, key := range keys {
		resp, err := s.Do(context.Background(), http.MethodPut, path(one, key), []byte(key))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("PUT %s: %s", key, resp.Status)
		}
		r, err := s.Read(one, key)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		r.Close()
		if err != nil || string(got) != key {
			t.Errorf("%s holds %q, %v", key, got, err)
		}
	}
	here := s.Objects(t, one)
	for _, key := range keys {
		if here[key] != int64(len(key)) {
			t.Errorf("%s has %d bytes in the list, want %d", key, here[key], len(key))
		}
	}
	if len(here) != len(keys) || len(s.Objects(t, two)) > 0 {
		t.Errorf("%v are here, and %v in another bucket", here, s.Objects(t, two))
	}
	s.Delete(t, one, keys[0])
	s.must(t, http.MethodPost, path(one, keys[1])+"?uploads=")
	if u := s.Unjoined(t, one); len(u) != 1 || u[0].Key != keys[1] || len(s.Objects(t, one)) != 2 {
		t.Errorf("%v on their way, %v are here", u, s.Objects(t, one))
	}
	s.AbortAll(t, one)
	if u := s.Unjoined(t, one); len(u) > 0 {
		t.Errorf("after all were aborted: %v", u)
	}
	want := "s3://" + one + "/some/where?endpoint=http%3A%2F%2F127.0.0.1%3A"
	if got := s.URL(one, "some/where"); !strings.HasPrefix(got, want) {
		t.Errorf("the URL is %s, want %s…", got, want)
	}
}
