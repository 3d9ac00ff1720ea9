package main

import (
	"strings"
	"testing"
)

const oldApp = `default:
  authentication_endpoint: http://localhost:3000/api/v1/allow_upload.json
  port: 8081
  aws_key: AKIA
  aws_secret: wJalr
  bucket_name: media
production:
  port: 80
  bucket_name: media-production
`

// The configuration of node-s3-resumable-upload is understood as it is.
func TestAppYAML(t *testing.T) {
	for environment, want := range map[string][]string{
		"":           {"s3://media?region=us-east-1", ":8081"},
		"staging":    {"s3://media?region=us-east-1", ":8081"},
		"production": {"s3://media-production?region=us-east-1", ":80"},
	} {
		s, err := parsed(t, oldApp, map[string]string{"NODE_ENV": environment, "AWS_REGION": ""})
		if err != nil {
			t.Fatal(err)
		}
		if s.Storage.Store != want[0] || s.Listen[0] != want[1] || s.Storage.S3Key != "AKIA" || s.Storage.S3Secret != "wJalr" ||
			s.Allow.AuthURL != "http://localhost:3000/api/v1/allow_upload.json" || s.Key != "{name}" {
			t.Errorf("%s: %+v", environment, s)
		}
		if named, err := s.endpoints(); err != nil || len(named) > 0 {
			t.Errorf("endpoints: %v, %v", named, err)
		}
	}
	s, err := parsed(t, oldApp, map[string]string{"AWS_REGION": "eu-west-1", "NODE_ENV": ""}, "--listen", "127.0.0.1:1")
	if err != nil || s.Storage.Store != "s3://media" || s.Listen[0] != "127.0.0.1:1" {
		t.Errorf("%v, %+v", err, s)
	}
	for file, want := range map[string]string{
		"default:\n  port: 1\n":                                            "no bucket_name",
		"default:\n  bucket_name: a\n  colour: red\n":                      "colour means nothing",
		"default:\n  bucket_name: a\n  authentication_endpoint: nowhere\n": "no address",
		"default:\n  bucket_name: a\ndevelopment: 7\n":                     "is no section",
	} {
		if _, err := parsed(t, file, map[string]string{"NODE_ENV": ""}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", file, err)
		}
	}
}
