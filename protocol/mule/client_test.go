package mule_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// generation is a version of the client.
type generation int

const (
	g2014 generation = iota // 6317760: always http, and names in headers as they are
	g120                    // 1.2.0
)

func (g generation) String() string { return [...]string{"2014", "1.2.0"}[g] }

// client does what Mule Uploader does on the wire, good or bad, as far as a
// server sees it. What the page would do for ever ends after a while, as a
// failure.
type client struct {
	generation
	t        testing.TB
	backend  string // ajax_base
	name     string
	data     []byte
	source   func(from, to int) io.Reader // nil: of data
	size     int                          // of source
	modified string
	kind     string
	chunk    int
	workers  int
	now      func() time.Time // the clock of the browser
	stop     int              // the page is closed after so many chunks; 0: it is not
	line     http.RoundTripper

	session struct {
		Date, Signature, Region, Bucket, Key string
		AccessKey                            string `json:"access_key"`
		ContentType                          string `json:"content_type"`
		BackupKey                            string `json:"backup_key"`
		UploadID                             string `json:"upload_id"`
		Chunks                               []int
	}
	id string // of the multipart upload

	mu   sync.Mutex
	sent []int    // numbers of the chunks that it has sent, in that order
	did  []string // what else it has done
}

// run uploads the file, and tells whether it came to its end.
func (c *client) run(force bool) bool {
	c.t.Helper()
	for range 3 { // for ever, in truth
		c.ask(force)
		force = true
		if c.id = c.session.UploadID; c.id == "" {
			c.id = c.begin()
			if c.send(c.missing(nil)) {
				return false
			}
		} else if status, parts := c.list(); status == http.StatusNotFound {
			continue
		} else if c.send(c.missing(parts)) {
			return false
		}
		switch c.finish() {
		case "done":
			return true
		case "again":
		case "closed":
			return false
		}
	}
	c.t.Fatal("it begins anew for ever")
	return false
}

// finish lists and completes until there is nothing to be sent any more.
func (c *client) finish() string {
	c.t.Helper()
	for range 10 {
		status, parts := c.list()
		if status != http.StatusOK {
			c.t.Fatalf("it hangs: the list at the end is %d", status)
		}
		if missing := c.missing(parts); len(missing) > 0 {
			if c.send(missing) {
				return "closed"
			}
			continue
		}
		status, body := c.complete(parts)
		switch {
		case status == http.StatusOK:
			return "done"
		case status == http.StatusBadRequest && strings.Contains(body, "EntityTooSmall"):
			if _, parts := c.list(); len(c.missing(parts)) == 0 {
				c.put(0, nil)
				c.loaded(-1)
			}
		default:
			c.did = append(c.did, fmt.Sprintf("completed with %d, and all again", status))
			return "again"
		}
	}
	c.t.Fatal("it sends chunks for ever")
	return ""
}

// length is how many bytes the file has.
func (c *client) length() int { return max(c.size, len(c.data)) }

func (c *client) count() int { return (c.length() + c.chunk - 1) / c.chunk }

// slice is a part of the file.
func (c *client) slice(from, to int) io.Reader {
	if c.source != nil {
		return c.source(from, to)
	}
	return bytes.NewReader(c.data[from:to])
}

// missing are the numbers of the chunks that it takes for missing, by a list.
func (c *client) missing(parts []part) (numbers []int) {
	for n := 1; n <= c.count(); n++ {
		want := c.chunk
		if n == c.count() {
			want = c.length() % c.chunk // also where that is 0
		}
		if !slices.ContainsFunc(parts, func(p part) bool { return p.PartNumber == n && p.Size == want }) {
			numbers = append(numbers, n)
		}
	}
	return numbers
}

// send sends chunks by its workers, and tells whether the page was closed.
func (c *client) send(numbers []int) (closed bool) {
	queue := make(chan int, len(numbers))
	for _, n := range numbers {
		queue <- n
	}
	close(queue)
	var all sync.WaitGroup
	workers := c.workers
	if c.stop > 0 { // so that it is known how many are under way then
		workers = 1
	}
	for range workers {
		all.Go(func() {
			for n := range queue {
				c.mu.Lock()
				if c.stop > 0 && len(c.sent) >= c.stop {
					closed = true
				}
				over := closed
				c.mu.Unlock()
				if over {
					return
				}
				for try := 0; c.putFrom(n, (n-1)*c.chunk, min(n*c.chunk, c.length())) != http.StatusOK; try++ {
					if try == 20 {
						c.t.Errorf("chunk %d is sent for ever", n)
						return
					}
				}
				c.mu.Lock()
				c.sent = append(c.sent, n)
				c.mu.Unlock()
				c.loaded(n - 1)
			}
		})
	}
	all.Wait()
	return closed
}

// fields are what both requests to the backend have.
func (c *client) fields() string {
	s := "filename=" + escape(c.name) + "&filesize=" + fmt.Sprint(c.length())
	if c.generation >= g120 {
		s += "&content_type=" + escape(c.kind)
	}
	return s + "&last_modified=" + c.modified
}

func (c *client) ask(force bool) {
	c.t.Helper()
	q := c.fields()
	if force {
		q += "&force=true"
	}
	status, body := c.do("GET", c.backend+"/signing_key/?"+q, nil, nil)
	c.session.UploadID, c.session.Chunks = "", nil
	if err := json.Unmarshal([]byte(body), &c.session); err != nil || status != http.StatusOK || !strings.HasSuffix(c.session.Date, "Z") {
		c.t.Fatalf("signing_key: %d %s %v", status, body, err)
	}
}

func (c *client) loaded(chunk int) {
	q := fmt.Sprintf("chunk=%d&key=%s&upload_id=%s&%s", chunk, escape(c.session.Key), escape(c.id), c.fields())
	if status, _ := c.do("GET", c.backend+"/chunk_loaded/?"+q, nil, nil); status != http.StatusOK {
		c.t.Errorf("chunk_loaded: %d", status)
	}
}

func (c *client) begin() string {
	c.t.Helper()
	name := c.name
	if c.generation >= g120 {
		name = escape(name)
	}
	status, body := c.signed("POST", "uploads=&", nil, "Content-Disposition", "attachment; filename="+name,
		"Content-Type", c.session.ContentType, "x-amz-acl", "public-read")
	var begun struct{ UploadId string }
	if err := xml.Unmarshal([]byte(body), &begun); err != nil || status != http.StatusOK || begun.UploadId == "" {
		c.t.Fatalf("init: %d %s %v", status, body, err)
	}
	return begun.UploadId
}

func (c *client) put(number int, chunk []byte) int {
	status, _ := c.signed("PUT", fmt.Sprintf("partNumber=%d&uploadId=%s", number, c.id), chunk)
	return status
}

// putFrom sends a chunk of the file.
func (c *client) putFrom(number, from, to int) int {
	target, header := c.sign("PUT", fmt.Sprintf("partNumber=%d&uploadId=%s", number, c.id))
	status, _ := c.exchange("PUT", target, c.slice(from, to), to-from, header)
	return status
}

type part struct {
	PartNumber, Size int
	ETag             string
}

func (c *client) list() (int, []part) {
	c.t.Helper()
	status, body := c.signed("GET", "uploadId="+c.id, nil)
	var list struct {
		IsTruncated *bool
		Part        []part
	}
	if err := xml.Unmarshal([]byte(body), &list); status == http.StatusOK && (err != nil || list.IsTruncated == nil || *list.IsTruncated) {
		c.t.Fatalf("list: %s %v", body, err)
	}
	return status, list.Part
}

func (c *client) complete(parts []part) (int, string) {
	var b strings.Builder
	b.WriteString("<CompleteMultipartUpload>")
	for _, p := range parts {
		fmt.Fprintf(&b, "<Part><PartNumber>%d</PartNumber><ETag>%s</ETag></Part>", p.PartNumber, p.ETag)
	}
	b.WriteString("</CompleteMultipartUpload>")
	return c.signed("POST", "uploadId="+c.id, []byte(b.String()))
}

// signed sends a request to the bucket. Headers are signed in the order in which
// they come, and the host after those before "x-amz".
func (c *client) signed(method, op string, body []byte, headers ...string) (int, string) {
	target, header := c.sign(method, op, headers...)
	return c.do(method, target, body, header)
}

// sign returns the URL and the headers of a request.
func (c *client) sign(method, op string, headers ...string) (string, http.Header) {
	s := c.session
	host := s.Bucket + ".s3.amazonaws.com"
	at := c.now().UTC().Format("20060102T150405Z")
	var names, lines []string
	header := http.Header{}
	add := func(name, value string) {
		names = append(names, name)
		lines = append(lines, strings.ToLower(name)+":"+strings.TrimSpace(value)+"\n")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if strings.HasPrefix(headers[i], "x-amz") {
			add("host", host)
		}
		add(headers[i], headers[i+1])
		header.Set(headers[i], browsers(headers[i+1]))
	}
	if len(headers) == 0 {
		add("host", host)
	}
	query := strings.TrimSuffix(op, "&") + "&X-Amz-Date=" + at + "&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires=86400" +
		"&X-Amz-Credential=" + s.AccessKey + "%2F" + strings.ReplaceAll(s.Date[:10], "-", "") + "%2F" + s.Region + "%2Fs3%2Faws4_request" +
		"&X-Amz-SignedHeaders=" + escape(strings.Join(names, ";"))
	pairs := strings.Split(query, "&")
	slices.Sort(pairs)
	canonical := method + "\n/" + s.Key + "\n" + strings.Join(pairs, "&") + "\n" + strings.Join(lines, "") + "\n" +
		strings.ToLower(strings.Join(names, ";")) + "\nUNSIGNED-PAYLOAD"
	sum := sha256.Sum256([]byte(canonical))
	key, err := hex.DecodeString(s.Signature)
	if err != nil || len(key) < 32 {
		c.t.Fatalf("the signing key is %q, %v", s.Signature, err)
	}
	m := hmac.New(sha256.New, key)
	fmt.Fprintf(m, "AWS4-HMAC-SHA256\n%s\n%s/%s/s3/aws4_request\n%x", at, at[:8], s.Region, sum)
	return "http://" + host + "/" + s.Key + "?" + query + "&X-Amz-Signature=" + hex.EncodeToString(m.Sum(nil)), header
}

func (c *client) do(method, target string, body []byte, header http.Header) (int, string) {
	return c.exchange(method, target, bytes.NewReader(body), len(body), header)
}

// exchange sends one request with n bytes of a body.
func (c *client) exchange(method, target string, body io.Reader, n int, header http.Header) (int, string) {
	req, err := http.NewRequest(method, target, body)
	if err != nil {
		c.t.Fatal(err)
	}
	if req.ContentLength = int64(n); n == 0 {
		req.Body = http.NoBody
	}
	for name, values := range header {
		req.Header[name] = values
	}
	line := c.line
	if line == nil {
		line = http.DefaultTransport
	}
	resp, err := line.RoundTrip(req)
	if err != nil {
		c.t.Errorf("%s %s: %v", method, target, err)
		return 0, ""
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Error(err)
	}
	return resp.StatusCode, string(text)
}

// escape is encodeURIComponent, as far as it matters here.
func escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// browsers is a header as it goes over the wire: each character as one byte.
func browsers(s string) string {
	var b []byte
	for _, c := range s {
		b = append(b, byte(c))
	}
	return string(b)
}

// take takes a session that somebody else has asked for.
func (c *client) take(body string) {
	c.t.Helper()
	if err := json.Unmarshal([]byte(body), &c.session); err != nil || c.session.Key == "" {
		c.t.Fatalf("%s %v", body, err)
	}
	c.id = c.session.Key
}
