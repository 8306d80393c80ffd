package quorum

import (
	"time"

	"github.com/hashicorp/raft"

	"zooraft/fsm"
)

// applier is the state machine as Raft sees it: it notes when a batch comes.
type applier struct {
	*fsm.FSM
	n *Node
}

var _ raft.BatchingFSM = applier{}

// ApplyBatch implements raft.BatchingFSM.
func (a applier) ApplyBatch(logs []*raft.Log) []any {
	a.n.stages.applied = time.Now()
	a.n.stages.found = logWrite{}
	last := logs[len(logs)-1]
	a.n.noteCommitted(last.Index, last.Term)
	answers := a.FSM.ApplyBatch(logs)
	a.n.cfg.Metrics.WriteBatchTime.Time(time.Since(a.n.stages.applied))
	return answers
}
