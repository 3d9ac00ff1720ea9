package access

import (
	"crypto/x509"
	"fmt"
	"net/http"
	"time"

	"github.com/muleteer/muleteer/upload"
)

// CertificateNames are the names in a certificate that can be an owner's: the
// common name of its subject, or the first alternative name of a kind.
func CertificateNames() []string { return []string{"cn", "email", "dns", "uri"} }

// certified returns whose certificate a client has shown. The server's TLS has
// verified it when the connection began.
func (g *Gate) certified(r *http.Request) (p upload.Principal, known bool, err error) {
	if g.Certificate == "" || r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
		return upload.Principal{}, false, nil
	}
	leaf := r.TLS.VerifiedChains[0][0]
	if time.Now().After(leaf.NotAfter) { // connections may last
		return upload.Principal{}, true, fmt.Errorf("%w: the certificate has ended", ErrBad)
	}
	p, err = named(certificateName(leaf, g.Certificate))
	p.Until = leaf.NotAfter
	return p, true, err
}

func certificateName(c *x509.Certificate, kind string) string {
	switch {
	case kind == "cn":
		return c.Subject.CommonName
	case kind == "email" && len(c.EmailAddresses) > 0:
		return c.EmailAddresses[0]
	case kind == "dns" && len(c.DNSNames) > 0:
		return c.DNSNames[0]
	case kind == "uri" && len(c.URIs) > 0:
		return c.URIs[0].String()
	}
	return ""
}
