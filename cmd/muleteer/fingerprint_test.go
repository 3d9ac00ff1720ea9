package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/muleteer/muleteer/access"
	"github.com/muleteer/muleteer/upload"
)

// toldView is what /uploads tells of an upload, as far as somebody needs it who wants
// to go on with it.
type toldView struct {
	ID, Name, State, Protocol, Ranges, Resume string
	Size                                      *int64
	Offset                                    int64
}

// ofFile returns the uploads of a file that a client finds by a word for it. more
// is the rest of the query.
func ofFile(t *testing.T, base, word, more string, headers ...string) []toldView {
	t.Helper()
	resp, text := do(t, "GET", base+"/uploads?fingerprint="+url.QueryEscape(word)+more, "", headers...)
	var all []toldView
	if err := json.Unmarshal([]byte(text), &all); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s%s: %s %s", word, more, resp.Status, text)
	}
	return all
}

// person sends requests that have to succeed, as one owner.
type person struct {
	*testing.T
	base, token string
}

func (c person) do(status int, method, at, body string, headers ...string) (http.Header, string) {
	c.Helper()
	if strings.HasPrefix(at, "/") {
		at = c.base + at
	}
	resp, text := do(c.T, method, at, body, append(headers, "Authorization", "Bearer "+c.token)...)
	if resp.StatusCode != status {
		c.Fatalf("%s %s: %d %s, want %d", method, at, resp.StatusCode, text, status)
	}
	return resp.Header, text
}

func (c person) json(text string, v any) {
	c.Helper()
	if err := json.Unmarshal([]byte(text), v); err != nil {
		c.Fatalf("%s: %v", text, err)
	}
}

// part sends a part of a file of Uppy's S3 mode.
func (c person) part(at, number, bytes string) (etag string) {
	c.Helper()
	_, text := c.do(200, "GET", strings.Replace(at, "?", "/"+number+"?", 1), "")
	var part struct{ URL string }
	c.json(text, &part)
	h, _ := c.do(200, "PUT", part.URL, bytes)
	return h.Get("ETag")
}

// socket says something to a new socket, and returns all that it hears until the
// word that it waits for.
func (c person) socket(until string, packets ...string) string {
	c.Helper()
	_, hello := c.do(200, "GET", "/socket.io/?EIO=4&transport=polling", "")
	id := regexp.MustCompile(`"sid":"([^"]+)"`).FindStringSubmatch(hello)
	if id == nil {
		c.Fatal(hello)
	}
	at := "/socket.io/?EIO=4&transport=polling&sid=" + id[1]
	c.do(200, "POST", at, "40")
	heard := ""
	for _, p := range packets {
		c.do(200, "POST", at, p)
	}
	for tries := 0; !strings.Contains(heard, until) && tries < 5; tries++ {
		_, text := c.do(200, "GET", at, "")
		heard += text
	}
	if !strings.Contains(heard, until) {
		c.Fatalf("heard %q, and not %q", heard, until)
	}
	return heard
}

const (
	word     = "the word, for #1 & all"
	wordHead = "X-Upload-Fingerprint"
	modified = "1700000000123"
	formula  = "a%20b.bin,6," + modified
	hash     = ",d4c1fbf464f5b33943de95dc68d7028134196d66ee756a9d2ac64c9d5dfcddfe" // of "abcdef" twice: it begins and ends with all of it
)

func base64of(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// begun is how a client begins a file "a b.bin" of "abcdef" by a protocol, sends
// "abc" of it, and how somebody goes on with it who has found it.
type begun struct {
	protocol string
	word     string
	begin    func(c person)
	resume   string // how the address begins
	offset   int64  // how much is here, as one can go on in order
	finish   func(c person, v toldView)
}

func chunkQuery(query string) string {
	return strings.ReplaceAll(query, "=a&", "=a%20b.bin&")
}

func everyProtocol() []begun {
	tus := func(c person, v toldView) {
		c.do(204, "PATCH", v.Resume, "def", "Tus-Resumable", "1.0.0", "Upload-Offset", fmt.Sprint(v.Offset), "Content-Type", "application/offset+octet-stream")
	}
	tusBegin := func(fields string, headers ...string) func(person) {
		return func(c person) {
			c.do(201, "POST", "/tus/", "abc", append(headers, "Tus-Resumable", "1.0.0", "Upload-Length", "6", "Content-Type", "application/offset+octet-stream",
				"Upload-Metadata", "filename "+base64of("a b.bin")+fields)...)
		}
	}
	chunk := func(fields string) func(person) {
		return func(c person) {
			c.do(200, "POST", "/upload?"+chunkQuery(chunkOne)+fields, file("file", "a", "abc")+formEnd, "Content-Type", formX)
		}
	}
	chunkEnd := func(c person, v toldView) {
		c.do(200, "POST", v.Resume+"?"+chunkQuery(chunkTwo), file("file", "a", "def")+formEnd, "Content-Type", formX)
	}
	pond := func(c person, v toldView) {
		c.do(204, "PATCH", v.Resume, "def", "Upload-Offset", "3", "Upload-Length", "6", "Upload-Name", "a b.bin", "Content-Type", "application/offset+octet-stream")
	}
	pondBegin := func(body string, headers ...string) func(person) {
		return func(c person) {
			_, id := c.do(201, "POST", "/filepond/", body, append(headers, "Upload-Length", "6")...)
			c.do(204, "PATCH", "/filepond/?patch="+id, "abc", "Upload-Offset", "0", "Upload-Length", "6", "Upload-Name", "a b.bin", "Content-Type", "application/offset+octet-stream")
		}
	}
	uppy := func(c person, v toldView) {
		_, text := c.do(200, "GET", v.Resume, "")
		var here []struct {
			PartNumber int
			ETag       string
		}
		if c.json(text, &here); len(here) != 1 {
			c.Fatal(text)
		}
		second := c.part(v.Resume, "2", "def")
		parts, _ := json.Marshal(map[string]any{"parts": []map[string]any{{"PartNumber": 1, "ETag": here[0].ETag}, {"PartNumber": 2, "ETag": second}}})
		c.do(200, "POST", strings.Replace(v.Resume, "?", "/complete?", 1), string(parts))
	}
	uppyBegin := func(fields string, headers ...string) func(person) {
		return func(c person) {
			_, text := c.do(200, "POST", "/s3/multipart", `{"filename":"a b.bin","metadata":{"size":6`+fields+`}}`, headers...)
			var u struct{ Key, UploadID string }
			c.json(text, &u)
			c.part("/s3/multipart/"+u.UploadID+"?key="+u.Key, "1", "abc")
		}
	}
	stream := func(fields string) func(person) {
		return func(c person) {
			c.socket("431[", `420["begin_upload",{"sessionID":"a-session","fileName":"a b.bin","size":6`+fields+`}]`,
				`451-1["upload_chunk_a-session",{"chunk":{"_placeholder":true,"num":0},"offset":0}]`+"\x1e"+`b`+base64of("abc"))
		}
	}
	streamEnd := func(c person, v toldView) {
		u, _ := url.Parse(v.Resume)
		id := u.Query().Get("sessionID")
		c.socket("upload_success_"+id, `420["begin_upload",{"sessionID":"`+id+`","fileName":"a b.bin","size":6,"resume":true}]`,
			`451-1["upload_chunk_`+id+`",{"chunk":{"_placeholder":true,"num":0},"offset":3,"last":true}]`+"\x1e"+`b`+base64of("def"))
	}
	// Of Mule, what goes to its bucket is signed: protocol/mule sees to that.
	const key = "signing_key/?filename=a%20b.bin&filesize=6&last_modified=" + modified
	mule := func(c person) { c.do(200, "GET", "/upload-backend/"+key, "") }
	muleEnd := func(c person, v toldView) {
		if _, text := c.do(200, "GET", v.Resume+key, ""); !strings.Contains(text, `"upload_id":"`+v.ID+`"`) {
			c.Errorf("Mule goes on with %s, not with %s", text, v.ID)
		}
		c.do(204, "PATCH", "/tus/"+v.ID, "abcdef", "Tus-Resumable", "1.0.0", "Upload-Offset", "0", "Content-Type", "application/offset+octet-stream")
	}
	rufh := []string{"Upload-Complete", "?0", "Upload-Length", "6", "Content-Disposition", `attachment; filename="a b.bin"`, "Upload-Draft-Interop-Version", "8", wordHead, word}
	rufhEnd := func(c person, v toldView) {
		c.do(201, "PATCH", v.Resume, "def", "Upload-Complete", "?1", "Upload-Offset", "3", "Content-Type", "application/partial-upload", "Upload-Draft-Interop-Version", "8")
	}
	return []begun{
		{"tus", word, tusBegin("", wordHead, word), "/tus/", 3, tus},
		{"tus", word, tusBegin(",fingerprint " + base64of(word)), "/tus/", 3, tus},
		{"tus", formula, tusBegin(",lastModified " + base64of(modified)), "/tus/", 3, tus},
		{"tus", formula, tusBegin(",last_modified " + base64of(modified)), "/tus/", 3, tus},
		{"tus", formula, tusBegin(",mtime " + base64of(modified)), "/tus/", 3, tus},
		{"tus", formula + hash, tusBegin("", wordHead, formula+hash), "/tus/", 3, tus},
		{"ietf", word, func(c person) { c.do(201, "POST", "/rufh/", "abc", rufh...) }, "/rufh/", 3, rufhEnd},
		{"contentrange", word, func(c person) {
			c.do(308, "PUT", "/upload/a%20b.bin", "abc", "Content-Range", "bytes 0-2/6", wordHead, word)
		}, "/upload/a%20b.bin", 3, func(c person, v toldView) {
			c.do(200, "PUT", v.Resume, "def", "Content-Range", "bytes 3-5/6", wordHead, word)
		}},
		{"resumable.js", word, chunk("&fingerprint=" + url.QueryEscape(word)), "/upload", 3, func(c person, v toldView) { // what its word is, its identity is not
			chunkEnd(c, v)
		}},
		{"resumable.js", formula, chunk("&lastModified=" + modified), "/upload", 3, func(c person, v toldView) {
			c.do(200, "POST", v.Resume+"?"+chunkQuery(chunkTwo)+"&lastModified="+modified, file("file", "a", "def")+formEnd, "Content-Type", formX)
		}},
		{"filepond", word, pondBegin("", wordHead, word), "/filepond/?patch=", 3, pond},
		{"filepond", word, pondBegin(fields(`filepond={"fingerprint":"`+word+`"}`)+formEnd, "Content-Type", formX), "/filepond/?patch=", 3, pond},
		{"filepond", formula, pondBegin(fields(`filepond={"lastModified":`+modified+`}`)+formEnd, "Content-Type", formX, "Upload-Name", "a b.bin"), "/filepond/?patch=", 3, pond},
		{"companion", word, uppyBegin("", wordHead, word), "/s3/multipart/", 3, uppy},
		{"companion", word, uppyBegin(`,"fingerprint":"` + word + `"`), "/s3/multipart/", 3, uppy},
		{"socketio", word, stream(`,"fingerprint":"` + word + `"`), "/socket.io/?sessionID=", 3, streamEnd},
		{"socketio", formula, stream(`,"lastModified":` + modified), "/socket.io/?sessionID=", 3, streamEnd},
		{"mule", formula, mule, "/upload-backend/", 0, muleEnd},
	}
}

// TestFoundByFingerprint: a file that was begun by any protocol is found by the
// word for it, by its owner alone, until it is finished; and goes on where it is
// told.
func TestFoundByFingerprint(t *testing.T) {
	t.Parallel()
	h, _ := tokenHouse(t, nil)
	base := served(t, h)
	defer h.hangUp()
	for i, b := range everyProtocol() {
		name := fmt.Sprintf("%d %s by %s", i, b.protocol, b.word)
		c := person{t, base, tokenFor(t, fmt.Sprint("ann", i), time.Hour, nil)}
		ann := []string{"Authorization", "Bearer " + c.token}
		if b.begin(c); t.Failed() {
			t.Fatal(name)
		}
		all := ofFile(t, base, b.word, "", ann...)
		if len(all) != 1 {
			t.Fatalf("%s: %d are found", name, len(all))
		}
		v := all[0]
		ranges := "0-2"
		if b.offset == 0 {
			ranges = ""
		}
		if v.Protocol != b.protocol || v.State != "receiving" || v.Name != "a b.bin" || b.protocol != "companion" && (v.Size == nil || *v.Size != 6) ||
			v.Offset != b.offset || v.Ranges != ranges || !strings.HasPrefix(v.Resume, base+b.resume) {
			t.Errorf("%s: %+v", name, v)
		}
		for what, found := range map[string][]toldView{
			"somebody else":  ofFile(t, base, b.word, "", "Authorization", "Bearer "+tokenFor(t, fmt.Sprint("bob", i), time.Hour, nil)),
			"another word":   ofFile(t, base, b.word+"x", "", ann...),
			"another hash":   ofFile(t, base, strings.TrimSuffix(b.word, hash)+","+strings.Repeat("0", 64), "", ann...),
			"more or less":   ofFile(t, base, map[bool]string{true: formula, false: b.word + hash}[strings.HasSuffix(b.word, hash)], "", ann...),
			"another size":   ofFile(t, base, strings.Replace(formula, ",6,", ",7,", 1), "", ann...),
			"another time":   ofFile(t, base, "a%20b.bin,6,1700000000124", "", ann...),
			"another name":   ofFile(t, base, "a%20b.BIN,6,"+modified, "", ann...),
			"finished ones":  ofFile(t, base, b.word, "&state=done", ann...),
			"in other words": ofFile(t, base, strings.ToUpper(b.word), "", ann...),
		} {
			if len(found) != 0 {
				t.Errorf("%s: %s: %+v", name, what, found)
			}
		}
		if b.finish(c, v); t.Failed() {
			t.Fatal(name)
		}
		if found := ofFile(t, base, b.word, "", ann...); len(found) != 0 {
			t.Errorf("%s: it is finished, and found: %+v", name, found)
		}
		if found := ofFile(t, base, b.word, "&state=open", ann...); len(found) != 0 {
			t.Errorf("%s: it is finished, and open: %+v", name, found)
		}
		if found := ofFile(t, base, b.word, "&state=done", ann...); len(found) != 1 || found[0].ID != v.ID || found[0].Resume != "" {
			t.Errorf("%s: when it is finished: %+v", name, found)
		}
		if _, got := c.do(200, "GET", "/files/"+v.ID, ""); got != "abcdef" {
			t.Errorf("%s: %q has arrived", name, got)
		}
	}
}

// TestFoundWhereItIs: the address is the one at which a protocol was put.
func TestFoundWhereItIs(t *testing.T) {
	t.Parallel()
	h, _ := tokenHouse(t, func(s *settings) { s.Clients.MulePath, s.PublicURL = "/app/uploads", "https://up.example/base" })
	c := person{t, served(t, h), tokenFor(t, "ann", time.Hour, nil)}
	ann := []string{"Authorization", "Bearer " + c.token}
	c.do(200, "GET", "/app/uploads/signing_key/?filename=a%20b.bin&filesize=6&last_modified="+modified, "")
	c.do(308, "PUT", redeemPath+"/a%20b.bin", "abc", "Content-Range", "bytes 0-2/6", wordHead, formula)
	var got []string
	for _, v := range ofFile(t, c.base, formula, "", ann...) {
		got = append(got, v.Resume)
	}
	if fmt.Sprint(got) != "[https://up.example/base"+redeemPath+"/a%20b.bin https://up.example/base/app/uploads/]" {
		t.Errorf("they go on at %v", got)
	}
	c.do(200, "PUT", strings.TrimPrefix(got[0], "https://up.example/base"), "def", "Content-Range", "bytes 3-5/6", wordHead, formula)
}

// TestFoundNewestFirst: several uploads of one file, by several protocols.
func TestFoundNewestFirst(t *testing.T) {
	t.Parallel()
	h, _ := tokenHouse(t, nil)
	c := person{t, served(t, h), tokenFor(t, "ann", time.Hour, nil)}
	ann := []string{"Authorization", "Bearer " + c.token}
	var want []string
	for _, b := range everyProtocol() {
		if b.word == word && b.protocol != "socketio" {
			b.begin(c)
			want = append([]string{b.protocol}, want...)
		}
	}
	c.do(201, "PUT", "/upload", "abcdef", wordHead, word) // a plain body is finished at once
	var got []string
	for _, v := range ofFile(t, c.base, word, "", ann...) {
		got = append(got, v.Protocol)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v are found, want %v", got, want)
	}
	if done := ofFile(t, c.base, word, "&state=done", ann...); len(done) != 1 || done[0].Protocol != "plain" {
		t.Errorf("finished: %+v", done)
	}
	if one := ofFile(t, c.base, word, "&limit=1", ann...); len(one) != 1 || one[0].Protocol != want[0] {
		t.Errorf("one: %+v", one)
	}
}

// TestBadFingerprints: by any protocol, and in the question.
func TestBadFingerprints(t *testing.T) {
	t.Parallel()
	h, log := tokenHouse(t, nil)
	base := served(t, h)
	token := tokenFor(t, "ann", time.Hour, nil)
	long := strings.Repeat("a", 1025)
	key := "\nAuthorization: Bearer " + token
	const six = "\nUpload-Length: 6"
	var all []hostile
	for _, bad := range []struct{ what, value string }{{"too long", long}, {"empty", ""}, {"no text", "\xff\xfe"}, {"two", "a\nX-Upload-Fingerprint: b"}} {
		head := key + "\nX-Upload-Fingerprint: " + bad.value
		all = append(all,
			hostile{"tus, " + bad.what, "POST /tus/\nTus-Resumable: 1.0.0" + six + head, "", 400, ""},
			hostile{"rufh, " + bad.what, "POST /rufh/\nUpload-Complete: ?0" + six + head, "", 400, ""},
			hostile{"range, " + bad.what, "PUT /upload/a\nContent-Range: bytes 0-2/6" + head, "abc", 400, ""},
			hostile{"body, " + bad.what, "PUT /upload" + head, "abc", 400, ""},
			hostile{"form, " + bad.what, "POST /upload\n" + formType + head, file("file", "a", "abc") + formEnd, 400, ""},
			hostile{"chunk, " + bad.what, "POST /upload?dzuuid=u&dzchunkindex=0&dzchunksize=3&dztotalchunkcount=2&dztotalfilesize=6&dzchunkbyteoffset=0\n" + formType + head, file("file", "a", "abc") + formEnd, 400, ""},
			hostile{"pond, " + bad.what, "POST /filepond/" + six + head, "", 400, ""},
			hostile{"uppy, " + bad.what, "POST /s3/multipart\nContent-Type: application/json" + head, `{"filename":"a"}`, 400, ""},
			hostile{"uppy's form, " + bad.what, "GET /s3/params?filename=a&type=text/plain" + head, "", 400, ""},
			hostile{"uppy's own, " + bad.what, "POST /sign\nContent-Type: application/json" + head, `{"method":"PUT","key":"k"}`, 400, ""},
			hostile{"mule, " + bad.what, "GET /upload-backend/signing_key/?filename=a&filesize=6&last_modified=1" + head, "", 400, ""},
		)
	}
	for what, query := range map[string]string{"too long": "=" + long, "empty": "=", "no value": "", "no text": "=%FF", "control": "=a%0Ab", "two": "=a&fingerprint=b"} {
		all = append(all, hostile{"question, " + what, "GET /uploads?fingerprint" + query + key, "", 400, ""})
	}
	all = append(all,
		hostile{"question, state", "GET /uploads?fingerprint=a&state=gone" + key, "", 400, ""},
		hostile{"question without a token", "GET /uploads?fingerprint=a", "", 401, ""},
		hostile{"question with a token that must not look", "GET /uploads?fingerprint=a\nAuthorization: Bearer " +
			tokenFor(t, "ann", time.Hour, func(c *access.Claims) { c.Verbs = []upload.Verb{upload.MayCreate} }), "", 403, ""},
	)
	attack(t, h, log, base, []string{token}, all)
}

// TestStrangersFindNothing: a word is easily guessed, so people without a name
// are found by it only as they meet by the name of a file: by a cookie, else an
// address, and by the token that their page sends along. Nothing is listed.
func TestStrangersFindNothing(t *testing.T) {
	t.Parallel()
	const forwarded = "X-Forwarded-For"
	page := []string{"Sec-Fetch-Mode", "navigate"}
	for scope, shared := range map[string]bool{"auto": false, "cookie": false, "shared": true} {
		h, _ := testHouse(t, func(s *settings) { s.Allow.Open, s.Allow.Scope, s.PublicURL = true, scope, "http://up.example" })
		base := served(t, h)
		cookie := func(address string) []string {
			resp, _ := do(t, "GET", base+"/", "", append(page, forwarded, address)...)
			if shared {
				return []string{forwarded, address}
			}
			if len(resp.Cookies()) != 1 {
				t.Fatalf("%s: a page gives %v", scope, resp.Header)
			}
			return []string{forwarded, address, "Cookie", resp.Cookies()[0].Name + "=" + resp.Cookies()[0].Value}
		}
		browser, other := cookie("192.0.2.1"), cookie("192.0.2.1")
		people := map[string][]string{
			"an address": {forwarded, "192.0.2.1"}, "another address": {forwarded, "192.0.2.2"}, "a browser": browser, "another browser": other,
		}
		for who, headers := range people {
			word := "the word of " + who
			resp, body := do(t, "POST", base+"/tus/", "abc", append([]string{"Tus-Resumable", "1.0.0", "Upload-Length", "6",
				"Content-Type", "application/offset+octet-stream", wordHead, word}, headers...)...)
			if resp.StatusCode != 201 {
				t.Fatalf("%s %s: %s %s", scope, who, resp.Status, body)
			}
			for whose, theirs := range people {
				want := 0
				if who == whose || shared {
					want = 1
				}
				if found := ofFile(t, base, word, "", theirs...); len(found) != want {
					t.Errorf("%s: %s finds %d uploads of %s, want %d", scope, whose, len(found), who, want)
				}
			}
			if found := ofFile(t, base, word, "&upload_token=x", headers...); len(found) != 0 {
				t.Errorf("%s: %s finds by a token what was sent without", scope, who)
			}
			do(t, "POST", base+"/upload?upload_token=x&fingerprint=w"+url.QueryEscape(who)+"&"+strings.Replace(chunkOne, "6-a", "6-"+url.QueryEscape(who), 1), file("file", "a", "abc")+formEnd, append([]string{"Content-Type", formX}, headers...)...)
			if with, without := ofFile(t, base, "w"+who, "&upload_token=x", headers...), ofFile(t, base, "w"+who, "", headers...); len(with) != 1 || len(without) != 0 {
				t.Errorf("%s: %s finds %d by its page's token, %d without", scope, who, len(with), len(without))
			}
		}
		for _, path := range []string{"/uploads", "/uploads/", "/uploads?state=open", "/uploads/?state=open", "/uploads?limit=9"} {
			for _, who := range []string{"an address", "another address"} {
				if _, body := do(t, "GET", base+path, "", people[who]...); strings.TrimSpace(body) != "[]" {
					t.Errorf("%s: %s sees %s at %s", scope, who, body, path)
				}
			}
		}
	}
}

// TestListOfOneUpload: a token for one upload shows no other of its owner's, open
// or finished.
func TestListOfOneUpload(t *testing.T) {
	t.Parallel()
	h, _ := tokenHouse(t, nil)
	c := person{t, served(t, h), tokenFor(t, "ann", time.Hour, nil)}
	var ids []string
	for _, length := range []string{"3", "6", "3", "6"} { // two of them are whole
		at, _ := c.do(201, "POST", "/tus/", "abc", "Tus-Resumable", "1.0.0", "Upload-Length", length,
			"Content-Type", "application/offset+octet-stream", wordHead, word)
		ids = append(ids, at.Get("Location")[strings.LastIndex(at.Get("Location"), "/")+1:])
	}
	for i, id := range ids {
		one := []string{"Authorization", "Bearer " + tokenFor(t, "ann", time.Hour, func(c *access.Claims) { c.Upload = id })}
		_, list := do(t, "GET", c.base+"/uploads", "", one...)
		open, done := ofFile(t, c.base, word, "", one...), ofFile(t, c.base, word, "&state=done", one...)
		if strings.Count(list, `"id"`) != 1 || !strings.Contains(list, id) || len(open) != i%2 || len(done) != 1-i%2 || append(open, done...)[0].ID != id {
			t.Errorf("of %s it shows %s, by the word %+v, %+v", id, list, open, done)
		}
	}
}

// TestFingerprintOfAnEndpoint: what was begun at one is not found at another.
func TestFingerprintOfAnEndpoint(t *testing.T) {
	t.Parallel()
	h, _ := testHouse(t, nil)
	ctx := t.Context()
	if a, b := h.service.File(ctx, "a"), h.service.File(ctx, "b"); a == b || a == "" || h.service.File(ctx, "") != "" {
		t.Errorf("%q, %q", a, b)
	}
	here := h.service.File(ctx, "a")
	h.service.Endpoint = "films"
	if h.service.File(ctx, "a") == here {
		t.Error("two endpoints have one word")
	}
}
