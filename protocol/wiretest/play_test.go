package wiretest

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/muleteer/muleteer/upload"
)

// echo answers with what it was sent.
func echo(testing.TB, *upload.Service) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.URL.Path == "/abort" {
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("X-Method", r.Method)
		w.Header().Set("X-Trailer", r.Trailer.Get("X-Trailer"))
		w.WriteHeader(222)
		_, _ = w.Write(body)
	})
}

// failed is what a probe panics with instead of ending its test.
type failed string

type probe struct{ testing.TB }

func (p probe) Helper() {}
func (p probe) Fatalf(format string, args ...any) {
	panic(failed(fmt.Sprintf(format, args...)))
}

// run plays a conversation and returns how it failed, or "".
func run(t *testing.T, text string) (why string) {
	steps, err := parse(text)
	if err != nil {
		return err.Error()
	}
	defer func() {
		if f, ok := recover().(failed); ok {
			why = string(f)
		}
	}()
	newPlayer(probe{t}, "x", Grids()[0]).play(steps, echo)
	return ""
}

func TestConversationsThatHold(t *testing.T) {
	for _, text := range []string{
		"> POST / HTTP/1.1\n>> hello\n< 222 in 5s\n< X-Method: POST\n<! X-Other\n<< hello",
		"> POST / HTTP/1.1\n>> @rand 10 1\n>> @rand 10 1 from 10\n< 222\n<< @rand 20 1",
		"> POST / HTTP/1.1\n> Transfer-Encoding: chunked\n>> a\n>> b\n< 222\n<< ab",
		"> POST / HTTP/1.1\n> Trailer: X-Trailer\n> Transfer-Encoding: chunked\n>> a\n>> @trailer X-Trailer: $[b64 hi]\n< 222\n< X-Trailer: aGk=",
		"> PUT / HTTP/1.1\n< 222\n< X-Method: $m\n> PUT / HTTP/1.1\n< 222\n< X-Method: $m\n> POST / HTTP/1.1\n>> $m\n< 222\n<< PUT",
		"> PUT / HTTP/1.1\n< 222\n< X-Method: /P(?P<rest>.*)/\n> POST / HTTP/1.1\n>> $rest\n< 222\n<< UT",
		"> PUT / HTTP/1.1\n>> one word\n< 222\n<< ~/one (?P<w>w.*)/\n> POST / HTTP/1.1\n>> $w\n< 222\n<< word",
		"> PUT / HTTP/1.1\n>> word\n< 222\n<< $w\n> POST / HTTP/1.1\n>> $w\n< 222\n<< word",
		"! header X-Trailer: x\n> POST / HTTP/1.1\n> Content-Length: 9\n>> hello\n>> @cut\n--- b\n> HEAD / HTTP/1.1\n< 222\n<< @empty",
		"> POST / HTTP/1.1\n> Content-Length: 9\n> Expect: 100-continue\n< 100\n>> hello\n>> @hold\n\n>> more\n< 222\n<< hellomore",
		"> PUT / HTTP/1.0\n> Content-Length: 5\n>> hello\n< 222\n< Connection: close",
		"> POST /abort HTTP/1.1\n< closed",
		"> POST / HTTP/1.1\n>> @fields a=b%20c&d=\n>> @file f a%22 hi ho\n>> @end\n< 222\n" +
			`<< ~"--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb c\r\n--x\r\nContent-Disposition: form-data; name=\"d\"\r\n\r\n\r\n--x\r\n"` + "\n" +
			`<< ~"name=\"f\"; filename=\"a\"\"\r\nContent-Type: application/octet-stream\r\n\r\nhi ho\r\n--x--\r\n"`,
	} {
		if why := run(t, text); why != "" {
			t.Errorf("%s\n%s", text, why)
		}
	}
}

func TestConversationsThatFail(t *testing.T) {
	for text, want := range map[string]string{
		"> POST / HTTP/1.1\n< 200":                                                           "want 200",
		"> POST / HTTP/1.1\n>> word\n< 222\n<< ~/^ord/":                                      "does not match",
		"> POST / HTTP/1.1\n< 222\n< X-Method: PUT":                                          "want PUT",
		"> POST / HTTP/1.1\n< 222\n< X-Method: /O/":                                          "does not match",
		"> POST / HTTP/1.1\n< 222\n< X-Other":                                                "not there",
		"> POST / HTTP/1.1\n< 222\n<! X-Method":                                              "must not be there",
		"> POST / HTTP/1.1\n>> hello\n< 222\n<< hallo":                                       "the body is",
		"> POST / HTTP/1.1\n>> hello\n< 222\n<< @empty":                                      "the body is",
		"> POST / HTTP/1.1\n>> hello\n< 222\n<< ~hallo":                                      "the body is",
		"> POST / HTTP/1.1\n>> @rand 10 1\n< 222\n<< @rand 10 2":                             "the body is",
		"> PUT / HTTP/1.1\n< 222\n< X-Method: $m\n> POST / HTTP/1.1\n< 222\n< X-Method: $m":  "want PUT",
		"> PUT / HTTP/1.1\n>> word\n< 222\n<< $w\n> POST / HTTP/1.1\n>> other\n< 222\n<< $w": "the body is",
		"> POST / HTTP/1.1\n< closed":                                                        "answers",
		"> POST / HTTP/1.1\n> Content-Length: 5\n>> @hold\n< 222 in 10ms":                    "no answer within",
		"! uploads 1":                     "0 uploads, want 1",
		"! stored 1":                      "0 stored, want 1",
		"! something":                     "there is no directive",
		"> POST / HTTP/1.1\n>> $[sha0 x]": "there is no function",
		"? what":                          "what is",
	} {
		if why := run(t, text); !strings.Contains(why, want) {
			t.Errorf("%s\nwant %q, got %q", text, want, why)
		}
	}
}
