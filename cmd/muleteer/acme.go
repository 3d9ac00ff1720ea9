package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
)

// authority is a service that gives certificates by ACME (RFC 8555), to who
// answers for a name at port 443 (TLS-ALPN-01, RFC 8737).
type authority struct {
	Hosts     list   `name:"acme" yaml:"acme" env:"MULETEER_ACME" placeholder:"HOST" help:"Speak https with a certificate for this name that the server gets, and renews, by itself; may be given several times. Port 443 of that name has to lead here."`
	Email     string `name:"acme-email" yaml:"acme-email" env:"MULETEER_ACME_EMAIL" placeholder:"ADDRESS" help:"Where the authority can reach you, say about a certificate that is withdrawn."`
	Directory string `name:"acme-directory" yaml:"acme-directory" env:"MULETEER_ACME_DIRECTORY" placeholder:"URL" help:"The ACME directory of another authority than Let’s Encrypt."`
}

func (a authority) check() error {
	if len(a.Hosts) == 0 && (a.Email != "" || a.Directory != "") {
		return errors.New("--acme-email and --acme-directory are given without --acme: name the host for which there is to be a certificate")
	}
	for _, h := range a.Hosts {
		// No authority vouches like this for an address, or for all names below one.
		if u, err := url.Parse("https://" + h); err != nil || u.Host != h || u.Port() != "" ||
			net.ParseIP(h) != nil || strings.Contains(h, "*") || !strings.Contains(strings.Trim(h, "."), ".") {
			return fmt.Errorf("--acme %q is no name of a host: write uploads.example.org", h)
		}
	}
	if u, err := url.Parse(a.Directory); a.Directory != "" && (err != nil || u.Scheme != "https" || u.Host == "") {
		return fmt.Errorf("--acme-directory %q is no address: write https://ca.example.org/directory", a.Directory)
	}
	return nil
}

// open returns where certificates come from. They are kept in a folder, which is
// made when there is one to keep.
func (a authority) open(folder string, log *slog.Logger) (*obtained, error) {
	if folder == "" {
		return nil, errors.New("--acme keeps its certificates beside the records, and these are in memory: give --state a file, or each start orders new ones until the authority refuses")
	}
	m := &autocert.Manager{
		Prompt: autocert.AcceptTOS, Cache: autocert.DirCache(folder), HostPolicy: autocert.HostWhitelist(a.Hosts...), Email: a.Email,
	}
	if a.Directory != "" {
		m.Client = &acme.Client{DirectoryURL: a.Directory}
	}
	i := &obtained{manager: m, log: log, told: map[string]string{}}
	for _, h := range a.Hosts {
		i.hosts = append(i.hosts, strings.ToLower(h))
	}
	return i, nil
}

// obtained are certificates that the server got for itself. Its methods may be
// called concurrently.
type obtained struct {
	hosts   []string
	manager *autocert.Manager
	log     *slog.Logger

	mu   sync.Mutex
	told map[string]string // what was logged last, of a host and a kind of key
}

// get is tls.Config's GetCertificate.
func (i *obtained) get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	c, err := i.manager.GetCertificate(hello)
	host := strings.ToLower(strings.TrimSuffix(hello.ServerName, "."))
	if !slices.Contains(i.hosts, host) || slices.Equal(hello.SupportedProtos, []string{acme.ALPNProto}) {
		return c, err // strangers fill no log
	}
	switch {
	case err != nil:
		if i.news(host, err.Error()) {
			i.log.Error("there is no certificate; is port 443 of the host this server’s, or forwarded to it?", "host", host, "error", err)
		}
	case i.news(host+" "+c.Leaf.PublicKeyAlgorithm.String(), c.Leaf.SerialNumber.String()):
		i.log.Info("a certificate is in use", "host", host, "ends", c.Leaf.NotAfter)
	}
	return c, err
}

// news tells whether something else was logged of it before.
func (i *obtained) news(of, what string) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	was := i.told[of]
	i.told[of] = what
	return was != what
}

// fetch gets what is not there yet, so that what is wrong is told at the start and
// not to the first visitor, and tries again until ctx ends.
func (i *obtained) fetch(ctx context.Context) {
	for _, host := range i.hosts {
		go func() {
			for wait := time.Minute; ; wait = min(2*wait, time.Hour) {
				// As a client of today: one that knows no ECDSA would get a certificate of its own.
				_, err := i.get(&tls.ClientHelloInfo{ServerName: host, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}})
				if err == nil {
					return
				}
				select {
				case <-ctx.Done():
					return
				case <-time.After(wait):
				}
			}
		}()
	}
}
