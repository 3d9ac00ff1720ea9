package web_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/evanw/esbuild/pkg/api"

	"github.com/muleteer/muleteer/store"
	"github.com/muleteer/muleteer/web"
)

// The types of the client, of what is built on it, and of the package's
// declarations agree.
func TestTypes(t *testing.T) {
	t.Parallel()
	const tsc = "node_modules/.bin/tsc"
	if _, err := os.Stat(tsc); err != nil {
		t.Fatal("TypeScript is not there; run: npm ci --prefix web")
	}
	if out, err := exec.Command(tsc, "--noEmit").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// The page is served under a strict policy, with names that can be kept for
// ever, and fills in what the server knows.
func TestHandler(t *testing.T) {
	t.Parallel()
	h := web.Handler(web.Options{MaxSize: 12345, ChunkSize: 678, Limit: `up to "12" <KiB>`})
	get := func(path string, headers ...string) *http.Response {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		for i := 0; i+1 < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Result()
	}
	page := get("/")
	body, _ := io.ReadAll(page.Body)
	if page.StatusCode != http.StatusOK || !strings.HasPrefix(page.Header.Get("Content-Type"), "text/html") {
		t.Fatalf("%d %v", page.StatusCode, page.Header)
	}
	if p := page.Header.Get("Content-Security-Policy"); !strings.Contains(p, "default-src 'none'") || strings.Contains(p, "unsafe") {
		t.Errorf("the policy is %q", p)
	}
	if bytes.Contains(body, []byte("{{")) || bytes.Contains(body, []byte("<KiB>")) || !bytes.Contains(body, []byte("12345")) {
		t.Errorf("the page is not filled in:\n%s", body)
	}
	if bytes.Contains(body, []byte(" style=")) || regexp.MustCompile(`<script[^>]*>[^<]`).Match(body) {
		t.Error("the page has what its policy forbids")
	}
	if bytes.Contains(body, []byte(`muleteer-direct" content="1"`)) {
		t.Error("the page sends to a bucket of which nobody knows")
	}
	links := regexp.MustCompile(`"(assets/[^"]+)"`).FindAllSubmatch(body, -1)
	if len(links) < 2 {
		t.Errorf("the page loads %q", links)
	}
	for _, l := range links {
		a := get("/" + string(l[1]))
		content, _ := io.ReadAll(a.Body)
		sum := fmt.Sprintf("%x", sha256.Sum256(content))
		if a.StatusCode != http.StatusOK || !strings.Contains(a.Header.Get("Cache-Control"), "immutable") || !strings.Contains(string(l[1]), sum[:16]) {
			t.Errorf("%s: %d %v", l[1], a.StatusCode, a.Header)
		}
	}
	plain := get("/assets/client.js")
	if plain.StatusCode != http.StatusOK || strings.Contains(plain.Header.Get("Cache-Control"), "immutable") ||
		!strings.HasPrefix(plain.Header.Get("Content-Type"), "text/javascript") {
		t.Errorf("client.js: %d %v", plain.StatusCode, plain.Header)
	}
	if again := get("/assets/client.js", "If-None-Match", plain.Header.Get("ETag")); again.StatusCode != http.StatusNotModified {
		t.Errorf("the same again: %d", again.StatusCode)
	}
	for _, path := range []string{"/assets/", "/assets/none.js", "/assets/../web.go", "/index.html"} {
		if r := get(path); r.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d", path, r.StatusCode)
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", nil))
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", w.Code)
	}
}

// The page may connect to the bucket into which it is to send, and to no other
// place.
func TestHandlerDirect(t *testing.T) {
	t.Parallel()
	h := web.Handler(web.Options{Direct: "https://bucket.example:9000"})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	if p := w.Header().Get("Content-Security-Policy"); p != strings.Replace(web.Policy, "connect-src 'self'", "connect-src 'self' https://bucket.example:9000", 1) || p == web.Policy {
		t.Errorf("the policy is %q", p)
	}
	if !strings.Contains(w.Body.String(), `<meta name="muleteer-direct" content="1">`) {
		t.Error("the page is not told")
	}
}

// The checksum in TypeScript is the server's, of pieces and of what they make
// together.
func TestChecksum(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	const program = `
		import { makeSum, combine, base64 } from "./crc.mjs";
		const sum = makeSum();
		const out = JSON.parse(process.argv[1]).map((pieces) => {
			const all = pieces.map((p) => Buffer.from(p, "base64"));
			return [base64(sum(Buffer.concat(all))), base64(combine(all.map((b) => [sum(b), b.length])))];
		});
		console.log(JSON.stringify(out));`
	var given [][][]byte
	var want []string
	for range 50 {
		var pieces [][]byte
		var crc store.CRC
		for range rng.IntN(4) {
			b := make([]byte, rng.IntN(300))
			for i := range b {
				b[i] = byte(rng.Uint32())
			}
			pieces = append(pieces, b)
			crc = crc.Update(b)
		}
		if pieces == nil {
			pieces = [][]byte{}
		}
		given, want = append(given, pieces), append(want, crc.String())
	}
	dir := t.TempDir()
	source, err := os.ReadFile("src/crc.ts")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/crc.mjs", plain(t, source), 0o600); err != nil {
		t.Fatal(err)
	}
	argument, _ := json.Marshal(given)
	node := exec.Command("node", "--input-type=module", "-e", program, string(argument))
	node.Dir = dir
	out, err := node.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, err.(*exec.ExitError).Stderr)
	}
	var got [][2]string
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	for i := range want {
		if got[i] != [2]string{want[i], want[i]} {
			t.Errorf("%d pieces: got %v, want %s", len(given[i]), got[i], want[i])
		}
	}
}

// plain takes the types out of a file.
func plain(t *testing.T, source []byte) []byte {
	t.Helper()
	r := api.Transform(string(source), api.TransformOptions{Loader: api.LoaderTS, Format: api.FormatESModule})
	if len(r.Errors) > 0 {
		t.Fatal(r.Errors)
	}
	return r.Code
}
