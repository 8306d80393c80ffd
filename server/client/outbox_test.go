package client

import (
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"

	"github.com/hashicorp/go-hclog"

	"zooraft/fsm/watch"
	"zooraft/protocol"
)

// An outbox has one sender at a time, who gets all that was put in, in order,
// whoever put it in and however; nothing is left when all are done.
func TestOutboxOneSender(t *testing.T) {
	const appenders, each = 4, 2000
	var o outbox
	var sent []byte // by one sender at a time: the race detector looks
	flush := func() {
		for b := o.begin(); b != nil; b, _ = o.next() {
			sent = append(sent, b.b...)
			o.wrote(len(b.b))
			b.free()
		}
	}
	var wg sync.WaitGroup
	for a := range appenders {
		wg.Go(func() {
			for i := range each {
				frame := []byte{byte(a), byte(i >> 8), byte(i)}
				if i%2 == 0 {
					o.append(frame)
				} else {
					o.hand(&buffer{b: frame})
				}
				if i%3 == 0 {
					flush()
				}
			}
			flush()
		})
	}
	wg.Wait()
	if n := o.size.Load(); n != 0 || len(sent) != 3*appenders*each {
		t.Fatalf("%d bytes left, %d sent, want 0 and %d", n, len(sent), 3*appenders*each)
	}
	var next [appenders]int
	for f := range slices.Chunk(sent, 3) {
		if n := int(f[1])<<8 | int(f[2]); n != next[f[0]] {
			t.Fatalf("frame %d of appender %d, want %d", n, f[0], next[f[0]])
		}
		next[f[0]]++
	}
	if o.drained() {
		t.Error("drained before its end")
	}
	if o.finish(); !o.drained() || o.append([]byte{1}) != 0 {
		t.Error("finished, but not drained, or it takes more")
	}
}

func BenchmarkOutbox(b *testing.B) {
	for _, frames := range []int{1, 32} {
		b.Run(fmt.Sprintf("frames=%d/bytes=1024", frames), func(b *testing.B) {
			var o outbox
			frame := make([]byte, 1024)
			b.ReportAllocs()
			for b.Loop() {
				for range frames {
					o.append(frame)
				}
				for buf := o.begin(); buf != nil; buf, _ = o.next() {
					o.wrote(len(buf.b))
					buf.free()
				}
			}
		})
	}
}

// BenchmarkEvents is what a change costs the apply goroutine, by the number of
// connections that watch it: all but the sending.
func BenchmarkEvents(b *testing.B) {
	for _, n := range []int{1, 100, 10000} {
		b.Run(fmt.Sprintf("watchers=%d", n), func(b *testing.B) {
			s := New(Config{}, Deps{}, hclog.NewNullLogger())
			table := watch.NewTable()
			conns := make([]*conn, n)
			for i := range conns {
				conns[i] = newConn(s, nil, netip.AddrPortFrom(netip.IPv4Unspecified(), 0), uint64(i))
				conns[i].watcher = table.NewWatcher(conns[i])
				conns[i].watcher.AddPersistent("/a")
			}
			b.ReportAllocs()
			for b.Loop() {
				table.DataChanged("/a", 1, protocol.OpenACL)
				s.Flush()
				for _, c := range s.flushers.queue {
					c.listed.Store(false)
					for buf := c.out.begin(); buf != nil; buf, _ = c.out.next() {
						c.out.wrote(len(buf.b))
						buf.free()
					}
				}
				s.flushers.queue = s.flushers.queue[:0]
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/event")
		})
	}
}
