package socketio_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/muleteer/muleteer/protocol/socketio"
	"github.com/muleteer/muleteer/protocol/wiretest"
	"github.com/muleteer/muleteer/upload"
)

// with puts a session into a packet.
func with(session string, packets ...string) []string {
	for i := range packets {
		packets[i] = strings.ReplaceAll(packets[i], "@", session)
	}
	return packets
}

// TestRefused is what is refused with a sentence and never acknowledged. The
// socket goes on, and so does the upload.
func TestRefused(t *testing.T) {
	t.Parallel()
	const head = `451-9["upload_chunk_@",`
	whole := strings.Repeat("0", 64)
	cases := map[string][]string{
		"unknown session":        {`451-9["upload_chunk_unknown-session",{"chunk":{"_placeholder":true,"num":0},"last":false}]`, "bx"},
		"impossible session":     {`451-9["upload_chunk_../../etc",{"chunk":{"_placeholder":true,"num":0},"last":false}]`, "bx"},
		"taken session":          {`429["begin_upload",{"sessionID":"@","fileName":"b"}]`},
		"short session":          {`429["begin_upload",{"sessionID":"short","fileName":"b"}]`},
		"session with a dot":     {`429["begin_upload",{"sessionID":"../../../etc/passwd","fileName":"b"}]`},
		"long session":           {`429["begin_upload",{"sessionID":"` + strings.Repeat("a", 65) + `","fileName":"b"}]`},
		"long name":              {`429["begin_upload",{"sessionID":"another-one","fileName":"` + strings.Repeat("a", 256) + `"}]`},
		"name is a number":       {`429["begin_upload",{"sessionID":"another-one","fileName":7}]`},
		"negative size":          {`429["begin_upload",{"sessionID":"another-one","fileName":"b","size":-1}]`},
		"size is a fraction":     {`429["begin_upload",{"sessionID":"another-one","fileName":"b","size":1.5}]`},
		"text for binary":        {`429["upload_chunk_@",{"chunk":"text","last":false}]`},
		"null for binary":        {`429["upload_chunk_@",{"chunk":null,"last":false}]`},
		"nothing for binary":     {`429["upload_chunk_@"]`},
		"a list for binary":      {`429["upload_chunk_@",[1,2,3]]`},
		"text beside binary":     {head + `{"chunk":"text","last":{"_placeholder":true,"num":0}}]`, "bx"},
		"another placeholder":    {head + `{"chunk":{"_placeholder":true,"num":1},"last":false}]`, "bx"},
		"negative placeholder":   {head + `{"chunk":{"_placeholder":true,"num":-1},"last":false}]`, "bx"},
		"placeholder of text":    {head + `{"chunk":{"_placeholder":"true","num":"0"},"last":false}]`, "bx"},
		"prototype":              {head + `{"chunk":{"_placeholder":true,"num":0,"__proto__":{"last":true}},"last":false}]`, "bx"},
		"prototype for a number": {head + `{"chunk":{"_placeholder":true,"num":"__proto__"},"last":false}]`, "bx"},
		"constructor":            {head + `{"chunk":{"constructor":true,"prototype":0},"last":false}]`, "bx"},
		"last is text":           {head + `{"chunk":{"_placeholder":true,"num":0},"last":"yes"}]`, "bx"},
		"negative offset":        {head + `{"chunk":{"_placeholder":true,"num":0},"offset":-1}]`, "bx"},
		"huge offset":            {head + `{"chunk":{"_placeholder":true,"num":0},"offset":9223372036854775807}]`, "bx"},
		"offset beyond all":      {head + `{"chunk":{"_placeholder":true,"num":0},"offset":1e99}]`, "bx"},
		"wrong length":           {head + `{"chunk":{"_placeholder":true,"num":0},"offset":3,"length":2}]`, "bx"},
		"wrong sha256":           {head + `{"chunk":{"_placeholder":true,"num":0},"offset":3,"sha256":"` + whole + `"}]`, "bx"},
		"no sha256":              {head + `{"chunk":{"_placeholder":true,"num":0},"offset":3,"sha256":"abc"}]`, "bx"},
		"wrong crc":              {head + `{"chunk":{"_placeholder":true,"num":0},"crc64nvme":"AAAAAAAAAAA="}]`, "bx"},
	}
	everywhere(t, func(t *testing.T, h *house, w wire) {
		session := begin(t, w, "a")
		w.send(t, chunk(session, 1, []byte("abc"), false, "")...)
		want(t, w, "431[]")
		for name, packets := range cases {
			w.send(t, with(session, append([]string{}, packets...)...)...)
			got := w.next(t)
			if !strings.HasPrefix(got, `42["upload_error_`) || len(got) < 60 {
				t.Fatalf("%s: heard %q", name, got)
			}
		}
		w.send(t, chunk(session, 2, []byte("def"), true, "")...)
		want(t, w, "432[]")
		h.has(t, "a", []byte("abcdef"))
	})
}

// TestClosed is what ends a socket, and nothing but it.
func TestClosed(t *testing.T) {
	t.Parallel()
	begun := `420["begin_upload",{"sessionID":"@","fileName":"b"}]`
	part := `{"chunk":{"_placeholder":true,"num":0},"last":false}]`
	cases := map[string][]string{
		"no packet":                    {"x"},
		"an unknown packet":            {"49"},
		"a packet of the server":       {"0{}"},
		"an upgrade":                   {"5"},
		"a bare message":               {"4"},
		"an event that is no list":     {`42{"a":1}`},
		"an event without a name":      {`42[]`},
		"an event whose name is none":  {`42[1]`},
		"an event that is no JSON":     {`42["a"`},
		"no session":                   {`420["begin_upload",{"fileName":"a"}]`},
		"a session that is a number":   {`420["begin_upload",{"sessionID":7,"fileName":"a"}]`},
		"no argument":                  {`420["begin_upload"]`},
		"an endless session":           {`420["begin_upload",{"sessionID":"` + strings.Repeat("a", 2000) + `"}]`},
		"CONNECT again":                {"40"},
		"an event of another room":     {`42/room,["a"]`},
		"attachments without a count":  {begun, `45["upload_chunk_@",` + part},
		"no attachment":                {begun, `450-1["upload_chunk_@",` + part},
		"two attachments":              {begun, `452-1["upload_chunk_@",` + part, "bx", "by"},
		"a billion attachments":        {begun, `45999999999-1["upload_chunk_@",` + part},
		"a negative count":             {begun, `45-1-1["upload_chunk_@",` + part},
		"an attachment out of nowhere": {"bx"},
		"an attachment too many":       {begun, `451-1["upload_chunk_@",` + part, "b", "by"},
		"text before an attachment":    {begun, `451-1["upload_chunk_@",` + part, `42["a"]`},
		"an acknowledgement of binary": {`461-1[]`},
		"a huge number":                {`4299999999999999999999["a"]`},
		"a large text":                 {`42["` + strings.Repeat("a", 65<<10) + `"]`},
		"a large chunk":                {begun, `451-1["upload_chunk_@",` + part, "b" + strings.Repeat("a", 1_500_000)},
		"the end":                      {"1"},
	}
	for kind, open := range kinds() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, plainGrid(), socketio.Options{MaxChunk: 1_000_000})
			other := newCaller(t, h, "")
			defer other.close()
			other.send(t, "40")
			want(t, other, "40…")
			session := begin(t, other, "a")
			for name, packets := range cases {
				closes(t, h, open(t, h), name, with(fmt.Sprintf("hostile-%d", len(name)), append([]string{}, packets...)...))
			}
			other.send(t, chunk(session, 2, []byte("abc"), true, "")...)
			want(t, other, "432[]")
			h.has(t, "a", []byte("abc"))
			other.close()
			h.server.Load().Close()
			nothingElse(t, h)
		})
	}
}

// closes wants packets to end a socket that has connected. None of them but
// begin_upload is acknowledged.
func closes(t *testing.T, h *house, w wire, name string, packets []string) {
	t.Helper()
	defer w.close()
	w.send(t, "40")
	want(t, w, "40…")
	if p, ok := w.(*poller); ok {
		body := strings.Join(packets, "\x1e")
		status, _ := h.ask(t, "POST", p.url, body)
		if large := strings.Contains(name, "large"); large && status != http.StatusRequestEntityTooLarge || !large && status != 400 {
			t.Errorf("%s: the POST is answered with %d", name, status)
		}
	} else {
		w.send(t, packets...)
	}
	for got := w.next(t); got != "" && got != "1"; got = w.next(t) {
		first := name == "an attachment too many" && got == "431[]" // which was right
		if got != "430[]" && !first && !strings.HasPrefix(got, `42["upload_error_`) {
			t.Errorf("%s: heard %q", name, got)
		}
	}
}

// nothingElse wants no upload to have bytes that nobody was told of.
func nothingElse(t *testing.T, h *house) {
	t.Helper()
	for u, err := range h.Find(t.Context(), upload.Query{}) {
		if err != nil || u.Phase == upload.Receiving && u.Here > 0 {
			t.Errorf("%s has %d bytes, %v", u.Meta.Name, u.Here, err)
		}
	}
}

// TestNames: what a client calls its file never leads out of its place.
func TestNames(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, h *house, w wire) {
		h.Key = "{name}"
		for i, name := range []string{
			"../src/index.ts", "/etc/passwd", `..\..\boot.ini`, `C:\windows\a`, "..", ".", "", "a\x00b", "a/../../b", ".muleteer", "%2e%2e%2fa", strings.Repeat("é", 127),
		} {
			quoted, err := json.Marshal(name)
			if err != nil {
				t.Fatal(err)
			}
			session := fmt.Sprintf("session-%d", i)
			w.send(t, fmt.Sprintf(`420["begin_upload",{"sessionID":%q,"fileName":%s}]`, session, quoted))
			want(t, w, "430[]")
			w.send(t, chunk(session, 1, []byte("x"), true, "")...)
			want(t, w, "431[]")
		}
		keys := map[string]bool{}
		for u, err := range h.Find(t.Context(), upload.Query{}) {
			if err != nil || u.Phase != upload.Done {
				t.Fatalf("%v, %v", u, err)
			}
			if keys[u.Key] || strings.ContainsAny(u.Key, `/\`) || strings.HasPrefix(u.Key, ".") && len(strings.Trim(u.Key, ".")) == 0 || u.Key == ".muleteer" {
				t.Errorf("%q became %q", u.Meta.Name, u.Key)
			}
			keys[u.Key] = true
		}
	})
}

// TestHandshake: requests that are none are refused with the codes that clients
// know.
func TestHandshake(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plainGrid(), socketio.Options{Origins: []string{"http://localhost:3000"}})
	p := newPoller(t, h)
	defer p.close()
	sid := "&sid=" + p.hello.ID
	for _, c := range []struct {
		method, query string
		headers       []string
		status        int
		answer        string
	}{
		{"GET", "EIO=4", nil, 400, `{"code":0,"message":"Transport unknown"}`},
		{"GET", "EIO=4&transport=carrier-pigeon", nil, 400, `{"code":0,"message":"Transport unknown"}`},
		{"GET", "EIO=4&transport=polling&sid=nobody", nil, 400, `{"code":1,"message":"Session ID unknown"}`},
		{"POST", "EIO=4&transport=polling&sid=__proto__", nil, 400, `{"code":1,"message":"Session ID unknown"}`},
		{"POST", "EIO=4&transport=polling", nil, 400, `{"code":2,"message":"Bad handshake method"}`},
		{"PUT", "EIO=4&transport=polling" + sid, nil, 400, `{"code":3,"message":"Bad request"}`},
		{"GET", "EIO=4&transport=websocket", nil, 400, `{"code":3,"message":"Bad request"}`},
		{"GET", "EIO=4&transport=websocket" + sid, nil, 400, `{"code":3,"message":"Bad request"}`},
		{"GET", "EIO=4&transport=polling", []string{"Origin", "http://evil.test"}, 403, `{"code":4,"message":"A page`},
		{"GET", "EIO=4&transport=websocket", []string{"Origin", "http://evil.test", "Upgrade", "websocket", "Connection", "Upgrade", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}, 403, `{"code":4,"message":"A page`},
		{"GET", "EIO=4&transport=polling", []string{"Origin", "null"}, 403, `{"code":4,"message":"A page`},
		{"GET", "EIO=3&transport=polling", nil, 400, `{"code":5,"message":"Unsupported protocol version"}`},
		{"GET", "transport=polling", nil, 400, `{"code":5,"message":"Unsupported protocol version"}`},
		{"GET", "EIO=4&transport=polling", []string{"Origin", "http://localhost:3000"}, 200, `0{"sid":"`},
		{"GET", "EIO=4&transport=polling", []string{"Origin", h.web.URL}, 200, `0{"sid":"`},
		{"OPTIONS", "EIO=4&transport=polling", nil, 204, ``},
	} {
		if status, answer := h.ask(t, c.method, c.query, "", c.headers...); status != c.status || !strings.HasPrefix(answer, c.answer) {
			t.Errorf("%s %s %v: %d %s", c.method, c.query, c.headers, status, answer)
		}
	}
	// The socket is still there.
	p.send(t, "40")
	want(t, p, "40…")
	p.send(t, `40/room,{"token":"a"}`)
	want(t, p, `44/room,{"message":"Invalid namespace"}`)
	p.send(t, `41`)
	p.post(t, `42["begin_upload",{}]`, 400) // it is not connected any more
}

// TestPrincipal: a socket is of who opened it, and so are its sessions.
func TestPrincipal(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plainGrid(), socketio.Options{})
	inner := h.web.Config.Handler
	h.web.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		inner.ServeHTTP(w, r.WithContext(upload.As(r.Context(), r.URL.Query().Get("as"))))
	})
	_, body := h.ask(t, "GET", "EIO=4&transport=polling&as=ann", "")
	var told hello
	if err := json.Unmarshal([]byte(body[1:]), &told); err != nil {
		t.Fatal(err)
	}
	sid := "EIO=4&transport=polling&sid=" + told.ID
	if status, answer := h.ask(t, "POST", sid+"&as=bob", "40"); status != 400 || !strings.Contains(answer, "unknown") {
		t.Errorf("bob speaks for ann: %d %s", status, answer)
	}
	h.ask(t, "POST", sid+"&as=ann", `40`+"\x1e"+`420["begin_upload",{"sessionID":"a-session","fileName":"a"}]`)
	for u, err := range h.Find(upload.As(t.Context(), "ann"), upload.Query{}) {
		if err != nil || u.Owner != "ann" {
			t.Errorf("%v, %v", u, err)
		}
	}
	c := newCaller(t, h, "")
	defer c.close()
	c.send(t, "40")
	want(t, c, "40…")
	c.send(t, chunk("a-session", 1, []byte("x"), false, "")...)
	want(t, c, `42["upload_error_a-session","The server knows no such upload…`)
}

// TestHalfOpen: sockets that do not connect, change over or answer pings are
// gone after a while, and so are too many of them refused.
func TestHalfOpen(t *testing.T) {
	t.Parallel()
	const soon = 100 * time.Millisecond
	patient := newHouse(t, plainGrid(), socketio.Options{Most: 3})
	for range 3 {
		defer newCaller(t, patient, "").close()
	}
	if status, answer := patient.ask(t, "GET", "EIO=4&transport=polling", ""); status != http.StatusServiceUnavailable {
		t.Errorf("the fourth of three: %d %s", status, answer)
	}
	o := socketio.Options{Connect: soon, Upgrade: soon, PingInterval: time.Minute, Most: 3}
	h := newHouse(t, plainGrid(), o)
	var all []wire
	for range 3 {
		all = append(all, newCaller(t, h, ""))
	}
	for _, w := range all {
		if got := w.next(t); got != "" {
			t.Errorf("heard %q", got)
		}
		w.close()
	}
	p := newPoller(t, h)
	defer p.close()
	if got := p.next(t); got != "1" {
		t.Errorf("heard %q", got)
	}
	// A WebSocket that is never used leaves the polling alone.
	h = newHouse(t, plainGrid(), socketio.Options{Upgrade: soon})
	p = newPoller(t, h)
	defer p.close()
	c := newCaller(t, h, p.hello.ID)
	defer c.close()
	if got := c.next(t); got != "" {
		t.Errorf("heard %q", got)
	}
	p.send(t, "40")
	for got := p.next(t); !strings.HasPrefix(got, "40"); got = p.next(t) {
		if got != "6" {
			t.Fatalf("heard %q", got)
		}
	}
}

// TestPingsAreNotOnlyBytes: who sends without end and never answers a ping goes.
func TestPingsAreNotOnlyBytes(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plainGrid(), socketio.Options{PingInterval: 20 * time.Millisecond, PingTimeout: 20 * time.Millisecond})
	c := newRaw(t, h)
	session := c.begin(t)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for got := "x"; got != ""; got = c.next(t) {
		}
	}()
	began := time.Now()
	for open := true; open; {
		select {
		case <-ended:
			open = false
		default:
			c.frame(t, 1, true, []byte(chunk(session, 1, nil, false, "")[0]), -1)
			for range 10 { // frames of one byte
				c.frame(t, 2, false, []byte("x"), -1)
				c.frame(t, 0, true, []byte("y"), -1)
				c.frame(t, 1, true, []byte(chunk(session, 1, nil, false, "")[0]), -1)
			}
			c.frame(t, 2, true, nil, -1)
		}
		if time.Since(began) > limit {
			t.Fatal("it stays for ever")
		}
	}
}

// TestTwoPolls: two polls of one socket would take each other's packets.
func TestTwoPolls(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plainGrid(), socketio.Options{})
	p := newPoller(t, h)
	defer p.close()
	for deadline := time.Now().Add(limit); ; { // until the first of them waits
		status, _ := h.ask(t, "GET", p.url, "")
		if status == 400 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("two polls may wait")
		}
	}
	if got := p.next(t); got != "1" && got != "" {
		t.Errorf("heard %q", got)
	}
}

// TestNothingStaysBehind: what was begun and never finished is gone when its
// time is over.
func TestNothingStaysBehind(t *testing.T) {
	t.Parallel()
	h := newHouse(t, wiretest.Grids()[3], socketio.Options{})
	c := newCaller(t, h, "")
	defer c.close()
	c.send(t, "40")
	want(t, c, "40…")
	session := begin(t, c, "a")
	c.send(t, chunk(session, 1, []byte("abc"), false, "")...)
	want(t, c, "431[]")
	h.clock.Move(8 * 24 * time.Hour)
	if _, err := h.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.send(t, chunk(session, 2, []byte("def"), false, "")...)
	want(t, c, `42["upload_error_`+session+`","The server knows no such upload…`)
}
