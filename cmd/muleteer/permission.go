package main

import (
	"cmp"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"

	"github.com/muleteer/muleteer/access"
)

// permission is who may upload, of one endpoint.
type permission struct {
	Secrets  secrets `embed:"" yaml:",inline"`
	Keys     list    `name:"token-key-file" yaml:"token-key-file" env:"MULETEER_TOKEN_KEY_FILE" placeholder:"FILE" help:"Take tokens that are signed by the key of this public key or certificate (PEM): RS256, ES256 or EdDSA; may be given several times."`
	KeySet   string  `name:"token-jwks" yaml:"token-jwks" env:"MULETEER_TOKEN_JWKS" placeholder:"URL" help:"Take tokens that are signed by a key of this JSON Web Key Set."`
	Audience string  `name:"token-audience" yaml:"token-audience" env:"MULETEER_TOKEN_AUDIENCE" placeholder:"NAME" help:"Tokens have to be for this audience (aud)."`
	Issuer   string  `name:"token-issuer" yaml:"token-issuer" env:"MULETEER_TOKEN_ISSUER" placeholder:"NAME" help:"Tokens have to be from this issuer (iss)."`

	AuthURL     string `name:"auth-url" yaml:"auth-url" env:"MULETEER_AUTH_URL" placeholder:"URL" help:"Ask an application whether a request is permitted: GET with the client's Authorization and Cookie; 200 permits it."`
	AuthHeader  string `name:"auth-header" yaml:"auth-header" env:"MULETEER_AUTH_HEADER" placeholder:"NAME" help:"The header in which a proxy of --trusted-proxy tells who calls, say X-Forwarded-User."`
	Certificate string `name:"client-name" yaml:"client-name" env:"MULETEER_CLIENT_NAME" enum:"cn,email,dns,uri" default:"cn" placeholder:"KIND" help:"Which name in a client's certificate is its owner: cn, email, dns or uri (default: cn)."`

	Open  bool   `yaml:"open" env:"MULETEER_OPEN" help:"Take uploads from everybody who can reach the server."`
	Scope string `name:"anonymous-scope" yaml:"anonymous-scope" env:"MULETEER_ANONYMOUS_SCOPE" enum:"auto,cookie,shared" default:"auto" placeholder:"SCOPE" help:"Whether people without a name meet in one upload by its name: shared, or cookie: only those with one cookie or address; auto: shared for programs on this machine (default: auto)."`
}

// asks tells whether somebody has to be known to upload. What a certificate
// needs is configured with TLS.
func (p *permission) asks(certificates bool) bool {
	return p.tokens() || p.AuthURL != "" || p.AuthHeader != "" || certificates
}

// tokens tells whether there are keys for some.
func (p *permission) tokens() bool {
	return p.Secrets.given() || len(p.Keys) > 0 || p.KeySet != ""
}

// anonymous tells whether people without a name may upload.
func (p *permission) anonymous(certificates bool) bool { return p.Open || !p.asks(certificates) }

// check tells what is wrong. proxies are those that are believed, as they were
// given.
func (p *permission) check(proxies list, certificates bool) error {
	switch {
	case (p.Audience != "" || p.Issuer != "") && !p.tokens():
		return errors.New("--token-audience and --token-issuer are for tokens: give a key for those as well, say --token-secret-file")
	case p.AuthURL != "" && p.Open:
		return errors.New("--auth-url has the application asked about everybody, and --open lets everybody in: leave one of them out")
	case p.AuthHeader != "" && len(proxies) == 0:
		return errors.New("--auth-header is believed from proxies only: say by --trusted-proxy where they are, as 10.0.0.0/8 or 127.0.0.1")
	}
	for flag, address := range map[string]string{"--auth-url": p.AuthURL, "--token-jwks": p.KeySet} {
		u, err := url.Parse(address)
		if address != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "") {
			return fmt.Errorf("%s is no address: write https://app.example.org/path", flag)
		}
	}
	return nil
}

// open returns the gate of the endpoint of that name. key returns one that
// survives a restart; it is called if it is needed.
func (p *permission) open(endpoint string, certificates bool, key func() ([]byte, error), log *slog.Logger) (*access.Gate, error) {
	g := &access.Gate{Endpoint: endpoint, Header: http.CanonicalHeaderKey(p.AuthHeader), Log: log}
	if certificates {
		g.Certificate = cmp.Or(p.Certificate, "cn")
	}
	words, err := p.Secrets.read()
	if err != nil {
		return nil, err
	}
	keys, err := readKeys(p.Keys)
	if err != nil {
		return nil, err
	}
	if p.tokens() {
		g.Tokens = &access.Tokens{Secrets: words, Keys: keys, Audience: p.Audience, Issuer: p.Issuer}
		if p.KeySet != "" {
			g.Tokens.KeySet = access.NewKeySet(p.KeySet, nil)
		}
	}
	if p.AuthURL == "" && !p.anonymous(certificates) {
		return g, nil
	}
	secret, err := key()
	if err != nil {
		return nil, err
	}
	if secret, err = hkdf.Key(sha256.New, secret, nil, "endpoint "+endpoint, sha256.Size); err != nil {
		return nil, err
	}
	if p.AuthURL != "" {
		g.Application = access.NewApplication(p.AuthURL, secret, log, nil)
	}
	if p.anonymous(certificates) {
		g.Nobody = &access.Nobody{Key: secret, Shared: p.Scope == "shared", Apart: p.Scope == "cookie"}
	}
	return g, nil
}

// audience tells who may upload, for people.
func (p *permission) audience(certificates bool) string {
	var who []string
	add := func(has bool, what string) {
		if has {
			who = append(who, what)
		}
	}
	add(p.tokens(), "a token (“muleteer token”)")
	add(p.AuthURL != "", "the application's word")
	add(p.AuthHeader != "", "a name from the proxy")
	add(certificates, "a certificate")
	s := "whoever has "
	for i, w := range who {
		switch {
		case i > 0 && i == len(who)-1:
			s += " or "
		case i > 0:
			s += ", "
		}
		s += w
	}
	return s
}

// meeting tells who of those without a name meet in one upload.
func (p *permission) meeting() string {
	switch p.Scope {
	case "shared":
		return "all of them meet in one upload by its name (--anonymous-scope shared)"
	case "cookie":
		return "each has uploads of its own, by a cookie or its address"
	}
	return "programs on this machine meet in one upload by its name; others have uploads of their own, by a cookie or their address"
}
