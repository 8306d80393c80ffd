package quorum

import (
	"testing"
	"time"

	"zooraft/fsm"
	"zooraft/protocol"
	"zooraft/server/quorum/store"
	"zooraft/tests/testkit"
)

// Followers hear of a commit before the leader has applied it, and by a notice:
// the one that waits for a request of its own, and the other, whose clients may
// watch what was changed. On a machine that is busy elsewhere Raft's own message,
// which comes some time after the entry, may bring the news first; so it has to
// hold once.
func TestNoticeBeforeApply(t *testing.T) {
	all := newEnsemble(t, 3, store.KindWAL)
	startAll(t, all)
	leader := leaderOf(t, all)
	follower, other := all[leader.cfg.SID%3], all[(leader.cfg.SID+1)%3]
	create := follower.session(1)
	messages := func() (n uint64) {
		for _, p := range *leader.node.trans.appenders.Load() {
			p.mu.Lock()
			n += p.messages
			p.mu.Unlock()
		}
		return n
	}
	try := func() bool {
		// One that has yet to apply what was before takes nothing new until it has.
		testkit.Until(t, "the leader to have applied its log", func() bool {
			return leader.node.applied.Load() == leader.node.raft.Load().LastIndex()
		})
		leader.fsm.RLock() // apply waits for it
		defer leader.fsm.RUnlock()
		before := messages()
		done := make(chan protocol.ErrCode, 1)
		err := follower.node.Propose(create("/n"), completion(func(_ fsm.View, r *fsm.Result) { done <- r.Err }))
		if err != nil {
			t.Fatal(err)
		}
		if code := testkit.Await(t, done, "result while the leader applies nothing"); code != protocol.ErrOK {
			t.Fatalf("create: %v", code)
		}
		testkit.Until(t, "news for the other follower while the leader applies nothing", func() bool {
			return other.node.applied.Load() >= follower.node.applied.Load()
		})
		return messages() == before+2 // those with the entry
	}
	for deadline := time.Now().Add(2 * time.Minute); !try(); {
		if time.Now().After(deadline) {
			t.Fatal("the followers never hear of a commit by a notice while the leader has not applied it")
		}
	}
}
