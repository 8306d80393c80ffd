package quorum

import (
	"errors"
	"fmt"
	"net"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

// raftLog is the logger given to Raft. A member that is down is reported by the
// peer streams, once; Raft would report it several times a second as an error,
// though nothing is wrong with this server and nobody has to act.
//
// A server without a quorum tries to be elected again and again, and refuses those
// who do: election.go says who is missing. One that is to join has no configuration
// before the leader brings it. And one whose snapshot ends where its log does hears, as
// it starts, of a commit that it has applied.
//
// A leader notices that a follower needs a snapshot by the lack of an entry in its log.
// Where the lack is a fault Raft ends by it.
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
	l.Logger.Log(errorLevel(msg, failure(args)), msg, args...)
}

func errorLevel(msg string, err error) hclog.Level {
	switch msg {
	case "failed to heartbeat to", "failed to appendEntries to", "failed to make requestVote RPC",
		"failed to make requestPreVote RPC", "failed to pipeline appendEntries", "failed to start pipeline replication to",
		"failed to decode incoming command", "failed to flush response", "failed to accept connection", "peer has newer term, stopping replication":
		return hclog.Debug
	case "failed to get log":
		if errors.Is(err, raft.ErrLogNotFound) {
			return hclog.Debug
		}
	case "failed to install snapshot", "failed to send snapshot to":
		if errors.Is(cause(err), net.ErrClosed) { // by this server, which stops
			return hclog.Debug
		}
	case "failed to receive whole snapshot": // its sender is gone, and another one comes
		return hclog.Warn
	case "failed to copy snapshot":
		switch {
		case errors.Is(err, errHeld):
			return hclog.Debug
		case broken(err): // as above
			return hclog.Warn
		}
	}
	return hclog.Error
}

// failure is the error among the values of a line, or nil.
func failure(args []any) error {
	for _, a := range args {
		if err, ok := a.(error); ok {
			return err
		}
	}
	return nil
}

// Warn implements hclog.Logger.
func (l raftLog) Warn(msg string, args ...any) {
	switch msg {
	case "appendEntries rejected, sending older logs", "failed to get previous log", "previous log term mis-match",
		"Election timeout reached, restarting election", "duplicate requestVote from",
		"rejecting vote request since we have a leader", "rejecting pre-vote request since we have a leader",
		"rejecting vote request since our last term is greater", "rejecting pre-vote request since our last term is greater",
		"rejecting vote request since our last index is greater", "rejecting pre-vote request since our last index is greater",
		"no known peers, aborting election", "skipping application of old log", "failed to contact", "unable to get address for server, using fallback address":
		l.Logger.Debug(msg, args...)
	default:
		l.Logger.Warn(msg, args...)
	}
}
