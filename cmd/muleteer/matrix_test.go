package main

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	dto "github.com/prometheus/client_model/go"

	"github.com/muleteer/muleteer/access"
	"github.com/muleteer/muleteer/protocol/companion"
	"github.com/muleteer/muleteer/upload"
)

const matrixSecret = "a secret for the matrix, with more than 32 bytes"

// tokenHouse wants tokens, and has all that there is.
func tokenHouse(t *testing.T, change func(*settings)) (*house, *syncBuffer) {
	t.Helper()
	return testHouse(t, func(s *settings) {
		s.Old.Demo = list{"resumable"}
		s.Allow.Secrets.Secret = list{matrixSecret}
		if change != nil {
			change(s)
		}
	})
}

// tokenFor is a token of an owner that ends after d.
func tokenFor(t testing.TB, owner string, d time.Duration, change func(*access.Claims)) string {
	t.Helper()
	c := &access.Claims{RegisteredClaims: jwt.RegisteredClaims{Subject: owner, ExpiresAt: jwt.NewNumericDate(time.Now().Add(d))}}
	if change != nil {
		change(c)
	}
	token, err := access.Mint(c, []byte(matrixSecret))
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// cell is what a client of a protocol does at a path, to an upload of ann's: "open",
// "done", or one that other requests of hers have begun.
type cell struct {
	place    string // in the table of paths
	protocol string // in the metrics
	verb     upload.Verb
	method   string
	path     string // ID stands for the upload's id
	body     string
	headers  string // a line for each
	has      string
	before   []cell
	owner    int // the status for ann
	other    int // and for bob
}

const (
	tusHead   = "Tus-Resumable: 1.0.0\n"
	tusPatch  = tusHead + "Upload-Offset: 0\nContent-Type: application/offset+octet-stream"
	tusPost   = tusHead + "Upload-Length: 3"
	ietfPatch = "Upload-Complete: ?1\nUpload-Offset: 0\nContent-Type: application/partial-upload\nUpload-Draft-Interop-Version: 8"
	formType  = "Content-Type: " + formX
	chunkOne  = "resumableChunkNumber=1&resumableChunkSize=3&resumableCurrentChunkSize=3&resumableTotalSize=6&resumableIdentifier=6-a&resumableFilename=a&resumableTotalChunks=2"
	chunkTwo  = "resumableChunkNumber=2&resumableChunkSize=3&resumableCurrentChunkSize=3&resumableTotalSize=6&resumableIdentifier=6-a&resumableFilename=a&resumableTotalChunks=2"
)

// matrix is every verb of every protocol at every path.
func matrix() []cell {
	var all []cell
	add := func(c ...cell) { all = append(all, c...) }
	for _, p := range []struct{ place, protocol, base, part string }{
		{"/tus/", "tus", "/tus/", "/tus/"}, {"/files/", "files", "/files/", "/files/"}, {"/upload/", "tus", "/upload/", "/tus/"},
	} {
		add(
			cell{p.place, p.protocol, upload.MayCreate, "POST", p.base, "", tusPost, "", nil, 201, 201},
			cell{p.place, p.protocol, upload.MayCreate, "POST", p.base, "", tusHead + "Upload-Concat: final;" + p.part + "ID", "partial", nil, 201, 404},
			cell{p.place, p.protocol, upload.MayWrite, "PATCH", p.base + "ID", "abc", tusPatch, "open", nil, 204, 404},
			cell{p.place, p.protocol, upload.MayWrite, "POST", p.base + "ID", "abc", tusPatch + "\nX-HTTP-Method-Override: PATCH", "open", nil, 204, 404},
			cell{p.place, p.protocol, upload.MayLook, "HEAD", p.base + "ID", "", tusHead, "open", nil, 200, 404},
			cell{p.place, p.protocol, upload.MayRead, "GET", p.base + "ID", "", tusHead, "done", nil, 200, 404},
			cell{p.place, p.protocol, upload.MayRemove, "DELETE", p.base + "ID", "", tusHead, "open", nil, 204, 404},
			cell{p.place, p.protocol, upload.MayRemove, "DELETE", p.base + "ID", "", tusHead, "done", nil, 204, 404},
		)
	}
	add(
		cell{"/tus", "tus", upload.MayCreate, "POST", "/tus", "", tusPost, "", nil, 201, 201},
		cell{"/files", "files", upload.MayCreate, "POST", "/files", "", tusPost, "", nil, 201, 201},
		cell{"/upload", "tus", upload.MayCreate, "POST", "/upload", "", tusPost, "", nil, 201, 201},
		// reading
		cell{"/files/", "files", upload.MayRead, "GET", "/files/ID", "", "", "done", nil, 200, 404},
		cell{"/files/", "files", upload.MayRead, "HEAD", "/files/ID", "", "", "done", nil, 200, 404},
		cell{"/files/", "files", upload.MayRemove, "DELETE", "/files/ID", "", "", "done", nil, 204, 404},
		cell{"/uploads", "uploads", upload.MayLook, "GET", "/uploads", "", "", "open", nil, 200, 200},
		cell{"/uploads/", "uploads", upload.MayLook, "GET", "/uploads/", "", "", "open", nil, 200, 200},
		cell{"/uploads/", "uploads", upload.MayLook, "GET", "/uploads/ID", "", "", "open", nil, 200, 404},
		cell{"/uploads/", "uploads", upload.MayRemove, "DELETE", "/uploads/ID", "", "", "open", nil, 204, 404},
		// ietf
		cell{"/rufh", "ietf", upload.MayCreate, "POST", "/rufh", "", "Upload-Complete: ?0", "", nil, 201, 201},
		cell{"/rufh/", "ietf", upload.MayCreate, "POST", "/rufh/", "abc", "Upload-Complete: ?1", "", nil, 201, 201},
		cell{"/rufh/", "ietf", upload.MayWrite, "PATCH", "/rufh/ID", "abc", ietfPatch, "open", nil, 201, 404},
		cell{"/rufh/", "ietf", upload.MayLook, "HEAD", "/rufh/ID", "", "Upload-Draft-Interop-Version: 8", "open", nil, 204, 404},
		cell{"/rufh/", "ietf", upload.MayRemove, "DELETE", "/rufh/ID", "", "", "open", nil, 204, 404},
		cell{"/upload", "ietf", upload.MayCreate, "POST", "/upload", "", "Upload-Complete: ?0", "", nil, 201, 201},
		cell{"/upload/", "ietf", upload.MayCreate, "POST", "/upload/x", "", "Upload-Complete: ?0", "", nil, 201, 201},
		// plain bodies and forms
		cell{"/upload", "plain", upload.MayCreate, "POST", "/upload", file("file", "a", "abc") + formEnd, formType, "", nil, 201, 201},
		cell{"/upload", "plain", upload.MayCreate, "PUT", "/upload", "abc", "", "", nil, 201, 201},
		cell{"/upload/", "plain", upload.MayCreate, "POST", "/upload/", file("file", "a", "abc") + formEnd, formType, "", nil, 201, 201},
	)
	for _, place := range []string{"/form", "/form/"} {
		add(cell{place, "plain", upload.MayCreate, "POST", place, file("file", "a", "abc") + formEnd, formType, "", nil, 201, 201})
	}
	// ranges, by name: bob's name is another upload
	begin := cell{method: "PUT", path: "/upload/a", body: "abc", headers: "Content-Range: bytes 0-2/6", owner: 308}
	finished := cell{method: "PUT", path: "/upload/a", body: "abcdef", owner: 200}
	for _, c := range []cell{
		{"/upload/", "contentrange", upload.MayCreate, "PUT", "/upload/a", "abc", "", "", nil, 200, 200},
		{"/upload/", "contentrange", upload.MayCreate, "PUT", "/upload/a", "abc", "Content-Range: bytes 0-2/6", "", nil, 308, 308},
		{"/upload/", "contentrange", upload.MayWrite, "PUT", "/upload/a", "def", "Content-Range: bytes 3-5/6", "", []cell{begin}, 200, 308},
		{"/upload/", "contentrange", upload.MayLook, "PUT", "/upload/a", "", "Content-Range: bytes */*", "", []cell{begin}, 308, 404},
		{"/upload/", "contentrange", upload.MayLook, "GET", "/upload/a", "", "", "", []cell{begin}, 200, 404},
		{"/upload/", "contentrange", upload.MayLook, "HEAD", "/upload/a", "", "", "", []cell{finished}, 200, 404},
		{"/upload/", "contentrange", upload.MayRemove, "DELETE", "/upload/a", "", "", "", []cell{begin}, 204, 404},
	} {
		add(c)
		c.place, c.path, c.before = redeemPath+"/", strings.Replace(c.path, "/upload/", redeemPath+"/", 1), slices.Clone(c.before)
		for i := range c.before {
			c.before[i].path = c.path
		}
		add(c)
		c.place, c.path, c.before = flaskPath+"/", strings.Replace(c.path, redeemPath, flaskPath, 1), slices.Clone(c.before)
		for i := range c.before {
			c.before[i].path = c.path
		}
		add(c)
	}
	add(
		cell{"/upload", "contentrange", upload.MayCreate, "PUT", "/upload", "abc", "Content-Range: bytes 0-2/6", "", nil, 400, 400},
	)
	// chunks
	for place, path := range map[string]string{"/upload": "/upload", "/upload/": "/upload/", "/form": "/form", "/form/": "/form/x", flaskPath: flaskPath, redeemPath: redeemPath} {
		chunk := func(query string) cell {
			return cell{place, "chunkform", upload.MayCreate, "POST", path + "?" + query, file("file", "a", "abc") + formEnd, formType, "", nil, 200, 200}
		}
		probe := func(query string, before ...cell) cell {
			return cell{place, "chunkform", upload.MayLook, "GET", path + "?" + query, "", "", "", before, 200, 204}
		}
		write := chunk(chunkTwo)
		write.verb, write.before = upload.MayWrite, []cell{chunk(chunkOne)}
		octets := chunk(chunkOne)
		octets.body, octets.headers = "abc", "Content-Type: application/octet-stream"
		add(chunk(chunkOne), octets, write, probe(chunkOne, chunk(chunkOne)), probe(chunkOne, chunk(chunkOne), chunk(chunkTwo)))
		for _, before := range [][]cell{{chunk(chunkOne)}, {chunk(chunkOne), chunk(chunkTwo)}} {
			add(cell{place, "chunkform", upload.MayRemove, "DELETE", path + "?" + chunkOne, "", "", "", before, 200, 404})
		}
	}
	for _, path := range []string{flaskPath, redeemPath} {
		add(cell{path, "plain", upload.MayCreate, "POST", path, file("file", "a", "abc") + formEnd, formType, "", nil, 201, 201})
	}
	// FilePond
	for place, path := range map[string]string{"/upload": "/upload", "/upload/": "/upload/", "/filepond": "/filepond", "/filepond/": "/filepond/"} {
		add(
			cell{place, "filepond", upload.MayCreate, "POST", path, "", "Upload-Length: 3", "", nil, 201, 201},
			cell{place, "filepond", upload.MayWrite, "PATCH", path + "?patch=ID", "abc", "Upload-Offset: 0\nUpload-Length: 3\nContent-Type: application/offset+octet-stream", "open", nil, 204, 404},
			cell{place, "filepond", upload.MayLook, "HEAD", path + "?patch=ID", "", "", "open", nil, 200, 404},
			cell{place, "filepond", upload.MayLook, "POST", path + "?id=ID", "", "", "done", nil, 200, 404},
			cell{place, "filepond", upload.MayRead, "GET", path + "?load=ID", "", "", "done", nil, 200, 404},
			cell{place, "filepond", upload.MayRead, "GET", path + "?restore=ID", "", "", "done", nil, 200, 404},
			cell{place, "filepond", upload.MayRemove, "DELETE", path, "ID", "Content-Type: text/plain", "open", nil, 200, 404},
		)
	}
	// sockets: what their messages may is decided by the same principal
	for _, path := range []string{"/socket.io", "/socket.io/"} {
		add(cell{path, "socketio", upload.MayCreate, "GET", path + "?EIO=4&transport=polling", "", "", "", nil, 200, 200})
	}
	// Uppy's S3 mode; what is sent to the URLs that it gives, their tickets permit
	add(
		cell{"/s3/", "companion", upload.MayCreate, "POST", "/s3/multipart", `{"filename":"a"}`, "Content-Type: application/json", "", nil, 200, 200},
		cell{"/s3/", "companion", upload.MayCreate, "GET", "/s3/params?filename=a&type=text/plain", "", "", "", nil, 200, 200},
		cell{"/s3/", "companion", upload.MayLook, "GET", "/s3/multipart/ID?key=ID", "", "", "companion", nil, 200, 404},
		cell{"/s3/", "companion", upload.MayWrite, "GET", "/s3/multipart/ID/1?key=ID", "", "", "companion", nil, 200, 404},
		cell{"/s3/", "companion", upload.MayWrite, "GET", "/s3/multipart/ID/batch?key=ID&partNumbers=1", "", "", "companion", nil, 200, 404},
		cell{"/s3/", "companion", upload.MayWrite, "POST", "/s3/multipart/ID/complete?key=ID", `{"parts":[]}`, "Content-Type: application/json", "companion", nil, 200, 404},
		cell{"/s3/", "companion", upload.MayRemove, "DELETE", "/s3/multipart/ID?key=ID", "", "", "companion", nil, 200, 404},
		cell{"/s3/", "companion", upload.MayCreate, "POST", "/s3/sign", `{"method":"POST","key":"k"}`, "Content-Type: application/json", "", nil, 200, 200},
		cell{"/sign", "companion", upload.MayCreate, "POST", "/sign", `{"method":"POST","key":"k"}`, "Content-Type: application/json", "", nil, 200, 200},
	)
	// Mule Uploader; what it takes for its bucket goes by signatures alone
	add(cell{"/upload-backend/", "mule", upload.MayCreate, "GET", "/upload-backend/signing_key/?filename=a&filesize=6&last_modified=1", "", "", "", nil, 200, 200})
	// events are for who manages, and no owner does
	add(
		cell{"/events", "events", upload.MayManage, "GET", "/events", "", "", "done", nil, 403, 403},
		cell{"/events/", "events", upload.MayManage, "GET", "/events/x", "", "", "done", nil, 403, 403},
		cell{"/events/", "events", upload.MayManage, "POST", "/events/replay", "", "", "done", nil, 403, 403},
		cell{"/events/", "events", upload.MayManage, "POST", "/events/x/replay", "", "", "done", nil, 403, 403},
		cell{"/events/", "events", upload.MayManage, "DELETE", "/events/x", "", "", "done", nil, 403, 403},
		cell{"/uploads/", "uploads", upload.MayManage, "POST", "/uploads/ID/confirm", "", "", "done", nil, 403, 403},
		cell{"/uploads/", "uploads", upload.MayManage, "POST", "/uploads/ID/release", "", "", "done", nil, 403, 403},
	)
	// what surrounds Resumable.js
	sent := []cell{{method: "POST", path: redeemPath + "?" + chunkOne + "&upload_token=OWNER", body: file("file", "a", "abc") + formEnd, headers: formType, owner: 200},
		{method: "POST", path: redeemPath + "?" + chunkTwo + "&upload_token=OWNER", body: file("file", "a", "def") + formEnd, headers: formType, owner: 200}}
	add(
		cell{"/api/photo/frame", "photo", upload.MayRead, "GET", "/api/photo/frame?resumableIdentifier=6-a", "", "", "", sent, 200, 200},
		cell{"/api/photo/update-upload-token", "photo", upload.MayWrite, "POST", "/api/photo/update-upload-token", "resumableIdentifier=6-a&title=x", "Content-Type: application/x-www-form-urlencoded", "", sent, 200, 404},
		cell{"/actions", "photo", upload.MayLook, "GET", "/actions?action=resumable-upload-redirect&resumableIdentifier=6-a", "", "", "", sent, 303, 404},
	)
	return all
}

// TestMatrix: verb, protocol and path, for the owner, somebody else, nobody, an
// expired token, and one for another endpoint.
func TestMatrix(t *testing.T) {
	t.Parallel()
	covered := map[string]bool{}
	h, log := tokenHouse(t, nil)
	base := served(t, h)
	for i, c := range matrix() {
		for j, who := range []struct {
			name   string
			token  string
			status int
		}{
			{"owner", tokenFor(t, fmt.Sprint("ann", i, 0), time.Hour, nil), c.owner},
			{"other", tokenFor(t, fmt.Sprint("bob", i, 1), time.Hour, nil), c.other},
			{"anonymous", "", 401},
			{"expired", tokenFor(t, fmt.Sprint("ann", i, 3), -time.Hour, nil), 401},
			{"elsewhere", tokenFor(t, fmt.Sprint("ann", i, 4), time.Hour, func(c *access.Claims) { c.Endpoint = "films" }), 403},
		} {
			name := fmt.Sprintf("%d: %s %s %s %s at %s, %s", i, who.name, c.protocol, c.verb, c.method, c.place, c.path)
			owner := fmt.Sprint("ann", i, j)
			ann := tokenFor(t, owner, time.Hour, nil)
			id := c.prepare(t, h, base, owner, ann)
			before, counted := census(t, h), h.counts(t)
			if c.protocol == "socketio" && who.name == "anonymous" {
				who.status = 200 // its connection may bring a token, and can do nothing without
			}
			status, _, header := c.send(t, base, id, who.token)
			if status != who.status {
				t.Errorf("%s: %d, want %d", name, status, who.status)
			}
			for _, protocol := range h.changed(t, counted) {
				if who.name == "owner" {
					covered[c.place+" "+protocol] = true
				}
			}
			after := census(t, h)
			switch {
			case status == 401 || status == 403:
				if after != before {
					t.Errorf("%s: it left something behind: %s, %s before", name, after, before)
				}
				if (status == 401) != (header.Get("WWW-Authenticate") != "") {
					t.Errorf("%s: %v", name, header)
				}
			case who.name == "anonymous" && after != before:
				t.Errorf("%s: it left something behind: %s, %s before", name, after, before)
			case who.name == "other" && !strings.HasPrefix(after, before):
				t.Errorf("%s: it changed what is ann's: %s, %s before", name, after, before)
			}
			for _, secret := range []string{who.token, ann} {
				if secret != "" && (strings.Contains(log.String(), secret) || strings.Contains(fmt.Sprint(header), secret)) {
					t.Errorf("%s: the token is in the log or the answer", name)
				}
			}
		}
	}
	for _, p := range h.places() {
		want := []string{p.protocol}
		if d, ok := p.handler.(passage); ok {
			want = nil
			for _, row := range d.rows {
				if !possible(p.path, row.protocol) {
					want = append(want, row.protocol)
				}
			}
		}
		for _, protocol := range want {
			if protocol == "" { // a door behind another one
				protocol = "contentrange"
			}
			if !p.public() && p.path != mulesBucket && !covered[p.path+" "+protocol] {
				t.Errorf("%s at %s is in no line of the matrix", protocol, p.path)
			}
		}
	}
}

// possible tells of rows that no request at that very path can get to: names
// are below it.
func possible(path, protocol string) bool {
	return protocol == "contentrange" && (path == flaskPath || path == redeemPath) || (path == flaskPath+"/" || path == redeemPath+"/") && protocol != "contentrange"
}

func (c cell) prepare(t *testing.T, h *house, base, owner, token string) string {
	t.Helper()
	for _, b := range c.before {
		if status, body, _ := b.send(t, base, "", token); status != b.owner {
			t.Fatalf("%s %s: %d %s", b.method, b.path, status, body)
		}
	}
	if c.has == "" {
		return ""
	}
	ctx := upload.As(t.Context(), owner)
	n := upload.New{Size: 3, Partial: c.has == "partial"}
	if c.has == companion.Protocol {
		n.Protocol, n.Size = companion.Protocol, -1
	}
	u, err := h.service.Create(ctx, n)
	if err == nil && c.has == companion.Protocol { // its key is its id
		u.Fingerprint = h.service.Fingerprint(ctx, companion.Protocol, u.ID)
		err = h.kept.State.Save(ctx, u)
	}
	if err == nil && c.has != "open" && c.has != companion.Protocol {
		_, err = h.service.Write(ctx, u.ID, upload.Chunk{Len: 3, Size: -1, Body: strings.NewReader("abc")})
	}
	if err != nil {
		t.Fatal(err)
	}
	return u.ID
}

func (c cell) send(t *testing.T, base, id, token string) (int, string, http.Header) {
	t.Helper()
	with := strings.NewReplacer("ID", id, "OWNER", token).Replace
	path, body := c.path, c.body
	if id != "" {
		path, body = with(path), with(body)
	}
	path = strings.ReplaceAll(path, "OWNER", token)
	var headers []string
	for line := range strings.SplitSeq(c.headers, "\n") {
		if name, value, ok := strings.Cut(line, ": "); ok {
			if id != "" {
				value = with(value)
			}
			headers = append(headers, name, value)
		}
	}
	if token != "" {
		headers = append(headers, "Authorization", "Bearer "+token)
	}
	resp, text := do(t, c.method, base+path, body, headers...)
	return resp.StatusCode, text, resp.Header
}

// census tells of all uploads that are kept, the oldest first, and how they stand.
func census(t *testing.T, h *house) string {
	t.Helper()
	var all []string
	for u, err := range h.kept.State.Find(t.Context(), upload.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, fmt.Sprint(u.ID, " ", u.Owner, " ", u.Phase, " ", u.Here, " ", u.Version, " ", u.Meta.Fields, "\n"))
	}
	slices.Reverse(all)
	return strings.Join(all, "")
}

// counts are the requests of each protocol so far.
func (h *house) counts(t *testing.T) map[string]float64 {
	t.Helper()
	families, err := h.metrics.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	n := map[string]float64{}
	for _, f := range families {
		if f.GetName() == "muleteer_requests_total" {
			for _, m := range f.GetMetric() {
				n[label(m, "protocol")] += m.GetCounter().GetValue()
			}
		}
	}
	return n
}

func label(m *dto.Metric, name string) string {
	for _, l := range m.GetLabel() {
		if l.GetName() == name {
			return l.GetValue()
		}
	}
	return ""
}

// changed are the protocols whose requests are more than they were.
func (h *house) changed(t *testing.T, before map[string]float64) (names []string) {
	t.Helper()
	for name, n := range h.counts(t) {
		if n > before[name] {
			names = append(names, name)
		}
	}
	return names
}

// TestOneAnswer: an upload of somebody else, one of somebody else that has
// expired, and none at all are the same, byte by byte; its owner is told more.
func TestOneAnswer(t *testing.T) {
	t.Parallel()
	h, _ := tokenHouse(t, nil)
	base := served(t, h)
	ann, bob := tokenFor(t, "ann", time.Hour, nil), tokenFor(t, "bob", time.Hour, nil)
	tried := 0
	for i, c := range matrix() {
		if c.has == "" || c.other == 200 || c.has == "partial" || c.verb == upload.MayManage {
			continue
		}
		tried++
		open := c.prepare(t, h, base, "ann", ann)
		gone := c.prepare(t, h, base, "ann", ann)
		if err := h.service.Remove(upload.As(t.Context(), "ann"), gone); err != nil {
			t.Fatal(err)
		}
		var answers []string
		for _, id := range []string{open, gone, "NOSUCHNOSUCHNOSUCHNOSUCH22"} {
			status, body, header := c.send(t, base, id, bob)
			header.Del("Date")
			answers = append(answers, strconv.Itoa(status)+body+fmt.Sprint(header))
		}
		if answers[0] != answers[1] || answers[0] != answers[2] {
			t.Errorf("%d %s %s: they differ: %q", i, c.method, c.path, answers)
		}
		if !strings.HasPrefix(answers[0], "404") {
			t.Errorf("%d %s %s: %s", i, c.method, c.path, answers[0])
		}
		// Uppy knows 404 only, and has nothing to remove then.
		uppy := c.protocol == companion.Protocol
		if status, body, _ := c.send(t, base, gone, ann); status != 410 && !uppy && !(c.protocol == "filepond" && c.verb == upload.MayRemove) {
			t.Errorf("%d %s %s: its owner is told %d %s", i, c.method, c.path, status, body)
		}
	}
	if tried < 20 {
		t.Errorf("only %d were tried", tried)
	}
}
