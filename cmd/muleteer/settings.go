package main

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/muleteer/muleteer/access"
)

// settings are all that can be said of a server, by flag, environment or file;
// the keys of the file are the names of the flags.
type settings struct {
	Listen    list       `yaml:"listen" env:"MULETEER_LISTEN" placeholder:"HOST:PORT" help:"Where to listen; may be given several times (default: 127.0.0.1:8080, or port $PORT)."`
	Storage   storage    `embed:"" yaml:",inline"`
	TLS       encryption `embed:"" yaml:",inline"`
	Endpoints endpoints  `kong:"-" yaml:"endpoints"`
	Target    `embed:"" yaml:",inline"`
	PublicURL string  `name:"public-url" yaml:"public-url" env:"MULETEER_PUBLIC_URL" placeholder:"URL" help:"How the server is reached from outside, if a proxy is before it."`
	Proxies   list    `name:"trusted-proxy" yaml:"trusted-proxy" env:"MULETEER_TRUSTED_PROXY" placeholder:"NETWORK" help:"Believe what proxies there say of the client (Forwarded, X-Forwarded-…); may be given several times (default: this machine)."`
	Clients   clients `embed:"" yaml:",inline"`
	Old       demo    `embed:"" yaml:",inline"`
	Audit     string  `name:"audit-log" yaml:"audit-log" env:"MULETEER_AUDIT_LOG" placeholder:"FILE" help:"Note in this file who did what, with which outcome, a line of JSON for each request; - for standard output."`
	Verbose   bool    `yaml:"verbose" env:"MULETEER_VERBOSE" help:"Log every request."`
}

// storage is where records and bytes are kept.
type storage struct {
	Config     configFile `yaml:"-" env:"MULETEER_CONFIG" placeholder:"FILE" help:"Read settings from a YAML file."`
	Store      string     `yaml:"store" env:"MULETEER_STORE" placeholder:"WHERE" help:"Where files are kept: a directory, file:///directory, s3://bucket/prefix?region=…&endpoint=…, or mem: to throw them away (default: ./muleteer-data/files)."`
	State      string     `yaml:"state" env:"MULETEER_STATE,DATABASE_URL" placeholder:"WHERE" help:"Where records are kept: a file, sqlite:///file, or mem: (default: ./muleteer-data/state.db)."`
	S3Key      string     `name:"s3-key" yaml:"s3-key" env:"MULETEER_S3_KEY" placeholder:"ID" help:"The access key of the bucket, where the usual places of AWS have none."`
	S3Secret   string     `name:"s3-secret" yaml:"s3-secret" env:"MULETEER_S3_SECRET" placeholder:"SECRET" help:"Its secret; a command line can be seen by others, so it is better said in the file or the environment."`
	Durability string     `yaml:"durability" env:"MULETEER_DURABILITY" enum:"power,process" default:"power" placeholder:"LEVEL" help:"What acknowledged bytes survive: power (a power cut) or process (only a crash of the program); default: power."`
	Memory     size       `yaml:"memory" env:"MULETEER_MEMORY" default:"256MiB" placeholder:"SIZE" help:"What bodies on their way into a bucket, and chunks that wait for their place, may take of the memory; when it is used up, clients wait (default: 256MiB)."`

	largest int64 // bytes of the largest file that will come; 0: unknown
}

const (
	defaultStore   = "muleteer-data/files"
	defaultState   = "muleteer-data/state.db"
	defaultAddress = "127.0.0.1:8080"
)

// check completes the settings and tells what is wrong with them.
func (s *settings) check() error {
	if len(s.Listen) == 0 {
		s.Listen = []string{defaultAddress}
	}
	if err := s.Target.check(s); err != nil {
		return err
	}
	if s.PublicURL != "" {
		u, err := url.Parse(s.PublicURL)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
			return fmt.Errorf("--public-url %q is no address: write https://uploads.example.org", s.PublicURL)
		}
	}
	if err := s.TLS.check(); err != nil {
		return err
	}
	if err := s.Clients.check(); err != nil {
		return err
	}
	if err := s.Old.check(); err != nil {
		return err
	}
	if _, err := s.believed(); err != nil {
		return err
	}
	return s.checkAddresses()
}

func (s *Target) checkOrigins() error {
	protection := http.NewCrossOriginProtection()
	for _, o := range s.Cors {
		if o == "*" {
			if len(s.Cors) > 1 {
				return errors.New("--cors has * and other origins: either everybody may, or those who are named")
			}
			continue
		}
		if err := protection.AddTrustedOrigin(o); err != nil {
			return fmt.Errorf("--cors %q is no origin: write https://example.org, without a path", o)
		}
	}
	return nil
}

// believed are the proxies whose word is believed.
func (s *settings) believed() (access.Proxies, error) {
	if len(s.Proxies) == 0 {
		return access.Loopback(), nil
	}
	p, err := access.ParseProxies(s.Proxies)
	if err != nil {
		return nil, fmt.Errorf("--trusted-proxy %w", err)
	}
	return p, nil
}

// checkAddresses refuses to listen beyond this machine by accident.
func (s *settings) checkAddresses() error {
	for _, a := range s.Listen {
		host, _, err := net.SplitHostPort(a)
		if err != nil {
			return fmt.Errorf("--listen %q is no address: write 127.0.0.1:8080, or :8080 for all", a)
		}
		if !s.Allow.Open && !s.Allow.asks(s.TLS.ClientCA != "") && !loopback(host) {
			return fmt.Errorf("%s can be reached from other machines, and then anybody could upload: say who may, by --token-secret-file, "+
				"--auth-url or another way in docs/auth.md; give --open if it is everybody; or listen on 127.0.0.1 and put a proxy that asks for a password before it", a)
		}
	}
	return nil
}

// loopback tells whether only this machine reaches a host.
func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// shared tells whether an address can be reached by others.
func (s *settings) shared() bool {
	return slices.ContainsFunc(s.Listen, func(a string) bool {
		host, _, _ := net.SplitHostPort(a)
		return !loopback(host)
	})
}

// scheme splits "s3://bucket" and "mem:" into scheme and rest; a path has no
// scheme.
func scheme(where string) (name, rest string) {
	name, rest, found := strings.Cut(where, ":")
	if !found || name == "" || strings.ContainsAny(name, `/\.`) {
		return "", where
	}
	return name, strings.TrimPrefix(rest, "//")
}
