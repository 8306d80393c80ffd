package certs

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

// decodePEM takes the certificates and the one private key, in any order. All of the
// certificates are trusted where it serves as a trust store.
func decodePEM(b []byte, password string) (*content, error) {
	c := &content{}
	for {
		var block *pem.Block
		if block, b = pem.Decode(b); block == nil {
			break
		}
		switch block.Type {
		case "CERTIFICATE", "X509 CERTIFICATE":
			cert, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil, fmt.Errorf("certificate %d: %w", len(c.certs)+1, err)
			}
			c.certs = append(c.certs, cert)
		case "PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY":
			// A trust store may hold one that cannot be read.
			if c.key != nil || c.keyErr != nil {
				c.key, c.keyErr = nil, errors.New("more than one private key in it")
			} else if c.key, c.keyErr = decodeKey(block, password); c.keyErr != nil {
				c.key, c.keyErr = nil, fmt.Errorf("private key: %w", c.keyErr)
			}
		}
	}
	if len(c.certs) == 0 {
		return nil, fmt.Errorf("%w; is it PEM?", errNoCert)
	}
	c.trusted = c.certs
	return c, nil
}

func decodeKey(block *pem.Block, password string) (crypto.Signer, error) {
	if block.Headers["DEK-Info"] != "" {
		return nil, errors.New("encrypted in a form that is no longer safe; make PKCS#8 of it with openssl pkcs8 -topk8")
	}
	switch block.Type {
	case "RSA PRIVATE KEY":
		return x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		return x509.ParseECPrivateKey(block.Bytes)
	case "ENCRYPTED PRIVATE KEY":
		return decryptPKCS8(block.Bytes, password)
	}
	return parsePKCS8(block.Bytes)
}
