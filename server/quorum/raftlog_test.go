package quorum

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

type spoken struct{}

func (*spoken) String() string { return "Node at 1 [Follower]" }

// What has a text has it in JSON too.
func TestRaftLogSpellsOut(t *testing.T) {
	var out bytes.Buffer
	log := raftLog{hclog.New(&hclog.LoggerOptions{Output: &out, JSONFormat: true})}
	log.Info("entering follower state", "follower", &spoken{}, "term", 2)
	if got := out.String(); !strings.Contains(got, `"follower":"Node at 1 [Follower]"`) || !strings.Contains(got, `"term":2`) {
		t.Error(got)
	}
}

// What belongs to a healthy ensemble's life is no error, and the same with another
// cause is one.
func TestRaftLogLevels(t *testing.T) {
	closed := fmt.Errorf("write: %w", net.ErrClosed)
	tests := []struct {
		name string
		log  func(l raftLog)
		want string
	}{
		{"a snapshot is needed", func(l raftLog) { l.Error("failed to get log", "index", 1, "error", raft.ErrLogNotFound) }, "[DEBUG]"},
		{"the log cannot be read", func(l raftLog) { l.Error("failed to get log", "index", 1, "error", errors.New("input/output error")) }, "[ERROR]"},
		{"stopping", func(l raftLog) { l.Error("failed to send snapshot to", "peer", raft.Server{ID: "2"}, "error", closed) }, "[DEBUG]"},
		{"stopping, from within", func(l raftLog) { l.Error("failed to install snapshot", "peer", "2", "id", "1-2-3", "error", closed) }, "[DEBUG]"},
		{"no snapshot", func(l raftLog) { l.Error("failed to send snapshot to", "error", errors.New("no snapshots found")) }, "[ERROR]"},
		{"no cause", func(l raftLog) { l.Error("failed to install snapshot") }, "[ERROR]"},
		{"the sender stops", func(l raftLog) { l.Error("failed to receive whole snapshot", "received", "1 / 2") }, "[WARN]"},
		{"the sender dies", func(l raftLog) { l.Error("failed to copy snapshot", "error", &net.OpError{Err: syscall.ECONNRESET}) }, "[WARN]"},
		{"nothing new", func(l raftLog) { l.Error("failed to copy snapshot", "error", errors.Join(errHeld, nil)) }, "[DEBUG]"},
		{"no room", func(l raftLog) { l.Error("failed to copy snapshot", "error", syscall.ENOSPC) }, "[ERROR]"},
		{"to join", func(l raftLog) { l.Warn("no known peers, aborting election") }, "[DEBUG]"},
		{"started behind its snapshot", func(l raftLog) { l.Warn("skipping application of old log", "index", 7) }, "[DEBUG]"},
		{"removed", func(l raftLog) { l.Warn("not part of stable configuration, aborting election") }, "[WARN]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			tt.log(raftLog{hclog.New(&hclog.LoggerOptions{Output: &out, Level: hclog.Debug})})
			if got := out.String(); !strings.Contains(got, tt.want) {
				t.Errorf("got %q, want it at %s", got, tt.want)
			}
		})
	}
}
