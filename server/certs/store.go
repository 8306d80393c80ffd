package certs

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// What stores are for, the first part of their keys.
const (
	keyStore   = "keyStore"
	trustStore = "trustStore"
)

// Types of stores, as KEY.type names them.
const (
	typePEM    = "PEM"
	typePKCS12 = "PKCS12"
	typeJKS    = "JKS"
	typeBCFKS  = "BCFKS"
)

// typeOf are the types by the ends of files' names.
var typeOf = map[string]string{
	".pem":    typePEM,
	".p12":    typePKCS12,
	".pfx":    typePKCS12,
	".pkcs12": typePKCS12,
	".jks":    typeJKS,
	".bcfks":  typeBCFKS,
}

var (
	errPassword = errors.New("the password is wrong, or the file is damaged")
	errNoCert   = errors.New("no certificate in it")
)

// typ is the type of a store, and what is wrong with it. key is keyStore or trustStore.
func (s *Store) typ(key string) (string, *Fault) {
	typ := strings.ToUpper(s.Type)
	if typ == "" {
		if typ = typeOf[strings.ToLower(filepath.Ext(s.File))]; typ == "" {
			return "", &Fault{key + ".location", fmt.Sprintf("what %s is cannot be told by the end of its name; set %s.type to PEM, PKCS12 or JKS", s.File, key)}
		}
	}
	switch typ {
	case typePEM, typePKCS12, typeJKS:
		return typ, nil
	case typeBCFKS:
		return "", &Fault{key + ".type", fmt.Sprintf("BCFKS is not read; make PKCS12 of %s with keytool -importkeystore -srcstoretype BCFKS -deststoretype PKCS12", s.File)}
	}
	return "", &Fault{key + ".type", fmt.Sprintf("got %q, want PEM, PKCS12 or JKS", s.Type)}
}

// password reads the store's password anew. Of a file's the last line break does not count.
func (s *Store) password(key string) (string, error) {
	if s.PasswordFile == "" {
		return s.Password, nil
	}
	b, err := os.ReadFile(s.PasswordFile)
	if err != nil {
		return "", fmt.Errorf("%s.passwordPath: %w", key, err)
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r"), nil
}

// content is what one file holds.
type content struct {
	key     crypto.Signer       // nil for none
	keyErr  error               // why it cannot be used
	certs   []*x509.Certificate // all, in the file's order
	trusted []*x509.Certificate // those that it vouches for
}

func readKeyStore(s Store) (*tls.Certificate, error) {
	c, err := s.read(keyStore, func(c *content) error {
		if c.keyErr != nil {
			return c.keyErr
		}
		if c.key == nil {
			return errors.New("no private key in it")
		}
		if c.certs = chain(c.key, c.certs); c.certs == nil {
			return errors.New("no certificate in it belongs to its private key")
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	own := &tls.Certificate{PrivateKey: c.key, Leaf: c.certs[0]}
	for _, cert := range c.certs {
		own.Certificate = append(own.Certificate, cert.Raw)
	}
	return own, nil
}

func readTrustStore(s Store) (*x509.CertPool, error) {
	c, err := s.read(trustStore, func(c *content) error {
		if len(c.trusted) == 0 {
			return errNoCert
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	for _, cert := range c.trusted {
		roots.AddCert(cert)
	}
	return roots, nil
}

// read reads a store's file and has check see what it holds. An error names key and file.
func (s *Store) read(key string, check func(*content) error) (*content, error) {
	typ, fault := s.typ(key)
	if fault != nil {
		return nil, fmt.Errorf("%s: %s", fault.Key, fault.Problem)
	}
	password, err := s.password(key)
	if err != nil {
		return nil, err
	}
	b, err := os.ReadFile(s.File)
	if err != nil {
		return nil, fmt.Errorf("%s.location: %w", key, err)
	}
	var c *content
	switch {
	case typ == typePEM:
		c, err = decodePEM(b, password)
	case isJKS(b): // of both types, as in Java
		c, err = decodeJKS(b, password)
	default:
		c, err = decodePKCS12(b, password, key == trustStore)
	}
	if err == nil {
		err = check(c)
	}
	if errors.Is(err, errPassword) && password == "" {
		err = fmt.Errorf("its password is missing; set %s.passwordPath or %s.password", key, key)
	}
	if err != nil {
		return nil, fmt.Errorf("%s.location: %s: %w", key, s.File, err)
	}
	return c, nil
}

// chain gives the certificate of a key and behind it those who vouch for it, as far as
// certs holds them; nil if the key's own is not there.
func chain(key crypto.Signer, certs []*x509.Certificate) []*x509.Certificate {
	public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok {
		return nil
	}
	var links []*x509.Certificate
	belongs := func(cert *x509.Certificate) bool { return public.Equal(cert.PublicKey) }
	for len(links) < len(certs) {
		next := find(certs, belongs)
		if next == nil {
			break
		}
		links = append(links, next)
		if bytes.Equal(next.RawIssuer, next.RawSubject) {
			break
		}
		belongs = func(cert *x509.Certificate) bool {
			return bytes.Equal(cert.RawSubject, next.RawIssuer) && next.CheckSignatureFrom(cert) == nil
		}
	}
	return links
}

func find(certs []*x509.Certificate, belongs func(*x509.Certificate) bool) *x509.Certificate {
	for _, cert := range certs {
		if belongs(cert) {
			return cert
		}
	}
	return nil
}
