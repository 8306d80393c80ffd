package client

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"testing"
	"time"

	"zooraft/protocol"
)

// asleep waits until n connections sleep, and no more.
func asleep(t testing.TB, f *fixture, n int) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d connections sleep", n), func() bool {
		z := f.s.sleepers
		z.mu.Lock()
		defer z.mu.Unlock()
		return len(z.conns) == n
	})
}

func quickly(s *Server) { s.quietTime = time.Millisecond }

// TestSleep: a connection without a goroutine is like any other to its client.
func TestSleep(t *testing.T) {
	f := start(t, nil, quickly)
	awake := runtime.NumGoroutine()
	p, q := f.connect(), f.connect()
	p.call(1, protocol.OpExists, watched("/a"))
	asleep(t, f, 2)
	eventually(t, "none has a goroutine", func() bool { return runtime.NumGoroutine() <= awake })

	q.mustCall(1, protocol.OpCreate, create("/a", "x"))
	asleep(t, f, 2)
	if h, _ := p.reply(); h.Xid != protocol.XidNotification {
		t.Errorf("got a reply to %d, want the event", h.Xid)
	}
	eventually(t, "none has a goroutine", func() bool { return runtime.NumGoroutine() <= awake })
	b := request(2, protocol.OpExists, get("/a"))
	p.write(b[:5])
	asleep(t, f, 1) // half a request keeps it awake
	p.write(b[5:])
	if h, _ := p.reply(); h.Xid != 2 || h.Err != protocol.ErrOK {
		t.Errorf("got %+v", h)
	}
	asleep(t, f, 2)

	t.Run("client hangs up", func(t *testing.T) {
		q.nc.Close()
		asleep(t, f, 1)
		eventually(t, "it has been forgotten", func() bool { f.s.mu.Lock(); defer f.s.mu.Unlock(); return len(f.s.conns) == 1 })
	})
	t.Run("ended from here", func(t *testing.T) {
		f.s.SessionClosed(p.session)
		p.closed()
		asleep(t, f, 0)
	})
	t.Run("the port closes", func(t *testing.T) {
		f.connect()
		asleep(t, f, 1) // start checks that nothing is left
	})
}

// TestSleepSilent: who sleeps for longer than its session's timeout is ended, who
// wakes meanwhile is not.
func TestSleepSilent(t *testing.T) {
	const timeout = 2 * time.Second
	f := start(t, func(c *Config) { c.MinSessionTimeout, c.MaxSessionTimeout = timeout, timeout }, quickly)
	silent, busy := f.connect(), f.connect()
	var last time.Time
	for begin := time.Now(); time.Since(begin) < 2*timeout; {
		last = time.Now()
		busy.mustCall(1, protocol.OpExists, get("/"))
		time.Sleep(timeout / 10) // traffic at its own pace is the point
	}
	silent.closed()
	f.logs("nothing heard for the session timeout")
	asleep(t, f, 1)
	busy.closed()
	if d := time.Since(last); d < timeout*3/4 || d > 6*timeout {
		t.Errorf("closed %v after the last request, its timeout is %v", d, timeout)
	}
}

// TestSleepStorm has connections fall asleep and wake all the time, while others
// are ended by either side.
func TestSleepStorm(t *testing.T) {
	const clients, rounds = 24, 150
	f := start(t, nil, quickly)
	f.connect().mustCall(1, protocol.OpCreate, create("/a", "x"))
	var wg sync.WaitGroup
	for i := range clients {
		rnd := rand.New(rand.NewPCG(uint64(i), 1))
		p := f.connect()
		wg.Go(func() {
			for n := range int32(rounds) {
				op, body := protocol.OpExists, appender(get("/a"))
				if rnd.IntN(3) == 0 {
					op, body = protocol.OpSetData, &protocol.SetDataRequest{Path: "/a", Version: -1}
				}
				p.send(n, op, body)
				frame, err := p.tryFrame()
				var h protocol.ReplyHeader
				d := protocol.NewDecoder(frame)
				if h.Decode(&d); err != nil || h.Xid != n || h.Err != protocol.ErrOK {
					t.Errorf("request %d of client %d: %+v, %v", n, i, h, err)
					return
				}
				time.Sleep(time.Duration(rnd.IntN(4000)) * time.Microsecond)
			}
			if i%2 == 0 {
				p.nc.Close()
			} else {
				f.s.SessionClosed(p.session)
			}
		})
	}
	wg.Wait()
	asleep(t, f, 1)
}

// TestPatience: who has asked for nothing yet is not waited for as long as others.
func TestPatience(t *testing.T) {
	f := start(t, nil, func(s *Server) { s.quietTime, s.start = time.Hour, s.start.Add(-time.Hour) })
	nc, err := net.Dial("tcp", f.s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	for _, asks := range []bool{false, true} {
		c := newConn(f.s, nc, netip.AddrPort{}, 1, entryPlain) // nobody serves it
		c.secure()
		c.timeout, c.asked = 100*time.Hour, asks
		c.lastIO.Store(f.s.now() - int64(time.Hour/2))
		if c.armRead(); c.drowsy == asks || c.isDead() {
			t.Errorf("asks %v, quiet for half the time: may sleep %v, is dead %v", asks, c.drowsy, c.isDead())
		}
	}
}

// TestDoze: who wakes only to ping sleeps again without waiting; who asks for more
// stays awake.
func TestDoze(t *testing.T) {
	f := start(t, func(c *Config) { c.MinSessionTimeout, c.MaxSessionTimeout = 100*time.Hour, 100*time.Hour },
		func(s *Server) { s.quietTime, s.start = time.Hour, s.start.Add(-3*time.Hour) })
	p := f.connect()
	p.mustCall(1, protocol.OpExists, get("/"))
	f.s.mu.Lock()
	var c *conn
	for c = range f.s.conns {
	}
	f.s.mu.Unlock()
	c.lastIO.Store(f.s.now() - int64(2*time.Hour))
	c.nc.SetReadDeadline(longAgo) // has it look at that
	asleep(t, f, 1)
	for range 3 {
		p.mustCall(protocol.XidPing, protocol.OpPing, nil)
		asleep(t, f, 1)
		f.s.sleepers.mu.Lock() // it owns what the goroutine did
		if c.in.buf != nil {
			t.Error("it sleeps on a buffer")
		}
		f.s.sleepers.mu.Unlock()
	}
	for xid := range int32(20) {
		p.mustCall(xid+2, protocol.OpExists, get("/"))
		asleep(t, f, 0)
	}
}

// A part of a frame, whose rest does not come, costs a look now and then, and less of
// them as time goes by.
func TestUntilDrowsy(t *testing.T) {
	const patience = quietTime / newcomers
	looks := 0
	for quiet := time.Duration(0); quiet < 30*time.Second; looks++ {
		quiet += untilDrowsy(quiet, patience)
	}
	if looks < 3 || looks > 15 {
		t.Errorf("%d looks in half a minute", looks)
	}
	if got := untilDrowsy(patience-1, patience); got != patience/2 {
		t.Errorf("just before: %v", got)
	}
}
