package quorum

import "github.com/hashicorp/go-hclog"

// raftLog is the logger given to Raft. A member that is down is reported by the
// peer streams, once; Raft would report it several times a second as an error,
// though nothing is wrong with this server and nobody has to act.
type raftLog struct{ hclog.Logger }

// Error implements hclog.Logger.
func (l raftLog) Error(msg string, args ...any) {
	switch msg {
	case "failed to heartbeat to", "failed to appendEntries to", "failed to make requestVote RPC",
		"failed to make requestPreVote RPC", "failed to pipeline appendEntries", "failed to start pipeline replication to",
		"failed to decode incoming command", "failed to flush response", "failed to accept connection", "peer has newer term, stopping replication":
		l.Logger.Debug(msg, args...)
	default:
		l.Logger.Error(msg, args...)
	}
}

// Warn implements hclog.Logger.
func (l raftLog) Warn(msg string, args ...any) {
	switch msg {
	case "appendEntries rejected, sending older logs", "failed to get previous log", "previous log term mis-match",
		"failed to contact", "unable to get address for server, using fallback address":
		l.Logger.Debug(msg, args...)
	default:
		l.Logger.Warn(msg, args...)
	}
}
