package certs

import (
	"crypto"
	"errors"
	"fmt"

	"software.sslmate.com/src/go-pkcs12"
)

// errUntrusted is of a trust store with something beside what bears Java's mark: Java
// takes nothing else out of one, and the library takes nothing if there is.
var errUntrusted = errors.New("not all in it has been put in by keytool -importcert; put what is to be trusted into a store of its own with that, or use PEM")

// decodePKCS12 reads a key store, or a trust store.
func decodePKCS12(b []byte, password string, trust bool) (c *content, err error) {
	// None of the library's panics is known; but those of its ciphers would end a server that reads a damaged file anew.
	defer func() {
		if p := recover(); p != nil {
			c, err = nil, fmt.Errorf("damaged: %v", p)
		}
	}()
	c = &content{}
	key, cert, others, keyErr := pkcs12.DecodeChain(b, password)
	if trust {
		c.trusted, err = pkcs12.DecodeTrustStore(b, password)
		if err != nil && (keyErr == nil || keyErr.Error() != err.Error()) {
			err = errUntrusted // and the file as such is in order
		}
	} else if err = keyErr; err == nil {
		var ok bool
		if c.key, ok = key.(crypto.Signer); !ok {
			err = fmt.Errorf("a key of type %T cannot sign", key)
		}
		c.certs = append(others, cert)
	}
	switch {
	case errors.Is(err, pkcs12.ErrIncorrectPassword):
		return nil, errPassword
	case err != nil:
		return nil, err
	}
	return c, nil
}
