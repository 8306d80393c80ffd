package acl

import "strings"

// validSASL reports whether id is one of the scheme sasl: any text without "@",
// or a Kerberos principal "name[/host]@realm" (SASLAuthenticationProvider.
// isValid). Parts may be empty, as in ZooKeeper; a realm has neither "/" nor "@",
// and a name no second "/".
func validSASL(id string) bool {
	name, realm, found := strings.Cut(id, "@")
	return !found || strings.Count(name, "/") <= 1 && !strings.ContainsAny(realm, "/@")
}

// saslMatches reports whether the entry's id means the holder of held: itself,
// and everybody if it is "super" that holds.
func saslMatches(held, id string) bool { return held == id || held == schemeSuper }
