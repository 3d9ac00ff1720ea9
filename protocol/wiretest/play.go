package wiretest

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/muleteer/muleteer/store"
	"github.com/muleteer/muleteer/upload"
)

// Play plays every conversation that the glob names, over every grid and in a
// bucket of a real S3 server, against what mount makes of a service. The
// language:
//
//	# a comment
//	! MaxSize 1000            before the first request: a field of the service (MaxSize, Expire)
//	! needs 1000              played only where a file may have so many bytes
//	! lacks 1000              played only where it may not
//	! header Name: value      every request from here on has it, unless it has one of that name;
//	                          a request with "Name: -" has none
//	! clock 25h               time goes on
//	! sweep                   Service.Sweep
//	! uploads 2               so many uploads are there and not gone
//	! stored 0                of so many uploads something lies in the store
//	> POST /tus/ HTTP/1.1     a request; Host is added, and Content-Length if there are body lines
//	> Upload-Length: 10       and neither it nor Transfer-Encoding is given
//	>> "hello"                bytes: text, a quoted string, or @rand N SEED [from K]; with
//	                          Transfer-Encoding: chunked each line is a chunk
//	>> @fields a=b&c=d        parts of a form with the boundary x, percent-encoded here
//	>> @file NAME FILENAME B  a part with a file, B being bytes
//	>> @end                   the end of a form
//	>> @trailer Name: value   after the last chunk
//	>> @hold                  no more comes for now; a further block of ">>" lines goes on
//	>> @cut                   the connection is closed
//	< 201 in 1s               the answer's status, and how soon it must be there
//	< Location: $loc          a variable not known yet takes the value, a known one must equal it;
//	< Location: /.*_(?P<x>.)/ a pattern must match all of it and sets its named groups
//	< Upload-Expires          it must be there
//	<! Upload-Offset          it must not be there
//	<< @rand 10 1             the whole body; "<< ~text" is a part of it, "<< ~/.*/" a pattern that
//	                          matches one, "<< @empty" is none, and a variable not known yet takes it
//	< closed                  the server closes the connection without an answer
//	--- other                 from here on by another connection, opened when first used
//
// $name is a variable, $base the server's URL; $[sha1 @rand 10 1] is the base64
// of a checksum of bytes: md5 sha1 sha256 sha384 sha512 crc32 crc32c crc64nvme;
// $[b64 text], and $[raw "..."].
func Play(t *testing.T, glob string, mount func(t testing.TB, s *upload.Service) http.Handler) {
	files, err := filepath.Glob(glob)
	if err != nil || len(files) == 0 {
		t.Fatalf("no conversations in %s: %v", glob, err)
	}
	grids := append(Grids(), bucket(t))
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		steps, err := parse(string(text))
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			for _, g := range grids {
				t.Run(g.Name, func(t *testing.T) {
					t.Parallel()
					newPlayer(t, file, g).play(steps, mount)
				})
			}
		})
	}
}

type player struct {
	t       testing.TB
	file    string
	line    int
	service *upload.Service
	clock   *Clock
	grid    Grid
	vars    map[string]string
	headers []string // of every request
	conns   map[string]*conn
	name    string // of the connection in use
	addr    string
}

func newPlayer(t testing.TB, file string, g Grid) *player {
	s, clock := g.Service(t)
	return &player{t: t, file: file, service: s, clock: clock, grid: g,
		vars: map[string]string{}, conns: map[string]*conn{}, name: "main"}
}

func (p *player) fail(format string, args ...any) {
	p.t.Helper()
	p.t.Fatalf("%s:%d: %s", p.file, p.line, fmt.Sprintf(format, args...))
}

func (p *player) play(steps []step, mount func(testing.TB, *upload.Service) http.Handler) {
	for len(steps) > 0 && steps[0].kind == "!" && p.setting(steps[0]) {
		steps = steps[1:]
	}
	server := httptest.NewServer(mount(p.t, p.service))
	defer server.Close()
	defer func() {
		for _, c := range p.conns {
			c.Close()
		}
	}()
	p.addr = server.Listener.Addr().String()
	p.vars["base"] = server.URL
	for _, s := range steps {
		p.line = s.line
		switch s.kind {
		case ">":
			p.send(s)
		case "<":
			p.expect(s)
		case "---":
			p.name = s.head[0]
		case "!":
			p.direct(s.head[0])
		}
	}
}

// setting applies a directive that changes the service before it is used.
func (p *player) setting(s step) bool {
	p.line = s.line
	name, value, _ := strings.Cut(s.head[0], " ")
	var err error
	switch name {
	case "MaxSize":
		p.service.MaxSize, err = strconv.ParseInt(value, 10, 64)
	case "Expire":
		p.service.Expire, err = time.ParseDuration(value)
	case "needs", "lacks":
		n := int64(0)
		if n, err = strconv.ParseInt(value, 10, 64); (p.grid.Most > 0 && n > p.grid.Most) != (name == "lacks") {
			p.t.Skipf("files have at most %d bytes here, 0 being no limit", p.grid.Most)
		}
	default:
		return false
	}
	if err != nil {
		p.fail("%v", err)
	}
	return true
}

func (p *player) direct(s string) {
	name, value, _ := strings.Cut(s, " ")
	switch name {
	case "header":
		p.headers = append(p.headers, value)
	case "clock":
		d, err := time.ParseDuration(value)
		if err != nil {
			p.fail("%v", err)
		}
		p.clock.Move(d)
	case "sweep":
		if _, err := p.service.Sweep(context.Background()); err != nil {
			p.fail("sweep: %v", err)
		}
	case "uploads", "stored":
		n := 0
		if name == "uploads" {
			n = p.uploads()
		} else {
			n = p.stored()
		}
		if strconv.Itoa(n) != value {
			p.fail("%d %s, want %s", n, name, value)
		}
	default:
		p.fail("there is no directive %q", name)
	}
}

func (p *player) uploads() (n int) {
	for u, err := range p.service.Find(context.Background(), upload.Query{}) {
		if err != nil {
			p.fail("%v", err)
		}
		if u.Phase != upload.Gone {
			n++
		}
	}
	return n
}

func (p *player) stored() int {
	ids := map[string]bool{}
	for e, err := range p.service.Store.(store.Walker).Walk(context.Background()) {
		if err != nil {
			p.fail("%v", err)
		}
		ids[cmp.Or(e.ID, e.Key)] = true
	}
	return len(ids)
}
