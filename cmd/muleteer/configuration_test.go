package main

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// docs/configuration.md names every flag of serve and no other one, each has the
// environment and the key that it tells, and its file is one that is understood.
func TestConfigurationIsDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	told := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| (`--.*?) \\|").FindAllStringSubmatch(page, -1) {
		for _, flag := range regexp.MustCompile("`--([a-z0-9-]+)`").FindAllStringSubmatch(m[1], -1) {
			told[flag[1]] = true
		}
	}
	parser, err := newParser(new(commands), console{new(strings.Reader), new(strings.Builder), new(strings.Builder), nil})
	if err != nil {
		t.Fatal(err)
	}
	var serve *kong.Node
	for _, n := range parser.Model.Children {
		if n.Name == "serve" {
			serve = n
		}
	}
	for _, flag := range serve.Flags {
		if !told[flag.Name] {
			t.Errorf("docs/configuration.md does not tell of --%s", flag.Name)
		}
		delete(told, flag.Name)
		if want := "MULETEER_" + strings.ToUpper(strings.ReplaceAll(flag.Name, "-", "_")); len(flag.Envs) == 0 || flag.Envs[0] != want {
			t.Errorf("--%s is not %s", flag.Name, want)
		}
		if key := yamlKey(flag); key != flag.Name && flag.Name != "config" {
			t.Errorf("--%s is %q in the file", flag.Name, key)
		}
	}
	for name := range told {
		t.Errorf("docs/configuration.md tells of --%s, which is none", name)
	}

	_, example, _ := strings.Cut(page, "```yaml\n")
	example, _, found := strings.Cut(example, "```\n")
	path := filepath.Join(t.TempDir(), "muleteer.yaml")
	if err := os.WriteFile(path, []byte(example), 0o600); err != nil || !found {
		t.Fatal(err, found)
	}
	if _, err := configFile(path).read(); err != nil {
		t.Errorf("the file of docs/configuration.md: %v", err)
	}
	s := settings{Storage: storage{Config: configFile(path)}, Target: Target{Key: "{id}", ChunkSize: 1}, Listen: list{defaultAddress}}
	if named, err := s.endpoints(); err != nil || len(named) != 2 || named["photos"].MaxSize != 50<<20 {
		t.Errorf("its endpoints: %+v, %v", named, err)
	}
}

// yamlKey is what a flag is called in the file.
func yamlKey(flag *kong.Flag) string {
	var find func(v reflect.Type) string
	find = func(v reflect.Type) string {
		for i := range v.NumField() {
			f := v.Field(i)
			if _, embedded := f.Tag.Lookup("embed"); embedded {
				if key := find(f.Type); key != "" {
					return key
				}
				continue
			}
			name := f.Tag.Get("name")
			if name == "" {
				name = kebab(f.Name)
			}
			if name == flag.Name {
				key, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
				return key
			}
		}
		return ""
	}
	return find(reflect.TypeFor[settings]())
}

// kebab is a field's name as kong writes it.
func kebab(s string) string {
	return strings.ToLower(regexp.MustCompile("([a-z0-9])([A-Z])").ReplaceAllString(s, "$1-$2"))
}
