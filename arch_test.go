// Package muleteer_test keeps the house in the shape that ARCHITECTURE.md
// draws: what a package may import, and what it may keep between calls.
package muleteer_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

const module = "github.com/muleteer/muleteer"

// floors are the rooms of the house from the bottom to the top; imports point
// down. examples, bench and test are programs beside the product. internal/trial is on
// top, so that nothing but tests can import it.
func floors() []string {
	return []string{"extent", "store", "upload", "internal/child", "internal/wire", "state", "hook", "access", "protocol", "web", "cmd", "examples", "bench", "test", "internal/trial"}
}

// speaksHTTP are the rooms that may import net/http; a store in a cloud is a
// client of it, and so is the suite for what such a store signs.
func speaksHTTP() []string {
	return []string{"store/s3", "store/storetest", "internal/wire", "hook", "access", "protocol", "web", "cmd", "examples", "bench", "test", "internal/trial"}
}

func TestArchitecture(t *testing.T) {
	t.Parallel()
	h := survey(t, os.DirFS("."))
	for _, f := range h.findings {
		t.Error(f)
	}
	if len(h.packages) < 5 {
		t.Errorf("only %d packages were found", len(h.packages))
	}
}

// TestArchitectureFindings plants each violation once: a check that cannot
// fail is worth nothing.
func TestArchitectureFindings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ file, code, want string }{
		{"extent/a.go", `import _ "` + module + `/store"`, "points up"},
		{"store/disk/a.go", `import _ "` + module + `/upload"`, "points up"},
		{"upload/a.go", `import _ "` + module + `/state"`, "points up"},
		{"internal/wire/a.go", `import _ "` + module + `/protocol/tus"`, "points up"},
		{"protocol/tus/a.go", `import _ "` + module + `/web"`, "points up"},
		{"cmd/muleteer/a.go", `import _ "` + module + `/internal/trial"`, "points up"},
		{"bench/a.go", `import _ "` + module + `/internal/trial"`, "points up"},
		{"helpers/a.go", ``, "no floor"},
		{"upload/a.go", `import _ "` + module + `/helpers"`, "no floor"},
		{"protocol/tus/a.go", `import _ "` + module + `/protocol/files"`, "sibling"},
		{"store/s3/a.go", `import _ "` + module + `/store/disk"`, "sibling"},
		{"extent/a.go", `import _ "golang.org/x/sys/unix"`, "standard library"},
		{"upload/a.go", `import _ "github.com/minio/crc64nvme"`, "standard library"},
		{"store/a.go", `import _ "golang.org/x/sys/unix"`, "standard library"},
		{"store/disk/a.go", `import _ "net/http"`, "net/http"},
		{"upload/a.go", `import _ "net/http"`, "net/http"},
		{"state/a.go", `import _ "net/http/httptest"`, "net/http"},
		{"cmd/a.go", `func init() {}`, "init"},
		{"cmd/a.go", `import "sync"; var mu sync.Mutex`, "is a mutable variable"},
		{"cmd/a.go", `import "sync"; var m = sync.Map{}`, "is a mutable variable"},
		{"cmd/a.go", `var n int`, "is a mutable variable"},
		{"cmd/a.go", `var m = make(map[string]int)`, "is a mutable variable"},
		{"cmd/a.go", `type t struct{}; var p = &t{}`, "is a mutable variable"},
		{"cmd/a.go", `import "net/http"; var c = http.DefaultClient`, "is a mutable variable"},
		{"cmd/a.go", `var n = 1; func f() { n = 2 }`, "is written"},
		{"cmd/a.go", `var n = 1; func f() { n++ }`, "is written"},
		{"cmd/a.go", `var n = 1; func f() *int { return &n }`, "is written"},
		{"cmd/a.go", `var m = map[string]int{}; func f() { m["a"] = 1 }`, "is written"},
		{"cmd/a.go", `var m = map[string]int{}; func f() { delete(m, "a") }`, "is written"},
		{"cmd/a.go", `var s = []struct{ n int }{}; func f() { (s[0].n) = 1 }`, "is written"},
		{"cmd/a.go", `var s = []int{1}; func f() { for s[0] = range 3 {} }`, "is written"},
		{"cmd/a.go", `var s = []int{1}; func f() { copy(s[:], []int{2}) }`, "is written"},
		{"cmd/a.go", `import "` + module + `/upload"; func f() { upload.X = nil }`, "is written"},
	} {
		h := survey(t, fstest.MapFS{c.file: {Data: []byte("package a\n" + c.code)}})
		if len(h.findings) != 1 || !strings.Contains(h.findings[0], c.want) {
			t.Errorf("%s with %s: found %q, want one that says %q", c.file, c.code, h.findings, c.want)
		}
	}
	for file, code := range map[string]string{
		"store/a.go":         `import _ "github.com/minio/crc64nvme"`,
		"store/s3/a.go":      `import _ "` + module + `/store"`,
		"upload/a_test.go":   `import (_ "net/http"; _ "` + module + `/state"); func init() {}`,
		"protocol/p/a.go":    `import _ "` + module + `/protocol/p/inner"`,
		"protocol/q/a.go":    `import "sync"; var pool = sync.Pool{New: nil}`,
		"cmd/a.go":           `import "errors"; var ErrA = errors.New("a"); var _ error = ErrA`,
		"cmd/b.go":           `var n = []int{1}; func f() { n := 1; n = 2; _ = n }`,
		"cmd/c.go":           `import _ "embed"` + "\n//go:embed a.txt\nvar text string",
		"cmd/e.go":           `import "html/template"; var page = template.Must(template.New("").Parse("a"))`,
		"cmd/d.go":           `type size int64; var sizes = map[string]size{"k": size(1) << 10}`,
		"tools/go.mod":       `module x`,
		"tools/a.go":         `func init() {}`,
		"extent/testdata/a.": `nonsense`,
	} {
		if h := survey(t, fstest.MapFS{file: {Data: []byte("package a\n" + code)}, "tools/go.mod": {}}); len(h.findings) > 0 {
			t.Errorf("%s with %s: found %q, want nothing", file, code, h.findings)
		}
	}
}

// house is what a survey saw.
type house struct {
	fset     *token.FileSet
	packages map[string][]*ast.File // by folder, without tests
	findings []string
}

// survey looks at every file of the module that is not a test.
func survey(t *testing.T, root fs.FS) *house {
	t.Helper()
	h := &house{fset: token.NewFileSet(), packages: map[string][]*ast.File{}}
	err := fs.WalkDir(root, ".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && p != ".":
			_, err := fs.Stat(root, path.Join(p, "go.mod"))
			name := d.Name()
			if err == nil || name == "testdata" || name == "node_modules" || strings.HasPrefix(name, ".") {
				return fs.SkipDir
			}
		case strings.HasSuffix(p, ".go") && !strings.HasSuffix(p, "_test.go"):
			src, err := fs.ReadFile(root, p)
			if err != nil {
				return err
			}
			f, err := parser.ParseFile(h.fset, p, src, parser.ParseComments|parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			h.packages[path.Dir(p)] = append(h.packages[path.Dir(p)], f)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for folder, files := range h.packages {
		if _, ok := floor(folder); !ok {
			h.find(files[0], "%s stands on no floor of the house", folder)
		}
		for _, f := range files {
			for _, i := range f.Imports {
				h.checkImport(folder, i)
			}
		}
		h.checkVars(folder, files)
	}
	slices.Sort(h.findings)
	return h
}

func (h *house) find(at ast.Node, format string, args ...any) {
	h.findings = append(h.findings, fmt.Sprintf("%s: ", h.fset.Position(at.Pos()))+fmt.Sprintf(format, args...))
}

// floor returns on which floor a folder is, and how high that is.
func floor(folder string) (int, bool) {
	i := slices.IndexFunc(floors(), func(f string) bool { return within(folder, f) })
	return i, i >= 0
}

func within(folder, room string) bool {
	return folder == room || strings.HasPrefix(folder, room+"/")
}

func (h *house) checkImport(folder string, spec *ast.ImportSpec) {
	target, err := strconv.Unquote(spec.Path.Value)
	if err != nil {
		h.find(spec, "%v", err)
		return
	}
	inner, ours := strings.CutPrefix(target, module+"/")
	if ours {
		h.checkFloors(folder, inner, spec)
		return
	}
	host, _, _ := strings.Cut(target, "/")
	crc := folder == "store" && target == "github.com/minio/crc64nvme"
	if bare := within(folder, "extent") || folder == "store" || within(folder, "upload"); bare && strings.Contains(host, ".") && !crc {
		h.find(spec, "%s uses the standard library only, and not %s", folder, target)
	}
	if within(target, "net/http") && !slices.ContainsFunc(speaksHTTP(), func(f string) bool { return within(folder, f) }) {
		h.find(spec, "%s knows nothing of %s", folder, target)
	}
}

// checkFloors holds one import within the house against the hourglass.
func (h *house) checkFloors(from, to string, spec *ast.ImportSpec) {
	a, _ := floor(from)
	b, ok := floor(to)
	switch {
	case !ok:
		h.find(spec, "%s stands on no floor of the house", to)
	case b > a:
		h.find(spec, "the import of %s by %s points up", to, from)
	case a == b && (floors()[a] == "protocol" || floors()[a] == "store"):
		// Adapters stand side by side; what two of them share is a floor below.
		// The suites that they are tested by may see several.
		room := floors()[a] + "/"
		x, xin := strings.CutPrefix(from, room)
		y, yin := strings.CutPrefix(to, room)
		x, _, _ = strings.Cut(x, "/")
		y, _, _ = strings.Cut(y, "/")
		if xin && yin && x != y && !strings.HasSuffix(x, "test") {
			h.find(spec, "%s imports its sibling %s", from, to)
		}
	}
}
