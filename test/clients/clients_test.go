package clients

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"maps"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/evanw/esbuild/pkg/api"

	"github.com/muleteer/muleteer/internal/trial"
)

// What a file can be like.
const (
	normal   trouble = "normal"
	empty    trouble = "empty"
	one      trouble = "one byte"
	multiple trouble = "a multiple of the chunk"
	foreign  trouble = "a name in UTF-8"
)

func troubles() []trouble {
	return []trouble{normal, empty, one, multiple, foreign, cut, busy, lost, killed}
}

// stage is one client, a server of its own, and the line to it.
type stage struct {
	client
	browser *browser
	server  *trial.Server
	line    *line
	parts   *line    // where the bytes of parts go: line, unless they go past the server
	bucket  *bucket  // where the files are in the end; nil: on the server's disk
	dir     string   // what is sent
	want    []string // what the store has to have
}

// TestClients has each library upload each kind of file, and a file in each
// kind of trouble.
func TestClients(t *testing.T) {
	b := openBrowser(t)
	t.Run("all", func(t *testing.T) { // which ends before the browser does
		for _, c := range clients() {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				s := newStage(t, b, c)
				for _, k := range troubles() {
					t.Run(string(k), func(t *testing.T) { s.upload(t, k) })
				}
				t.Run("two files alike", s.alike)
				if s.meets {
					t.Run("two browsers with one file", s.together)
				}
				if s.meets {
					t.Run("a file that has changed", s.changed)
				}
				if s.reloaded {
					t.Run("loaded again", s.again)
				}
				s.server.End(t)
				s.server.Check(t)
			})
		}
	})
}

func newStage(t *testing.T, b *browser, c client) *stage {
	t.Helper()
	server := trial.Serve(t, program, t.TempDir())
	s := &stage{client: c, browser: b, server: server, line: newLine(t, server.Address, c.scripts(t)), dir: t.TempDir()}
	s.line.server, s.parts = server, s.line
	return s
}

// scripts is what the pages of a client load, by its path.
func (c client) scripts(t *testing.T) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	for path, page := range map[string]string{"/client.js": c.page, "/worker.js": c.worker} {
		if page == "" {
			continue
		}
		var err error
		if all[path], err = c.script(page); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// script is a page with all that it imports, as a bundler has it.
func (c client) script(page string) ([]byte, error) {
	dir, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat("node_modules/playwright-core"); err != nil {
		return nil, fmt.Errorf("the npm clients are not there, run `make node`: %w", err)
	}
	options := api.BuildOptions{
		AbsWorkingDir: dir, EntryPoints: []string{filepath.Join("pages", page)}, Outdir: "out",
		Bundle: true, Format: api.FormatIIFE, LogLevel: api.LogLevelSilent,
	}
	if c.folder != "" {
		options.Alias = map[string]string{c.library: c.folder}
		maps.Copy(options.Alias, c.below)
	}
	result := api.Build(options)
	if len(result.Errors) > 0 {
		return nil, fmt.Errorf("%s", strings.Join(api.FormatMessages(result.Errors, api.FormatMessagesOptions{}), ""))
	}
	return result.OutputFiles[0].Contents, nil
}

// file makes a file that no other equals.
func (s *stage) file(t *testing.T, name string, size int) (path string, content []byte) {
	t.Helper()
	seed := fnv.New64()
	_, _ = io.WriteString(seed, s.name+"/"+name) // it never fails
	content, path = trial.Noise(size, seed.Sum64()), filepath.Join(s.dir, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path, content
}

// expect wants a file in the store, in the end.
func (s *stage) expect(name string, content []byte) {
	sum := sha256.Sum256(content)
	s.want = append(s.want, name+" "+hex.EncodeToString(sum[:]))
	slices.Sort(s.want)
}

// arrived wants in the store all that was expected, each once and nothing else.
// Of two who bring the last bytes, one may be told so while the file is put
// together.
func (s *stage) arrived(t *testing.T) {
	t.Helper()
	sums := func() []string { return trial.Sums(t, s.server.Store(), path.Base) }
	if s.bucket != nil {
		sums = func() []string { return s.bucket.sums(t) }
	}
	got := sums()
	for end := time.Now().Add(patience); len(got) < len(s.want) && time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		got = sums()
	}
	if !slices.Equal(got, s.want) {
		t.Fatalf("the store has\n%s\nand not\n%s", strings.Join(got, "\n"), strings.Join(s.want, "\n"))
	}
}

// upload has a file of one kind uploaded, or in one kind of trouble.
func (s *stage) upload(t *testing.T, k trouble) {
	name, size := strings.ReplaceAll(string(k), " ", "-")+".bin", 5*s.chunk+s.chunk/2
	switch k {
	case empty:
		size = 0
	case one:
		size = 1
	case multiple:
		size = 4 * s.chunk
	case foreign:
		name = "Żółć “漢字” 😀 100%+&;'.bin"
	}
	file, content := s.file(t, name, size)
	storm := s.line.brew(k, s.chunk, content, nil)
	p := s.browser.open(t, s.client, string(k), s.line.url+"/page")
	p.choose(t, file)
	said := s.persist(t, p, storm, file)
	if !storm.over() && (k == cut || k == busy || k == lost || k == killed) {
		t.Fatalf("the file met no trouble: %d bodies had a chunk", storm.chunks)
	}
	s.expect(name, content)
	s.arrived(t)
	s.readable(t, said, content)
}

// persist waits until a file is uploaded, and does what a person does about
// failures, where the table says that it takes one.
func (s *stage) persist(t *testing.T, p *page, storm *storm, file string) (said string) {
	t.Helper()
	for range 100 {
		word, what := p.told(t)
		if word == "done" {
			return what
		}
		hand, anew := s.hand[storm.kind], s.anew[storm.kind]
		if hand == "" && anew == "" {
			t.Fatalf("it failed: %s", what)
		}
		<-storm.ebb
		if hand != "" {
			p.do(t, "press", "button", "#again")
		} else {
			p.choose(t, file)
		}
	}
	t.Fatal("it fails for ever")
	return ""
}

// told is what all answers have.
type told struct{ ID, URL string }

// readable wants what the page was told to lead to the file.
func (s *stage) readable(t *testing.T, said string, content []byte) {
	t.Helper()
	var a told
	if err := json.Unmarshal([]byte(said), &a); err != nil {
		t.Fatalf("the page was told %s: %v", said, err)
	}
	if a.URL == "" {
		a.URL = s.line.url + "/files/" + a.ID
	}
	var status int
	var got []byte
	for end := time.Now().Add(patience); status != http.StatusOK && time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		resp, err := http.Get(a.URL)
		if err != nil {
			t.Fatal(err)
		}
		got, err = io.ReadAll(resp.Body)
		resp.Body.Close()
		if status = resp.StatusCode; err != nil || status >= 500 {
			t.Fatalf("%s: %s, %v", a.URL, resp.Status, err)
		}
	}
	if status != http.StatusOK || !bytes.Equal(got, content) {
		t.Fatalf("%s, of which the page was told, has %d with %d bytes that are not the file's", a.URL, status, len(got))
	}
}
