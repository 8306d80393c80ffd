package tree

import (
	"encoding/binary"
	"hash/crc64"
)

var digestTable = crc64.MakeTable(crc64.ECMA)

// Digest returns a hash of all that clients can learn of the tree, and of the
// creation counts and stored owners behind it, but not of the order of children
// or ephemerals. Equal trees have equal digests on all servers, after a restore
// too. It reads everything and is for tests and for comparing servers at rest; it
// is no defence against forgery.
func (t *Tree) Digest() uint64 {
	acls := make([]uint64, len(t.acls.lists))
	var b []byte
	for id, list := range t.acls.lists {
		b = appendACLText(b[:0], list)
		acls[id] = crc64.Checksum(b, digestTable)
	}
	var (
		sum  uint64
		path []byte
	)
	t.walk(Root, func(r Ref, n *node) {
		if r == Root {
			path = append(path[:0], RootPath...)
		} else {
			if n.parent == Root {
				path = path[:0]
			} else {
				path = path[:t.at(n.parent).pathLen]
			}
			path = append(path, '/')
			path = append(path, blobName(t.blobAt(r), n)...)
		}
		b = b[:0]
		for _, v := range [...]uint32{n.pathLen, n.dataLen, uint32(n.version), uint32(n.aversion), uint32(n.created), uint32(n.children)} {
			b = binary.BigEndian.AppendUint32(b, v)
		}
		for _, v := range [...]uint64{acls[n.acl], uint64(n.czxid), uint64(n.mzxid), uint64(n.pzxid), uint64(n.ctime), uint64(n.mtime), uint64(n.owner)} {
			b = binary.BigEndian.AppendUint64(b, v)
		}
		h := crc64.Update(0, digestTable, b)
		h = crc64.Update(h, digestTable, path)
		h = crc64.Update(h, digestTable, blobData(t.blobAt(r), n))
		sum += scramble(h)
	})
	return sum
}

// scramble makes a sum of checksums depend on all their bits: a CRC alone is
// linear, and differences of two nodes could cancel out. It is the finalizer of
// MurmurHash3.
func scramble(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	h ^= h >> 33
	return h
}
