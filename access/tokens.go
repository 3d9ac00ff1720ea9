package access

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/muleteer/muleteer/upload"
)

// Leeway is by how much the clocks of who mints tokens may differ from ours.
const Leeway = 30 * time.Second

// tokenLimit is how many bytes a token may have; all headers together may have
// 32 KiB.
const tokenLimit = 8 << 10

// LeastSecret is how many bytes a secret has at least: as many as the hash
// (RFC 7518, section 3.2).
const LeastSecret = 32

// Tokens verifies JSON Web Tokens (RFC 7519). A key is for one algorithm only:
// secrets for HS256, and by its kind a public key for RS256, ES256 or EdDSA. It
// may be used concurrently.
type Tokens struct {
	Secrets  [][]byte           // each of LeastSecret bytes at least; several while one replaces another
	Keys     []crypto.PublicKey // *rsa.PublicKey, *ecdsa.PublicKey of P-256, ed25519.PublicKey
	KeySet   *KeySet            // of more public keys; nil: none
	Audience string             // that tokens must name; "": any
	Issuer   string             // likewise
	Now      func() time.Time   // nil: time.Now
}

// errForeign is ErrBad of what may be a credential of somebody else: it is not
// signed by a key of ours.
var errForeign = fmt.Errorf("%w: it is not signed by a key that is known here", ErrBad)

// Verify returns what a token says. ErrBad, if it cannot be relied on, whatever
// the reason; upload.ErrUnavailable, if that cannot be told now.
func (t *Tokens) Verify(ctx context.Context, token string) (*Claims, error) {
	if len(token) > tokenLimit {
		return nil, fmt.Errorf("%w: it has more than %d bytes", ErrBad, tokenLimit)
	}
	claims := new(Claims)
	unverified, _, err := jwt.NewParser().ParseUnverified(token, claims)
	if err != nil {
		return nil, errForeign
	}
	if _, critical := unverified.Header["crit"]; critical { // RFC 7515, section 4.1.11: there is nothing that we understand
		return nil, errForeign
	}
	if err := t.signed(ctx, token, unverified.Method.Alg()); err != nil {
		return nil, err
	}
	options := []jwt.ParserOption{jwt.WithLeeway(Leeway), jwt.WithExpirationRequired(), jwt.WithTimeFunc(t.now)}
	if t.Audience != "" {
		options = append(options, jwt.WithAudience(t.Audience))
	}
	if t.Issuer != "" {
		options = append(options, jwt.WithIssuer(t.Issuer))
	}
	if err := jwt.NewValidator(options...).Validate(claims); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBad, err)
	}
	return claims, nil
}

// signed tells whether a key of that algorithm has signed a token.
func (t *Tokens) signed(ctx context.Context, token, algorithm string) error {
	var keys []jwt.VerificationKey
	if algorithm == jwt.SigningMethodHS256.Alg() {
		for _, s := range t.Secrets {
			keys = append(keys, s)
		}
	}
	for _, k := range t.Keys {
		if Algorithm(k) == algorithm {
			keys = append(keys, k)
		}
	}
	if len(keys) > 0 {
		parser := jwt.NewParser(jwt.WithValidMethods([]string{algorithm}), jwt.WithoutClaimsValidation())
		_, err := parser.Parse(token, func(*jwt.Token) (any, error) { return jwt.VerificationKeySet{Keys: keys}, nil })
		if err == nil {
			return nil
		}
	}
	switch algorithm {
	case jwt.SigningMethodRS256.Alg(), jwt.SigningMethodES256.Alg(), jwt.SigningMethodEdDSA.Alg():
		if t.KeySet != nil {
			return t.KeySet.signed(ctx, token)
		}
	}
	return errForeign
}

// Algorithm is the one for which a public key is used; "" if there is none.
func Algorithm(key crypto.PublicKey) string {
	switch k := key.(type) {
	case *rsa.PublicKey:
		if k.N.BitLen() >= 2048 {
			return jwt.SigningMethodRS256.Alg()
		}
	case *ecdsa.PublicKey:
		if k.Curve == elliptic.P256() {
			return jwt.SigningMethodES256.Alg()
		}
	case ed25519.PublicKey:
		return jwt.SigningMethodEdDSA.Alg()
	}
	return ""
}

// Mint signs claims by a secret.
func Mint(c *Claims, secret []byte) (string, error) {
	if len(secret) < LeastSecret {
		return "", fmt.Errorf("the secret has %d bytes, and has to have %d at least", len(secret), LeastSecret)
	}
	if err := c.Check(); err != nil {
		return "", err
	}
	return jwt.NewWithClaims(jwt.SigningMethodHS256, c).SignedString(secret)
}

// Read returns what a token says, whoever signed it, and by which algorithm it
// is signed: for people who look at one.
func Read(token string) (*Claims, string, error) {
	c := new(Claims)
	t, _, err := jwt.NewParser().ParseUnverified(token, c)
	if err != nil {
		return nil, "", errors.New("this is no JSON Web Token: three words of base64url with dots between")
	}
	return c, t.Method.Alg(), nil
}

func (t *Tokens) now() time.Time {
	if t.Now != nil {
		return t.Now()
	}
	return time.Now()
}

// unavailable is an error of whoever has to be asked.
func unavailable(who string, err error) error { return &outage{who, err} }

// outage is upload.ErrUnavailable, but it is not the storage.
type outage struct {
	who string
	err error
}

func (o *outage) Error() string        { return o.who + ": " + o.err.Error() }
func (o *outage) Unwrap() error        { return o.err }
func (o *outage) Is(target error) bool { return target == upload.ErrUnavailable }
