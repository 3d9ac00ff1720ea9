package wiretest

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"io"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/muleteer/muleteer/store"
)

func (p *player) expect(s step) {
	p.t.Helper()
	c := p.conn()
	if len(s.head) == 0 {
		p.fail("an answer begins with its status")
	}
	want, limit, timed := strings.Cut(s.head[0], " in ")
	patience := 10 * time.Second
	if timed {
		var err error
		if patience, err = time.ParseDuration(limit); err != nil {
			p.fail("%v", err)
		}
	}
	_ = c.SetReadDeadline(time.Now().Add(patience)) // if that fails, so does the read
	if want == "closed" {
		if _, err := c.r.Peek(1); err == nil || os.IsTimeout(err) {
			b, _ := c.r.Peek(c.r.Buffered())
			p.fail("the connection is open, and answers %s", short(b))
		}
		p.close()
		return
	}
	method := http.MethodGet
	if len(c.methods) > 0 {
		method = c.methods[0]
	}
	res, err := http.ReadResponse(c.r, &http.Request{Method: method})
	if err != nil {
		p.fail("no answer within %v: %v", patience, err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		p.fail("the answer's body: %v", err)
	}
	if res.StatusCode >= 200 { // what comes before is not the answer
		c.methods = c.methods[min(1, len(c.methods)):]
	}
	if strconv.Itoa(res.StatusCode) != want {
		p.fail("want %s, got %s %v %s", want, res.Status, res.Header, short(body))
	}
	if res.Close { // ReadResponse has taken it out
		res.Header.Set("Connection", "close")
	}
	for _, l := range s.head[1:] {
		p.check(res, l)
	}
	p.content(s, body)
	if res.Close {
		p.close()
	}
}

// check checks one header of an answer.
func (p *player) check(res *http.Response, line string) {
	name, want, valued := strings.Cut(line, ": ")
	got, present := res.Header.Get(strings.TrimPrefix(name, "!")), len(res.Header.Values(strings.TrimPrefix(name, "!"))) > 0
	switch {
	case name[0] == '!':
		if present {
			p.fail("%s: %s must not be there (status %d)", name[1:], got, res.StatusCode)
		}
		return
	case !present:
		p.fail("%s is not there in %s %v", name, res.Status, res.Header)
	case !valued:
		return
	}
	want = p.expand(want)
	if variable.FindString(want) == want {
		p.vars[want[1:]] = got
		return
	}
	if len(want) > 1 && want[0] == '/' && want[len(want)-1] == '/' {
		p.match(got, "^(?:"+want[1:len(want)-1]+")$")
		return
	}
	if got != want {
		p.fail("%s: %s, want %s", name, got, want)
	}
}

// match wants text to match a pattern, and sets its named groups.
func (p *player) match(text, pattern string) {
	re := regexp.MustCompile(pattern)
	m := re.FindStringSubmatch(text)
	if m == nil {
		p.fail("%s does not match /%s/", short([]byte(text)), pattern)
	}
	for i, group := range re.SubexpNames() {
		if group != "" {
			p.vars[group] = m[i]
		}
	}
}

// content checks the body of an answer.
func (p *player) content(s step, body []byte) {
	for _, l := range s.body {
		if name := variable.FindString(l); name == l && name != "" && p.expand(l) == l {
			p.vars[l[1:]] = string(body)
			continue
		}
		part, inside := strings.CutPrefix(l, "~")
		if n := len(part); inside && n > 1 && part[0] == '/' && part[n-1] == '/' {
			p.match(string(body), p.expand(part[1:n-1]))
			continue
		}
		want := p.bytes(part)
		if l == "@empty" {
			want = nil
		}
		if inside && !bytes.Contains(body, want) || !inside && !bytes.Equal(body, want) {
			p.fail("the body is %s, want %s", short(body), short(want))
		}
	}
}

var functions = map[string]func([]byte) string{
	"md5":    func(b []byte) string { h := md5.Sum(b); return encode(h[:]) },
	"sha1":   func(b []byte) string { h := sha1.Sum(b); return encode(h[:]) },
	"sha256": func(b []byte) string { h := sha256.Sum256(b); return encode(h[:]) },
	"sha384": func(b []byte) string { h := sha512.Sum384(b); return encode(h[:]) },
	"sha512": func(b []byte) string { h := sha512.Sum512(b); return encode(h[:]) },
	"crc32":  func(b []byte) string { return encode(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(b))) },
	"crc32c": func(b []byte) string {
		return encode(binary.BigEndian.AppendUint32(nil, crc32.Checksum(b, castagnoli)))
	},
	"crc64nvme": func(b []byte) string { return store.CRC(0).Update(b).String() },
	"b64":       encode,
	"raw":       func(b []byte) string { return string(b) },
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func encode(b []byte) string { return base64.StdEncoding.EncodeToString(b) }
