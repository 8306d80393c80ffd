// Package acl checks access control lists and turns a client's list into the
// one that is stored.
//
// It follows the "ZooKeeper Programmer's Guide, ZooKeeper access control using
// ACLs", and where the guide is silent ZooKeeperServer.checkACL,
// PrepRequestProcessor.fixupACL and the classes of
// org.apache.zookeeper.server.auth. The schemes are world, auth, digest and
// ip, and as Schemes says x509 and sasl; an entry of any other scheme cannot be
// stored and matches nobody.
//
// Left to others: which identities a connection has, which node's list and
// which permission an operation needs, which schemes there are, and whether
// checks are switched off altogether; the last two are the configuration of the
// server that a request came to, and travel with it. What only one server can
// know of an identity (whose certificate or principal is the super user's) it
// says by the identity super, which passes every list.
//
// Invariant: everything here is a pure function of its arguments. It runs
// inside the replicated state machine, so servers of one ensemble must agree
// on each answer.
package acl

// Schemes with a meaning of their own.
const (
	schemeWorld  = "world"
	schemeAuth   = "auth"
	schemeDigest = "digest"
	schemeIP     = "ip"
	schemeX509   = "x509"
	schemeSASL   = "sasl"
	schemeSuper  = "super"

	// anyone is the only id of the scheme world.
	anyone = "anyone"
)
