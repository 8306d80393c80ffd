//go:build interop

package interop

const (
	configNode    = "the configuration in /zookeeper/config"
	localSessions = "local sessions"
)

// awaitedToStart names the files of scenarios whose configuration Zooraft refuses, for the same reasons. It is to be
// empty too.
var awaitedToStart = map[string]string{}

// awaitedProfiles names the kinds of generated scenarios that are left out, for the same reasons. It is to be empty too.
var awaitedProfiles = map[string]string{}

// awaited names the scenarios that a part of the server that is still missing will make pass, and that part. It is to
// be empty. Such a scenario is played and its difference shown; it fails nothing.
var awaited = map[string]string{

	"12-three/config-node": configNode,

	"12-local/no-ephemerals":     localSessions,
	"12-local/take-no-zxid":      localSessions,
	"12-local/in-a-multi":        localSessions,
	"12-upgrade/by-an-ephemeral": localSessions,
	"12-upgrade/by-a-multi":      localSessions,
	"12-upgrade/on-a-follower":   localSessions,
}
