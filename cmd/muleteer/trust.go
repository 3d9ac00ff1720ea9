package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
)

// trust is which servers are believed to be who they say they are, and by what
// they know us.
type trust struct {
	Token string `name:"token" env:"MULETEER_TOKEN" placeholder:"TOKEN" help:"What permits it, at a server that asks for that. It is better given by the environment."`
	CA    string `name:"ca" env:"MULETEER_CA" placeholder:"FILE" help:"Trust the certificates in this PEM file too: the server's own, or its authority's."`
}

// roots are the certificates that are trusted; nil for those of the system.
func (t trust) roots() (*x509.CertPool, error) {
	if t.CA == "" {
		return nil, nil
	}
	text, err := os.ReadFile(t.CA)
	if err != nil {
		return nil, fmt.Errorf("--ca %s cannot be read: %w; name a PEM file", t.CA, reason(err))
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool() // there are none
	}
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("--ca %s has no certificate in it: name a PEM file", t.CA)
	}
	return pool, nil
}

// errStrange is what answers at the server's address and is not the server, as
// far as one can tell. To ask again would not help.
var errStrange = errors.New("this is not the server that was meant")

// strange makes errStrange of the errors of a connection that mean it.
func strange(err error) error {
	if e := (*tls.CertificateVerificationError)(nil); errors.As(err, &e) {
		return fmt.Errorf("%w, or its certificate is not known here: %w; if it is the right one, give its certificate by --ca", errStrange, e.Err)
	}
	if errors.Is(err, http.ErrSchemeMismatch) {
		return fmt.Errorf("%w: it speaks http, not https; change the URL", errStrange)
	}
	return err
}
