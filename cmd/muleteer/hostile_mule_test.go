package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// muleSession is what Mule Uploader is told.
type muleSession struct {
	Signature, Bucket, Key string
}

// muleSigned is the path and query of a request, signed as Mule Uploader does it.
func muleSigned(s muleSession, method, operation string) string {
	at := time.Now().UTC().Format("20060102T150405Z")
	host := s.Bucket + ".s3.amazonaws.com"
	scope := at[:8] + "/us-east-1/s3/aws4_request"
	rest := "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=" + s.Key + "%2F" + strings.ReplaceAll(scope, "/", "%2F") +
		"&X-Amz-Date=" + at + "&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
	canonical := sha256.Sum256([]byte(method + "\n/" + s.Key + "\n" + rest + "&" + operation + "\nhost:" + host + "\n\nhost\nUNSIGNED-PAYLOAD"))
	key, err := hex.DecodeString(s.Signature)
	if err != nil {
		panic(err)
	}
	m := hmac.New(sha256.New, key)
	fmt.Fprintf(m, "AWS4-HMAC-SHA256\n%s\n%s\n%x", at, scope, canonical)
	_, path, _ := strings.Cut(host, "/")
	return fmt.Sprintf("/%s/%s?%s&%s&X-Amz-Signature=%x", path, s.Key, rest, operation, m.Sum(nil))
}

// TestHostileMule: who has no key gets nowhere in the bucket, and who has one
// nowhere but to the upload that it is for.
func TestHostileMule(t *testing.T) {
	t.Parallel()
	h, log := tokenHouse(t, nil)
	base := served(t, h)
	ann, bob := tokenFor(t, "ann", time.Hour, nil), tokenFor(t, "bob", time.Hour, nil)
	backend := func(token, query string) string {
		return "/upload-backend/signing_key/?upload_token=" + token + "&" + query
	}
	const film = "filename=film&filesize=1000&last_modified=1"
	begun := func(token string) (s muleSession) {
		if resp, body := do(t, "GET", base+backend(token, film), ""); resp.StatusCode != 200 || json.Unmarshal([]byte(body), &s) != nil {
			t.Fatal(resp.Status, body)
		}
		return s
	}
	hers, his := begun(ann), begun(bob)
	if hers == his {
		t.Fatal("they have one upload")
	}
	id := "uploadId=" + hers.Key
	put := func(number string) string {
		return "PUT " + muleSigned(hers, "PUT", "partNumber="+number+"&"+id)
	}
	post, list := "POST "+muleSigned(hers, "POST", id), muleSigned(hers, "GET", id)
	bucket := "/mule/uploads.s3.amazonaws.com/" + hers.Key
	parts := func(inner string) string {
		return "<CompleteMultipartUpload>" + inner + "</CompleteMultipartUpload>"
	}
	attack(t, h, log, base, []string{ann, bob, hers.Signature, his.Signature}, []hostile{
		// the backend
		{"no token", "GET /upload-backend/signing_key/?" + film, "", 401, ""},
		{"a bad token", "GET " + backend("x", film), "", 401, ""},
		{"a picture in another page", "GET " + backend(ann, film) + "\nSec-Fetch-Site: cross-site", "", 403, ""},
		{"another method", "POST " + backend(ann, film), "", 404, ""},
		{"another action", "GET " + strings.Replace(backend(ann, film), "signing_key", "delete", 1), "", 404, ""},
		{"no action", "GET /upload-backend/?upload_token=" + ann, "", 404, ""},
		{"dots", "GET " + strings.Replace(backend(ann, film), "signing_key", "../uploads", 1), "", 404, ""},
		{"no size", "GET " + backend(ann, "filename=a"), "", 400, ""},
		{"a size below 0", "GET " + backend(ann, "filename=a&filesize=-1"), "", 400, ""},
		{"a size beyond all numbers", "GET " + backend(ann, "filename=a&filesize=99999999999999999999"), "", 400, ""},
		{"the largest size", "GET " + backend(ann, "filename=a&filesize=9223372036854775807"), "", 413, ""},
		{"a size as hexadecimal", "GET " + backend(ann, "filename=a&filesize=0x10"), "", 400, ""},
		{"a size twice", "GET " + backend(ann, "filename=a&filesize=1&filesize=2"), "", 400, ""},
		{"a name twice", "GET " + backend(ann, "filename=a&filename=b&filesize=1"), "", 400, ""},
		{"a long name", "GET " + backend(ann, "filename="+strings.Repeat("a", 10_000)+"&filesize=1"), "", 400, ""},
		{"a long date", "GET " + backend(ann, "filename=a&filesize=1&last_modified="+strings.Repeat("1", 10_000)), "", 400, ""},
		{"a name that climbs", "GET " + backend(ann, "filename=..%2f..%2fetc%2fpasswd&filesize=0&last_modified=1"), "", 200, "ann"},
		{"a type with a line end", "GET " + backend(ann, "filename=t&filesize=1&last_modified=1&content_type=a/b%0d%0aX:%20y"), "", 200, "ann"},
		{"somebody else's, by force", "GET " + backend(bob, film+"&force=true"), "", 200, hers.Key + " ann receiving"},
		{"a chunk that never was", "GET /upload-backend/chunk_loaded/?upload_token=" + bob + "&chunk=99999999999999999999&key=" + hers.Key + "&upload_id=" + hers.Key, "", 200, ""},
		// the bucket, without a key
		{"a chunk", "PUT " + bucket + "?partNumber=1&" + id, "abc", 404, ""},
		{"a list", "GET " + bucket + "?" + id, "", 404, ""},
		{"an end", "POST " + bucket + "?" + id, parts(""), 404, ""},
		{"a beginning", "POST " + bucket + "?uploads=", "", 404, ""},
		{"a removal", "DELETE " + bucket + "?" + id, "", 404, ""},
		{"a look", "HEAD " + bucket, "", 404, ""},
		{"reading", "GET " + bucket, "", 404, ""},
		{"the bucket itself", "GET /mule/uploads.s3.amazonaws.com/?list-type=2", "", 404, ""},
		{"with a token instead", "PUT " + bucket + "?partNumber=1&" + id + "\nAuthorization: Bearer " + ann, "abc", 404, ""},
		{"with a signature in a header", "PUT " + bucket + "?partNumber=1&" + id + "\nAuthorization: AWS4-HMAC-SHA256 Credential=" + hers.Key + "/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=00", "abc", 404, ""},
		{"out of the bucket", "PUT /mule/../upload/x", "abc", 404, ""},
		{"out of the bucket, encoded", "PUT /mule/%2e%2e/upload/x", "abc", 404, ""},
		{"out of the bucket by its key", "PUT /mule/uploads.s3.amazonaws.com/..%2f..%2fuploads?partNumber=1&" + id, "abc", 404, ""},
		{"a broken escape", "PUT " + bucket + "?partNumber=1&" + id + "&X-Amz-Credential=%zz&X-Amz-SignedHeaders=%", "abc", 404, ""},
		{"a long query", "PUT " + bucket + "?partNumber=1&" + id + "&X-Amz-Signature=" + strings.Repeat("0", 60_000), "abc", 404, ""},
		{"a thousand headers signed", "PUT " + bucket + "?partNumber=1&" + id + "&X-Amz-SignedHeaders=" + strings.Repeat("a;", 20_000) + "host", "abc", 404, ""},
		// with her key
		{"cut off", put("1")[:len(put("1"))-1], "abc", 404, ""},
		{"a list as a chunk", "PUT " + list, "abc", 404, ""},
		{"a list as its removal", "DELETE " + list, "", 404, ""},
		{"a list, said to be a removal", "GET " + list + "\nX-HTTP-Method-Override: DELETE", "", 200, ""},
		{"for another host", put("1") + "\nHost: evil.example", "abc", 421, ""},
		{"his object", strings.Replace(put("1"), ".com/"+hers.Key, ".com/"+his.Key, 1), "abc", 404, ""},
		{"his upload", "PUT " + muleSigned(hers, "PUT", "partNumber=1&uploadId="+his.Key), "abc", 404, ""},
		{"his key", "PUT " + muleSigned(muleSession{his.Signature, hers.Bucket, hers.Key}, "PUT", "partNumber=1&"+id), "abc", 404, ""},
		{"an acl", "PUT " + muleSigned(hers, "PUT", "acl=&"+id), "abc", 404, ""},
		{"a copy", "PUT " + muleSigned(hers, "PUT", "partNumber=1&"+id) + "\nx-amz-copy-source: /uploads/" + his.Key + "\nTransfer-Encoding: chunked", "0\r\n\r\n", 400, ""},
		{"no number", put(""), "abc", 400, ""},
		{"number 0", put("0"), "abc", 400, ""},
		{"a number below 0", put("-1"), "abc", 400, ""},
		{"a number in words", put("one"), "abc", 400, ""},
		{"a number beyond the last", put("10001"), "abc", 400, ""},
		{"a number beyond all", put("99999999999999999999"), "abc", 400, ""},
		{"more than the file", put("1"), strings.Repeat("x", 1001), 400, ""},
		{"more than the file in all", put("3"), strings.Repeat("x", 400), 400, ""},
		{"more than it will ever send", put("1") + "\nContent-Length: 9223372036854775807\nExpect: 100-continue", "", 400, ""},
		{"without a length", put("1") + "\nTransfer-Encoding: chunked", "3\r\nabc\r\n0\r\n\r\n", 400, ""},
		{"two lengths", put("1") + "\nContent-Length: 3\nTransfer-Encoding: chunked", "3\r\nabc\r\n0\r\n\r\n", 400, ""},
		{"the end of what is not here", post, parts("<Part><PartNumber>1</PartNumber><ETag>x</ETag></Part>"), 400, ""},
		{"the end of nothing", post, "", 400, ""},
		{"the end with entities", post, `<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>` + parts("&b;"), 400, ""},
		{"the end with a file of ours", post, `<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>` + parts("&a;"), 400, ""},
		{"the end, deep", post, strings.Repeat("<a>", 100_000), 400, ""},
		{"the end, long", post, parts(strings.Repeat("<Part><PartNumber>1</PartNumber></Part>", 120_000)), 400, ""},
	})
	if resp, body := do(t, "GET", base+list, ""); resp.StatusCode != 200 || strings.Contains(body, "<Part>") {
		t.Errorf("her upload is as it was: %s %s", resp.Status, body)
	}
	for _, line := range strings.Split(log.String(), "\n") {
		if strings.Contains(line, "level=ERROR") {
			t.Error(line)
		}
	}
}
