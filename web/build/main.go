// Command build bundles the browser client, the element and the page into
// web/dist, which is committed and embedded. `go generate ./web` runs it.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

// output is one entry: what it is made of, relative to web, and its name in
// dist.
type output struct {
	name, source string
	make         func(root string, o output) (map[string][]byte, error)
}

// outputs is everything that is built.
func outputs() []output {
	return []output{
		{"client.js", "src/index.ts", split}, // and the parts that it loads when it needs them
		{"client.d.ts", "src/types.ts", declare},
		{"box.js", "src/box/box.ts", bundle},
		{"box.d.ts", "src/element.d.ts", text},
		{"page.js", "src/page/page.ts", bundle},
		{"page.css", "src/page/page.css", bundle},
		{"index.html", "src/page/index.html", text},
	}
}

func main() {
	root := flag.String("C", ".", "the folder web")
	flag.Parse()
	if err := run(*root); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run writes all outputs, and no file that is already as it should be.
func run(root string) error {
	built, err := build(root)
	if err != nil {
		return err
	}
	dist := filepath.Join(root, "dist")
	if err := os.MkdirAll(dist, 0o755); err != nil {
		return err
	}
	for name, content := range built {
		path := filepath.Join(dist, name)
		if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, content) {
			continue
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// build makes all outputs in memory, by name.
func build(root string) (map[string][]byte, error) {
	built := map[string][]byte{}
	for _, o := range outputs() {
		files, err := o.make(root, o)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", o.name, err)
		}
		maps.Copy(built, files)
	}
	return built, nil
}

// bundle makes one file of a script or a style sheet and all that it imports.
func bundle(root string, o output) (map[string][]byte, error) { return esbuild(root, o, false) }

// split leaves out what the script imports only when it needs it, as files of
// their own.
func split(root string, o output) (map[string][]byte, error) { return esbuild(root, o, true) }

// esbuild builds an entry. What belongs together is built together, so that
// names with an underscore can be cut.
func esbuild(root string, o output, split bool) (map[string][]byte, error) {
	whole, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	name := strings.TrimSuffix(o.name, filepath.Ext(o.name))
	result := api.Build(api.BuildOptions{
		AbsWorkingDir:       whole,
		EntryPointsAdvanced: []api.EntryPoint{{InputPath: o.source, OutputPath: name}},
		Outdir:              "dist",
		ChunkNames:          "[name]",
		Bundle:              true,
		Splitting:           split,
		Format:              api.FormatESModule,
		Target:              api.ES2022,
		Charset:             api.CharsetUTF8,
		MinifyWhitespace:    true,
		MinifyIdentifiers:   true,
		MinifySyntax:        true,
		MangleProps:         "^_",
		LegalComments:       api.LegalCommentsNone,
		TsconfigRaw:         fmt.Sprintf(`{"compilerOptions":{"useDefineForClassFields":%v}}`, !split), // assignments are shorter, and right where no class has setters
		LogLevel:            api.LogLevelSilent,
	})
	if len(result.Errors) > 0 {
		return nil, errors.New(strings.Join(api.FormatMessages(result.Errors, api.FormatMessagesOptions{}), ""))
	}
	files := map[string][]byte{}
	for _, f := range result.OutputFiles {
		files[filepath.Base(f.Path)] = f.Contents
	}
	return files, nil
}

// text copies a file as it is.
func text(root string, o output) (map[string][]byte, error) {
	content, err := os.ReadFile(filepath.Join(root, o.source))
	return map[string][]byte{o.name: content}, err
}

// declare writes the types of the package: src/types.ts has nothing but types,
// so that only the values have to be declared.
func declare(root string, o output) (map[string][]byte, error) {
	files, err := text(root, o)
	files[o.name] = append(files[o.name], values...)
	return files, err
}

const values = `
export declare const Uploader: UploaderConstructor;

/** The English sentences, to be looked at or copied; Options.messages replaces them. */
export declare const messages: Messages;
`
