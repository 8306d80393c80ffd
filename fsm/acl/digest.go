package acl

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha3"
	"crypto/sha512"
	"encoding/base64"
	"hash"
	"strings"

	"zooraft/protocol"
)

// Digest is a hash function that makes digest ids. The zero Digest is SHA-1,
// which ids in existing trees are made of and clients compute.
type Digest struct{ make func() hash.Hash }

// digests are the functions by their names in Java, in upper case.
var digests = map[string]func() hash.Hash{
	"MD5":         md5.New,
	"SHA":         sha1.New,
	"SHA1":        sha1.New,
	"SHA-1":       sha1.New,
	"SHA224":      sha256.New224,
	"SHA-224":     sha256.New224,
	"SHA256":      sha256.New,
	"SHA-256":     sha256.New,
	"SHA384":      sha512.New384,
	"SHA-384":     sha512.New384,
	"SHA512":      sha512.New,
	"SHA-512":     sha512.New,
	"SHA512/224":  sha512.New512_224,
	"SHA-512/224": sha512.New512_224,
	"SHA512/256":  sha512.New512_256,
	"SHA-512/256": sha512.New512_256,
	"SHA3-224":    func() hash.Hash { return sha3.New224() },
	"SHA3-256":    func() hash.Hash { return sha3.New256() },
	"SHA3-384":    func() hash.Hash { return sha3.New384() },
	"SHA3-512":    func() hash.Hash { return sha3.New512() },
}

// NewDigest finds the hash function of a name, as Java's MessageDigest knows it;
// false if it is none, or one that is only there (MD2).
func NewDigest(name string) (Digest, bool) {
	f, ok := digests[strings.ToUpper(name)]
	return Digest{f}, ok
}

// DigestID is the identity for data under the zero Digest, for tests.
func DigestID(userpass []byte) string { return Digest{}.ID(userpass) }

// ID returns the identity of the scheme digest for the data of an addauth
// request, "user:password": the user, a colon and the base64 form of the hash of
// the whole (DigestAuthenticationProvider.generateDigest). Without a colon the
// whole is the user. There is no user database: any data will do.
func (d Digest) ID(userpass []byte) string {
	// ZooKeeper makes a Java string of the data first, which mends malformed
	// UTF-8. So does the decoder, and an id must equal the one that the client
	// puts into its lists.
	r := protocol.NewDecoder(protocol.AppendBuffer(nil, userpass))
	text := r.String()
	h := sha1.New()
	if d.make != nil {
		h = d.make()
	}
	h.Write([]byte(text))
	user, _, _ := strings.Cut(text, ":")
	return user + ":" + base64.StdEncoding.EncodeToString(h.Sum(nil))
}
