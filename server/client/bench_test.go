package client

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"zooraft/protocol"
)

// BenchmarkConns measures many connections with a request under way on each, and
// what they contend for: see it with -mutexprofile.
func BenchmarkConns(b *testing.B) {
	const clients = 128
	for _, bm := range []struct {
		op    protocol.OpCode
		frame []byte
	}{
		{protocol.OpGetData, request(1, protocol.OpGetData, get("/a"))},
		{protocol.OpSetData, request(1, protocol.OpSetData, &protocol.SetDataRequest{Path: "/a", Data: make([]byte, 1024), Version: -1})},
	} {
		b.Run(fmt.Sprintf("op=%v/conns=%d", bm.op, clients), func(b *testing.B) {
			f := start(b, nil)
			f.connect().mustCall(1, protocol.OpCreate, create("/a", string(make([]byte, 1024))))
			var wg sync.WaitGroup
			var left atomic.Int64
			left.Store(int64(b.N))
			b.ReportAllocs()
			for range clients {
				p := f.connect()
				p.nc.SetDeadline(time.Time{})
				wg.Go(func() {
					for in := newReplies(p.nc); left.Add(-1) >= 0; {
						if _, err := p.nc.Write(bm.frame); err != nil {
							b.Error(err)
							return
						}
						if err := in.skip(); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
		})
	}
}
