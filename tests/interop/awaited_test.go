//go:build interop

package interop

const (
	ttlNodes         = "TTL nodes"
	quotaEnforcement = "the enforcement of quotas"
	configNode       = "the configuration in /zookeeper/config"
	schemes          = "the properties of ACL schemes"
	localSessions    = "local sessions"
)

// awaitedToStart names the files of scenarios whose configuration Zooraft refuses, for the same reasons. It is to be
// empty too.
var awaitedToStart = map[string]string{
	"06-enforced.txt": "enforced authentication",
}

// awaitedProfiles names the kinds of generated scenarios that are left out, for the same reasons. It is to be empty too.
var awaitedProfiles = map[string]string{
	"extended": ttlNodes + " and " + quotaEnforcement,
}

// awaited names the scenarios that a part of the server that is still missing will make pass, and that part. It is to
// be empty. Such a scenario is played and its difference shown; it fails nothing.
var awaited = map[string]string{
	"05-extended/ttl-validity":                               ttlNodes,
	"05-extended/ttl-in-a-multi":                             ttlNodes,
	"05-extended/ttl-removal":                                ttlNodes,
	"05-extended/ttl-node-with-children-stays-until-they-go": ttlNodes,

	"09-enforced/count": quotaEnforcement,
	"09-enforced/bytes": quotaEnforcement,
	"09-enforced/count-before-bytes-and-before-version": quotaEnforcement,
	"09-enforced/over-the-limit-already":                quotaEnforcement,
	"09-enforced/in-a-multi":                            quotaEnforcement,
	"09-enforced/nested":                                quotaEnforcement,
	"09-enforced/garbage-in-limits":                     quotaEnforcement,
	"09-enforced/super-and-quotas-with-acl":             quotaEnforcement,

	"12-three/config-node": configNode,

	"06-schemes/digest-is-no-scheme": schemes,
	"06-sha256/digest-algorithm":     schemes,

	"12-local/no-ephemerals":     localSessions,
	"12-local/take-no-zxid":      localSessions,
	"12-local/in-a-multi":        localSessions,
	"12-upgrade/by-an-ephemeral": localSessions,
	"12-upgrade/by-a-multi":      localSessions,
	"12-upgrade/on-a-follower":   localSessions,
}
