package quorum

import (
	"bytes"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"zooraft/fsm"
	"zooraft/zabcompat/metrics"
)

// All tests of this package overwrite storage as soon as it is free.
func init() { scribble = true }

// proposeQueued proposes what has queued, as the proposer does.
func proposeQueued(b *batcher) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.busy = true
	b.proposeLocked()
}

// TestBatchCopies: what is borrowed is copied, and keeps its place until it has been
// proposed, however much comes behind it; what it took is free then, unless that is
// a lot.
func TestBatchCopies(t *testing.T) {
	b := newBatcher(&Node{cfg: Config{Metrics: new(metrics.Metrics)}})
	add := func(i, size int) {
		payload := bytes.Repeat([]byte{byte(i)}, size)
		b.add(fsm.Origin{SID: 1, Incarnation: 1}, uint64(i), payload, true)
		clear(payload) // it is the caller's again
	}
	check := func() {
		t.Helper()
		for _, q := range b.queue {
			if bytes.Count(q.payload, []byte{byte(q.seq)}) != len(q.payload) {
				t.Fatalf("request %d holds %x", q.seq, q.payload)
			}
		}
	}
	for round := range 4 {
		for i := range 200 {
			add(i+1, 1+round*i)
		}
		check()
		proposeQueued(b)
	}
	if b.scrap == nil {
		t.Error("storage is not used again")
	}
	for i, size := range []int{1, maxScrap + 1, 1} {
		add(i+1, size)
	}
	check()
	proposeQueued(b)
	if cap(b.scrap)+cap(b.copied) > 2*maxScrap {
		t.Errorf("keeps %d and %d bytes", cap(b.scrap), cap(b.copied))
	}
}

// TestBatchHolds: the next batch waits for the commit of the one before, unless
// that is far behind the disk or the batch is full.
func TestBatchHolds(t *testing.T) {
	b := newBatcher(&Node{cfg: Config{Metrics: new(metrics.Metrics)}})
	holds := func(want bool, when string) {
		t.Helper()
		b.mu.Lock()
		defer b.mu.Unlock()
		if got := b.holdLocked(); got != want {
			t.Errorf("%s: holds %v, want %v", when, got, want)
		}
	}
	kicked := func() bool {
		select {
		case <-b.wake:
			return true
		default:
			return false
		}
	}
	entry := []*raft.Log{{Index: 6, Type: raft.LogNoop}, {Index: 7, Type: raft.LogCommand}}
	holds(false, "at the start")
	b.noteStored(entry)
	holds(true, "stored, not committed")
	b.add(fsm.Origin{SID: 1, Incarnation: 1}, 1, []byte("x"), false)
	if kicked() {
		t.Error("a request set off the next entry before the commit")
	}
	b.noteApplied(6)
	holds(true, "an earlier entry is applied")
	b.noteApplied(7)
	holds(false, "applied")
	if !kicked() {
		t.Error("the commit did not set off the next entry")
	}
	b.noteStored([]*raft.Log{{Index: 8, Type: raft.LogCommand}})
	b.committing, b.storing = 21*time.Millisecond, 10*time.Millisecond
	holds(false, "a network far slower than the disk")
	b.committing = 20 * time.Millisecond
	holds(true, "a network about as slow as the disk")
	b.add(fsm.Origin{SID: 1, Incarnation: 1}, 2, make([]byte, maxEntry), false)
	holds(false, "a full batch")
	if !kicked() {
		t.Error("a full batch did not go")
	}
	b.queue, b.bytes = nil, 0
	holds(true, "stored, not committed")
	b.reset()
	holds(false, "after a change of leaders")
	b.noteApplied(7)
	holds(false, "what was stored before it is gone")
}

// TestBatchAlone: a request is its own goroutine's to propose behind one that had
// no company either, and nowhere else.
func TestBatchAlone(t *testing.T) {
	b := newBatcher(&Node{cfg: Config{Metrics: new(metrics.Metrics)}})
	alone := func(want bool, when string) {
		t.Helper()
		if got := b.addAlone(fsm.Origin{SID: 1, Incarnation: 1}, 1, []byte("x"), false); got != want {
			t.Errorf("%s: alone %v, want %v", when, got, want)
		}
	}
	alone(true, "at the start")
	alone(false, "while another proposes")
	b.proposeAlone()
	alone(false, "behind two")
	if len(b.wake) == 0 || len(b.queue) != 1 {
		t.Errorf("behind two: %d wait, the proposer is called: %v", len(b.queue), len(b.wake) > 0)
	}
	proposeQueued(b)
	alone(true, "behind one")
	b.proposeAlone()
	alone(true, "behind one more")
}

// TestBatchDoubtAtTheEnd: the node's loop may look for doubtful entries once more when
// the batcher has been closed, and nobody is there to ask for them.
func TestBatchDoubtAtTheEnd(t *testing.T) {
	n := &Node{cfg: Config{Metrics: new(metrics.Metrics)}}
	b := newBatcher(n)
	n.wg.Add(1)
	go b.run()
	b.handed, b.futures = 1, make([]raft.ApplyFuture, 1)
	b.close()
	n.wg.Wait()
	b.askIfDoubtful(time.Now().Add(time.Hour))
}
