package muleteer_test

import (
	"flag"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// linked is what the program links beside the standard library: modules, and
// under each its packages. A new dependency shows in review.
const linked = "testdata/packages.txt"

func TestLinkedPackages(t *testing.T) {
	t.Parallel()
	got := links(t)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(linked, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(linked)
	if err != nil {
		t.Fatalf("%v\nwrite it with: go test . -run LinkedPackages -update", err)
	}
	if d := difference(string(want), got); d != "" {
		t.Errorf("what the program links is not what %s says:\n%s"+
			"if that is meant: go test . -run LinkedPackages -update", linked, d)
	}
}

// update is read by the flag package, and written by nothing else.
var update = flag.Bool("update", false, "write "+linked+" anew")

func TestLinkedPackagesDifference(t *testing.T) {
	t.Parallel()
	want := "example.org/a\n\texample.org/a\nexample.org/b\n\texample.org/b/x\n"
	if d := difference(want, want); d != "" {
		t.Errorf("the same differs by %q", d)
	}
	got := strings.Replace(want, "b/x", "b/y", 1)
	if d := difference(want, got); d != "- \texample.org/b/x\n+ \texample.org/b/y\n" {
		t.Errorf("got %q", d)
	}
}

// links asks for one platform, so that everybody gets the same answer.
func links(t *testing.T) string {
	t.Helper()
	list := exec.Command("go", "list", "-deps", "-f",
		"{{if not .Standard}}{{.Module.Path}} {{.ImportPath}}{{end}}", "./cmd/muleteer")
	list.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0", "GOFLAGS=")
	list.Stderr = os.Stderr
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	slices.Sort(lines)
	var b strings.Builder
	last := ""
	for _, line := range lines {
		mod, pkg, _ := strings.Cut(line, " ")
		if mod != last {
			b.WriteString(mod + "\n")
			last = mod
		}
		b.WriteString("\t" + pkg + "\n")
	}
	return b.String()
}

// difference returns the lines that only one of the two has.
func difference(want, got string) string {
	var b strings.Builder
	w, g := strings.SplitAfter(want, "\n"), strings.SplitAfter(got, "\n")
	for _, line := range w {
		if !slices.Contains(g, line) {
			b.WriteString("- " + line)
		}
	}
	for _, line := range g {
		if !slices.Contains(w, line) {
			b.WriteString("+ " + line)
		}
	}
	return b.String()
}
