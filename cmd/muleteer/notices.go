package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/muleteer/muleteer/hook"
	"github.com/muleteer/muleteer/upload"
)

// notices is who is asked about uploads, and who is told of them.
type notices struct {
	URL        string `name:"hook-url" yaml:"hook-url" env:"MULETEER_HOOK_URL" placeholder:"URL" help:"Tell this address of uploads, by POST, and ask it; docs/events.md says how."`
	Program    string `name:"hook-program" yaml:"hook-program" env:"MULETEER_HOOK_PROGRAM" placeholder:"PROGRAM" help:"Tell and ask this program, by JSON on its standard input; or the programs in a directory, each named as a turn."`
	Format     string `name:"hook-format" yaml:"hook-format" env:"MULETEER_HOOK_FORMAT" enum:"ours,tusd" default:"ours" placeholder:"NAME" help:"In which form: ours, or that of tusd's hooks (default: ours)."`
	Events     list   `name:"hook-events" yaml:"hook-events" env:"MULETEER_HOOK_EVENTS" placeholder:"TURN" help:"Of which turns; what is asked and not answered is not done (default: completed,removed; with tusd: pre-create,post-create,post-finish,post-terminate)."`
	Secret     list   `name:"hook-secret" yaml:"hook-secret" env:"MULETEER_HOOK_SECRET" placeholder:"SECRET" help:"Sign what goes to --hook-url by this, whsec_ and base64; may be given several times while one replaces another. It is better kept in a file."`
	SecretFile string `name:"hook-secret-file" yaml:"hook-secret-file" env:"MULETEER_HOOK_SECRET_FILE" placeholder:"FILE" help:"A file with such secrets, one in a line."`
	Timeout    span   `name:"hook-timeout" yaml:"hook-timeout" env:"MULETEER_HOOK_TIMEOUT" default:"15s" placeholder:"TIME" help:"How long an answer may take (default: 15s)."`
	Tries      span   `name:"hook-retry" yaml:"hook-retry" env:"MULETEER_HOOK_RETRY" default:"3d" placeholder:"TIME" help:"For how long an event is tried again that nobody takes (default: 3d)."`
	Allow      list   `name:"hook-allow" yaml:"hook-allow" env:"MULETEER_HOOK_ALLOW" placeholder:"NETWORK" help:"Networks that are not public in which --hook-url may be, as 10.0.0.0/8; may be given several times."`
	Forward    list   `name:"hook-forward-header" yaml:"hook-forward-header" env:"MULETEER_HOOK_FORWARD_HEADER" placeholder:"NAME" help:"Headers of the client's request that who is asked may see; may be given several times."`
}

// given tells whether anybody is asked or told.
func (n notices) given() bool { return n.URL != "" || n.Program != "" }

func (n notices) check() error {
	switch {
	case n.URL != "" && n.Program != "":
		return errors.New("--hook-url and --hook-program are both given: there is one receiver; a program can pass on what it is told")
	case !n.given() && (len(n.Events) > 0 || len(n.Secret) > 0 || n.SecretFile != ""):
		return errors.New("nobody is told: give --hook-url or --hook-program as well")
	case n.Program != "" && (len(n.Secret) > 0 || n.SecretFile != ""):
		return errors.New("--hook-secret signs what goes to --hook-url; a program on this machine needs no signature")
	}
	if !n.given() {
		return nil
	}
	if _, err := n.turns(); err != nil {
		return err
	}
	_, err := n.sender()
	return err
}

// form is the language of the receiver; files appear in a store, as --store says
// it.
func (n notices) form(store string) hook.Form {
	if n.Format == "tusd" {
		return hook.Tusd{Storage: func(key string) map[string]string { return tusdStorage(store, key) }}
	}
	return hook.Ours{}
}

// turns are those of which the receiver wants to know. Each has its own name,
// and perhaps one with tusd.
func (n notices) turns() ([]upload.Kind, error) {
	names := []string(n.Events)
	switch {
	case len(names) > 0:
	case n.Format == "tusd": // as tusd has it
		names = []string{"pre-create", "post-create", "post-finish", "post-terminate"}
	default:
		names = []string{string(upload.Completed), string(upload.Removed)}
	}
	var kinds []upload.Kind
	for _, name := range names {
		i := slices.IndexFunc(upload.Kinds(), func(k upload.Kind) bool {
			return string(k) == name || hook.Tusd{}.Name(k) == name
		})
		switch {
		case name == "post-receive":
			return nil, errors.New("--hook-events post-receive: how an upload proceeds is not told; its client knows, and /uploads/ID does")
		case i < 0:
			return nil, fmt.Errorf("--hook-events %q is not known: there are %v", name, upload.Kinds())
		case n.form("").Name(upload.Kinds()[i]) == "":
			return nil, fmt.Errorf("--hook-events %s: --hook-format tusd has no word for it", name)
		}
		kinds = append(kinds, upload.Kinds()[i])
	}
	return kinds, nil
}

func (n notices) sender() (hook.Sender, error) {
	if n.Program != "" {
		p, err := hook.NewProgram(n.Program, time.Duration(n.Timeout))
		if err != nil {
			return nil, fmt.Errorf("--hook-program %q cannot be run: %w", n.Program, err)
		}
		return p, nil
	}
	secrets, err := n.secrets()
	if err != nil {
		return nil, err
	}
	allow, err := n.allowed()
	if err != nil {
		return nil, err
	}
	w, err := hook.NewWeb(hook.WebOptions{URL: n.URL, Secrets: secrets, Timeout: time.Duration(n.Timeout), Allow: allow})
	if err != nil {
		return nil, fmt.Errorf("--hook-url: %w", err) // without the URL, which may have a password
	}
	return w, nil
}

func (n notices) secrets() (secrets []hook.Secret, err error) {
	words := []string(n.Secret)
	if n.SecretFile != "" {
		text, err := os.ReadFile(n.SecretFile)
		if err != nil {
			return nil, fmt.Errorf("--hook-secret-file %s cannot be read: %w", n.SecretFile, reason(err))
		}
		words = append(strings.Fields(string(text)), words...)
		if len(words) == 0 {
			return nil, fmt.Errorf("--hook-secret-file %s has no secret", n.SecretFile)
		}
	}
	for _, w := range words {
		s, err := hook.ParseSecret(w)
		if err != nil {
			return nil, fmt.Errorf("--hook-secret: %w; make one by: echo whsec_$(head -c 32 /dev/urandom | base64 -w 0)", err)
		}
		secrets = append(secrets, s)
	}
	return secrets, nil
}

// allowed are networks; an address stands for itself alone.
func (n notices) allowed() (networks []netip.Prefix, err error) {
	for _, text := range n.Allow {
		p, err := netip.ParsePrefix(text)
		if ip, e := netip.ParseAddr(text); e == nil {
			p, err = ip.Prefix(ip.BitLen())
		}
		if err != nil {
			return nil, fmt.Errorf("--hook-allow %q is no network: write 10.0.0.0/8, or an address", text)
		}
		networks = append(networks, p)
	}
	return networks, nil
}

// install has a service tell and ask who is to be. The settings were checked.
func (n notices) install(s *upload.Service, store string, m *metrics) error {
	if !n.given() {
		return nil
	}
	sender, err := n.sender()
	if err != nil {
		return err
	}
	if s.Turns, err = n.turns(); err != nil {
		return err
	}
	s.Hook = m.hooked(hook.New(sender, n.form(store)))
	s.Tries = time.Duration(n.Tries)
	return nil
}

// noticed lets hooks know by which request a turn has come.
func (n notices) noticed(next http.Handler) http.Handler {
	if !n.given() {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(hook.With(r.Context(), r, n.Forward)))
	})
}

// tusdStorage tells where a finished file is, in the words of tusd's stores.
func tusdStorage(store, key string) map[string]string {
	switch kind, rest := scheme(store); kind {
	case "", "file":
		if path, err := filepath.Abs(filepath.Join(rest, filepath.FromSlash(key))); err == nil {
			return map[string]string{"Type": "filestore", "Path": path}
		}
	case "s3":
		if u, err := url.Parse(store); err == nil {
			if prefix := strings.Trim(u.Path, "/"); prefix != "" {
				key = prefix + "/" + key
			}
			return map[string]string{"Type": "s3store", "Bucket": u.Host, "Key": key}
		}
	}
	return nil
}
