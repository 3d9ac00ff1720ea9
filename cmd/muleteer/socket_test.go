package main

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/muleteer/muleteer/access"
	"github.com/muleteer/muleteer/upload"
)

// A socket that nobody is known by can do nothing until its connection brings a
// token; what that permits is checked with each message.
func TestSocketToken(t *testing.T) {
	t.Parallel()
	h, log := tokenHouse(t, nil)
	base := served(t, h)
	defer h.hangUp()
	sid := regexp.MustCompile(`"sid":"([^"]+)"`)
	good := tokenFor(t, "ann", time.Hour, nil)
	for i, c := range []struct {
		name, auth string
		want       []string // in the answers, one after the other
	}{
		{"token", fmt.Sprintf(`{"token":%q}`, good), []string{`40{"sid"`, `430[`}},
		{"by its other name", fmt.Sprintf(`{"upload_token":%q}`, good), []string{`40{"sid"`, `430[`}},
		{"none", "", []string{`44{"data":{"status":401},"message":"this needs a token`}},
		{"no object", `[1]`, []string{`44{"data":{"status":401},"message":"the auth`}},
		{"nonsense", `{"token":"x"}`, []string{`44{"data":{"status":401},"message":"the token is not valid`}},
		{"expired", fmt.Sprintf(`{"token":%q}`, tokenFor(t, "ann", -time.Hour, nil)), []string{`44{"data":{"status":401}`}},
		{"elsewhere", fmt.Sprintf(`{"token":%q}`, tokenFor(t, "ann", time.Hour, func(c *access.Claims) { c.Endpoint = "films" })), []string{`44{"data":{"status":401}`}},
		{"only reading", fmt.Sprintf(`{"token":%q}`, tokenFor(t, "ann", time.Hour, func(c *access.Claims) { c.Verbs = []upload.Verb{upload.MayRead} })), []string{`40{"sid"`, `upload_error_`}},
	} {
		before := census(t, h)
		_, hello := do(t, "GET", base+"/socket.io/?EIO=4&transport=polling", "")
		id := sid.FindStringSubmatch(hello)
		if id == nil {
			t.Fatalf("%s: %s", c.name, hello)
		}
		at := base + "/socket.io/?EIO=4&transport=polling&sid=" + id[1]
		// Before it has connected, nothing is done for it.
		do(t, "POST", at, "40"+c.auth)
		heard := ""
		for j, want := range c.want {
			if j == 1 {
				do(t, "POST", at, fmt.Sprintf(`420["begin_upload",{"sessionID":"session-%d","fileName":"a"}]`, i))
			}
			for tries := 0; !strings.Contains(heard, want) && tries < 3; tries++ {
				_, text := do(t, "GET", at, "")
				heard += text
			}
			if !strings.Contains(heard, want) {
				t.Errorf("%s: heard %q, want %q", c.name, heard, want)
			}
		}
		if begun := len(c.want) == 2 && c.want[1] == "430["; (census(t, h) != before) != begun {
			t.Errorf("%s: there is %s, and was %s", c.name, census(t, h), before)
		}
	}
	if strings.Contains(log.String(), good) {
		t.Error("the token is in the log")
	}
}
