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
		for b := o.begin(); b != nil; {
			sent = append(sent, b.b...)
			o.wrote(len(b.b))
			next, _ := o.next(b)
			b.free()
			b = next
		}
	}
	var wg sync.WaitGroup
	for a := range appenders {
		wg.Go(func() {
			for i := range each {
				frame := []byte{byte(a), byte(i >> 8), byte(i)}
				switch i % 4 {
				case 0:
					o.append(frame)
				case 1:
					o.event(frame)
				default:
					o.hand(&buffer{b: frame, watched: i % 4 % 3}) // some hold an event
				}
				if i%3 == 0 {
					flush()
				}
			}
			flush()
		})
	}
	wg.Wait()
	if n := o.size.Load(); n != 0 || o.watched != 0 || len(sent) != 3*appenders*each {
		t.Fatalf("%d bytes left, %d of events, %d sent, want 0, 0 and %d", n, o.watched, len(sent), 3*appenders*each)
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
	if o.finish(); !o.drained() || o.event([]byte{1}) != 0 {
		t.Error("finished, but not drained, or it takes more")
	}
}

// drain is a sender that sends to nobody.
func drain(o *outbox) {
	for b := o.begin(); b != nil; {
		o.wrote(len(b.b))
		next, _ := o.next(b)
		b.free()
		b = next
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
				drain(&o)
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
				conns[i] = newConn(s, nil, netip.AddrPortFrom(netip.IPv4Unspecified(), 0), uint64(i), entryPlain)
				conns[i].watcher = table.NewWatcher(conns[i])
				conns[i].watcher.AddPersistent("/a")
			}
			b.ReportAllocs()
			for b.Loop() {
				table.DataChanged("/a", 1, protocol.OpenACL)
				s.Flush()
				for _, c := range s.flushers.queue {
					c.listed.Store(false)
					drain(&c.out)
				}
				s.flushers.queue = s.flushers.queue[:0]
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/event")
		})
	}
}
