package client

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"runtime"
	"testing"
	"time"

	"zooraft/protocol"
)

// What an idle connection costs this process, after it has done some work. The
// client's end is in the figure, too, a net.Conn without goroutines: some 1.5 KiB.
func TestMemoryPerConnection(t *testing.T) {
	if testing.Short() {
		t.Skip("opens 2,000 connections")
	}
	const n, most = 2000, 6 << 10
	f := start(t, func(c *Config) { c.MinSessionTimeout, c.MaxSessionTimeout = time.Hour, time.Hour }) // nobody pings
	peers := make([]*peer, 0, n)
	f.connect().mustCall(1, protocol.OpCreate, create("/a", string(make([]byte, 1000))))
	before := memory()
	for i := range n {
		p := f.connect()
		p.mustCall(1, protocol.OpGetData, watched("/a"))
		p.call(2, protocol.OpCreate, create(fmt.Sprintf("/n%d", i%10), ""))
		peers = append(peers, p)
	}
	asleep(t, f, n+1) // with the one that made /a
	each := (memory() - before) / n
	t.Logf("%d bytes per idle connection, client's end and its session included", each)
	if each > most && !raceEnabled {
		t.Errorf("an idle connection takes %d bytes, more than %d", each, most)
	}
	runtime.KeepAlive(peers)
}

func memory() int64 {
	var m runtime.MemStats
	for range 3 { // stacks shrink by half with each collection
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

// BenchmarkConn measures one connection over loopback on a state machine that
// commits at once: what this package and the socket cost per request.
func BenchmarkConn(b *testing.B) {
	for _, bm := range []struct {
		name  string
		frame []byte
	}{
		{"op=ping", request(1, protocol.OpPing, nil)},
		{"op=getData/bytes=1024", request(1, protocol.OpGetData, get("/a"))},
		{"op=setData/bytes=1024", request(1, protocol.OpSetData, &protocol.SetDataRequest{Path: "/a", Data: make([]byte, 1024), Version: -1})},
	} {
		for _, window := range []int{1, 100} {
			b.Run(fmt.Sprintf("%s/window=%d", bm.name, window), func(b *testing.B) {
				f := start(b, nil)
				p := f.connect()
				p.mustCall(1, protocol.OpCreate, create("/a", string(make([]byte, 1024))))
				p.nc.SetDeadline(time.Time{})
				credit := make(chan struct{}, window)
				go func() {
					for range b.N {
						credit <- struct{}{}
						if _, err := p.nc.Write(bm.frame); err != nil {
							return
						}
					}
				}()
				b.ReportAllocs()
				b.ResetTimer()
				in := newReplies(p.nc)
				for range b.N {
					if err := in.skip(); err != nil {
						b.Fatal(err)
					}
					<-credit
				}
			})
		}
	}
}

// replies reads frames with a buffer and throws them away.
type replies struct {
	nc   net.Conn
	buf  []byte
	r, w int
}

func newReplies(nc net.Conn) *replies { return &replies{nc: nc, buf: make([]byte, 64<<10)} }

func (r *replies) skip() error {
	for r.w-r.r < 4 || r.w-r.r < 4+int(binary.BigEndian.Uint32(r.buf[r.r:])) {
		if r.r > 0 {
			copy(r.buf, r.buf[r.r:r.w])
			r.r, r.w = 0, r.w-r.r
		}
		n, err := r.nc.Read(r.buf[r.w:])
		if n == 0 && err == nil {
			err = io.ErrNoProgress
		}
		if err != nil {
			return err
		}
		r.w += n
	}
	r.r += 4 + int(binary.BigEndian.Uint32(r.buf[r.r:]))
	return nil
}
