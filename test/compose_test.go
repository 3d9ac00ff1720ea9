package test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/muleteer/muleteer/internal/trial"
)

// compose is what compose.yaml says of its one service.
type compose struct {
	Name     string `yaml:"name"`
	Services map[string]struct {
		Build       string   `yaml:"build"`
		User        string   `yaml:"user"`
		Command     []string `yaml:"command"`
		Ports       []string `yaml:"ports"`
		Volumes     []string `yaml:"volumes"`
		Restart     string   `yaml:"restart"`
		Healthcheck struct {
			Test        []string `yaml:"test"`
			Interval    string   `yaml:"interval"`
			Timeout     string   `yaml:"timeout"`
			StartPeriod string   `yaml:"start_period"`
		} `yaml:"healthcheck"`
	} `yaml:"services"`
}

// TestCompose does in an empty folder what `docker compose up` would: the
// command of compose.yaml, with its folders and ports. No engine is needed.
func TestCompose(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var c compose
	if err := yaml.UnmarshalWithOptions(text, &c, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	service, ok := c.Services["uploads"]
	if !ok || len(c.Services) != 1 || service.Build != "." || service.Command[0] != "serve" || strings.HasPrefix(service.User, "0") {
		t.Fatalf("it has %+v", c)
	}
	for _, port := range []string{"127.0.0.1:3000:3000", "127.0.0.1:3001:3001"} {
		if !slices.Contains(service.Ports, port) || len(service.Ports) != 2 {
			t.Errorf("it publishes %v", service.Ports)
		}
	}
	// The folders of the machine stand for those of the container.
	dir := t.TempDir()
	var places []string
	for _, v := range service.Volumes {
		here, there, _ := strings.Cut(v, ":")
		here = filepath.Join(dir, here)
		if err := os.MkdirAll(here, 0o700); err != nil {
			t.Fatal(err)
		}
		places = append(places, there, here)
		if _, err := os.Stat(filepath.Join("..", strings.Split(v, ":")[0])); err != nil {
			t.Errorf("the engine would make %s as root: %v", v, err)
		}
	}
	var args []string
	for _, a := range service.Command[1:] {
		a = strings.NewReplacer(places...).Replace(a)
		switch {
		case a == "--listen=:3000": // trial.Serve has one for it
			continue
		case a == "--listen=:3001":
			a = "--listen=127.0.0.1:0"
		}
		args = append(args, a)
	}
	s := &server{trial.Serve(t, program, dir, args...)}
	also := regexp.MustCompile(`Also at +(http://\S+)/`).FindStringSubmatch(s.Log())
	if also == nil {
		t.Fatalf("it does not listen twice: %s", s.Log())
	}
	check := service.Healthcheck.Test
	if len(check) != 4 || check[0] != "CMD" || check[1] != "/muleteer" || check[2] != "health" {
		t.Errorf("the health check is %v", check)
	}
	for path, kind := range map[string]string{"/": "text/html", "/streams": "text/html"} {
		r, err := http.NewRequestWithContext(t.Context(), "GET", s.URL(path), nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept", "text/html")
		if res, err := http.DefaultClient.Do(r); err != nil || res.StatusCode != 200 || !strings.HasPrefix(res.Header.Get("Content-Type"), kind) {
			t.Errorf("%s: %v, %v", path, res, err)
		} else {
			res.Body.Close()
		}
	}
	for origin, want := range map[string]int{"http://localhost:3000": 200, "http://evil.test": 403} {
		r, err := http.NewRequestWithContext(t.Context(), "GET", also[1]+"/socket.io/?EIO=4&transport=polling", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Origin", origin)
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != want || want == 200 && res.Header.Get("Access-Control-Allow-Origin") != origin {
			t.Errorf("a page of %s is answered with %s, %v", origin, res.Status, res.Header)
		}
	}
	var jobs []stream
	u := newTruth("song.mp3", trial.Noise(50_000, seed(t)))
	for range 2 {
		jobs = append(jobs, stream{Name: u.name, Version: "4.8", URL: also[1], File: file(t, u), Way: "plain", Transports: []string{"polling", "websocket"}})
	}
	startScript(t, "streams.mjs", jobs).ends(t)
	want := []string{fmt.Sprintf("song (1).mp3 %x", u.sum), fmt.Sprintf("song.mp3 %x", u.sum)}
	if got := trial.Sums(t, filepath.Join(dir, "server/audio"), func(p string) string { return p }); !slices.Equal(got, want) {
		t.Errorf("server/audio has %v, and not %v", got, want)
	}
	healthy(t, s)
}

// healthy runs the health check of the image, while the server runs and after.
func healthy(t *testing.T, s *server) {
	t.Helper()
	for _, want := range []int{0, 1} {
		p, err := trial.Launch(exec.Command(program, "health", "http://"+s.Address), &output{})
		if err != nil {
			t.Fatal(err)
		}
		if code, err := p.Code(time.Minute); err != nil || code != want {
			t.Errorf("health ends with %d, %v, and not %d", code, err, want)
		}
		if want == 0 {
			s.End(t)
		}
	}
}

// TestDockerfile looks at what an engine would build: a static program, that
// runs as nobody and can be asked how it is.
func TestDockerfile(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.ReplaceAll(string(text), "\\\n", ""), "\n")
	var stages []string
	last := map[string]string{} // of the stage that is shipped
	for _, line := range lines {
		word, rest, _ := strings.Cut(line, " ")
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
			continue
		case !slices.Contains([]string{"FROM", "WORKDIR", "COPY", "RUN", "USER", "VOLUME", "EXPOSE", "HEALTHCHECK", "ENTRYPOINT", "CMD"}, word):
			t.Errorf("%q is no instruction that is used here", line)
		case word == "FROM":
			stages, last = append(stages, rest), map[string]string{}
		case word == "RUN" && strings.Contains(rest, "go build") && !strings.HasPrefix(rest, "CGO_ENABLED=0 "):
			t.Errorf("%q builds no static program", line)
		}
		last[word] = rest
	}
	if len(stages) != 2 || stages[1] != "scratch" || last["USER"] == "" || strings.HasPrefix(last["USER"], "0") || strings.HasPrefix(last["USER"], "root") {
		t.Errorf("the stages are %q, the last one has %q", stages, last)
	}
	if !strings.Contains(last["HEALTHCHECK"], `["/muleteer", "health"]`) || last["ENTRYPOINT"] != `["/muleteer"]` {
		t.Errorf("the last stage has %q", last)
	}
}
