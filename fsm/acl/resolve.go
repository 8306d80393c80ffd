package acl

import (
	"slices"
	"strings"

	"zooraft/protocol"
)

// Resolve turns the list of a create or setACL request into the one to store,
// for a connection with these identities to a server with these schemes
// (PrepRequestProcessor.fixupACL):
// exact duplicates are dropped, each auth entry is replaced by one entry for
// each authenticated identity, and ids are checked by their scheme. The order
// is kept otherwise, and duplicates that the expansion makes stay.
//
// The code is ErrOK; ErrInvalidACL for a null or empty list, an unknown
// scheme, an id its scheme does not accept, or auth without an authenticated
// identity; or ErrMarshalling for a null id where one is needed. The list is
// nil unless the code is ErrOK. The argument is not changed, but may be the
// result.
func Resolve(list []protocol.ACL, isNull bool, ids []protocol.ID, schemes Schemes) ([]protocol.ACL, protocol.ErrCode) {
	if isNull || len(list) == 0 {
		return nil, protocol.ErrInvalidACL
	}
	list = unique(list)
	for i := range list {
		if code := valid(&list[i], ids, schemes); code != protocol.ErrOK {
			return nil, code
		}
	}
	isAuth := func(e protocol.ACL) bool { return e.Scheme == schemeAuth }
	if !slices.ContainsFunc(list, isAuth) {
		return list, protocol.ErrOK
	}
	stored := make([]protocol.ACL, 0, len(list)+len(ids))
	for _, e := range list {
		if !isAuth(e) {
			stored = append(stored, e)
			continue
		}
		for _, id := range ids {
			if schemes.authenticated(id.Scheme) {
				stored = append(stored, protocol.ACL{Perms: e.Perms, Scheme: id.Scheme, ID: id.ID})
			}
		}
	}
	return stored, protocol.ErrOK
}

// valid says whether one entry may stand in a request.
func valid(e *protocol.ACL, ids []protocol.ID, schemes Schemes) protocol.ErrCode {
	var ok bool
	switch e.Scheme {
	case schemeAuth: // the id, null or not, means nothing
		ok = slices.ContainsFunc(ids, func(id protocol.ID) bool { return schemes.authenticated(id.Scheme) })
	case schemeWorld, schemeDigest, schemeIP, schemeX509, schemeSASL:
		if e.Scheme != schemeWorld && !schemes.has(e.Scheme) {
			break
		}
		if e.NullID {
			return protocol.ErrMarshalling // a null pointer in ZooKeeper, which answers so
		}
		switch e.Scheme {
		case schemeWorld:
			ok = e.ID == anyone
		case schemeDigest:
			ok = validDigest(e.ID)
		case schemeIP:
			_, ok = parseIP(e.ID)
		case schemeX509:
			ok = validX500(e.ID)
		case schemeSASL:
			ok = validSASL(e.ID)
		}
	}
	if !ok {
		return protocol.ErrInvalidACL
	}
	return protocol.ErrOK
}

// validDigest reports whether id has two parts with a colon between. Colons at
// the end do not count, as Java's String.split drops trailing empty parts; the
// first part may be empty (DigestAuthenticationProvider.isValid).
func validDigest(id string) bool {
	return strings.Count(strings.TrimRight(id, ":"), ":") == 1
}

// smallList is the length up to which duplicates are found by comparing all
// with all. A frame has room for tens of thousands of entries, and that must
// not keep the state machine busy for seconds.
const smallList = 16

// unique returns the list without exact duplicates, first occurrences kept;
// the list itself if there are none.
func unique(list []protocol.ACL) []protocol.ACL {
	if len(list) <= smallList {
		for i := 1; i < len(list); i++ {
			if slices.Contains(list[:i], list[i]) {
				kept := slices.Clone(list[:i])
				for _, e := range list[i+1:] {
					if !slices.Contains(kept, e) {
						kept = append(kept, e)
					}
				}
				return kept
			}
		}
		return list
	}
	seen := make(map[protocol.ACL]struct{}, len(list))
	kept := make([]protocol.ACL, 0, len(list))
	for _, e := range list {
		if _, dup := seen[e]; !dup {
			seen[e] = struct{}{}
			kept = append(kept, e)
		}
	}
	return kept
}
