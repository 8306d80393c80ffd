package krb5

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
)

// EType is a number of the registry of Kerberos encryption types.
type EType int32

// The encryption types that can be had: RFC 3962 and RFC 8009. Those of DES and RC4
// are broken, and off elsewhere too.
const (
	AES128SHA1 EType = 17
	AES256SHA1 EType = 18
	AES128SHA2 EType = 19
	AES256SHA2 EType = 20
)

// ErrDecrypt is what a ciphertext gives that was not made with the key, or not
// for this use, or was changed on the way.
var ErrDecrypt = errors.New("the key does not fit, or what it was used for was changed")

// suite is what encryption types differ in.
type suite struct {
	name                  string
	keyBytes              int // of a key, and of those derived of it to encrypt
	macKeyBytes, macBytes int
	hash                  func() hash.Hash
	rfc8009               bool // its derivation of keys, and its checksum, which is of the ciphertext; else RFC 3962's
}

var suites = map[EType]suite{
	AES128SHA1: {"aes128-cts-hmac-sha1-96", 16, 16, 12, sha1.New, false},
	AES256SHA1: {"aes256-cts-hmac-sha1-96", 32, 32, 12, sha1.New, false},
	AES128SHA2: {"aes128-cts-hmac-sha256-128", 16, 16, 16, sha256.New, true},
	AES256SHA2: {"aes256-cts-hmac-sha384-192", 32, 24, 24, sha512.New384, true},
}

// known reports whether keys of the type can be used.
func (e EType) known() bool { _, ok := suites[e]; return ok }

// String is the type's name as krb5.conf has it.
func (e EType) String() string {
	if s, ok := suites[e]; ok {
		return s.name
	}
	switch e {
	case 1, 2, 3:
		return "des"
	case 16:
		return "des3-cbc-sha1"
	case 23:
		return "arcfour-hmac"
	case 25:
		return "camellia128-cts-cmac"
	case 26:
		return "camellia256-cts-cmac"
	}
	return fmt.Sprintf("encryption type %d", int32(e))
}

// Key is a key of one encryption type. Its value is secret: it is in no message
// of an error, and %v prints the type only.
type Key struct {
	Type  EType
	Value []byte
}

// newKey checks that the type is known and the value of its length.
func newKey(t EType, value []byte) (Key, error) {
	s, ok := suites[t]
	if !ok {
		return Key{}, fmt.Errorf("a key of %v, which is not supported", t)
	}
	if len(value) != s.keyBytes {
		return Key{}, fmt.Errorf("a key of %v with %d bytes, not %d", t, len(value), s.keyBytes)
	}
	return Key{t, value}, nil
}

// randomKey makes a key. REQUIRES: the type is known.
func randomKey(t EType) Key {
	k := Key{t, make([]byte, suites[t].keyBytes)}
	rand.Read(k.Value) // never fails
	return k
}

// String tells the type only.
func (k Key) String() string { return "key of " + k.Type.String() }

// GoString tells the type only.
func (k Key) GoString() string { return k.String() }

// The last byte of what keys are derived for (RFC 3961, 5.3).
const (
	deriveSum       = 0x99
	deriveEncrypt   = 0xaa
	deriveIntegrity = 0x55
)

// encrypt encrypts for a use, one of the numbers of RFC 4120, 7.5.1, or RFC 4121, 2.
func (k Key) encrypt(use uint32, plain []byte) []byte {
	confounder := make([]byte, aes.BlockSize)
	rand.Read(confounder) // never fails
	return k.encryptWith(use, confounder, plain)
}

func (k Key) encryptWith(use uint32, confounder, plain []byte) []byte {
	s := suites[k.Type]
	text := append(append(make([]byte, 0, len(confounder)+len(plain)), confounder...), plain...)
	out := encryptCTS(k.derive(use, deriveEncrypt), text)
	if s.rfc8009 {
		return append(out, k.mac(use, deriveIntegrity, make([]byte, aes.BlockSize), out)...)
	}
	return append(out, k.mac(use, deriveIntegrity, text)...)
}

// decrypt undoes encrypt, or gives ErrDecrypt.
func (k Key) decrypt(use uint32, ciphertext []byte) ([]byte, error) {
	s := suites[k.Type]
	end := len(ciphertext) - s.macBytes
	if end < aes.BlockSize {
		return nil, ErrDecrypt
	}
	body, sum := ciphertext[:end], ciphertext[end:]
	if s.rfc8009 && !hmac.Equal(sum, k.mac(use, deriveIntegrity, make([]byte, aes.BlockSize), body)) {
		return nil, ErrDecrypt
	}
	text := decryptCTS(k.derive(use, deriveEncrypt), body)
	if !s.rfc8009 && !hmac.Equal(sum, k.mac(use, deriveIntegrity, text)) {
		return nil, ErrDecrypt
	}
	return text[aes.BlockSize:], nil
}

// sum is the keyed checksum of the encryption type, over parts one after the other.
func (k Key) sum(use uint32, parts ...[]byte) []byte { return k.mac(use, deriveSum, parts...) }

func (k Key) mac(use uint32, last byte, parts ...[]byte) []byte {
	s := suites[k.Type]
	m := hmac.New(s.hash, k.derive(use, last))
	for _, p := range parts {
		m.Write(p)
	}
	return m.Sum(nil)[:s.macBytes]
}

// derive makes the key for one use and purpose: RFC 3961, 5.1, or RFC 8009, 5.
func (k Key) derive(use uint32, last byte) []byte {
	s := suites[k.Type]
	label := append(binary.BigEndian.AppendUint32(nil, use), last)
	if !s.rfc8009 {
		return deriveSHA1(k.Value, label)
	}
	size := s.macKeyBytes
	if last == deriveEncrypt {
		size = s.keyBytes
	}
	m := hmac.New(s.hash, k.Value)
	m.Write([]byte{0, 0, 0, 1})
	m.Write(label)
	m.Write(binary.BigEndian.AppendUint32([]byte{0}, uint32(size)*8))
	return m.Sum(nil)[:size]
}

// deriveSHA1 encrypts the folded label again and again until there is enough for a key.
func deriveSHA1(key, label []byte) []byte {
	block := newAES(key)
	out := make([]byte, 0, len(key))
	last := fold(label, aes.BlockSize)
	for len(out) < len(key) {
		block.Encrypt(last, last)
		out = append(out, last...)
	}
	return out[:len(key)]
}

// fold is RFC 3961's n-fold: as many copies of in, each turned right by 13 bits more
// than the one before, as make a whole number of size bytes, added up with the carry
// going around.
func fold(in []byte, size int) []byte {
	total := lcm(len(in), size)
	bits := len(in) * 8
	out := make([]byte, size)
	carry := 0
	for i := total - 1; i >= 0; i-- {
		// The byte of the string of copies at i: eight bits of copy i/len(in) before it was turned.
		from := i%len(in)*8 - 13*(i/len(in))
		from = (from%bits + bits) % bits
		b := int(in[from/8])<<8 | int(in[(from/8+1)%len(in)])
		carry += int(out[i%size]) + b>>(8-from%8)&0xff
		out[i%size] = byte(carry)
		carry >>= 8
	}
	for i := size - 1; carry > 0; i = (i - 1 + size) % size {
		carry += int(out[i])
		out[i] = byte(carry)
		carry >>= 8
	}
	return out
}

func lcm(a, b int) int {
	x, y := a, b
	for y != 0 {
		x, y = y, x%y
	}
	return a / x * b
}

// newAES takes keys of the sizes in suites only.
func newAES(key []byte) cipher.Block {
	b, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	return b
}

// encryptCTS is CBC with an initial vector of zeros, where the last two blocks
// change places and the last is as short as the text makes it: nothing is padded
// (RFC 3962, 5). REQUIRES: at least one block.
func encryptCTS(key, text []byte) []byte {
	const size = aes.BlockSize
	n := (len(text) + size - 1) / size * size
	out := make([]byte, n)
	copy(out, text)
	cipher.NewCBCEncrypter(newAES(key), make([]byte, size)).CryptBlocks(out, out)
	if n == size {
		return out
	}
	last := [size]byte(out[n-size:])
	copy(out[n-size:], out[n-2*size:n-size])
	copy(out[n-2*size:], last[:])
	return out[:len(text)]
}

// decryptCTS undoes encryptCTS. REQUIRES: at least one block.
func decryptCTS(key, in []byte) []byte {
	const size = aes.BlockSize
	block := newAES(key)
	n := (len(in) + size - 1) / size * size
	out := make([]byte, n)
	copy(out, in)
	if n > size {
		// The last block but one is the last of CBC; below its text is the end of the block
		// that came before it, of which the text cut something off.
		tail := len(in) - (n - size)
		var last, d [size]byte
		copy(last[:], out[n-2*size:])
		block.Decrypt(d[:], last[:])
		copy(out[n-2*size:], out[n-size:n-size+tail])
		copy(out[n-2*size+tail:n-size], d[tail:])
		copy(out[n-size:], last[:])
	}
	cipher.NewCBCDecrypter(block, make([]byte, size)).CryptBlocks(out, out)
	return out[:len(in)]
}
