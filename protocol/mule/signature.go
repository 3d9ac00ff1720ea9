package mule

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// errSignature is told as 404, which is what the client understands.
var errSignature = errors.New("the signature is another one")

// query are the parameters of a request, as they stand in its URL.
type query map[string]string

// parse takes a query apart. Names come once, and are those that the client
// uses.
func parse(raw string) (query, error) {
	q := query{}
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" { // "?uploads=&…" of some versions ends so
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		if _, twice := q[name]; twice || !slices.Contains(names(), name) {
			return nil, errSignature
		}
		q[name] = value
	}
	return q, nil
}

// names are the parameters that there are. What is signed has no others.
func names() []string {
	return []string{
		"uploads", "partNumber", "uploadId", "part-number-marker", "X-Amz-Date", "X-Amz-Algorithm", "X-Amz-Expires",
		"X-Amz-Credential", "X-Amz-SignedHeaders", "X-Amz-Signature",
	}
}

// owner is the name of the key by which a request says that it is signed, if the
// rest of what it says is as we have told it.
func (q query) owner() (string, error) {
	credential, err := url.PathUnescape(q["X-Amz-Credential"])
	words := strings.Split(credential, "/")
	if err != nil || len(words) != 5 || words[2] != region || words[3] != "s3" || words[4] != "aws4_request" || q["X-Amz-Algorithm"] != "AWS4-HMAC-SHA256" {
		return "", errSignature
	}
	return words[0], nil
}

// verify compares the signature of a request with that of a key, as AWS
// Signature Version 4 has it ("Authenticating requests: using query
// parameters"), but for what the client does in its own way: parameters are
// signed as they stand in the URL; the host is all that was given as the bucket,
// with what it appends to that; and the day in the scope is that of the
// browser's clock, whatever day it was told, so no day is wrong here. How long a
// key is good is said by the upload, which expires.
func (q query) verify(r *http.Request, secret, host, key string) error {
	signing, err := hex.DecodeString(secret)
	signed, err2 := url.PathUnescape(q["X-Amz-SignedHeaders"])
	got, err3 := hex.DecodeString(q["X-Amz-Signature"])
	date := q["X-Amz-Date"]
	if errors.Join(err, err2, err3) != nil || len(signing) < 32 || len(date) != len("20060102T150405Z") {
		return errSignature
	}
	var pairs []string
	for _, pair := range strings.Split(r.URL.RawQuery, "&") {
		if !strings.HasPrefix(pair, "X-Amz-Signature=") && pair != "" {
			pairs = append(pairs, pair)
		}
	}
	slices.SortStableFunc(pairs, func(a, b string) int {
		a, _, _ = strings.Cut(a, "=")
		b, _, _ = strings.Cut(b, "=")
		return strings.Compare(a, b)
	})
	var headers strings.Builder
	withHost := false
	for _, name := range strings.Split(strings.ToLower(signed), ";") {
		value := strings.TrimSpace(latin1(r.Header.Get(name)))
		if name == "host" {
			value, withHost = host, true
		}
		headers.WriteString(name + ":" + value + "\n")
	}
	sum := sha256.Sum256([]byte(strings.Join([]string{
		r.Method, "/" + key, strings.Join(pairs, "&"), headers.String(), strings.ToLower(signed), "UNSIGNED-PAYLOAD",
	}, "\n")))
	m := hmac.New(sha256.New, signing)
	m.Write([]byte(strings.Join([]string{
		"AWS4-HMAC-SHA256", date, date[:8] + "/" + region + "/s3/aws4_request", hex.EncodeToString(sum[:]),
	}, "\n")))
	if !withHost || !hmac.Equal(got, m.Sum(nil)) {
		return errSignature
	}
	return nil
}

// latin1 reads a header of which each byte is a character: so browsers send
// what a script has signed as UTF-8.
func latin1(s string) string {
	var b strings.Builder
	for i := range len(s) {
		b.WriteRune(rune(s[i]))
	}
	return b.String()
}
