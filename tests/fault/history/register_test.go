package history

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"zooraft/protocol"
)

const ms = time.Millisecond

func TestRegisters(t *testing.T) {
	both := []string{"linearizable", "register-order"}
	tests := []struct {
		name  string
		build func(a, b *script)
		want  []string // by both checkers together
	}{
		{"one after the other", func(a, b *script) {
			a.at(10*ms).set("/r", "1", 5)
			b.at(20*ms).syncGet("/r", 5, 5, "1")
		}, nil},
		{"stale read", func(a, b *script) {
			a.at(10*ms).set("/r", "1", 5)
			b.at(20*ms).syncGet("/r", 4, 1, "")
		}, both},
		{"stale read without sync", func(a, b *script) {
			a.at(10*ms).set("/r", "1", 5)
			b.at(20*ms).get("/r", 4, 1, "")
		}, nil},
		{"sync that failed", func(a, b *script) {
			a.at(10*ms).set("/r", "1", 5)
			sync := b.at(20 * ms).call(Record{Op: protocol.OpSync, Path: "/r"})
			get := b.callGet("/r", false)
			b.reply(sync, Record{Zxid: 4, Err: protocol.ErrSessionExpired}).reply(get, Record{Zxid: 4, Stat: stat(1, 1, 1)})
		}, nil},
		{"old or new while it is written", func(a, b *script) {
			set := a.at(10*ms).callSet("/r", "1")
			b.at(20*ms).syncGet("/r", 4, 1, "")
			b.at(30*ms).syncGet("/r", 5, 5, "1")
			a.at(40*ms).reply(set, Record{Zxid: 5, Stat: stat(1, 5, 1)})
		}, nil},
		{"new, then old", func(a, b *script) {
			set := a.at(10*ms).callSet("/r", "1")
			b.at(20*ms).syncGet("/r", 5, 5, "1")
			b.at(30*ms).syncGet("/r", 5, 1, "")
			a.at(40*ms).reply(set, Record{Zxid: 5, Stat: stat(1, 5, 1)})
		}, both},
		{"a value that nobody wrote", func(a, b *script) { b.at(20*ms).syncGet("/r", 5, 5, "9") }, []string{"linearizable"}},
		{"lost write, never seen", func(a, b *script) {
			a.at(10*ms).callSet("/r", "1")
			b.at(20*ms).syncGet("/r", 5, 1, "")
		}, nil},
		{"lost write, seen", func(a, b *script) {
			a.at(10*ms).callSet("/r", "1")
			b.at(20*ms).syncGet("/r", 5, 1, "")
			b.at(30*ms).syncGet("/r", 5, 5, "1")
			b.at(40*ms).syncGet("/r", 5, 5, "1")
		}, nil},
		{"lost write, seen and gone again", func(a, b *script) {
			a.at(10*ms).callSet("/r", "1")
			b.at(30*ms).syncGet("/r", 5, 5, "1")
			b.at(40*ms).syncGet("/r", 5, 1, "")
		}, both},
		{"seen before it was sent", func(a, b *script) {
			a.at(50*ms).callSet("/r", "1")
			b.at(30*ms).syncGet("/r", 5, 5, "1")
		}, []string{"linearizable"}},
		{"write ordered before what was done", func(a, b *script) {
			a.at(10*ms).set("/r", "1", 5)
			b.at(20*ms).set("/r", "2", 4)
		}, []string{"register-order"}},
		{"acknowledged write is lost", func(a, b *script) {
			a.at(10*ms).set("/r", "1", 5)
			b.at(20*ms).set("/r", "2", 6)
			b.at(30*ms).syncGet("/r", 7, 5, "1")
		}, both},
		{"one mzxid, two values", func(a, b *script) {
			a.at(10*ms).syncGet("/r", 7, 5, "1")
			b.at(10*ms).syncGet("/r", 7, 5, "2")
		}, both},
		{"failed write", func(a, b *script) {
			a.at(10*ms).reply(a.callSet("/r", "1"), Record{Zxid: 5, Err: protocol.ErrSessionExpired})
			b.at(20*ms).syncGet("/r", 5, 1, "")
		}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			setup := newScript("setup").connect(3).create("/r", protocol.CreateModePersistent, 1)
			a, b := newScript("a").connect(1), newScript("b").connect(2)
			tt.build(a, b)
			h := historyOf(setup, a, b)
			expectRules(t, append(Registers(h, 10*time.Second), RegisterOrder(h)...), tt.want...)
		})
	}
}

// TestRegistersOfAnAtomicStore lets clients work on a map in one order, with random delays before and after, and some
// replies lost: no checker may object. With one answer changed, one has to.
func TestRegistersOfAnAtomicStore(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 1))
		setup := newScript("setup").connect(100).create("/r", protocol.CreateModePersistent, 1)
		clients := make([]*script, 6)
		for i := range clients {
			clients[i] = newScript(fmt.Sprint("c", i)).connect(protocol.SessionID(i + 1))
		}
		value, zxid := "", int64(1)
		type answered struct{ client, index int }
		var reads []answered
		for n := range 300 {
			// In each round of 5 ms every client that takes part has one request under way; they take effect in any order.
			base := time.Duration(n+1) * 10 * ms
			for _, i := range rng.Perm(len(clients))[:1+rng.IntN(len(clients))] {
				c := clients[i]
				c.at(base + time.Duration(rng.IntN(1000))*time.Microsecond)
				if rng.IntN(2) == 0 {
					v := fmt.Sprintf("%d:%d", i, n)
					set := c.callSet("/r", v)
					lost := rng.IntN(10) == 0
					if !lost || rng.IntN(2) == 0 {
						zxid++
						value = v
					}
					if !lost {
						c.at(base+5*ms).reply(set, Record{Zxid: zxid, Stat: stat(1, zxid, 1)})
					}
					continue
				}
				sync := c.call(Record{Op: protocol.OpSync, Path: "/r"})
				get := c.callGet("/r", false)
				c.at(base+5*ms).reply(sync, Record{Zxid: zxid})
				c.reply(get, Record{Zxid: zxid, Value: value, Stat: stat(1, zxid, 1)})
				reads = append(reads, answered{i, len(c.Records) - 1})
			}
		}
		h := historyOf(append([]*script{setup}, clients...)...)
		expectRules(t, append(Registers(h, 20*time.Second), RegisterOrder(h)...))

		spoilt := reads[len(reads)/2+rng.IntN(len(reads)/2)]
		r := &h.Clients[spoilt.client+1].Records[spoilt.index]
		first := reads[0]
		old := h.Clients[first.client+1].Records[first.index]
		if r.Value == old.Value {
			continue
		}
		r.Value, r.Stat = old.Value, old.Stat
		expectRules(t, append(Registers(h, 20*time.Second), RegisterOrder(h)...), "linearizable", "register-order")
	}
}
