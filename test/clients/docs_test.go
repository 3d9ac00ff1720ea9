package clients

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDocs: what people are told to write is what was run.
func TestDocs(t *testing.T) {
	t.Parallel()
	said, err := os.ReadFile("../../docs/clients.md")
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	for _, c := range clients() {
		used[c.page] = true
		_, version, _ := strings.Cut(c.name, " ")
		if !strings.Contains(string(said), version) {
			t.Errorf("docs/clients.md does not name %s", c.name)
		}
	}
	pages, err := filepath.Glob("pages/*")
	if err != nil || len(pages) == 0 || len(pages) != len(used) {
		t.Fatalf("%d pages for %d that are used, %v", len(pages), len(used), err)
	}
	for _, name := range pages {
		page, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !used[filepath.Base(name)] || !strings.Contains(string(said), "```js\n"+string(page)+"```\n") {
			t.Errorf("%s is not what docs/clients.md says, or no client uses it", name)
		}
	}
	if got := strings.Count(string(said), "```js\n"); got != len(pages) {
		t.Errorf("docs/clients.md has %d pages, %d were run", got, len(pages))
	}
}
