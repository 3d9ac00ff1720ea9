package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/muleteer/muleteer/upload"
)

// issued is a certificate for name, by an authority, or by itself without one.
func issued(t *testing.T, name string, by *tls.Certificate) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour),
		IsCA: by == nil, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	parent, signer := c, any(key)
	if by != nil {
		parent, signer = by.Leaf, by.PrivateKey
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// TestClientCertificates: whoever has a certificate of our authority is known by
// it; others see the page, and may not upload.
func TestClientCertificates(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := certify(filepath.Join(dir, "site"), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	ours, theirs := issued(t, "our authority", nil), issued(t, "their authority", nil)
	authority := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(authority, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ours.Certificate[0]}), 0o600); err != nil {
		t.Fatal(err)
	}
	h, _ := testHouse(t, func(s *settings) {
		s.TLS = encryption{Cert: filepath.Join(dir, "site.pem"), Key: filepath.Join(dir, "site.key"), ClientCA: authority}
	})
	var err error
	if h.encrypted, _, err = h.settings.TLS.open("", h.log); err != nil {
		t.Fatal(err)
	}
	listeners, err := listen([]string{"127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	server := h.server()
	go func() { _ = server.ServeTLS(listeners[0], "", "") }()
	defer server.Close()
	base := "https://" + listeners[0].Addr().String()
	put := func(path string, c ...tls.Certificate) int {
		config := &tls.Config{InsecureSkipVerify: true} //nolint:gosec // the server is not in question
		if len(c) > 0 {
			config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &c[0], nil }
		}
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}}
		method := "PUT"
		if path == "/" {
			method = "GET"
		}
		req, err := http.NewRequest(method, base+path, strings.NewReader("abc"))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			return -1 // the handshake
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	for _, c := range []struct {
		name   string
		path   string
		shown  []tls.Certificate
		status int
	}{
		{"ours", "/upload/a", []tls.Certificate{issued(t, "ann", &ours)}, 200},
		{"none", "/upload/b", nil, 401},
		{"none, the page", "/", nil, 200},
		{"theirs", "/upload/c", []tls.Certificate{issued(t, "ann", &theirs)}, -1},
		{"its own", "/upload/d", []tls.Certificate{issued(t, "ann", nil)}, -1},
		{"ours, like nobody", "/upload/e", []tls.Certificate{issued(t, "?ann", &ours)}, 401},
	} {
		if status := put(c.path, c.shown...); status != c.status {
			t.Errorf("%s: %d, want %d", c.name, status, c.status)
		}
	}
	n := 0
	for u, err := range h.kept.State.Find(t.Context(), upload.Query{}) {
		if n++; err != nil || u.Owner != "ann" {
			t.Errorf("%+v: %v", u, err)
		}
	}
	if n != 1 {
		t.Errorf("%d uploads", n)
	}
}
