package acl

import (
	"crypto/sha1"
	"encoding/base64"
	"strings"

	"zooraft/protocol"
)

// DigestID returns the identity of the scheme digest for the data of an
// addauth request, "user:password": the user, a colon and the base64 form of
// the SHA-1 of the whole (DigestAuthenticationProvider.generateDigest). Without
// a colon the whole is the user. There is no user database: any data will do.
//
// SHA-1 is what ids in existing trees are made of, and what clients compute.
func DigestID(userpass []byte) string {
	// ZooKeeper makes a Java string of the data first, which mends malformed
	// UTF-8. So does the decoder, and an id must equal the one that the client
	// puts into its lists.
	d := protocol.NewDecoder(protocol.AppendBuffer(nil, userpass))
	text := d.String()
	sum := sha1.Sum([]byte(text))
	user, _, _ := strings.Cut(text, ":")
	return user + ":" + base64.StdEncoding.EncodeToString(sum[:])
}
