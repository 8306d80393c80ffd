package zabcompat

import "fmt"

// Vote is what a server proposes in ZooKeeper's leader election: itself, or the
// best candidate it has heard of.
type Vote struct {
	Epoch uint32 // epoch of the candidate's newest history
	Zxid  Zxid   // the candidate's last zxid
	SID   int64  // the candidate's server id (myid)
}

// Beats tells whether v is to be preferred to o: the later epoch, then the later
// zxid, then the higher server id. It is a strict total order, so no vote beats
// itself (org.apache.zookeeper.server.quorum.FastLeaderElection,
// totalOrderPredicate, without hierarchical weights).
func (v Vote) Beats(o Vote) bool {
	switch {
	case v.Epoch != o.Epoch:
		return v.Epoch > o.Epoch
	case v.Zxid != o.Zxid:
		return v.Zxid > o.Zxid
	}
	return v.SID > o.SID
}

// String returns the vote in the order of its comparison.
func (v Vote) String() string {
	return fmt.Sprintf("(epoch 0x%x, zxid %v, sid %d)", v.Epoch, v.Zxid, v.SID)
}
