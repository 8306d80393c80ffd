package client

import (
	"net"
	"runtime"
	"testing"
	"time"

	"zooraft/protocol"
)

func setData(xid int32) []byte {
	return request(xid, protocol.OpSetData, &protocol.SetDataRequest{Path: "/", Version: -1})
}

func (f *fixture) outstanding(want int64) {
	f.t.Helper()
	eventually(f.t, "requests under way", func() bool { return f.s.outstanding.Load() == want })
}

// waitingAt awaits that n connections wait at the intake.
func (f *fixture) waitingAt(n int) {
	f.t.Helper()
	eventually(f.t, "connections at the intake", func() bool {
		f.s.intake.mu.Lock()
		defer f.s.intake.mu.Unlock()
		return len(f.s.intake.waiting) == n
	})
}

func TestIntakeHoldsBack(t *testing.T) {
	f := limited(t, func(l *Limits) { l.Requests.MaxRequests = 2 })
	p, q, r := f.connect(), f.connect(), f.connect()
	f.b.hold(true)
	for xid := int32(1); xid <= 3; xid++ {
		p.write(setData(xid))
	}
	f.outstanding(2)
	f.waitingAt(1)
	q.write(setData(1))
	f.waitingAt(2)
	r.send(1, protocol.OpPing, nil) // pings wait too
	f.waitingAt(3)
	r.silent()
	f.outstanding(2)
	f.b.hold(false)
	for xid := int32(1); xid <= 3; xid++ {
		if h, _ := p.reply(); h.Xid != xid || h.Err != 0 {
			t.Errorf("got %+v, want xid %d", h, xid)
		}
	}
	q.reply()
	r.reply()
	f.outstanding(0)
	if n := f.s.intake.letIn.Load(); n != 0 {
		t.Errorf("%d requests counted as beginning", n)
	}
}

// Many connections at once: all is answered, in order, and never more is under way
// than may be.
func TestIntakeBound(t *testing.T) {
	const limit, each = 3, 40
	f := limited(t, func(l *Limits) { l.Requests.MaxRequests = limit })
	done := make(chan struct{})
	peers := make([]*peer, 8)
	for i := range peers {
		peers[i] = f.connect()
	}
	for _, p := range peers {
		go func() {
			defer func() { done <- struct{}{} }()
			for i := range int32(each) {
				p.nc.Write(setData(2*i + 1))
				p.nc.Write(request(2*i+2, protocol.OpExists, get("/")))
			}
			for xid := int32(1); xid <= 2*each; xid++ {
				b, err := p.tryFrame()
				if err != nil {
					t.Errorf("xid %d: %v", xid, err)
					return
				}
				if h, _ := splitReply(b); h.Xid != xid || h.Err != 0 {
					t.Errorf("got %+v, want xid %d", h, xid)
				}
			}
		}()
	}
	for left := len(peers); left > 0; {
		select {
		case <-done:
			left--
		default:
			if n := f.s.outstanding.Load(); n > limit {
				t.Fatalf("%d requests under way, want at most %d", n, limit)
			}
		}
	}
}

// What has waited too long is not carried out, but for pings and the end of the
// session.
func TestThrottledOp(t *testing.T) {
	const wait = 300 * time.Millisecond // what does not wait for another must take less, on a busy machine too
	f := limited(t, func(l *Limits) { l.Requests.MaxRequests, l.Requests.OpWaitTime = 1, wait })
	p := f.connect()
	p.mustCall(1, protocol.OpCreate, create("/a", ""))
	f.b.hold(true)
	p.write(setData(2))
	f.outstanding(1)
	p.send(3, protocol.OpCreate, create("/b", ""))
	f.waitingAt(1)
	for _, b := range [][]byte{
		request(4, protocol.OpExists, get("/")), request(5, protocol.OpSync, get("/")), request(6, protocol.OpCreate, nil),
		request(protocol.XidPing, protocol.OpPing, nil), request(8, protocol.OpCloseSession, nil),
	} {
		p.write(b)
	}
	time.Sleep(2 * wait) // what is awaited is that time passes
	f.b.hold(false)
	var last int64
	if h, _ := p.reply(); h.Xid != 2 || h.Err != 0 {
		t.Errorf("got %+v, want xid 2", h)
	} else {
		last = h.Zxid
	}
	// Only the first of those is sure to have come in long ago.
	if h, b := p.reply(); h != (protocol.ReplyHeader{Xid: 3, Zxid: last, Err: protocol.ErrThrottledOp}) || len(b) != 0 {
		t.Errorf("got %+v %x, want ThrottledOp with the last zxid", h, b)
	}
	for xid := int32(4); xid <= 6; xid++ {
		p.reply()
	}
	if h, _ := p.reply(); h.Xid != protocol.XidPing || h.Err != 0 {
		t.Errorf("ping: %+v", h)
	}
	if h, _ := p.reply(); h.Xid != 8 || h.Err != 0 {
		t.Errorf("closeSession: %+v", h)
	}
	p.closed()
	if h, _ := f.connect().call(1, protocol.OpExists, get("/b")); h.Err != protocol.ErrNoNode {
		t.Errorf("/b: %v, want NoNode", h.Err)
	}
}

func TestThrottlable(t *testing.T) {
	for op, want := range map[protocol.OpCode]bool{
		protocol.OpCreate: true, protocol.OpExists: true, protocol.OpMulti: true, protocol.OpSync: true, protocol.OpSetWatches: true,
		protocol.OpPing: false, protocol.OpCloseSession: false, protocol.OpNotify: false, 99: false, protocol.OpCreateSession: false,
	} {
		if got := throttlable(op); got != want {
			t.Errorf("%v: %v, want %v", op, got, want)
		}
	}
}

// Requests that wait for a client that has gone are dropped, or not.
func TestStaleRequests(t *testing.T) {
	for _, tt := range []struct {
		name    string
		change  func(*RequestThrottle)
		hangUp  bool
		dropped bool
	}{
		{"hung up", func(*RequestThrottle) {}, true, true},
		{"hung up, kept", func(r *RequestThrottle) { r.DropStale = false }, true, false},
		{"hung up, not looked at", func(r *RequestThrottle) { r.StaleConnection = false }, true, false},
		{"late", func(r *RequestThrottle) { r.StaleLatency = true }, false, true},
		{"late, not looked at", func(*RequestThrottle) {}, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := start(t, func(c *Config) {
				c.Limits = DefaultLimits()
				c.Limits.Requests.MaxRequests, c.Limits.Requests.StallTime = 1, time.Millisecond
				if !tt.hangUp {
					c.MinSessionTimeout = time.Second
				}
				tt.change(&c.Limits.Requests)
			})
			if tt.hangUp && tt.dropped && runtime.GOOS != "linux" {
				t.Skip("not to be seen on this system")
			}
			holder, p := f.connect(), f.dial()
			p.handshake(&protocol.ConnectRequest{Timeout: 1})
			f.b.hold(true)
			holder.write(setData(1))
			f.outstanding(1)
			p.send(1, protocol.OpCreate, create("/a", ""))
			f.waitingAt(1)
			switch {
			case tt.hangUp:
				p.nc.(*net.TCPConn).CloseWrite()
			default:
				time.Sleep(1250 * time.Millisecond) // longer than the session timeout
			}
			if tt.dropped {
				f.waitingAt(0)
				f.logs(causeStale.text)
			} else {
				time.Sleep(20 * time.Millisecond) // more than StallTime
				f.waitingAt(1)
			}
			f.b.hold(false)
			holder.reply()
			exists := func() bool {
				h, _ := holder.call(2, protocol.OpExists, get("/a"))
				return h.Err == 0
			}
			if !tt.dropped {
				eventually(t, "the request carried out", exists)
				return
			}
			p.closed()
			if exists() {
				t.Error("a stale request was carried out")
			}
		})
	}
}
