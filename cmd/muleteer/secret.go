package main

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/muleteer/muleteer/access"
)

// secrets are what tokens are signed by and verified with.
type secrets struct {
	Secret list   `name:"token-secret" yaml:"token-secret" env:"MULETEER_TOKEN_SECRET" placeholder:"SECRET" help:"Tokens are signed by this (HS256): 32 bytes or more, without commas; may be given several times while one replaces another. It is better kept in a file."`
	File   string `name:"token-secret-file" yaml:"token-secret-file" env:"MULETEER_TOKEN_SECRET_FILE" placeholder:"FILE" help:"A file with such secrets, one in a line; the first one signs."`
}

func (s secrets) given() bool { return len(s.Secret) > 0 || s.File != "" }

// read returns the secrets; the first one signs.
func (s secrets) read() ([][]byte, error) {
	from := "--token-secret"
	words := []string(s.Secret)
	if s.File != "" {
		text, err := os.ReadFile(s.File)
		if err != nil {
			return nil, fmt.Errorf("--token-secret-file %s cannot be read: %w; make it by: head -c 32 /dev/urandom | base64 > %[1]s", s.File, reason(err))
		}
		if bytes.Contains(text, []byte("-----BEGIN")) {
			return nil, fmt.Errorf("--token-secret-file %s has a key or a certificate: what is public is no secret; give it by --token-key-file", s.File)
		}
		from = "--token-secret-file " + s.File
		words = append(strings.Fields(string(text)), words...)
	}
	var secrets [][]byte
	for _, w := range words {
		if len(w) < access.LeastSecret {
			return nil, fmt.Errorf("%s has a secret of %d bytes, which can be guessed: it needs %d at least; make one by: head -c 32 /dev/urandom | base64",
				from, len(w), access.LeastSecret)
		}
		secrets = append(secrets, []byte(w))
	}
	if s.given() && len(secrets) == 0 {
		return nil, fmt.Errorf("%s has no secret", from)
	}
	return secrets, nil
}

// readKeys reads public keys, or those of certificates.
func readKeys(files []string) ([]crypto.PublicKey, error) {
	var keys []crypto.PublicKey
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("--token-key-file %s cannot be read: %w", name, reason(err))
		}
		found := false
		for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
			key, err := publicKey(block)
			if err != nil {
				return nil, fmt.Errorf("--token-key-file %s: %w", name, err)
			}
			keys, found = append(keys, key), true
		}
		if !found {
			return nil, fmt.Errorf("--token-key-file %s has no public key: name a PEM file", name)
		}
	}
	return keys, nil
}

func publicKey(block *pem.Block) (crypto.PublicKey, error) {
	var key crypto.PublicKey
	var err error
	switch block.Type {
	case "PUBLIC KEY":
		key, err = x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		key, err = x509.ParsePKCS1PublicKey(block.Bytes)
	case "CERTIFICATE":
		var c *x509.Certificate
		if c, err = x509.ParseCertificate(block.Bytes); err == nil {
			key = c.PublicKey
		}
	default:
		err = fmt.Errorf("it has a %s; the server needs the public key only: openssl pkey -in FILE -pubout", strings.ToLower(block.Type))
	}
	if err == nil && access.Algorithm(key) == "" {
		err = errors.New("its key is of no kind that tokens are signed by: RSA of 2048 bits or more, P-256 or Ed25519")
	}
	return key, err
}

// ownKey returns the server's own key, which it keeps in a file beside its
// records; with "", it lives as long as the server.
func ownKey(file string) ([]byte, error) {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // it never fails
	if file == "" {
		return key, nil
	}
	for {
		text, err := os.ReadFile(file)
		if err == nil {
			if key, err = hex.DecodeString(strings.TrimSpace(string(text))); err != nil || len(key) != 32 {
				return nil, fmt.Errorf("%s is no key of this server; restore it, or remove it: then those who uploaded without a name lose sight of their uploads", file)
			}
			return key, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("the server's key cannot be read: %w", err)
		}
		if err := writeKey(file, key); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("the server's key cannot be kept: %w", err)
		}
	}
}

// writeKey makes the file whole, or not at all.
func writeKey(file string, key []byte) error {
	f, err := os.CreateTemp(filepath.Dir(file), ".key-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = fmt.Fprintf(f, "%x\n", key)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Link(f.Name(), file)
}
