package main

import (
	"fmt"
	"maps"
	"net/url"
	"os"
	"slices"
)

// isAppYAML tells whether a file is the app.yaml of node-s3-resumable-upload, in
// which everything is in sections.
func isAppYAML(v values) bool {
	_, section := v["default"].(map[string]any)
	return section
}

// appYAML is what such a file says, in our words. The section that NODE_ENV
// names wins over the section default.
func appYAML(v values) (values, error) {
	environment := os.Getenv("NODE_ENV")
	if environment == "" {
		environment = "development"
	}
	said := map[string]any{}
	for _, name := range []string{"default", environment} {
		section, ok := v[name].(map[string]any)
		if !ok && v[name] != nil {
			return nil, fmt.Errorf("its section %s is no section: write keys below it", name)
		}
		maps.Copy(said, section)
	}
	text := func(key string) string {
		value := said[key]
		delete(said, key)
		if value == nil {
			return ""
		}
		return fmt.Sprint(value)
	}
	bucket := text("bucket_name")
	if bucket == "" {
		return nil, fmt.Errorf("it has no bucket_name, neither in the section default nor in %s", environment)
	}
	store := "s3://" + bucket
	if os.Getenv("AWS_REGION") == "" {
		store += "?region=us-east-1" // as it was there
	}
	ours := values{"store": store, "key": "{name}", "listen": ":8081"}
	for key, name := range map[string]string{"authentication_endpoint": "auth-url", "aws_key": "s3-key", "aws_secret": "s3-secret"} {
		if value := text(key); value != "" {
			ours[name] = value
		}
	}
	if port := text("port"); port != "" {
		ours["listen"] = ":" + port
	}
	if address, _ := ours["auth-url"].(string); address == "" {
		ours["auth-url"] = "http://localhost:3000/api/v1/allow_upload.json" // likewise
	} else if u, err := url.Parse(address); err != nil || u.Host == "" {
		return nil, fmt.Errorf("its authentication_endpoint %q is no address", address)
	}
	if len(said) > 0 {
		return nil, fmt.Errorf("its key %s means nothing here: it may have authentication_endpoint, port, aws_key, aws_secret and bucket_name",
			slices.Sorted(maps.Keys(said))[0])
	}
	return ours, nil
}
