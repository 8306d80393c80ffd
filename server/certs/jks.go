package certs

import (
	"bytes"
	"crypto"
	"crypto/sha1"
	"crypto/x509"
	"encoding/asn1"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

const (
	jksMagic = 0xfeedfeed
	// jksSalt is what Java's JavaKeyStore hashes between the password and the file.
	jksSalt       = "Mighty Aphrodite"
	jksKey        = 1
	jksTrusted    = 2
	oidJKSProtect = "1.3.6.1.4.1.42.2.17.1.1"
)

var errJKS = errors.New("damaged, though its checksum is right")

// isJKS tells JKS from the PKCS#12 that keytool writes to a file of any name since
// Java 9. Java goes by the content too.
func isJKS(b []byte) bool { return len(b) >= 4 && binary.BigEndian.Uint32(b) == jksMagic }

// decodeJKS reads Java's own kind of store, as JavaKeyStore writes it: entries, and
// behind them a checksum that depends on the password.
func decodeJKS(b []byte, password string) (*content, error) {
	if len(b) < sha1.Size {
		return nil, errors.New("damaged: too short")
	}
	b, sum := b[:len(b)-sha1.Size], b[len(b)-sha1.Size:]
	if !bytes.Equal(sum, jksSum(utf16Bytes(password), b)) {
		return nil, errPassword
	}
	r := &jksReader{rest: b[4:]}
	version := r.number(4)
	if version != 1 && version != 2 {
		return nil, fmt.Errorf("version %d of JKS is not known", version)
	}
	c := &content{}
	var keys []string
	for range r.number(4) {
		kind := r.number(4)
		alias := string(r.take(r.number(2)))
		r.take(8) // when it was made
		switch {
		case r.short:
			return nil, errJKS
		case kind == jksKey:
			protected := r.take(r.number(4))
			certs, err := r.certs(version, r.number(4))
			if err != nil {
				return nil, fmt.Errorf("alias %q: %w", alias, err)
			}
			if keys = append(keys, alias); len(keys) > 1 {
				continue
			}
			c.certs = certs
			if c.key, err = unprotect(protected, password); err != nil {
				c.keyErr = fmt.Errorf("private key of alias %q: %w", alias, err)
			}
		case kind == jksTrusted:
			certs, err := r.certs(version, 1)
			if err != nil {
				return nil, fmt.Errorf("alias %q: %w", alias, err)
			}
			c.trusted = append(c.trusted, certs...)
		default:
			return nil, errJKS
		}
	}
	if len(keys) > 1 {
		slices.Sort(keys)
		c.keyErr = fmt.Errorf("it holds %d private keys, %q; delete all but one with keytool -delete", len(keys), keys)
	}
	return c, nil
}

// jksSum is the checksum of a store.
func jksSum(secret, b []byte) []byte {
	h := sha1.New()
	h.Write(secret)
	h.Write([]byte(jksSalt))
	h.Write(b)
	return h.Sum(nil)
}

// unprotect decrypts a key as Java's KeyProtector has it: the bytes between a salt and
// a checksum, each with one of a stream made of password and salt.
func unprotect(der []byte, password string) (crypto.Signer, error) {
	var e encryptedKey
	if rest, err := asn1.Unmarshal(der, &e); err != nil || len(rest) > 0 || len(e.Data) < 2*sha1.Size {
		return nil, errJKS
	}
	if e.Algorithm.Algorithm.String() != oidJKSProtect {
		return nil, errors.New("encrypted in a way that is not read; make PKCS12 of the store with keytool -importkeystore -deststoretype PKCS12")
	}
	secret := utf16Bytes(password)
	end := len(e.Data) - sha1.Size
	stream, plain, sum := e.Data[:sha1.Size], slices.Clone(e.Data[sha1.Size:end]), e.Data[end:]
	for i := range plain {
		if i%sha1.Size == 0 {
			next := sha1.Sum(slices.Concat(secret, stream))
			stream = next[:]
		}
		plain[i] ^= stream[i%sha1.Size]
	}
	if check := sha1.Sum(slices.Concat(secret, plain)); !bytes.Equal(check[:], sum) {
		return nil, errors.New("its password is not that of the store; make them equal with keytool -keypasswd")
	}
	return parsePKCS8(plain)
}

// jksReader takes values off the front of a store.
type jksReader struct {
	rest  []byte
	short bool // more was asked for than there is
}

func (r *jksReader) take(n uint32) []byte {
	if uint64(n) > uint64(len(r.rest)) {
		r.short, r.rest = true, nil
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

// number takes a number of some bytes, the highest first.
func (r *jksReader) number(size uint32) uint32 {
	var n uint32
	for _, b := range r.take(size) {
		n = n<<8 | uint32(b)
	}
	return n
}

// certs takes a number of certificates.
func (r *jksReader) certs(version, n uint32) ([]*x509.Certificate, error) {
	var certs []*x509.Certificate
	for range n {
		if version > 1 {
			r.take(r.number(2)) // X.509, since there is nothing else
		}
		der := r.take(r.number(4))
		if r.short {
			return nil, errJKS
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("certificate %d: %w", len(certs)+1, err)
		}
		certs = append(certs, cert)
	}
	return certs, nil
}
