package main

import (
	"fmt"

	"github.com/hashicorp/go-hclog"

	"zooraft/server"
)

// announce logs what this process is about to be, in ZooKeeper's words
// (QuorumPeerMain, QuorumPeerConfig, QuorumPeer), for which operators look.
func announce(cfg *server.Config, log hclog.Logger) {
	log.Info(fmt.Sprintf("autopurge.snapRetainCount set to %d", cfg.SnapRetainCount))
	log.Info(fmt.Sprintf("tickTime set to %d", cfg.TickTime.Milliseconds()))
	log.Info(fmt.Sprintf("minSessionTimeout set to %d ms", cfg.MinSessionTimeout.Milliseconds()))
	log.Info(fmt.Sprintf("maxSessionTimeout set to %d ms", cfg.MaxSessionTimeout.Milliseconds()))
	if cfg.Standalone() {
		log.Warn("Either no config or no quorum defined in config, running in standalone mode")
		log.Info("Starting server")
		return
	}
	log.Info(fmt.Sprintf("initLimit set to %d", cfg.InitLimit))
	log.Info(fmt.Sprintf("syncLimit set to %d", cfg.SyncLimit))
	log.Info(fmt.Sprintf("Starting quorum peer, myid=%d", cfg.SID))
}
