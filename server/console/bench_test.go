package console

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"zooraft/fsm"
	"zooraft/fsm/watch"
	"zooraft/protocol"
)

// timed notes for how long readers have held the state lock.
type timed struct {
	*backend
	holds []time.Duration
}

func (s *timed) View(fn func(fsm.View)) {
	s.backend.View(func(v fsm.View) {
		began := time.Now()
		fn(v)
		s.holds = append(s.holds, time.Since(began))
	})
}

func (s *timed) Watches() *watch.Table { return s.backend.Watches() }

// fill makes n children of a znode, in no order.
func (b *backend) fill(path string, n int) {
	b.makeNode(path, nil)
	const batch = 1000
	perm := rand.New(rand.NewPCG(1, 2)).Perm(n)
	for len(perm) > 0 {
		ops := make([]protocol.MultiOp, 0, batch)
		for _, i := range perm[:min(batch, len(perm))] {
			ops = append(ops, protocol.MultiOp{Type: protocol.OpCreate, Create: protocol.CreateRequest{
				Path: fmt.Sprintf("%s/child-%010d", path, i), Data: []byte("data of it"), ACL: protocol.OpenACL,
			}})
		}
		perm = perm[len(ops):]
		if code := b.try(protocol.OpMulti, protocol.AppendMulti(nil, ops)); code != protocol.ErrOK {
			panic(code)
		}
	}
}

// What a znode with very many children costs: the first page, which makes the list,
// a later one, a search through everything, and how long writes wait at most.
func BenchmarkMany(b *testing.B) {
	for _, n := range []int{100_000, 1_000_000} {
		back := newBackend()
		back.fill("/p", n)
		state := &timed{backend: back}
		for _, op := range []string{"list", "page", "search", "large"} {
			b.Run(fmt.Sprintf("op=%s/children=%d", op, n), func(b *testing.B) {
				c := New(testConfig(), state, back, nopLog())
				c.lists.get("/p")
				f := &fixture{c: c}
				state.holds = nil
				for b.Loop() {
					switch op {
					case "list":
						c.lists.read("/p")
					case "page":
						l, _ := c.lists.get("/p")
						c.details("/p", l, l.len()-500, 500)
					case "search":
						c.scan(f.request(), "child-0000000001x", 10)
					case "large":
						c.findLarge()
					}
				}
				// The longest are those in which the system let somebody else run.
				slices.Sort(state.holds)
				at := func(q float64) float64 {
					return float64(state.holds[int(q*float64(len(state.holds)-1))].Nanoseconds()) / 1000
				}
				b.ReportMetric(at(0.5), "p50-hold-µs")
				b.ReportMetric(at(0.99), "p99-hold-µs")
				b.ReportMetric(at(1), "max-hold-µs")
			})
		}
	}
}

// What a change costs the apply goroutine for each page that listens to a path above
// it: shown on the page, or not.
func BenchmarkNotify(b *testing.B) {
	st := &stream{watched: map[string]bool{"/": true}, changes: make(map[string]told), wake: make(chan struct{}, 1)}
	for i := range 60 {
		st.watched[fmt.Sprintf("/app/%d", i)] = true
	}
	for name, path := range map[string]string{"shown": "/app/7/child", "below": "/app/7/child/other/deep"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			ev := &watch.Event{Type: protocol.EventNodeDataChanged, Path: path, Zxid: 1}
			for b.Loop() {
				st.Notify(ev)
			}
		})
	}
}
