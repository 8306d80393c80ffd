//go:build interop

package interop

// awaitedToStart names the files of scenarios whose configuration Zooraft refuses, for the same reasons. It is to be
// empty too.
var awaitedToStart = map[string]string{}

// awaitedProfiles names the kinds of generated scenarios that are left out, for the same reasons. It is to be empty too.
var awaitedProfiles = map[string]string{}

// awaited names the scenarios that a part of the server that is still missing will make pass, and that part. It is to
// be empty. Such a scenario is played and its difference shown; it fails nothing.
var awaited = map[string]string{}
