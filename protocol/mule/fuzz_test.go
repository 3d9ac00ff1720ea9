package mule

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// FuzzQuery: a signed URL is taken apart or refused, and nothing passes for signed
// that nobody has signed.
func FuzzQuery(f *testing.F) {
	f.Add("uploads=&X-Amz-Date=20260102T030405Z&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a/20260102/us-east-1/s3/aws4_request&X-Amz-SignedHeaders=host&X-Amz-Signature=00", "a")
	f.Add("partNumber=1&uploadId=x&X-Amz-Credential=%2F%2F%2F%2F&X-Amz-SignedHeaders=Host;host", "%")
	f.Add("partNumber=1&partNumber=2", "")
	f.Fuzz(func(t *testing.T, raw, key string) {
		q, err := parse(raw)
		if err != nil {
			return
		}
		for name, value := range q {
			if strings.ContainsAny(name+value, "&") {
				t.Errorf("%q has %q=%q", raw, name, value)
			}
		}
		if name, err := q.owner(); err == nil && strings.Contains(name, "/") {
			t.Errorf("%q is of %q", raw, name)
		}
		r := &http.Request{Method: http.MethodPut, URL: &url.URL{RawQuery: raw}, Header: http.Header{}}
		if q.verify(r, strings.Repeat("6b", 32), "bucket.example.org", key) == nil {
			t.Errorf("%q is signed", raw)
		}
	})
}
