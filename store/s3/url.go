package s3

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// place is what the URL of a store says.
type place struct {
	bucket   string
	prefix   string // of every key: empty, or ends with a slash
	endpoint string // URL of the server; empty: AWS
	region   string // empty: as the environment says
	style    string // of addresses: path, virtual, or empty for what the server usually has
	equal    bool   // all parts of an object but the last must have one size
	class    string // storage class of finished objects
	sse      string // server-side encryption: AES256, aws:kms …
	kmsKey   string
	redirect bool   // readers are sent to the bucket
	direct   bool   // clients may put parts into the bucket themselves
	public   string // URL of the server as clients reach it; empty: the endpoint
	checksum string // which checksum the server is to check; empty: the best that it has
}

// parameter is one of the words after the question mark.
type parameter struct {
	name, hint string
	set        func(p *place, value string) error
}

func parameters() []parameter {
	return []parameter{
		{"endpoint", "https://HOST", address(func(p *place, v string) { p.endpoint = v })},
		{"public", "https://HOST", address(func(p *place, v string) { p.public = v })},
		{"region", "NAME", func(p *place, v string) error { p.region = v; return nil }},
		{"style", "path or virtual", oneOf(func(p *place, v string) { p.style = v }, "path", "virtual")},
		{"parts", "equal or any", oneOf(func(p *place, v string) { p.equal = v == "equal" }, "equal", "any")},
		{"class", "STORAGE_CLASS", func(p *place, v string) error { p.class = v; return nil }},
		{"sse", "AES256 or aws:kms", oneOf(func(p *place, v string) { p.sse = v }, "AES256", "aws:kms", "aws:kms:dsse")},
		{"kms-key", "ID", func(p *place, v string) error { p.kmsKey = v; return nil }},
		{"redirect", "1", oneOf(func(p *place, v string) { p.redirect = v == "1" }, "1", "0")},
		{"direct", "1", oneOf(func(p *place, v string) { p.direct = v == "1" }, "1", "0")},
		{"checksum", "crc64nvme, crc32c, md5 or none", oneOf(func(p *place, v string) { p.checksum = v }, sums()...)},
	}
}

// address sets the URL of a server, which is https unless it says otherwise.
func address(set func(p *place, v string)) func(*place, string) error {
	return func(p *place, v string) error {
		if !strings.Contains(v, "://") {
			v = "https://" + v
		}
		u, err := url.Parse(v)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" {
			return errors.New("is no address: write https://s3.example.org")
		}
		set(p, strings.TrimSuffix(v, "/"))
		return nil
	}
}

func oneOf(set func(p *place, v string), values ...string) func(*place, string) error {
	return func(p *place, v string) error {
		if !slices.Contains(values, v) {
			return fmt.Errorf("is none of %s", strings.Join(values, ", "))
		}
		set(p, v)
		return nil
	}
}

var bucketName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{1,254}$`)

// parseURL reads s3://BUCKET/PREFIX?PARAMETER=VALUE&…
//
//	endpoint=URL      of the server; none: AWS
//	region=NAME       none: AWS_REGION, or what the profile says
//	style=path        the bucket is in the path, or virtual: in the host's name
//	parts=equal       the server wants parts of one size (Cloudflare R2)
//	class=CLASS       the storage class of finished objects
//	sse=AES256        encryption at rest by the server, or aws:kms, with kms-key=ID
//	redirect=1        readers are sent to the bucket, with a signed address
//	direct=1          clients may put parts into the bucket themselves, likewise
//	public=URL        of the server, as readers and clients reach it; none: endpoint
//	checksum=NAME     crc64nvme, crc32c, md5, none; else the best that the server has
func parseURL(where string) (place, error) {
	var p place
	u, err := url.Parse(where)
	if err != nil || u.Scheme != "s3" || u.User != nil || u.Fragment != "" || u.Port() != "" {
		return p, fmt.Errorf("the store is no address of a bucket: write s3://BUCKET/PREFIX?region=NAME; credentials belong into the environment")
	}
	if p.bucket = u.Host; !bucketName.MatchString(p.bucket) {
		return p, fmt.Errorf("%q is no name of a bucket: write s3://BUCKET/PREFIX", p.bucket)
	}
	if p.prefix = strings.Trim(u.Path, "/"); p.prefix != "" {
		if !fs.ValidPath(p.prefix) || len(p.prefix) > 512 {
			return p, fmt.Errorf("%q cannot be the prefix of a key", p.prefix)
		}
		p.prefix += "/"
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return p, fmt.Errorf("what follows the ? of the store cannot be read: %w", err)
	}
	if host(query.Get("endpoint")) {
		p.equal = true
	}
	for name, values := range query {
		if err := p.set(name, values); err != nil {
			return p, err
		}
	}
	if p.kmsKey != "" && p.sse == "" {
		p.sse = "aws:kms"
	}
	return p, nil
}

func (p *place) set(name string, values []string) error {
	all := parameters()
	i := slices.IndexFunc(all, func(k parameter) bool { return k.name == name })
	if i < 0 {
		var known []string
		for _, k := range all {
			known = append(known, k.name+"="+k.hint)
		}
		return fmt.Errorf("the store's address has %q, which is not known; it may have: %s", name, strings.Join(known, "; "))
	}
	if len(values) != 1 || values[0] == "" {
		return fmt.Errorf("the store's address must say %s=%s once", name, all[i].hint)
	}
	if err := all[i].set(p, values[0]); err != nil {
		return fmt.Errorf("the store's %s=%s %w", name, values[0], err)
	}
	return nil
}

// host tells whether an endpoint is one of those that demand parts of one size.
func host(endpoint string) bool {
	if !strings.Contains(endpoint, "://") {
		endpoint = "https://" + endpoint
	}
	u, err := url.Parse(endpoint)
	return err == nil && strings.HasSuffix(u.Hostname(), ".r2.cloudflarestorage.com")
}

// String is the place as people know it, without what nobody has to read.
func (p place) String() string {
	at := "s3://" + p.bucket
	if p.prefix != "" {
		at += "/" + strings.TrimSuffix(p.prefix, "/")
	}
	if u, err := url.Parse(p.endpoint); err == nil && u.Host != "" {
		at += " at " + u.Host
	}
	return at
}
