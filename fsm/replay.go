package fsm

import (
	"github.com/hashicorp/raft"

	"zooraft/protocol"
)

// Replay applies entries that are known to be committed before Raft says so, which
// it does only when it has a leader. It will hand them over again, and ApplyBatch
// will pass over them. The observer does not hear of them. Replay must be called
// before Raft starts.
func (f *FSM) Replay(logs []*raft.Log) {
	obs := f.obs
	f.obs = deaf{}
	f.ApplyBatch(logs)
	f.obs = obs
}

// unapplied is the part of logs that is not in the state yet.
func (f *FSM) unapplied(logs []*raft.Log) []*raft.Log {
	for len(logs) > 0 && logs[0].Index <= f.applied {
		logs = logs[1:]
	}
	return logs
}

// deaf is an Observer to whom nothing matters: of what was before this process,
// nobody waits for anything.
type deaf struct{}

func (deaf) Completed(View, uint64, *Result)                  {}
func (deaf) OutOfSequence(uint64)                             {}
func (deaf) Registered(int64, uint64, [16]byte)               {}
func (deaf) Led(uint64)                                       {}
func (deaf) SessionOpened(protocol.SessionID, int32, Owner)   {}
func (deaf) SessionAttached(protocol.SessionID, int32, Owner) {}
func (deaf) SessionClosed(protocol.SessionID, bool)           {}
func (deaf) EphemeralsDeleted(protocol.SessionID, []string)   {}
func (deaf) SnapshotInstalled(View)                           {}
func (deaf) EnsembleRestored(View)                            {}
func (deaf) Reconfigured(View, Owner, *Result)                {}
func (deaf) Membership(View)                                  {}
func (deaf) Applied(v View, index uint64)                     {}
func (deaf) Flush()                                           {}
func (deaf) OverQuota(x *Excess)                              {}
func (deaf) Wrote(path string, bytes int)                     {}
