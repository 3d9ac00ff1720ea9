package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/acme"
)

// encryption is what the server needs to speak TLS itself: a certificate in
// files, or an authority that gives one.
type encryption struct {
	Cert string    `name:"tls-cert" yaml:"tls-cert" env:"MULETEER_TLS_CERT" placeholder:"FILE" help:"Speak https with the certificate in this PEM file, which is read again when it changes."`
	Key  string    `name:"tls-key" yaml:"tls-key" env:"MULETEER_TLS_KEY" placeholder:"FILE" help:"The key of --tls-cert, a PEM file too."`
	ACME authority `embed:"" yaml:",inline"`
	// ClientCA makes clients known by certificates; see permission.
	ClientCA string `name:"tls-client-ca" yaml:"tls-client-ca" env:"MULETEER_TLS_CLIENT_CA" placeholder:"FILE" help:"Know clients by their certificates, if an authority in this PEM file vouches for them."`
	HTTP2    bool   `name:"http2" yaml:"http2" env:"MULETEER_HTTP2" help:"Offer HTTP/2 too. Browsers then send everything over one connection, which is slower on long lines."`
}

func (e encryption) check() error {
	switch {
	case e.Cert != "" && e.Key == "":
		return errors.New("--tls-cert is given without --tls-key: name the file of the key too")
	case e.Cert == "" && e.Key != "":
		return errors.New("--tls-key is given without --tls-cert: name the file of the certificate too")
	case e.Cert != "" && len(e.ACME.Hosts) > 0:
		return errors.New("--tls-cert and --acme are both given: either the certificate is in a file, or the server gets one")
	case !e.on() && e.ClientCA != "":
		return errors.New("--tls-client-ca is given without --tls-cert or --acme: certificates are shown over TLS only")
	case !e.on() && e.HTTP2:
		return errors.New("--http2 is given without --tls-cert or --acme: browsers speak HTTP/2 over TLS only")
	}
	return e.ACME.check()
}

func (e encryption) on() bool { return e.Cert != "" || len(e.ACME.Hosts) > 0 }

// scheme is that of the server's own URLs.
func (e encryption) scheme() string {
	if e.on() {
		return "https"
	}
	return "http"
}

// protocols are those that connections may speak. HTTP/1.1 alone makes browsers
// open a connection for each worker (decision 008).
func (e encryption) protocols() *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(true)
	p.SetHTTP2(e.HTTP2)
	return p
}

// open returns how connections are encrypted; nil if they are not. What the
// server gets for itself is kept in a folder. Who has opened the listeners calls
// begin.
func (e encryption) open(folder string, log *slog.Logger) (config *tls.Config, begin func(context.Context), err error) {
	begin = func(context.Context) {}
	if !e.on() {
		return nil, begin, nil
	}
	config = &tls.Config{MinVersion: tls.VersionTLS12}
	if len(e.ACME.Hosts) > 0 {
		o, err := e.ACME.open(folder, log)
		if err != nil {
			return nil, nil, err
		}
		config.GetCertificate, config.NextProtos, begin = o.get, []string{acme.ALPNProto}, o.fetch
	} else {
		c := &certificates{cert: e.Cert, key: e.Key, log: log}
		if err := c.load(); err != nil {
			return nil, nil, err
		}
		config.GetCertificate = c.get
	}
	if e.ClientCA != "" {
		text, err := os.ReadFile(e.ClientCA)
		if err != nil {
			return nil, nil, fmt.Errorf("--tls-client-ca %s cannot be read: %w; name a PEM file", e.ClientCA, reason(err))
		}
		// Who shows none is told so by an answer, and still sees the page.
		config.ClientCAs, config.ClientAuth = x509.NewCertPool(), tls.VerifyClientCertIfGiven
		if !config.ClientCAs.AppendCertsFromPEM(text) {
			return nil, nil, fmt.Errorf("--tls-client-ca %s has no certificate in it: name a PEM file", e.ClientCA)
		}
	}
	return config, begin, nil
}

// certificates are a pair of files, as they are now.
type certificates struct {
	cert, key string
	log       *slog.Logger

	mu      sync.Mutex
	pair    *tls.Certificate
	read    [2]os.FileInfo // of what pair was made, before it was read
	looked  time.Time
	trouble string // with the files as they are; told once
}

// look is how often files are looked at, at most.
const look = time.Second

// get is tls.Config's GetCertificate. A pair that cannot be used changes
// nothing: half of a new one may be there already, and the rest comes.
func (c *certificates) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.looked) < look {
		return c.pair, nil
	}
	c.looked = time.Now()
	if !c.changed() {
		return c.pair, nil
	}
	switch err := c.load(); {
	case err == nil:
		c.trouble = ""
		c.log.Info("the new certificate is in use", "ends", c.pair.Leaf.NotAfter)
	case err.Error() != c.trouble:
		c.trouble = err.Error()
		c.log.Error(c.trouble+". Until then the old certificate is used", "ends", c.pair.Leaf.NotAfter)
	}
	return c.pair, nil
}

// changed tells whether a file is another one than was read.
func (c *certificates) changed() bool {
	for i, name := range []string{c.cert, c.key} {
		now, err := os.Stat(name)
		was := c.read[i]
		if err != nil || !os.SameFile(was, now) || was.Size() != now.Size() || !was.ModTime().Equal(now.ModTime()) {
			return true
		}
	}
	return false
}

// load reads both files. Until they are a pair, nothing changes.
func (c *certificates) load() error {
	var text [2][]byte
	var read [2]os.FileInfo
	for i, file := range [][2]string{{"--tls-cert", c.cert}, {"--tls-key", c.key}} {
		var err error
		if read[i], err = os.Stat(file[1]); err == nil {
			text[i], err = os.ReadFile(file[1])
		}
		if err != nil {
			return fmt.Errorf("%s %s cannot be read: %w; name a PEM file that the server may read", file[0], file[1], reason(err))
		}
	}
	pair, err := tls.X509KeyPair(text[0], text[1])
	if err != nil {
		return fmt.Errorf("--tls-cert %s and --tls-key %s are no pair: %s; the first is a PEM file with the server's certificate "+
			"and then those that vouch for it, the second one with its key, without a password",
			c.cert, c.key, strings.TrimPrefix(err.Error(), "tls: "))
	}
	if pair.Leaf.NotAfter.Before(time.Now()) {
		c.log.Warn("the certificate is too old, and clients will refuse it; renew it", "file", c.cert, "ended", pair.Leaf.NotAfter)
	}
	c.pair, c.read = &pair, read
	return nil
}
