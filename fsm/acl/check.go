package acl

import (
	"strings"

	"zooraft/protocol"
)

// Check reports whether a connection with these identities has any of the
// permissions in need (an OR of protocol.Perm bits) under the list. An empty
// list grants everything to everyone, and so does an identity of the scheme
// super whatever the list (ZooKeeperServer.checkACL).
//
// Each entry is matched by itself and by its own scheme's rule: world:anyone
// matches everybody, digest by equality, ip by its network prefix. Check does
// not allocate.
func Check(list []protocol.ACL, need int32, ids []protocol.ID) bool {
	if len(list) == 0 {
		return true
	}
	for i := range list {
		if e := &list[i]; e.Perms&need != 0 && grants(e, ids) {
			return true
		}
	}
	for i := range ids {
		if ids[i].Scheme == schemeSuper {
			return true
		}
	}
	return false
}

// grants reports whether the entry means a holder of these identities.
func grants(e *protocol.ACL, ids []protocol.ID) bool {
	if e.NullID {
		return false
	}
	switch e.Scheme {
	case schemeWorld:
		return e.ID == anyone
	case schemeDigest:
		for i := range ids {
			if ids[i].Scheme == schemeDigest && ids[i].ID == e.ID {
				return true
			}
		}
	case schemeIP:
		network, ok := parseIP(e.ID)
		if !ok {
			return false
		}
		for i := range ids {
			if ids[i].Scheme == schemeIP && network.contains(ids[i].ID) {
				return true
			}
		}
	}
	return false
}

// Redact returns the list as shown to a reader without ADMIN: what follows the
// first colon of a digest id becomes "x" (FinalRequestProcessor, getACL). It
// returns the list itself if there is nothing to hide, and never changes it.
func Redact(list []protocol.ACL) []protocol.ACL {
	var shown []protocol.ACL
	for i := range list {
		if list[i].Scheme != schemeDigest {
			continue
		}
		user, _, found := strings.Cut(list[i].ID, ":")
		if !found {
			continue
		}
		if shown == nil {
			shown = append(shown, list...)
		}
		shown[i].ID = user + ":x"
	}
	if shown == nil {
		return list
	}
	return shown
}
