package browser

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// answer is what proxies and other servers say in the server's place. It is
// for requests to /upload/ only: the page itself has come by then.
type answer struct {
	kind  string
	word  string
	param int
	given atomic.Int64 // how often it was given
}

// answers are the kinds of answer that a play can ask for, with a number:
// "401" wants the token that is named with it, "403", "503" and "507" are
// those of a proxy, "429" wants a pause of so many seconds, "413" takes no more
// bytes at once, "portal" is the page of a network that wants a login, and
// "nothing" ends the connection.
func newAnswer(argument string) (*answer, error) {
	kind, param, _ := strings.Cut(argument, " ")
	a := &answer{kind: kind, word: param}
	switch kind {
	case "401", "403", "413", "429", "503", "507", "portal", "nothing":
	default:
		return nil, fmt.Errorf("nobody knows how to answer %q", kind)
	}
	a.param, _ = strconv.Atoi(param) // 0 where there is none
	return a, nil
}

// instead answers in the server's place, if it does.
func (a *answer) instead(w http.ResponseWriter, r *http.Request) bool {
	if !strings.HasPrefix(r.URL.Path, "/upload/") {
		return false
	}
	switch a.kind {
	case "401":
		if r.Header.Get("Authorization") == "Bearer "+a.word {
			return false
		}
	case "413":
		if r.ContentLength <= int64(a.param) {
			return false
		}
	}
	a.given.Add(1)
	if a.kind == "nothing" {
		panic(http.ErrAbortHandler)
	}
	// A browser reads the answer only when it got rid of the body.
	_, _ = io.Copy(io.Discard, r.Body)
	h := w.Header()
	h.Set("Content-Type", "text/html")
	if a.kind == "portal" {
		_, _ = io.WriteString(w, "<title>Welcome to the hotel</title><p>Room number?")
		return true
	}
	if a.kind == "429" || a.kind == "503" {
		h.Set("Retry-After", strconv.Itoa(a.param))
		h.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	}
	if a.kind == "401" {
		h.Set("WWW-Authenticate", "Bearer")
	}
	code, _ := strconv.Atoi(a.kind)
	w.WriteHeader(code)
	fmt.Fprintf(w, "<h1>%d %s</h1>", code, http.StatusText(code))
	return true
}
