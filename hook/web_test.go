package hook_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/muleteer/muleteer/hook"
	"github.com/muleteer/muleteer/store"
	"github.com/muleteer/muleteer/upload"
)

var moment = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// turn is one of a file that is known.
func turn(k upload.Kind) upload.Turn {
	t := upload.Turn{Kind: k, At: moment, First: []byte("\x89PNG"), Last: []byte("END")}
	u := &t.Record
	u.ID, u.Key, u.Type, u.Size = "5D892C228EC8D0451DFEC588", "a/b.png", "image/png", 432724
	u.Owner, u.Protocol, u.Endpoint, u.Phase, u.Began = "ann", "tus", "photos", upload.Done, moment
	u.Offset, u.Here = u.Size, u.Size
	u.Final = store.Final{Size: u.Size, CRC: 0x1122334455667788, Key: u.Key}
	u.Meta = upload.Meta{
		Name: "Scréen.png", Path: "x/Scréen.png", Data: `{"order":7}`,
		Fields: map[string]string{"filename": "Scréen.png", "filetype": "image/png"},
		Wire:   map[string]string{"Upload-Metadata": "filename c2NyZWVu"},
	}
	if !k.Asks() {
		t.EventID = "EVENT"
	}
	return t
}

// web returns the hook that speaks to a handler.
func web(t *testing.T, f hook.Form, o hook.WebOptions, h http.HandlerFunc) upload.Hook {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	o.URL = server.URL + "/hook?key=secret"
	w, err := hook.NewWeb(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return hook.New(w, f)
}

// verified is the signature of a message as its receiver checks it, by the
// words of https://www.standardwebhooks.com and with nothing of ours.
func verified(r *http.Request, body []byte, secret string) error {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		return err
	}
	stamp, err := strconv.ParseInt(r.Header.Get("Webhook-Timestamp"), 10, 64)
	if err != nil {
		return err
	}
	if d := time.Since(time.Unix(stamp, 0)).Abs(); d > 5*time.Minute {
		return fmt.Errorf("the timestamp is %v away", d)
	}
	h := hmac.New(sha256.New, key)
	fmt.Fprintf(h, "%s.%d.%s", r.Header.Get("Webhook-Id"), stamp, body)
	want := base64.StdEncoding.EncodeToString(h.Sum(nil))
	for signature := range strings.SplitSeq(r.Header.Get("Webhook-Signature"), " ") {
		if version, value, _ := strings.Cut(signature, ","); version == "v1" && hmac.Equal([]byte(value), []byte(want)) {
			return nil
		}
	}
	return errors.New("no signature is right")
}

func secrets(t *testing.T, words ...string) (s []hook.Secret) {
	t.Helper()
	for _, w := range words {
		one, err := hook.ParseSecret(w)
		if err != nil {
			t.Fatal(err)
		}
		s = append(s, one)
	}
	return s
}

const (
	oldSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	newSecret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
)

func TestMessagesAreSigned(t *testing.T) {
	t.Parallel()
	var r *http.Request
	var body []byte
	h := web(t, hook.Ours{}, hook.WebOptions{Secrets: secrets(t, oldSecret, newSecret)}, func(_ http.ResponseWriter, req *http.Request) {
		r = req
		body, _ = io.ReadAll(req.Body)
	})
	if _, err := h(context.Background(), turn(upload.Completed)); err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{oldSecret, newSecret} {
		if err := verified(r, body, secret); err != nil {
			t.Errorf("%s: %v", secret, err)
		}
	}
	if verified(r, append(body, ' '), oldSecret) == nil || verified(r, body, "whsec_"+base64.StdEncoding.EncodeToString(make([]byte, 24))) == nil {
		t.Error("the test's own verification takes anything")
	}
	if r.Method != "POST" || r.Header.Get("Webhook-Id") != "EVENT" || r.Header.Get("Idempotency-Key") != "EVENT" ||
		r.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%s %v", r.Method, r.Header)
	}
}

// The vector is the one that the specification's own libraries are tested with.
func TestSignatureVector(t *testing.T) {
	t.Parallel()
	const body = `{"test": 2432232314}`
	h := hmac.New(sha256.New, secrets(t, oldSecret)[0])
	io.WriteString(h, "msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330."+body)
	if got := base64.StdEncoding.EncodeToString(h.Sum(nil)); got != "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" {
		t.Errorf("the secret is read as another one: %s", got)
	}
}

func TestParseSecret(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa", "whsec_!!!!",
		"whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 65)), "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 23))} {
		if _, err := hook.ParseSecret(s); err == nil || s != "" && len(s) > 8 && strings.Contains(err.Error(), s[6:]) {
			t.Errorf("%q: %v", s, err)
		}
	}
}

func TestOursIsAsDocumented(t *testing.T) {
	t.Parallel()
	var got map[string]any
	h := web(t, hook.Ours{}, hook.WebOptions{}, func(_ http.ResponseWriter, r *http.Request) {
		got = nil
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
			t.Error(err)
		}
	})
	if _, err := h(context.Background(), turn(upload.Completed)); err != nil {
		t.Fatal(err)
	}
	same(t, got, `{"id":"EVENT","kind":"completed","time":"2026-11-21T12:00:00Z","upload":{
		"id":"5D892C228EC8D0451DFEC588","endpoint":"photos","owner":"ann","protocol":"tus","state":"done",
		"name":"Scréen.png","path":"x/Scréen.png","size":432724,"type":"image/png",
		"fields":{"filename":"Scréen.png","filetype":"image/png"},"key":"a/b.png","crc64nvme":"ESIzRFVmd4g=",
		"data":{"order":7},"created":"2026-11-21T12:00:00Z"}}`)
	for _, k := range upload.Kinds() {
		if _, err := h(context.Background(), turn(k)); err != nil {
			t.Fatal(err)
		}
		first, last := got["first"], got["last"]
		if got["kind"] != string(k) || (first != nil) != (k == upload.FirstBytes) || (last != nil) != (k == upload.LastBytes) {
			t.Errorf("%s: %v %v %v", k, got["kind"], first, last)
		}
		if id := got["id"].(string); (id == "EVENT") == k.Asks() || id == "" {
			t.Errorf("%s has the id %q", k, id)
		}
	}
}

// same fails the test unless got is what want says in JSON.
func same(t *testing.T, got any, want string) {
	t.Helper()
	var w any
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatal(err)
	}
	a, _ := json.Marshal(got)
	b, _ := json.Marshal(w)
	if string(a) != string(b) {
		t.Errorf("got  %s\nwant %s", a, b)
	}
}

func TestOursAnswers(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]string{
		``:                                     "ok",
		`{}`:                                   "ok",
		`{"refuse":"No cats.","status":415}`:   "refused 415 No cats.",
		`{"refuse":"No cats."}`:                "refused 0 No cats.",
		`{"status":402}`:                       "refused 402 The application does not take this.",
		`{"key":"k","name":"n"}`:               "ok key=k name=n map[filename:Scréen.png filetype:image/png]",
		`{"fields":{"a":"b"}}`:                 "ok name=Scréen.png map[a:b]",
		`{"answer":{"url":"https://x"}}`:       "ok map[url:https://x]",
		`{"refused":"misspelt"}`:               "error",
		`{"refuse":true}`:                      "error",
		`{"status":200}`:                       "error",
		`{"status":1e9}`:                       "error",
		`OK`:                                   "error",
		`[]`:                                   "error",
		`{}{}`:                                 "error",
		`{} x`:                                 "error",
		`{"answer":{"n":1}}`:                   "error",
		strings.Repeat(" ", 64<<10) + `{}`:     "error",
		`{"refuse":"` + strings.Repeat("x", 9): "error",
	} {
		h := web(t, hook.Ours{}, hook.WebOptions{}, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, answer) })
		v, err := h(context.Background(), turn(upload.Creating))
		got := "ok"
		var refusal *upload.Refusal
		switch {
		case errors.As(err, &refusal):
			got = fmt.Sprintf("refused %d %s", refusal.Status, refusal.Reason)
		case err != nil:
			got = "error"
		}
		if v.Key != "" {
			got += " key=" + v.Key
		}
		if v.Meta != nil {
			got += fmt.Sprintf(" name=%s %v", v.Meta.Name, v.Meta.Fields)
		}
		if v.Answer != nil {
			got += fmt.Sprint(" ", v.Answer.Fields)
		}
		if got != want {
			t.Errorf("%.60s: %s, want %s (%v)", answer, got, want, err)
		}
		// What has happened cannot be refused.
		if _, err := h(context.Background(), turn(upload.Completed)); err != nil && len(answer) < 64<<10 {
			t.Errorf("%.60s: %v", answer, err)
		}
	}
}

// Trouble is never taken for a yes, and says nothing of the URL.
func TestTrouble(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]http.HandlerFunc{
		"400": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(400) },
		"401": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(401) },
		"404": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404); io.WriteString(w, `{"refuse":"x"}`) },
		"500": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) },
		"cut": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"half": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, `{}`)
		},
		"deaf": func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body); <-r.Context().Done() },
		"endless": func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 1024)); err != nil {
					return
				}
			}
		},
	} {
		timeout := 10 * time.Second
		if name == "deaf" {
			timeout = 50 * time.Millisecond
		}
		h := web(t, hook.Ours{}, hook.WebOptions{Timeout: timeout}, answer)
		for _, k := range []upload.Kind{upload.Completing, upload.Completed} {
			_, err := h(context.Background(), turn(k))
			if err == nil || errors.Is(err, upload.ErrRefused) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%s: %s: %v", name, k, err)
			}
		}
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	for said, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "-7": 0, "soon": 0, "99999999999999": 0,
		moment.Add(time.Hour).Format(http.TimeFormat): time.Hour,
	} {
		h := web(t, hook.Ours{}, hook.WebOptions{Now: func() time.Time { return moment }}, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", said)
			w.WriteHeader(503)
		})
		_, err := h(context.Background(), turn(upload.Completed))
		var later *upload.Later
		if errors.As(err, &later) != (want > 0) || later != nil && later.After != want {
			t.Errorf("%q: %v", said, err)
		}
	}
}

// Of the client's request a receiver is told no credential that was not listed.
func TestCredentialsStayHere(t *testing.T) {
	t.Parallel()
	for _, f := range []hook.Form{hook.Ours{}, hook.Tusd{}} {
		var head http.Header
		var body string
		h := web(t, f, hook.WebOptions{}, func(_ http.ResponseWriter, r *http.Request) {
			head = r.Header
			b, _ := io.ReadAll(r.Body)
			body = string(b)
		})
		client := httptest.NewRequest("POST", "/upload/x?token=SECRETquery", nil)
		for _, name := range []string{"Authorization", "Cookie", "Proxy-Authorization", "X-Api-Key", "X-Forwarded-For", "Upload-Metadata"} {
			client.Header.Set(name, "SECRET"+name)
		}
		client.Header.Set("Upload-Length", "12")
		client.Header.Set("X-Team", "blue")
		ctx := hook.With(context.Background(), client, []string{"x-team", "Content-Length", "Webhook-Id"})
		if _, err := h(ctx, turn(upload.Creating)); err != nil {
			t.Fatal(err)
		}
		if all := body + fmt.Sprint(head); strings.Contains(all, "SECRET") {
			t.Errorf("%T tells %s", f, all)
		}
		if !strings.Contains(body, `"Upload-Length":["12"]`) || !strings.Contains(body, `"X-Team":["blue"]`) || head.Get("X-Team") != "blue" {
			t.Errorf("%T: %s %v", f, body, head)
		}
		ctx = hook.With(context.Background(), client, []string{"Authorization"})
		if _, err := h(ctx, turn(upload.Creating)); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(body, "SECRETAuthorization") || head.Get("Authorization") != "SECRETAuthorization" || strings.Contains(body, "SECRETCookie") {
			t.Errorf("%T: %s %v", f, body, head)
		}
	}
}

func TestNewWebRefuses(t *testing.T) {
	t.Parallel()
	for _, u := range []string{"", "example.org", "ftp://example.org", "file:///etc/passwd", "http://", "http://a/#b", "http://[::1", "gopher://a"} {
		if _, err := hook.NewWeb(hook.WebOptions{URL: u}); err == nil {
			t.Errorf("%q is an address", u)
		}
	}
}
