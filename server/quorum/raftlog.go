package quorum

import (
	"fmt"

	"github.com/hashicorp/go-hclog"
)

// raftLog is the logger given to Raft. A member that is down is reported by the
// peer streams, once; Raft would report it several times a second as an error,
// though nothing is wrong with this server and nobody has to act.
//
// A server without a quorum tries to be elected again and again, and refuses those
// who do: election.go says who is missing.
//
// Raft hands itself to the log, and members, which JSON has no text of: they are
// spelled out here.
type raftLog struct{ hclog.Logger }

// spelled returns the values with those as text that have one.
func spelled(args []any) []any {
	out := make([]any, len(args))
	for i, a := range args {
		switch v := a.(type) {
		case error:
			out[i] = v
		case fmt.Stringer:
			out[i] = v.String()
		default:
			out[i] = v
		}
	}
	return out
}

// Info implements hclog.Logger.
func (l raftLog) Info(msg string, args ...any) {
	switch msg {
	case "entering candidate state", "pre-vote campaign failed, waiting for election timeout", "duplicate requestVote for same term":
		l.Logger.Debug(msg, spelled(args)...)
	default:
		l.Logger.Info(msg, spelled(args)...)
	}
}

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
		"Election timeout reached, restarting election", "duplicate requestVote from",
		"rejecting vote request since we have a leader", "rejecting pre-vote request since we have a leader",
		"rejecting vote request since our last term is greater", "rejecting pre-vote request since our last term is greater",
		"rejecting vote request since our last index is greater", "rejecting pre-vote request since our last index is greater",
		"failed to contact", "unable to get address for server, using fallback address":
		l.Logger.Debug(msg, args...)
	default:
		l.Logger.Warn(msg, args...)
	}
}
