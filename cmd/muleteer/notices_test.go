package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/muleteer/muleteer/store"
	"github.com/muleteer/muleteer/upload"
)

// voice is a hook that says what the test wants, and notes what it heard.
type voice struct {
	mu    sync.Mutex
	at    upload.Kind // the turn at which it says something
	err   error
	v     upload.Verdict
	heard []upload.Kind
}

func (v *voice) hook(_ context.Context, t upload.Turn) (upload.Verdict, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.heard = append(v.heard, t.Kind)
	if t.Kind != v.at {
		return upload.Verdict{}, nil
	}
	return v.v, v.err
}

func (v *voice) say(err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.err = err
}

// speaker sends one file as a protocol's clients do, and returns the answer to
// its last bytes, or to what was refused before.
type speaker struct {
	name string
	send func(t *testing.T, base, body string) (*http.Response, string)
	look func(t *testing.T, base, location string) *http.Response // nil if there is nothing to ask
	code func(status int) int                                     // of a refusal with a status
}

const boundary = "XX"

func formed(fields map[string]string, name, body string) string {
	var b strings.Builder
	for k, v := range fields {
		fmt.Fprintf(&b, "--%s\r\nContent-Disposition: form-data; name=%q\r\n\r\n%s\r\n", boundary, k, v)
	}
	fmt.Fprintf(&b, "--%s\r\nContent-Disposition: form-data; name=%q; filename=\"f.txt\"\r\n\r\n%s\r\n--%s--\r\n", boundary, name, body, boundary)
	return b.String()
}

func speakers() []speaker {
	form := []string{"Content-Type", "multipart/form-data; boundary=" + boundary}
	same := func(status int) int { return status }
	head := func(headers ...string) func(*testing.T, string, string) *http.Response {
		return func(t *testing.T, base, location string) *http.Response {
			resp, _ := do(t, "HEAD", base+location[strings.Index(location[8:], "/")+8:], "", headers...)
			return resp
		}
	}
	return []speaker{
		{"tus", func(t *testing.T, base, body string) (*http.Response, string) {
			resp, text := do(t, "POST", base+"/tus/", "", "Tus-Resumable", "1.0.0", "Upload-Length", fmt.Sprint(len(body)))
			at := resp.Header.Get("Location")
			if resp.StatusCode != 201 {
				return resp, text
			}
			resp, text = do(t, "PATCH", at, body, "Tus-Resumable", "1.0.0", "Upload-Offset", "0", "Content-Type", "application/offset+octet-stream")
			resp.Header.Set("Location", at)
			return resp, text
		}, head("Tus-Resumable", "1.0.0"), same},
		{"ietf", func(t *testing.T, base, body string) (*http.Response, string) {
			return do(t, "POST", base+"/rufh/", body, "Upload-Complete", "?1")
		}, head(), same},
		{"contentrange", func(t *testing.T, base, body string) (*http.Response, string) {
			return do(t, "PUT", base+"/upload/f.txt", body, "Content-Range", fmt.Sprintf("bytes 0-%d/%[2]d", len(body)-1, len(body)))
		}, nil, same},
		{"chunkform", func(t *testing.T, base, body string) (*http.Response, string) {
			n := fmt.Sprint(len(body))
			return do(t, "POST", base+"/upload", formed(map[string]string{
				"resumableChunkNumber": "1", "resumableChunkSize": n, "resumableCurrentChunkSize": n, "resumableTotalSize": n,
				"resumableTotalChunks": "1", "resumableIdentifier": "id", "resumableFilename": "f.txt",
			}, "file", body), form...)
		}, nil, func(int) int { return 415 }}, // at which all its versions stop
		{"filepond", func(t *testing.T, base, body string) (*http.Response, string) {
			resp, text := do(t, "POST", base+"/filepond/", "", "Upload-Length", fmt.Sprint(len(body)), "Upload-Name", "f.txt")
			if resp.StatusCode != 201 {
				return resp, text
			}
			return do(t, "PATCH", base+"/filepond/"+text, body, "Upload-Offset", "0", "Upload-Length", fmt.Sprint(len(body)), "Content-Type", "application/offset+octet-stream")
		}, nil, same},
		{"plain", func(t *testing.T, base, body string) (*http.Response, string) {
			return do(t, "POST", base+"/upload", formed(nil, "file", body), form...)
		}, nil, same},
	}
}

// left tells what is in the house still.
func (h *house) left(t *testing.T) (what []string) {
	t.Helper()
	for e, err := range h.kept.Store.(store.Walker).Walk(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		what = append(what, e.Name+e.Key)
	}
	for u, err := range h.kept.State.Find(t.Context(), upload.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		if u.Phase != upload.Gone {
			what = append(what, u.ID+" "+u.Phase.String())
		}
	}
	return what
}

// bodies are a file that arrives as one piece of memory, and one that does not.
func bodies() []string {
	return []string{"hello, hook", strings.Repeat("a longer file ", upload.Small/10)}
}

// A refusal at any turn is told by every protocol, with its status and reason,
// and leaves nothing.
func TestRefusalsByEachProtocol(t *testing.T) {
	t.Parallel()
	for _, s := range speakers() {
		for _, k := range []upload.Kind{upload.Creating, upload.FirstBytes, upload.LastBytes, upload.Completing} {
			for i, body := range bodies() {
				t.Run(fmt.Sprint(s.name, "/", k, "/", i), func(t *testing.T) {
					t.Parallel()
					h, _ := testHouse(t, nil)
					v := &voice{at: k, err: &upload.Refusal{Status: 422, Reason: "No cats, please."}}
					h.service.Hook = v.hook
					resp, text := s.send(t, served(t, h), body)
					if resp.StatusCode != s.code(422) || !strings.Contains(text, "No cats, please.") {
						t.Errorf("%d %s", resp.StatusCode, text)
					}
					if left := h.left(t); left != nil {
						t.Errorf("left: %q", left)
					}
				})
			}
		}
	}
}

// While who must agree to a file is away the file is neither there nor lost:
// its client is told in the protocol's own word to ask again, and that asks
// again.
func TestWaitingByEachProtocol(t *testing.T) {
	t.Parallel()
	for _, s := range speakers() {
		for i, body := range bodies() {
			t.Run(fmt.Sprint(s.name, "/", i), func(t *testing.T) {
				t.Parallel()
				h, _ := testHouse(t, nil)
				v := &voice{at: upload.Completing, err: errors.New("the scanner is away")}
				h.service.Hook = v.hook
				base := served(t, h)
				resp, text := s.send(t, base, body)
				if resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" || strings.Contains(text, "scanner") && s.name == "filepond" {
					t.Errorf("%d %v %s", resp.StatusCode, resp.Header, text)
				}
				for u := range h.kept.State.Find(t.Context(), upload.Query{Phases: []upload.Phase{upload.Done}}) {
					t.Fatalf("%s is done", u.ID)
				}
				if s.look == nil {
					v.say(nil)
					if resp, text = s.send(t, base, body); resp.StatusCode > 299 {
						t.Errorf("%d %s", resp.StatusCode, text)
					}
				} else {
					at := resp.Header.Get("Location")
					if resp := s.look(t, base, at); resp.StatusCode != 423 && resp.StatusCode != 503 || resp.Header.Get("Upload-Offset") != "" {
						t.Errorf("HEAD: %d %v", resp.StatusCode, resp.Header)
					}
					v.say(nil)
					if resp := s.look(t, base, at); resp.StatusCode > 299 || resp.Header.Get("Upload-Offset") != fmt.Sprint(len(body)) {
						t.Errorf("HEAD: %d %v", resp.StatusCode, resp.Header)
					}
				}
				done := 0
				for range h.kept.State.Find(t.Context(), upload.Query{Phases: []upload.Phase{upload.Done}}) {
					done++
				}
				if done != 1 {
					t.Errorf("%d files are done", done)
				}
			})
		}
	}
}

// What is said of a finished file reaches the client by each protocol.
func TestAnswersByEachProtocol(t *testing.T) {
	t.Parallel()
	for _, s := range speakers() {
		for i, body := range bodies() {
			t.Run(fmt.Sprint(s.name, "/", i), func(t *testing.T) {
				t.Parallel()
				h, _ := testHouse(t, nil)
				v := &voice{at: upload.Completing, v: upload.Verdict{Answer: &upload.Answer{
					Fields:   map[string]string{"order": "№ 7 😀"},
					Response: &upload.Response{Header: map[string]string{"Link": "<x>", "Content-Length": "7"}},
				}}}
				h.service.Hook = v.hook
				resp, text := s.send(t, served(t, h), body)
				if resp.StatusCode > 299 {
					t.Fatalf("%d %s", resp.StatusCode, text)
				}
				order := ""
				var said struct {
					Order  string            `json:"order"`
					Answer map[string]string `json:"answer"`
				}
				if from := resp.Header.Get("Upload-Answer"); from != "" {
					text = from
					if strings.ContainsFunc(from, func(r rune) bool { return r > 0x7e }) {
						t.Errorf("%q is not ASCII", from)
					}
				}
				if err := json.Unmarshal([]byte(text), &said); err != nil {
					t.Fatalf("%v: %s", err, text)
				}
				if order = said.Order; order == "" {
					order = said.Answer["order"]
				}
				if order != "№ 7 😀" {
					t.Errorf("%s", text)
				}
				if got := resp.Header.Get("Link"); (got == "<x>") != (s.name == "tus") {
					t.Errorf("Link: %s", got)
				}
			})
		}
	}
}

// In tus, a receiver made for tusd shapes the answer itself.
func TestResponsesInTus(t *testing.T) {
	t.Parallel()
	h, _ := testHouse(t, nil)
	r := &upload.Response{Status: 402, Header: map[string]string{"Content-Type": "application/json", "X-Why": "cats"}, Body: `{"message":"no"}`}
	v := &voice{at: upload.Creating, err: &upload.Refusal{Status: 402, Reason: r.Body, Response: r}}
	h.service.Hook = v.hook
	base := served(t, h)
	send := speakers()[0].send
	resp, text := send(t, base, "hello")
	if resp.StatusCode != 402 || text != r.Body || resp.Header.Get("Content-Type") != "application/json" || resp.Header.Get("X-Why") != "cats" ||
		resp.Header.Get("Tus-Resumable") != "1.0.0" {
		t.Errorf("%d %v %s", resp.StatusCode, resp.Header, text)
	}
	v.mu.Lock()
	v.at, v.err, v.v = upload.Completing, nil, upload.Verdict{Answer: &upload.Answer{Response: &upload.Response{
		Header: map[string]string{"Upload-Offset": "0", "Tus-Resumable": "9"}, Body: "there",
	}}}
	v.mu.Unlock()
	resp, text = send(t, base, "hello")
	if resp.StatusCode != 200 || text != "there" || resp.Header.Get("Upload-Offset") != "5" || resp.Header.Get("Tus-Resumable") != "1.0.0" {
		t.Errorf("%d %v %s", resp.StatusCode, resp.Header, text)
	}
	v.mu.Lock()
	v.at, v.err = upload.Removing, &upload.Refusal{Status: 409, Reason: "it is being printed"}
	v.mu.Unlock()
	if resp, text = do(t, "DELETE", resp.Header.Get("Location"), "", "Tus-Resumable", "1.0.0"); resp.StatusCode != 409 || !strings.Contains(text, "printed") {
		t.Errorf("%d %s", resp.StatusCode, text)
	}
}

func TestNoticesSettings(t *testing.T) {
	t.Parallel()
	good := "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	for _, c := range []struct {
		n     notices
		want  string // of the error
		turns string
	}{
		{n: notices{}},
		{n: notices{URL: "https://example.org/hook"}, turns: "[completed removed]"},
		{n: notices{URL: "https://example.org/hook", Format: "tusd"}, turns: "[creating created completed removed]"},
		{n: notices{Program: "cat", Events: list{"pre-create", "firstbytes"}}, turns: "[creating firstbytes]"},
		{n: notices{URL: "https://example.org", Secret: list{good, good}, Allow: list{"10.0.0.0/8", "::1"}}, turns: "[completed removed]"},
		{n: notices{URL: "https://example.org", Program: "cat"}, want: "both"},
		{n: notices{Events: list{"completed"}}, want: "nobody is told"},
		{n: notices{Secret: list{good}}, want: "nobody is told"},
		{n: notices{URL: "example.org"}, want: "no address"},
		{n: notices{URL: "ftp://user:PASS@example.org"}, want: "no address"},
		{n: notices{Program: "nosuchprogramatall"}, want: "cannot be run"},
		{n: notices{Program: "cat", Secret: list{good}}, want: "no signature"},
		{n: notices{URL: "https://example.org", Events: list{"finished"}}, want: "not known"},
		{n: notices{URL: "https://example.org", Events: list{"post-receive"}}, want: "not told"},
		{n: notices{URL: "https://example.org", Format: "tusd", Events: list{"firstbytes"}}, want: "no word"},
		{n: notices{URL: "https://example.org", Secret: list{"PASS"}}, want: "whsec_"},
		{n: notices{URL: "https://example.org", SecretFile: "/nosuch"}, want: "cannot be read"},
		{n: notices{URL: "https://example.org", Allow: list{"inside"}}, want: "no network"},
	} {
		err := c.n.check()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "PASS")) {
			t.Errorf("%+v: %v, want %q", c.n, err, c.want)
		}
		if c.turns != "" {
			if turns, err := c.n.turns(); err != nil || fmt.Sprint(turns) != c.turns {
				t.Errorf("%+v: %v %v", c.n, turns, err)
			}
		}
	}
}

func TestWhereTusdFindsFiles(t *testing.T) {
	t.Parallel()
	for where, want := range map[string]string{
		"/data/files":                     "map[Path:/data/files/a/b.txt Type:filestore]",
		"file:///data/files":              "map[Path:/data/files/a/b.txt Type:filestore]",
		"s3://bucket":                     "map[Bucket:bucket Key:a/b.txt Type:s3store]",
		"s3://bucket/pre/fix/?region=eu1": "map[Bucket:bucket Key:pre/fix/a/b.txt Type:s3store]",
		"mem:":                            "map[]",
	} {
		if got := fmt.Sprint(tusdStorage(where, "a/b.txt")); got != want {
			t.Errorf("%s: %s, want %s", where, got, want)
		}
	}
}

// Events that are not delivered can be seen, replayed and dropped by who may
// manage, and by nobody else.
func TestOutbox(t *testing.T) {
	t.Parallel()
	h, _ := testHouse(t, nil)
	v := &voice{at: upload.Completed, err: errors.New("down")}
	h.service.Hook, h.service.Turns, h.service.Tries = v.hook, []upload.Kind{upload.Completed}, 1
	base := served(t, h)
	for range 2 {
		speakers()[5].send(t, base, "hello")
	}
	if _, err := h.service.Deliver(t.Context()); err != nil {
		t.Fatal(err)
	}
	var all []eventView
	resp, text := do(t, "GET", base+"/events?dead=1", "")
	if err := json.Unmarshal([]byte(text), &all); err != nil || len(all) != 2 || all[0].Dead == nil || all[0].Error != "down" || all[0].Attempts != 1 {
		t.Fatalf("%d %s %v", resp.StatusCode, text, err)
	}
	id := all[0].ID
	for _, c := range []struct {
		method, path string
		headers      []string
		status       int
	}{
		{"GET", "/events", []string{"X-Forwarded-For", "192.0.2.1"}, 403},
		{"GET", "/events/" + id, []string{"Forwarded", "for=192.0.2.1"}, 403},
		{"POST", "/events/replay", []string{"X-Forwarded-For", "192.0.2.1"}, 403},
		{"DELETE", "/events/" + id, []string{"X-Forwarded-For", "192.0.2.1"}, 403},
		{"POST", "/events/" + id + "/replay", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"GET", "/events/nosuch", nil, 404},
		{"GET", "/events/nosuch/x", nil, 404},
		{"POST", "/events/nosuch/replay", nil, 404},
		{"DELETE", "/events/nosuch", nil, 404},
		{"PUT", "/events/" + id, nil, 405},
		{"POST", "/events", nil, 405},
		{"DELETE", "/events", nil, 405},
		{"GET", "/events/" + id, nil, 200},
		{"POST", "/events/" + id + "/replay", nil, 204},
		{"DELETE", "/events/" + id, nil, 204},
		{"DELETE", "/events/" + id, nil, 404},
		{"POST", "/events/replay", nil, 200},
	} {
		if resp, text := do(t, c.method, base+c.path, "", c.headers...); resp.StatusCode != c.status {
			t.Errorf("%s %s: %d, want %d: %s", c.method, c.path, resp.StatusCode, c.status, text)
		}
	}
	v.say(nil)
	if _, err := h.service.Deliver(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, text := do(t, "GET", base+"/events", ""); strings.TrimSpace(text) != "[]" {
		t.Errorf("left: %s", text)
	}
	_, text = do(t, "GET", base+"/metrics", "")
	if !strings.Contains(text, `muleteer_events{state="dead"} 0`) {
		t.Error("the metrics do not tell of events")
	}
}

// Every endpoint has its own receiver, and may get another one while the server
// runs.
func TestReceiversOfEndpoints(t *testing.T) {
	t.Parallel()
	h, _ := testHouse(t, func(s *settings) { s.Notices.Program = "cat" })
	other := h.settings.Target
	other.Notices = notices{URL: "https://example.org", Format: "tusd"}
	for range 2 {
		a, err := h.annexe("photos", other, h.kept, nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(a.service.Turns) != 4 || len(h.service.Turns) != 2 {
			t.Errorf("%v %v", a.service.Turns, h.service.Turns)
		}
	}
}
