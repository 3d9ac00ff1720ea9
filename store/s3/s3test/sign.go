package s3test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Do makes a request to the server as the tests themselves do, beside the
// store and any library: target is a path with an escaped query. Headers come
// in pairs of name and value.
func (s *Server) Do(ctx context.Context, method, target string, body []byte, headers ...string) (*http.Response, error) {
	return do(ctx, s.Endpoint, method, target, body, headers...)
}

func do(ctx context.Context, endpoint, method, target string, body []byte, headers ...string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, endpoint+target, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	sign(req, time.Now().UTC())
	// A connection of its own: a test that ends its server closes those that
	// wait in the one transport that all share.
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	return client.Do(req)
}

// sign signs a request by AWS Signature Version 4 ("Create a signed AWS API
// request", IAM user guide) without its payload.
func sign(req *http.Request, now time.Time) {
	const unsigned = "UNSIGNED-PAYLOAD"
	stamp, day := now.Format("20060102T150405Z"), now.Format("20060102")
	req.Header.Set("X-Amz-Date", stamp)
	req.Header.Set("X-Amz-Content-Sha256", unsigned)
	fields := map[string]string{"host": req.URL.Host}
	for name, v := range req.Header {
		if name = strings.ToLower(name); strings.HasPrefix(name, "x-amz-") {
			fields[name] = strings.Join(v, ",")
		}
	}
	names := slices.Sorted(maps.Keys(fields))
	signed, lines := strings.Join(names, ";"), ""
	for _, name := range names {
		lines += name + ":" + fields[name] + "\n"
	}
	scope := day + "/" + Region + "/s3/aws4_request"
	// A query of url.Values is sorted and escaped as AWS wants it, but for the
	// space.
	query := strings.ReplaceAll(req.URL.Query().Encode(), "+", "%20")
	canonical := strings.Join([]string{req.Method, req.URL.EscapedPath(), query, lines, signed, unsigned}, "\n")
	sum := sha256.Sum256([]byte(canonical))
	toSign := strings.Join([]string{"AWS4-HMAC-SHA256", stamp, scope, hex.EncodeToString(sum[:])}, "\n")
	key := []byte("AWS4" + SecretKey)
	for _, word := range []string{day, Region, "s3", "aws4_request"} {
		key = mac(key, word)
	}
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+AccessKey+"/"+scope+
		", SignedHeaders="+signed+", Signature="+hex.EncodeToString(mac(key, toSign)))
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}
