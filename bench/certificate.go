//go:build linux

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// certificate is what servers show that are measured over TLS, and clients
// trust.
type certificate struct {
	cert, key string // files
	spki      string // the fingerprint by which Chromium trusts it
	trusted   *tls.Config
}

// certify makes a certificate for this machine and for the names below
// line.test, as a server with several names has it.
func certify(dir string) (*certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	form := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "bench"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
		DNSNames:     []string{"*.line.test"},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	raw, err := x509.CreateCertificate(rand.Reader, form, form, key.Public(), key)
	if err != nil {
		return nil, err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	made, err := x509.ParseCertificate(raw)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AddCert(made)
	sum := sha256.Sum256(made.RawSubjectPublicKeyInfo)
	c := &certificate{
		cert: filepath.Join(dir, "cert.pem"), key: filepath.Join(dir, "key.pem"),
		spki:    base64.StdEncoding.EncodeToString(sum[:]),
		trusted: &tls.Config{RootCAs: pool},
	}
	if err := os.WriteFile(c.cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw}), 0o600); err != nil {
		return nil, err
	}
	return c, os.WriteFile(c.key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600)
}

// secure is muleteer behind TLS, with HTTP/2 or without. Pages may send to it
// from all its addresses.
func (p *plan) secure(c *certificate, name string, http2 bool) side {
	return side{name, func(addr, _ string) []string {
		args := []string{p.muleteer, "serve", "--listen", addr, "--tls-cert", c.cert, "--tls-key", c.key, "--cors", "*"}
		if http2 {
			args = append(args, "--http2")
		}
		return args
	}, nil}
}
