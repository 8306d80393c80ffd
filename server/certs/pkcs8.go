package certs

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"hash"
	"unicode/utf16"
)

// maxIterations bounds the time that a key's derivation from the password takes, to
// some seconds.
const maxIterations = 10_000_000

// encryptedKey is EncryptedPrivateKeyInfo of RFC 5958.
type encryptedKey struct {
	Algorithm pkix.AlgorithmIdentifier
	Data      []byte
}

// pbes2Params and pbkdf2Params are of RFC 8018, appendix A.
type pbes2Params struct {
	Derivation pkix.AlgorithmIdentifier
	Cipher     pkix.AlgorithmIdentifier
}

type pbkdf2Params struct {
	Salt       []byte
	Iterations int
	KeyLength  int                      `asn1:"optional"`
	Hash       pkix.AlgorithmIdentifier `asn1:"optional"`
}

// pbeParams are pkcs-12PbeParams of RFC 7292, appendix C.
type pbeParams struct {
	Salt       []byte
	Iterations int
}

const (
	oidPBES2      = "1.2.840.113549.1.5.13"
	oidPBKDF2     = "1.2.840.113549.1.5.12"
	oidTripleDES  = "1.2.840.113549.1.12.1.3" // pbeWithSHAAnd3-KeyTripleDES-CBC
	oidHMACOfSHA1 = "1.2.840.113549.2.7"
)

var (
	hashes = map[string]func() hash.Hash{
		oidHMACOfSHA1:         sha1.New,
		"1.2.840.113549.2.9":  sha256.New,
		"1.2.840.113549.2.10": sha512.New384,
		"1.2.840.113549.2.11": sha512.New,
	}
	keyLengths = map[string]int{ // of AES-CBC
		"2.16.840.1.101.3.4.1.2":  16,
		"2.16.840.1.101.3.4.1.22": 24,
		"2.16.840.1.101.3.4.1.42": 32,
	}
)

// errEncryption says what to do with a key that is encrypted otherwise.
var errEncryption = errors.New("encrypted in a way that is not read; encrypt it anew with openssl pkcs8 -topk8 -v2 aes256")

// parsePKCS8 reads a private key that is not encrypted.
func parsePKCS8(der []byte) (crypto.Signer, error) {
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, err
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("a key of type %T cannot sign", key)
	}
	return signer, nil
}

// decryptPKCS8 reads a private key that is encrypted: as openssl does by default, or
// with triple DES, which of all ways is the one that Java before 19 reads in PEM.
func decryptPKCS8(der []byte, password string) (crypto.Signer, error) {
	var e encryptedKey
	if rest, err := asn1.Unmarshal(der, &e); err != nil || len(rest) > 0 {
		return nil, errors.New("damaged")
	}
	var block cipher.Block
	var iv []byte
	var err error
	switch e.Algorithm.Algorithm.String() {
	case oidPBES2:
		block, iv, err = pbes2(e.Algorithm.Parameters.FullBytes, password)
	case oidTripleDES:
		block, iv, err = tripleDES(e.Algorithm.Parameters.FullBytes, password)
	default:
		err = errEncryption
	}
	if err != nil {
		return nil, err
	}
	size := block.BlockSize()
	if len(iv) != size || len(e.Data) == 0 || len(e.Data)%size != 0 {
		return nil, errors.New("damaged")
	}
	plain := make([]byte, len(e.Data))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, e.Data)
	padding := int(plain[len(plain)-1])
	if padding == 0 || padding > size {
		return nil, errPassword
	}
	key, err := parsePKCS8(plain[:len(plain)-padding])
	if err != nil {
		return nil, errPassword
	}
	return key, nil
}

// pbes2 makes the cipher of PBES2, with a key derived by PBKDF2.
func pbes2(der []byte, password string) (block cipher.Block, iv []byte, err error) {
	var p pbes2Params
	var d pbkdf2Params
	if _, err := asn1.Unmarshal(der, &p); err != nil {
		return nil, nil, err
	}
	length, known := keyLengths[p.Cipher.Algorithm.String()]
	if !known || p.Derivation.Algorithm.String() != oidPBKDF2 {
		return nil, nil, errEncryption
	}
	if _, err := asn1.Unmarshal(p.Derivation.Parameters.FullBytes, &d); err != nil {
		return nil, nil, err
	}
	if _, err := asn1.Unmarshal(p.Cipher.Parameters.FullBytes, &iv); err != nil {
		return nil, nil, err
	}
	name := oidHMACOfSHA1
	if d.Hash.Algorithm != nil {
		name = d.Hash.Algorithm.String()
	}
	h := hashes[name]
	if h == nil || d.Iterations < 1 || d.Iterations > maxIterations {
		return nil, nil, errEncryption
	}
	key, err := pbkdf2.Key(h, password, d.Salt, d.Iterations, length)
	if err != nil {
		return nil, nil, err
	}
	block, err = aes.NewCipher(key)
	return block, iv, err
}

// tripleDES makes the cipher of pbeWithSHAAnd3-KeyTripleDES-CBC.
func tripleDES(der []byte, password string) (block cipher.Block, iv []byte, err error) {
	var p pbeParams
	if _, err := asn1.Unmarshal(der, &p); err != nil {
		return nil, nil, err
	}
	if len(p.Salt) == 0 || p.Iterations < 1 || p.Iterations > maxIterations {
		return nil, nil, errEncryption
	}
	secret := append(utf16Bytes(password), 0, 0)
	block, err = des.NewTripleDESCipher(derive(1, secret, p.Salt, p.Iterations, 24))
	return block, derive(2, secret, p.Salt, p.Iterations, 8), err
}

// derive makes n bytes of a password, as RFC 7292, appendix B.2, has it for SHA-1.
func derive(purpose byte, secret, salt []byte, iterations, n int) []byte {
	const block = 64 // of SHA-1's input
	fill := func(b []byte) []byte {
		filled := make([]byte, (len(b)+block-1)/block*block)
		for i := range filled {
			filled[i] = b[i%len(b)]
		}
		return filled
	}
	diversifier := fill([]byte{purpose})
	input := append(fill(salt), fill(secret)...)
	var out []byte
	for {
		sum := sha1.Sum(append(diversifier, input...))
		for range iterations - 1 {
			sum = sha1.Sum(sum[:])
		}
		if out = append(out, sum[:]...); len(out) >= n {
			return out[:n]
		}
		// Each block of the input grows by the sum, repeated to a block's length, and one.
		more := make([]byte, block)
		for i := range more {
			more[i] = sum[i%len(sum)]
		}
		for b := input; len(b) > 0; b = b[block:] {
			carry := 1
			for i := block - 1; i >= 0; i-- {
				carry += int(b[i]) + int(more[i])
				b[i] = byte(carry)
				carry >>= 8
			}
		}
	}
}

// utf16Bytes are a string's UTF-16 units, the higher byte first, as Java hashes them.
func utf16Bytes(s string) []byte {
	var b []byte
	for _, unit := range utf16.Encode([]rune(s)) {
		b = append(b, byte(unit>>8), byte(unit))
	}
	return b
}
