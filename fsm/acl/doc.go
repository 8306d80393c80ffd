// Package acl checks access control lists and turns a client's list into the
// one that is stored.
//
// It follows the "ZooKeeper Programmer's Guide, ZooKeeper access control using
// ACLs", and where the guide is silent ZooKeeperServer.checkACL,
// PrepRequestProcessor.fixupACL and the classes of
// org.apache.zookeeper.server.auth. The schemes are world, auth, digest and
// ip; an entry of any other scheme cannot be stored and matches nobody.
//
// Left to others: which identities a connection has, which node's list and
// which permission an operation needs, and whether checks are switched off
// altogether; that is decided where the request comes from.
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
	schemeSuper  = "super"

	// anyone is the only id of the scheme world.
	anyone = "anyone"
)
