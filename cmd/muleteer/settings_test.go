package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// parsed returns what the command line, the environment and a file come to.
func parsed(t *testing.T, file string, env map[string]string, args ...string) (settings, error) {
	t.Helper()
	for _, name := range []string{"PORT", "BUCKET", "DATABASE_URL", "MIME_TYPE", "CHUNK_SIZE"} {
		if _, set := os.LookupEnv(name); set {
			t.Setenv(name, "") // to be restored
			os.Unsetenv(name)
		}
	}
	for name, value := range env {
		t.Setenv(name, value)
	}
	args = append([]string{"serve"}, args...)
	if file != "" {
		path := filepath.Join(t.TempDir(), "muleteer.yaml")
		if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--config", path)
	}
	var grammar commands
	_, err := parseInto(&grammar, console{new(bytes.Buffer), new(bytes.Buffer), new(bytes.Buffer), args})
	s := grammar.Serve.Settings
	if err == nil {
		err = s.check()
	}
	return s, err
}

// Flag > environment > file > default.
func TestPrecedence(t *testing.T) {
	tests := []struct {
		name, file string
		env        map[string]string
		args       []string
		want       func(s settings) (got, want string)
	}{
		{name: "default", want: func(s settings) (string, string) { return s.MaxSize.String(), "50 GiB" }},
		{name: "file", file: "max-size: 1GiB", want: func(s settings) (string, string) { return s.MaxSize.String(), "1 GiB" }},
		{name: "bare number", file: "max-size: 1024", want: func(s settings) (string, string) { return s.MaxSize.String(), "1 KiB" }},
		{name: "environment over file", file: "max-size: 1GiB", env: map[string]string{"MULETEER_MAX_SIZE": "2GiB"},
			want: func(s settings) (string, string) { return s.MaxSize.String(), "2 GiB" }},
		{name: "flag over environment", file: "max-size: 1GiB", env: map[string]string{"MULETEER_MAX_SIZE": "2GiB"}, args: []string{"--max-size=3GiB"},
			want: func(s settings) (string, string) { return s.MaxSize.String(), "3 GiB" }},
		{name: "PORT", env: map[string]string{"PORT": "9000"},
			want: func(s settings) (string, string) { return strings.Join(s.Listen, " "), "127.0.0.1:9000" }},
		{name: "PORT changes the file's port only", file: "listen: 0.0.0.0:1\nopen: true", env: map[string]string{"PORT": "9000"},
			want: func(s settings) (string, string) { return strings.Join(s.Listen, " "), "0.0.0.0:9000" }},
		{name: "MULETEER_LISTEN over PORT", env: map[string]string{"PORT": "9000", "MULETEER_LISTEN": "127.0.0.1:1,[::1]:2"},
			want: func(s settings) (string, string) { return strings.Join(s.Listen, " "), "127.0.0.1:1 [::1]:2" }},
		{name: "list in the file", file: "listen: [127.0.0.1:1, 127.0.0.1:2]",
			want: func(s settings) (string, string) { return strings.Join(s.Listen, " "), "127.0.0.1:1 127.0.0.1:2" }},
		{name: "--listen twice over all", file: "listen: 127.0.0.1:1", env: map[string]string{"PORT": "9"}, args: []string{"--listen=127.0.0.1:3", "--listen=127.0.0.1:4"},
			want: func(s settings) (string, string) { return strings.Join(s.Listen, " "), "127.0.0.1:3 127.0.0.1:4" }},
		{name: "BUCKET", file: "store: here", env: map[string]string{"BUCKET": "b"},
			want: func(s settings) (string, string) { return s.Storage.Store, "s3://b" }},
		{name: "--store over BUCKET", env: map[string]string{"BUCKET": "b"}, args: []string{"--store", "here"},
			want: func(s settings) (string, string) { return s.Storage.Store, "here" }},
		{name: "MULETEER_STORE over BUCKET", env: map[string]string{"BUCKET": "b", "MULETEER_STORE": "there"},
			want: func(s settings) (string, string) { return s.Storage.Store, "there" }},
		{name: "DATABASE_URL", file: "state: x.db", env: map[string]string{"DATABASE_URL": "sqlite:///y.db"},
			want: func(s settings) (string, string) { return s.Storage.State, "sqlite:///y.db" }},
		{name: "CHUNK_SIZE", env: map[string]string{"CHUNK_SIZE": "1048576"},
			want: func(s settings) (string, string) { return s.ChunkSize.String(), "1 MiB" }},
		{name: "MIME_TYPE", env: map[string]string{"MIME_TYPE": "text/plain"},
			want: func(s settings) (string, string) { return s.MimeType, "text/plain" }},
		{name: "bool in the file", file: "overwrite: true",
			want: func(s settings) (string, string) {
				return map[bool]string{true: "yes", false: "no"}[s.Overwrite], "yes"
			}},
		{name: "days in the file", file: "expire: 2d # days\n", want: func(s settings) (string, string) { return s.Expire.String(), "2 days" }},
		{name: "renamed fields", file: "rename-field: [id=resumableIdentifier, no=resumableChunkNumber]",
			want: func(s settings) (string, string) { return s.Clients.renamed()["no"], "resumableChunkNumber" }},
		{name: "appends in the environment", env: map[string]string{"MULETEER_MAX_APPEND_SIZE": "64MiB", "MULETEER_ALWAYS_104": "true"},
			want: func(s settings) (string, string) {
				return fmt.Sprint(s.Clients.MaxAppend, s.Clients.Inform), "64 MiB true"
			}},
		{name: "path of Mule Uploader", file: "mule-path: /from/file", env: map[string]string{"MULETEER_MULE_PATH": "/app/uploads"},
			want: func(s settings) (string, string) { return s.Clients.mule(), "/app/uploads/" }},
		{name: "its usual path", want: func(s settings) (string, string) { return s.Clients.MulePath, "/upload-backend" }},
		{name: "empty file", file: "# nothing\n", want: func(s settings) (string, string) { return s.Expire.String(), "7 days" }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s, err := parsed(t, test.file, test.env, test.args...)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := test.want(s); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

// What is wrong is said, with its place and with what to do.
func TestWrongSettings(t *testing.T) {
	for _, test := range []struct {
		name, file string
		args       []string
		want       string
	}{
		{name: "unknown key", file: "expire: 7d\nmax-sise: 5GiB", want: "[2:1] unknown field \"max-sise\""},
		{name: "caret", file: "max-sise: 5GiB", want: "^"},
		{name: "size", file: "\nmax-size: 5G", want: "[2:11]"},
		{name: "enum", args: []string{"--durability", "eternal"}, want: `"power","process"`},
		{name: "enum in the file", file: "durability: eternal", want: `"power","process"`},
		{name: "key", args: []string{"--key", "../{id}"}, want: "relative path"},
		{name: "origin", args: []string{"--cors", "https://a/b"}, want: "https://example.org"},
		{name: "all and some", args: []string{"--cors", "*,https://a"}, want: "either"},
		{name: "all addresses", args: []string{"--listen", ":8080"}, want: "--open"},
		{name: "one address", args: []string{"--listen", "192.0.2.1:8080"}, want: "--open"},
		{name: "name", args: []string{"--listen", "example.org:8080"}, want: "--open"},
		{name: "second address", args: []string{"--listen", "127.0.0.1:0,[::]:8080"}, want: "--open"},
		{name: "issuer without a key", args: []string{"--token-issuer", "x"}, want: "--token-secret-file"},
		{name: "asked and open", args: []string{"--auth-url", "http://app/", "--open"}, want: "leave one of them out"},
		{name: "cookies for all pages", args: []string{"--auth-url", "http://app/", "--cors", "*"}, want: "name the origins"},
		{name: "application", args: []string{"--auth-url", "app"}, want: "https://app.example.org"},
		{name: "key set", args: []string{"--token-jwks", "ftp://app/"}, want: "https://app.example.org"},
		{name: "header of no proxy", args: []string{"--auth-header", "X-User"}, want: "--trusted-proxy"},
		{name: "proxy", args: []string{"--trusted-proxy", "proxy.example"}, want: "10.0.0.0/8"},
		{name: "certificates without TLS", args: []string{"--tls-client-ca", "x.pem"}, want: "--tls-cert"},
		{name: "scope", args: []string{"--anonymous-scope", "all"}, want: `"auto","cookie","shared"`},
		{name: "no port", args: []string{"--listen", "127.0.0.1"}, want: "127.0.0.1:8080"},
		{name: "renamed to nothing", args: []string{"--rename-field", "id"}, want: "THEIRS=OURS"},
		{name: "renamed to what there is not", args: []string{"--rename-field", "id=resumableID"}, want: "resumableIdentifier"},
		{name: "renamed twice", args: []string{"--rename-field", "id=resumableIdentifier,id=flowIdentifier"}, want: "twice"},
		{name: "compat", args: []string{"--compat", "tus"}, want: "there is resumable"},
		{name: "Mule Uploader with its host", args: []string{"--mule-path", "https://up.example/backend"}, want: "without the host"},
		{name: "pictures for another demo", args: []string{"--demo", "mule", "--preview-cmd", "cat"}, want: "--demo resumable"},
		{name: "demo", args: []string{"--demo", "tus"}, want: "resumable and mule"},
		{name: "appends", args: []string{"--min-append-size", "2MiB", "--max-append-size", "1MiB"}, want: "nothing could be sent"},
		{name: "public URL", args: []string{"--public-url", "example.org"}, want: "https://"},
		{name: "no file", args: []string{"--config", "nowhere.yaml"}, want: "no file nowhere.yaml"},
		{name: "argument", args: []string{"stray"}, want: "unexpected argument stray"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := parsed(t, test.file, nil, test.args...)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want something with %q", err, test.want)
			}
		})
	}
	for _, args := range [][]string{{"--open", "--listen", ":8080"}, {"--listen", "localhost:1,[::1]:1,127.8.8.8:1"}} {
		if _, err := parsed(t, "", nil, args...); err != nil {
			t.Errorf("%v: %v", args, err)
		}
	}
}

func TestScheme(t *testing.T) {
	t.Parallel()
	for where, want := range map[string][2]string{
		"dir": {"", "dir"}, "./a:b": {"", "./a:b"}, "/x/y": {"", "/x/y"}, "file:///x/y": {"file", "/x/y"},
		"mem:": {"mem", ""}, "s3://bucket/p": {"s3", "bucket/p"}, "sqlite:///d/s.db": {"sqlite", "/d/s.db"}, "sqlite:s.db": {"sqlite", "s.db"},
	} {
		if kind, rest := scheme(where); kind != want[0] || rest != want[1] {
			t.Errorf("%s: got %q, %q", where, kind, rest)
		}
	}
	if got := secretless("mysql://me:secret@host/db"); strings.Contains(got, "secret") {
		t.Error(got)
	}
}

func TestParseServer(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"http://h:1":             "http://h:1",
		"http://h:1/":            "http://h:1",
		"https://h/upload":       "https://h",
		"https://h/upload/":      "https://h",
		"https://h/a%2Fb/upload": "https://h/a%2Fb",
		"https://h/up":           "https://h/up",
		"http://[::1]:80/x/":     "http://[::1]:80/x",
		"h:1":                    "",
		"h":                      "",
		"ftp://h":                "",
		"http://":                "",
		"http://h?x":             "",
		"":                       "",
	} {
		got, err := parseServer(address)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: got %q, %v; want %q", address, got, err, want)
		}
	}
}

func TestFlagsFirst(t *testing.T) {
	for args, want := range map[string]string{
		"put a b":                       "put -- a b",
		"put a -w 2 b --json c -":       "put -w 2 --json -- a b c -",
		"put a --workers=2 -- -b":       "put --workers=2 -- a -b",
		"put --name":                    "put --name",
		"ls":                            "ls",
		"nonsense --x y":                "nonsense --x -- y",
		"put -q a --timeout 5s http://": "put -q --timeout 5s -- a http://",
	} {
		parser, err := newParser(new(commands), console{})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(flagsFirst(parser.Model.Children, strings.Fields(args)), " "); got != want {
			t.Errorf("%s: got %s, want %s", args, got, want)
		}
	}
}

func TestQuoted(t *testing.T) {
	t.Parallel()
	got := quoted([]string{"put", "a b", "it's", "$x", "plain-1.txt", "", "http://h:1/?a", "--token", "secret", "--token=secret"})
	if want := `muleteer put 'a b' 'it'\''s' '$x' plain-1.txt '' 'http://h:1/?a'`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
