package web_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// packed is what the npm package has, by path.
func packed(t *testing.T) []string {
	t.Helper()
	pack := exec.Command("npm", "pack", "--dry-run", "--json", "--ignore-scripts", "--offline")
	pack.Env = append(os.Environ(), "npm_config_cache="+t.TempDir(), "npm_config_update_notifier=false")
	out, err := pack.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var packs []struct {
		Files []struct{ Path string }
	}
	if err := json.Unmarshal(out, &packs); err != nil || len(packs) != 1 {
		t.Fatalf("%v\n%s", err, out)
	}
	var paths []string
	for _, f := range packs[0].Files {
		paths = append(paths, f.Path)
	}
	return paths
}

// The package has all that its exports name and load, and nothing of the page;
// Node finds both by their names, and TypeScript their types.
func TestPackage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	home := filepath.Join(dir, "node_modules", "muleteer-client")
	for _, path := range packed(t) {
		if strings.Contains(path, "page") || strings.HasSuffix(path, ".html") || strings.HasPrefix(path, "src") {
			if path != "package.json" {
				t.Errorf("%s is in the package", path)
			}
		}
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(home, path)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(home, path), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const program = `
		import { existsSync } from "node:fs";
		import { fileURLToPath } from "node:url";
		import { Uploader, messages } from "muleteer-client";
		import Resumable from "muleteer-client/resumable";
		import { direct } from "muleteer-client/direct";
		const u = new Uploader({ target: ["/a", "/b"], maxFiles: 1 });
		const [first, second] = await u.addFiles([new Blob(["a"]), new Blob(["b"])]);
		const stream = await new Uploader().add(new Blob(["c"]).stream());
		console.log(JSON.stringify({
			support: Uploader.support, name: first.fileName, second: !!second, stream: stream.size,
			offline: messages.offline.what, box: existsSync(fileURLToPath(import.meta.resolve("muleteer-client/box"))),
			resumable: new Resumable({ maxFiles: 2 }).opts.chunkSize, direct: typeof direct(),
		}));`
	node := exec.Command("node", "--input-type=module", "-e", program)
	node.Dir = dir
	out, err := node.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want := `{"support":true,"name":"blob","second":false,"stream":-1,"offline":"This device is offline.","box":true,"resumable":1048576,"direct":"function"}`
	if got := strings.TrimSpace(string(out)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	const typed = `
		import { Uploader, type Result } from "muleteer-client";
		import type { UploadBox } from "muleteer-client/box";
		import { direct } from "muleteer-client/direct";
		import { streams } from "muleteer-client/streams";
		import { Resumable, type ResumableFile } from "muleteer-client/resumable";
		const r = new Resumable({ target: "/upload", query: (f) => ({ id: f.uniqueIdentifier }) });
		r.on("fileSuccess", (f: ResumableFile, message) => console.log(f.fileName, message.length));
		r.on("catchAll", (name) => console.log(name));
		new Uploader({ target: "/upload/" }).on("fileSuccess", (file, r: Result) => console.log(file.name, r.id));
		new Uploader({ send: direct({ rest: 60_000 }) });
		new Uploader({ send: streams() });
		const box: UploadBox = document.querySelector("upload-box")!;
		box.uploader.on("progress", (s) => console.log(s.eta));`
	if err := os.WriteFile(filepath.Join(dir, "page.ts"), []byte(typed), 0o600); err != nil {
		t.Fatal(err)
	}
	tsc, err := filepath.Abs("node_modules/.bin/tsc")
	if err != nil {
		t.Fatal(err)
	}
	check := exec.Command(tsc, "--noEmit", "--strict", "--module", "nodenext", "--target", "es2022", "--lib", "es2022,dom", "--types", "", "page.ts")
	check.Dir = dir
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if parts := packed(t); !slices.Contains(parts, "dist/stream.js") || !slices.Contains(parts, "README.md") {
		t.Errorf("it has only %v", parts)
	}
}
