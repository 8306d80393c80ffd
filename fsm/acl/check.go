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
// Each entry is matched by itself and by its own scheme's rule, if the scheme is
// there: world:anyone matches everybody, digest and x509 by equality, ip by its
// network prefix, sasl as saslMatches says. Check does not allocate.
func Check(list []protocol.ACL, need int32, ids []protocol.ID, schemes Schemes) bool {
	if len(list) == 0 {
		return true
	}
	for i := range list {
		if e := &list[i]; e.Perms&need != 0 && grants(e, ids, schemes) {
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
func grants(e *protocol.ACL, ids []protocol.ID, schemes Schemes) bool {
	if e.NullID {
		return false
	}
	if e.Scheme == schemeWorld {
		return e.ID == anyone
	}
	if !schemes.has(e.Scheme) {
		return false
	}
	switch e.Scheme {
	case schemeDigest, schemeX509:
		for i := range ids {
			if ids[i].Scheme == e.Scheme && ids[i].ID == e.ID {
				return true
			}
		}
	case schemeSASL:
		for i := range ids {
			if ids[i].Scheme == schemeSASL && saslMatches(ids[i].ID, e.ID) {
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
