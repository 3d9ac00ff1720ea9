package s3

import (
	"strings"
	"testing"
)

func TestParseURL(t *testing.T) {
	t.Parallel()
	for where, want := range map[string]place{
		"s3://photos":                        {bucket: "photos"},
		"s3://photos/":                       {bucket: "photos"},
		"s3://photos/a/b/?region=eu-north-1": {bucket: "photos", prefix: "a/b/", region: "eu-north-1"},
		"s3://b.c?endpoint=http://127.0.0.1:9000/&style=virtual":                     {bucket: "b.c", endpoint: "http://127.0.0.1:9000", style: "virtual"},
		"s3://b2?endpoint=minio.example.org:9000":                                    {bucket: "b2", endpoint: "https://minio.example.org:9000"},
		"s3://b2?endpoint=https://abc.r2.cloudflarestorage.com":                      {bucket: "b2", endpoint: "https://abc.r2.cloudflarestorage.com", equal: true},
		"s3://b2?endpoint=https://abc.eu.r2.cloudflarestorage.com&parts=any":         {bucket: "b2", endpoint: "https://abc.eu.r2.cloudflarestorage.com"},
		"s3://b2?endpoint=https://r2.cloudflarestorage.com.example.org&parts=equal":  {bucket: "b2", endpoint: "https://r2.cloudflarestorage.com.example.org", equal: true},
		"s3://b2?class=STANDARD_IA&sse=aws:kms&kms-key=k&redirect=1&checksum=crc32c": {bucket: "b2", class: "STANDARD_IA", sse: "aws:kms", kmsKey: "k", redirect: true, checksum: "crc32c"},
		"s3://b2?kms-key=k&redirect=0":                                               {bucket: "b2", sse: "aws:kms", kmsKey: "k"},
		"s3://b2/größe und mehr":                                                     {bucket: "b2", prefix: "größe und mehr/"},
	} {
		got, err := parseURL(where)
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v, want %+v", where, got, err, want)
		}
	}
}

// What is wrong is said on one line, with what to write instead.
func TestParseURLRefuses(t *testing.T) {
	t.Parallel()
	for where, want := range map[string]string{
		"s3://":                                   "no name of a bucket",
		"s3:///photos":                            "no name of a bucket",
		"s3://-x":                                 "no name of a bucket",
		"s3://me:secret@photos":                   "credentials belong into the environment",
		"s3://photos/a/../b":                      "cannot be the prefix",
		"s3://photos/a//b":                        "cannot be the prefix",
		"s3://photos#x":                           "write s3://BUCKET/PREFIX",
		"s3://photos?regoin=x":                    `"regoin", which is not known; it may have: endpoint=https://HOST; public=https://HOST; region=NAME;`,
		"s3://photos?region=":                     "must say region=NAME once",
		"s3://photos?region=a&region=b":           "must say region=NAME once",
		"s3://photos?parts=odd":                   "parts=odd is none of equal, any",
		"s3://photos?sse=AES128":                  "is none of AES256",
		"s3://photos?endpoint=ftp://x":            "is no address",
		"s3://photos?endpoint=http://":            "is no address",
		"s3://photos?checksum=sha256":             "is none of crc64nvme",
		"s3://photos?region=%zz":                  "cannot be read",
		"http://photos":                           "write s3://BUCKET/PREFIX",
		"s3://photos/" + strings.Repeat("x", 600): "cannot be the prefix",
	} {
		_, err := parseURL(where)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%.80s: %v, want %q", where, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%v", err)
		}
	}
}
