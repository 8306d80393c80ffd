package quorum

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"zooraft/fsm"
	"zooraft/protocol"
	"zooraft/server/quorum/store"
)

// BenchmarkPropose writes through the whole of this package, to disks and over
// the loopback: from Propose at the leader to its own apply, with so many
// requests waiting at a time. The figures are those of all servers together.
func BenchmarkPropose(b *testing.B) {
	for _, servers := range []int{1, 3} {
		for _, window := range []int{1, 128} {
			b.Run(fmt.Sprintf("servers=%d/window=%d/bytes=1024", servers, window), func(b *testing.B) {
				all := newEnsemble(b, servers, store.KindWAL)
				if servers == 1 {
					all[0].cfg.Members = nil
				}
				startAll(b, all)
				s := leaderOf(b, all)
				s.do(s.session(1)("/n"))
				set := protocol.SetDataRequest{Path: "/n0000000000", Data: make([]byte, 1024), Version: -1}
				payload := (&fsm.ClientRequest{Session: 1, Conn: 1, Op: protocol.OpSetData, Body: set.Append(nil)}).Append(nil)
				room := make(chan struct{}, window)
				done := completion(func(_ fsm.View, r *fsm.Result) {
					if r.Err != protocol.ErrOK {
						b.Error(r.Err)
					}
					<-room
				})
				b.ReportAllocs()
				for b.Loop() {
					room <- struct{}{}
					if err := s.node.Propose(payload, done); err != nil {
						b.Fatal(err)
					}
				}
				for len(room) > 0 {
					runtime.Gosched()
				}
			})
		}
	}
}

// BenchmarkAppendFrame is what an append stream adds to the copying of entries.
func BenchmarkAppendFrame(b *testing.B) {
	for _, n := range []int{1, 16} {
		q := raft.AppendEntriesRequest{Term: 1, PrevLogEntry: 1, PrevLogTerm: 1}
		for i := range n {
			q.Entries = append(q.Entries, &raft.Log{Index: uint64(i + 2), Term: 1, Data: make([]byte, 1024), AppendedAt: time.Now()})
		}
		frame := slices.Concat(encodeAppend(appendEntries, &q, 1, 1, q.Entries)...)
		b.Run(fmt.Sprintf("op=encode/entries=%d/bytes=1024", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				encodeAppend(appendEntries, &q, 1, 1, q.Entries)
			}
		})
		b.Run(fmt.Sprintf("op=decode/entries=%d/bytes=1024", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := decodeAppend(frame[4:]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
