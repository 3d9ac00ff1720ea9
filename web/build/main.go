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
		{"streams.js", "src/streams/index.ts", bundle},
		{"streams.d.ts", "src/streams.d.ts", text},
		{"direct.js", "src/direct.ts", bundle},
		{"direct.d.ts", "src/direct.d.ts", text},
		{"streams/page.js", "src/streams/page/page.ts", bundle},
		{"streams/page.css", "src/streams/page/page.css", bundle},
		{"streams/index.html", "src/streams/page/index.html", text},
		{"box.js", "src/box/box.ts", bundle},
		{"box.d.ts", "src/element.d.ts", text},
		{"resumable.js", "src/resumable/index.ts", bundle},
		{"resumable.d.ts", "src/resumable/types.ts", declare},
		{"resumable.global.js", "src/resumable/script.ts", classic}, // for a plain <script>
		{"demo/uploader.js", "src/resumable/demo/script.ts", classic},
		{"demo/demo.js", "src/resumable/demo/page.ts", classic},
		{"demo/demo.css", "src/resumable/demo/page.css", bundle},
		{"demo/index.html", "src/resumable/demo/index.html", text},
		{"mule/page.js", "src/mule/page.ts", bundle},
		{"mule/page.css", "src/mule/page.css", bundle},
		{"mule/index.html", "src/mule/index.html", text},
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
	for name, content := range built {
		path := filepath.Join(dist, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
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
func bundle(root string, o output) (map[string][]byte, error) {
	return esbuild(root, o, api.BuildOptions{Format: api.FormatESModule})
}

// split leaves out what the script imports only when it needs it, as files of
// their own.
func split(root string, o output) (map[string][]byte, error) {
	return esbuild(root, o, api.BuildOptions{Format: api.FormatESModule, Splitting: true})
}

// classic is bundle for a script that is no module and leaves nothing global
// behind but what it puts there.
func classic(root string, o output) (map[string][]byte, error) {
	return esbuild(root, o, api.BuildOptions{Format: api.FormatIIFE})
}

// esbuild builds an entry as b says. What belongs together is built together, so
// that names with an underscore can be cut.
func esbuild(root string, o output, b api.BuildOptions) (map[string][]byte, error) {
	whole, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	name := strings.TrimSuffix(o.name, filepath.Ext(o.name))
	b.AbsWorkingDir = whole
	b.EntryPointsAdvanced = []api.EntryPoint{{InputPath: o.source, OutputPath: name}}
	b.Outdir, b.ChunkNames = "dist", "[name]"
	b.Bundle, b.Target, b.Charset = true, api.ES2022, api.CharsetUTF8
	b.MinifyWhitespace, b.MinifyIdentifiers, b.MinifySyntax, b.MangleProps = true, true, true, "^_"
	b.LegalComments, b.LogLevel = api.LegalCommentsNone, api.LogLevelSilent
	// Assignments are shorter, and right where no class has setters.
	b.TsconfigRaw = fmt.Sprintf(`{"compilerOptions":{"useDefineForClassFields":%v}}`, !b.Splitting)
	result := api.Build(b)
	if len(result.Errors) > 0 {
		return nil, errors.New(strings.Join(api.FormatMessages(result.Errors, api.FormatMessagesOptions{}), ""))
	}
	files := map[string][]byte{}
	for _, f := range result.OutputFiles {
		path, err := filepath.Rel(filepath.Join(whole, "dist"), f.Path)
		if err != nil {
			return nil, err
		}
		files[filepath.ToSlash(path)] = f.Contents
	}
	return files, nil
}

// text copies a file as it is.
func text(root string, o output) (map[string][]byte, error) {
	content, err := os.ReadFile(filepath.Join(root, o.source))
	return map[string][]byte{o.name: content}, err
}

// declare writes the types of an entry: the source has nothing but types, so
// that only the values have to be declared.
func declare(root string, o output) (map[string][]byte, error) {
	files, err := text(root, o)
	files[o.name] = append(files[o.name], map[string]string{"client.d.ts": values, "resumable.d.ts": resumableValues}[o.name]...)
	return files, err
}

const values = `
export declare const Uploader: UploaderConstructor;

/** The English sentences, to be looked at or copied; Options.messages replaces them. */
export declare const messages: Messages;
`

const resumableValues = `
export declare const Resumable: ResumableConstructor;
export default Resumable;
`
