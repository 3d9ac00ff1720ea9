package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
)

// configFile is a file of settings. What flags and the environment say wins
// over it.
type configFile string

// BeforeResolve makes what the file says known to the parser of the command
// line.
func (f configFile) BeforeResolve(ctx *kong.Context, path *kong.Path) error {
	if given, ok := ctx.FlagValue(path.Flag).(configFile); ok && given != "" {
		f = given // by flag; it is not assigned yet
	}
	if f == "" {
		return nil
	}
	values, err := f.read()
	if err != nil {
		return err
	}
	ctx.AddResolver(values)
	return nil
}

// values are the settings in a file, by the name of their flags.
type values map[string]any

// read reads the file twice: once strictly into the settings, which finds every
// mistake and its place, and once into what the parser needs.
func (f configFile) read() (values, error) {
	text, err := os.ReadFile(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no file %s, which --config names", f)
	}
	if err != nil {
		return nil, fmt.Errorf("the configuration cannot be read: %w", err)
	}
	v := values{}
	if yaml.Unmarshal(text, &v) == nil && isAppYAML(v) {
		if v, err = appYAML(v); err != nil {
			return nil, fmt.Errorf("%s is read as the app.yaml of node-s3-resumable-upload: %w", f, err)
		}
		return v, nil
	}
	err = yaml.NewDecoder(bytes.NewReader(text), yaml.Strict()).Decode(new(settings))
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: %s", f, yaml.FormatError(err, false, true))
	}
	v = values{}
	if err := yaml.Unmarshal(text, &v); err != nil {
		return nil, fmt.Errorf("%s: %s", f, yaml.FormatError(err, false, true))
	}
	return v, nil
}

// UnmarshalYAML names the place of a mistake.
func (s *size) UnmarshalYAML(n ast.Node) error { return placed(n, s.UnmarshalText) }

// UnmarshalYAML names the place of a mistake.
func (d *span) UnmarshalYAML(n ast.Node) error { return placed(n, d.UnmarshalText) }

// UnmarshalYAML names the place of a mistake.
func (o *tempo) UnmarshalYAML(n ast.Node) error { return placed(n, o.UnmarshalText) }

// list is one or several words.
type list []string

// UnmarshalYAML takes a single word for a list of one.
func (l *list) UnmarshalYAML(n ast.Node) error {
	if n.Type() == ast.SequenceType {
		return yaml.NodeToValue(n, (*[]string)(l))
	}
	*l = list{""}
	return yaml.NodeToValue(n, &(*l)[0])
}

func placed(n ast.Node, read func([]byte) error) error {
	if err := read([]byte(n.GetToken().Value)); err != nil {
		return &yaml.SyntaxError{Message: err.Error(), Token: n.GetToken()}
	}
	return nil
}

// Validate is kong.Resolver's; read has validated all there is.
func (v values) Validate(*kong.Application) error { return nil }

// Resolve is kong.Resolver's. Nil means that the file says nothing, or that the
// environment wins.
func (v values) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	value, found := v[flag.Name]
	if !found || value == nil || inEnvironment(flag) {
		return nil, nil
	}
	words := []string{fmt.Sprint(value)}
	if list, ok := value.([]any); ok {
		words = nil
		for _, item := range list {
			words = append(words, fmt.Sprint(item))
		}
	}
	if flag.Name == "listen" && len(words) == 1 {
		words[0] = withPort(words[0])
	}
	return strings.Join(words, ","), nil
}

func inEnvironment(flag *kong.Flag) bool {
	for _, name := range flag.Envs {
		if _, set := os.LookupEnv(name); set {
			return true
		}
	}
	return flag.Name == "store" && older(flag) != ""
}

// olderNames resolves flags by the variables that older upload servers read
// and that say something else than the flag does.
var olderNames = kong.ResolverFunc(func(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	for _, name := range flag.Envs {
		if _, set := os.LookupEnv(name); set {
			return nil, nil
		}
	}
	if value := older(flag); value != "" {
		return value, nil
	}
	return nil, nil
})

func older(flag *kong.Flag) string {
	switch bucket := os.Getenv("BUCKET"); {
	case flag.Name == "store" && bucket != "":
		return "s3://" + bucket
	case flag.Name == "listen" && os.Getenv("PORT") != "":
		return withPort(defaultAddress)
	}
	return ""
}

// withPort returns the address with the port that PORT names, if it names one.
func withPort(address string) string {
	host, _, err := net.SplitHostPort(address)
	if port := os.Getenv("PORT"); port != "" && err == nil {
		return net.JoinHostPort(host, port)
	}
	return address
}
