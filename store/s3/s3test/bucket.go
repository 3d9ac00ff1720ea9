package s3test

import (
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// Objects lists the keys of a bucket with the sizes in bytes of what is there.
func (s *Server) Objects(tb testing.TB, bucket string) map[string]int64 {
	tb.Helper()
	all, err := s.List(context.Background(), bucket)
	if err != nil {
		tb.Fatal(err)
	}
	return all
}

// List is Objects where there is no test.
func (s *Server) List(ctx context.Context, bucket string) (map[string]int64, error) {
	all := map[string]int64{}
	for token := ""; ; {
		q := url.Values{"list-type": {"2"}}
		if token != "" {
			q.Set("continuation-token", token)
		}
		var page struct {
			Contents []struct {
				Key  string
				Size int64
			}
			NextContinuationToken string
		}
		if err := s.list(ctx, bucket, q, &page); err != nil {
			return nil, err
		}
		for _, o := range page.Contents {
			all[o.Key] = o.Size
		}
		if token = page.NextContinuationToken; token == "" {
			return all, nil
		}
	}
}

// An Unjoined is a multipart upload that was begun and neither completed nor
// aborted.
type Unjoined struct{ Key, UploadID string }

// Unjoined lists the multipart uploads of a bucket, at most 1,000.
func (s *Server) Unjoined(tb testing.TB, bucket string) []Unjoined {
	tb.Helper()
	var page struct {
		Upload []struct {
			Key      string
			UploadID string `xml:"UploadId"`
		}
	}
	if err := s.list(context.Background(), bucket, url.Values{"uploads": {""}}, &page); err != nil {
		tb.Fatal(err)
	}
	var all []Unjoined
	for _, u := range page.Upload {
		all = append(all, Unjoined(u))
	}
	return all
}

func (s *Server) list(ctx context.Context, bucket string, q url.Values, page any) error {
	resp, err := s.Do(ctx, http.MethodGet, "/"+bucket+"?"+q.Encode(), nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return fmt.Errorf("listing %s: %s, %w: %s", bucket, resp.Status, err, body)
	}
	return xml.Unmarshal(body, page)
}

// AbortAll aborts every multipart upload of a bucket, as a lifecycle rule does
// with old ones.
func (s *Server) AbortAll(tb testing.TB, bucket string) {
	tb.Helper()
	for _, u := range s.Unjoined(tb, bucket) {
		s.must(tb, http.MethodDelete, path(bucket, u.Key)+"?uploadId="+url.QueryEscape(u.UploadID))
	}
}

// Delete deletes an object.
func (s *Server) Delete(tb testing.TB, bucket, key string) {
	tb.Helper()
	s.must(tb, http.MethodDelete, path(bucket, key))
}

func (s *Server) must(tb testing.TB, method, target string) {
	tb.Helper()
	resp, err := s.Do(context.Background(), method, target, nil)
	if err != nil {
		tb.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		tb.Fatalf("%s %s: %s", method, target, resp.Status)
	}
}

// Read reads an object as it lies in the bucket.
func (s *Server) Read(bucket, key string) (io.ReadCloser, error) {
	resp, err := s.Do(context.Background(), http.MethodGet, path(bucket, key), nil)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		return nil, fmt.Errorf("reading %s of %s: %s", key, bucket, resp.Status)
	}
	return resp.Body, nil
}

// path is the path of a key as it is signed: every byte escaped that AWS wants
// escaped, slashes not.
func path(bucket, key string) string {
	words := strings.Split(bucket+"/"+key, "/")
	for i, w := range words {
		words[i] = strings.ReplaceAll(url.QueryEscape(w), "+", "%20")
	}
	return "/" + strings.Join(words, "/")
}
