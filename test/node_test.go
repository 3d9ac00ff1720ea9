package test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/muleteer/muleteer/internal/trial"
)

// job is one upload for node/tus.mjs.
type job struct {
	Name     string         `json:"name"`
	Version  int            `json:"version"`
	Endpoint string         `json:"endpoint"`
	File     string         `json:"file"`
	Input    string         `json:"input"` // file, stream or buffer
	Storage  string         `json:"storage,omitempty"`
	Options  map[string]any `json:"options"`
}

// event is what it tells.
type event struct {
	Job, Event, URL, Message string
	Accepted                 int64
	Resumed                  bool
}

// node is such a process at work.
type node struct {
	*trial.Process
	out *output
}

// versions are those of tus-js-client in node/package.json.
func versions() []int { return []int{4, 5} }

func startNode(t *testing.T, jobs ...job) *node {
	t.Helper()
	return startScript(t, "tus.mjs", jobs)
}

// startScript gives jobs to a script in the folder node.
func startScript(t *testing.T, script string, jobs any) *node {
	t.Helper()
	if _, err := os.Stat("node/node_modules/tus-js-client"); err != nil {
		t.Fatalf("the npm clients are not there, run `make node`: %v", err)
	}
	in, err := json.Marshal(jobs)
	if err != nil {
		t.Fatal(err)
	}
	n := &node{out: &output{}}
	cmd := exec.Command("node", script)
	cmd.Dir = "node"
	cmd.Stdin = bytes.NewReader(in)
	if n.Process, err = trial.Launch(cmd, n.out); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Kill)
	return n
}

// events are those that were told until now.
func (n *node) events(t *testing.T) (all []event) {
	t.Helper()
	n.out.mu.Lock()
	said := n.out.b.String()
	n.out.mu.Unlock()
	lines := strings.Split(said, "\n")
	for _, line := range lines[:len(lines)-1] { // the last one may be half a line
		var e event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("node says: %s", said)
		}
		all = append(all, e)
	}
	return all
}

// accepts waits until the server has acknowledged so many bytes to the client.
func (n *node) accepts(t *testing.T, least int64) {
	t.Helper()
	within(t, 30*time.Second, fmt.Sprintf("%d bytes are acknowledged", least), func() bool {
		for _, e := range n.events(t) {
			if e.Event == "done" || e.Event == "failed" {
				t.Fatalf("too early: %+v", e)
			}
			if e.Accepted >= least {
				return true
			}
		}
		return false
	})
}

// ends waits for the end of all jobs, and returns how each was done.
func (n *node) ends(t *testing.T) map[string]event {
	t.Helper()
	code, err := n.Code(90 * time.Second)
	done := map[string]event{}
	for _, e := range n.events(t) {
		switch e.Event {
		case "done":
			done[e.Job] = e
		case "failed":
			t.Errorf("%s: %s", e.Job, e.Message)
		}
	}
	if err != nil || code != 0 {
		t.Fatalf("node ended with code %d, %v: %s", code, err, n.out)
	}
	return done
}

// TestTusJS sends files in all the ways that the client has.
func TestTusJS(t *testing.T) {
	t.Parallel()
	for _, version := range versions() {
		for _, base := range []string{"/tus/", "/files/"} {
			t.Run(fmt.Sprintf("%d%s", version, strings.TrimSuffix(base, "/")), func(t *testing.T) {
				t.Parallel()
				s := serve(t, "--verbose")
				ways(t, s, version, base)
			})
		}
	}
}

func ways(t *testing.T, s *server, version int, base string) {
	t.Helper()
	const chunk = 300_000
	ways := []struct {
		name, input string
		options     map[string]any
	}{
		{"single", "file", nil},
		{"chunked", "file", map[string]any{"chunkSize": chunk}},
		{"buffer", "buffer", nil},
		{"parallel", "buffer", map[string]any{"parallelUploads": 4}},
		{"parallel file", "file", map[string]any{"parallelUploads": 3, "chunkSize": chunk}},
		{"deferred", "stream", map[string]any{"uploadLengthDeferred": true, "chunkSize": chunk}},
		{"with upload", "buffer", map[string]any{"uploadDataDuringCreation": true}},
		{"with upload in chunks", "file", map[string]any{"uploadDataDuringCreation": true, "chunkSize": chunk}},
		{"all at once", "stream", map[string]any{"uploadDataDuringCreation": true, "uploadLengthDeferred": true, "chunkSize": chunk}},
		{"override", "buffer", map[string]any{"overridePatchMethod": true, "chunkSize": chunk}},
		{"request id", "file", map[string]any{"addRequestId": true}},
	}
	seed := seed(t)
	files, jobs := map[string]*truth{}, []job(nil)
	for i, w := range ways {
		u := newTruth(w.name, trial.Noise(1_234_567+i, seed+uint64(i)))
		files[w.name] = u
		jobs = append(jobs, job{Name: w.name, Version: version, Endpoint: s.URL(base), File: file(t, u), Input: w.input, Options: w.options})
	}
	jobs = append(jobs, job{Name: "empty", Version: version, Endpoint: s.URL(base), File: file(t, newTruth("empty", nil)), Input: "buffer"})
	files["empty"] = newTruth("empty", nil)
	done := startNode(t, jobs...).ends(t)
	for name, u := range files {
		if !strings.HasPrefix(done[name].URL, s.URL(base)) {
			t.Errorf("%s: the upload is at %q", name, done[name].URL)
		}
		u.named(path.Base(done[name].URL))
		if err := u.download(http.DefaultClient, s); err != nil {
			t.Error(err)
		}
	}
	if list := list(t, http.DefaultClient, s, "done"); len(list) != len(files) {
		t.Errorf("%d files were sent, and %d are there", len(files), len(list))
	}
	overridden := "method=PATCH path=" + base + files["override"].now().id
	if whole, err := os.ReadFile(s.LogName); err != nil || strings.Contains(string(whole), overridden) {
		t.Errorf("%v: the client was to hide PATCH behind POST, and did not", err)
	}
	s.End(t)
	s.Check(t)
}

// TestTusJSServerDies: the client goes on by itself after kill -9, in each way
// of sending.
func TestTusJSServerDies(t *testing.T) {
	t.Parallel()
	for _, version := range versions() {
		for name, options := range map[string]map[string]any{
			"chunked":  {"chunkSize": 256 << 10},
			"parallel": {"chunkSize": 128 << 10, "parallelUploads": 4},
			"deferred": {"chunkSize": 256 << 10, "uploadLengthDeferred": true},
		} {
			t.Run(fmt.Sprintf("%d/%s", version, name), func(t *testing.T) {
				t.Parallel()
				s := serve(t)
				// No multiple of the chunks, or the client waits for ever for the
				// end of its stream.
				u := newTruth(name, trial.Noise(24<<20+12_345, seed(t)))
				input := "file"
				if name == "deferred" {
					input = "stream"
				}
				n := startNode(t, job{Name: name, Version: version, Endpoint: s.URL("/tus/"), File: file(t, u), Input: input, Options: options})
				for _, least := range []int64{1 << 20, 6 << 20, 12 << 20} {
					if name == "parallel" {
						least /= 4 // it counts each of the four
					}
					n.accepts(t, least)
					s.Kill()
					if err := s.Start(); err != nil {
						t.Fatal(err)
					}
				}
				u.named(path.Base(n.ends(t)[name].URL))
				if err := u.download(http.DefaultClient, s); err != nil {
					t.Error(err)
				}
				s.End(t)
				s.Check(t)
			})
		}
	}
}

// TestTusJSSingleRequest: all in one PATCH, which breaks in its middle.
func TestTusJSSingleRequest(t *testing.T) {
	t.Parallel()
	for _, version := range versions() {
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			t.Parallel()
			s := serve(t)
			u := newTruth("single", trial.Noise(96<<20, seed(t)))
			n := startNode(t, job{Name: u.name, Version: version, Endpoint: s.URL("/tus/"), File: file(t, u), Input: "file"})
			for _, least := range []int64{8 << 20, 40 << 20} {
				within(t, 30*time.Second, fmt.Sprintf("%d bytes are here", least), func() bool {
					if n.Ended() {
						t.Fatalf("node ended: %s", n.out)
					}
					open := list(t, http.DefaultClient, s, "open")
					return len(open) == 1 && open[0].Offset >= least
				})
				s.Kill()
				if err := s.Start(); err != nil {
					t.Fatal(err)
				}
			}
			u.named(path.Base(n.ends(t)[u.name].URL))
			if err := u.download(http.DefaultClient, s); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestTusJSClientDies: another process of the client finds the upload of one
// that was killed, and goes on with it.
func TestTusJSClientDies(t *testing.T) {
	t.Parallel()
	for _, version := range versions() {
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			t.Parallel()
			s := serve(t)
			u := newTruth("previous", trial.Noise(24<<20, seed(t)))
			j := job{
				Name: u.name, Version: version, Endpoint: s.URL("/files/"), File: file(t, u), Input: "file",
				Storage: filepath.Join(t.TempDir(), "urls.json"), Options: map[string]any{"chunkSize": 256 << 10},
			}
			first := startNode(t, j)
			first.accepts(t, 2<<20)
			first.Kill()
			open := list(t, http.DefaultClient, s, "open")
			if len(open) != 1 {
				t.Fatalf("open are %+v", open)
			}
			s.Kill() // and the server dies, too
			if err := s.Start(); err != nil {
				t.Fatal(err)
			}
			done := startNode(t, j).ends(t)[u.name]
			if !done.Resumed || path.Base(done.URL) != open[0].ID {
				t.Errorf("it did not go on with %s: %+v", open[0].ID, done)
			}
			u.named(path.Base(done.URL))
			if err := u.download(http.DefaultClient, s); err != nil {
				t.Error(err)
			}
		})
	}
}
