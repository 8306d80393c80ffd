package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"zooraft/server"
)

// foreignData refuses to begin an empty tree beside the data of a ZooKeeper: to
// its clients that would look as if all had been lost. A server that has data of
// its own goes on, whatever else lies there.
func foreignData(cfg server.Config) error {
	if has(filepath.Join(cfg.DataDir, "raft"), "") || has(filepath.Join(cfg.LogDir(), "raft"), "") {
		return nil
	}
	for _, dir := range []string{cfg.DataDir, cfg.LogDir()} {
		theirs := filepath.Join(dir, "version-2")
		if has(theirs, "snapshot.") || has(theirs, "log.") {
			return fmt.Errorf("%w: %s holds the data of a ZooKeeper, which this release does not read; "+
				"move it away to begin with an empty tree (the commands export / FILE and import FILE / of zooraft cli, as super user, carry znodes over from a running ZooKeeper)", errDataDir, theirs)
		}
	}
	return nil
}

// has says whether a directory has an entry whose name begins with prefix. One
// that cannot be read will be told of by whoever needs it.
func has(dir, prefix string) bool {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), prefix) {
			return true
		}
	}
	return false
}
