package blackbox

import (
	"bufio"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"zooraft/protocol"
	"zooraft/tests/harness"
)

const juteMaxBuffer = 0xfffff

// What is no ZooKeeper client, or a broken one, loses its connection; nobody else does.
func TestBadInput(t *testing.T) {
	harness.SkipShort(t)
	e := harness.StartZooraft(t, harness.Options{})
	addr := e.Server(1).ClientAddr
	n := startNeighbour(t, addr)
	before := memory(t, e.PID(1))

	garbage := make([]byte, 1<<20)
	src := rand.NewChaCha8([32]byte{1})
	src.Read(garbage)
	garbage[0] |= 0x40 // a length far over the limit
	length := func(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }
	oversize := append(length(juteMaxBuffer+1), garbage[:juteMaxBuffer+1]...)
	hello := frame(&protocol.ConnectRequest{Timeout: 5000, Passwd: make([]byte, protocol.PasswdBytes)})
	for _, tt := range []struct {
		name string
		send []byte
	}{
		{"longer than jute.maxbuffer", oversize},
		{"longest length", append(length(1<<31-1), garbage...)},
		{"negative length", append(length(0xffffffff), garbage[:1000]...)},
		{"garbage", garbage},
		{"empty frame", length(0)},
		{"garbage in a frame", append(length(1000), garbage[1:1001]...)},
		{"a web browser", []byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")},
		{"TLS", append([]byte{0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3}, garbage[:500]...)},
	} {
		for _, state := range []string{"fresh", "in a session"} {
			t.Run(tt.name+", "+state, func(t *testing.T) {
				c := mustDial(t, addr)
				if state == "in a session" {
					must(t, "handshake", c.shake(nil))
				}
				c.nc.SetWriteDeadline(time.Now().Add(callTimeout))
				if _, err := c.nc.Write(tt.send); err != nil && !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
					t.Fatal(err)
				}
				if strings.HasPrefix(tt.name, "garbage in") && state != "fresh" {
					// A frame like any other: its operation is unknown, and answered so.
					c.nc.SetReadDeadline(time.Now().Add(callTimeout))
					if h, _, err := c.receive(); err != nil || h.Err != protocol.ErrUnimplemented {
						t.Errorf("reply: %+v, %v", h, err)
					}
				}
				must(t, "end of the connection", c.ended(callTimeout))
			})
		}
	}

	// Cut off at each byte of the handshake.
	for cut := range len(hello) {
		c := mustDial(t, addr)
		if _, err := c.nc.Write(hello[:cut]); err != nil {
			t.Fatal(err)
		}
		must(t, "half-close", c.nc.(*net.TCPConn).CloseWrite())
		if err := c.ended(callTimeout); err != nil {
			t.Errorf("handshake cut after %d bytes: %v", cut, err)
		}
	}
	// The largest frame that is allowed passes.
	c := mustConnect(t, addr)
	overhead := len(request(1, protocol.OpCreate, &protocol.CreateRequest{Path: "/big", ACL: protocol.OpenACL})) - 4
	big := strings.Repeat("x", juteMaxBuffer-overhead)
	must(t, "create of the largest size", c.create("/big", big))
	c.mustHold(t, "/big", big)

	n.check()
	awaitConnections(t, addr, 2)
	grown(t, "after bad input", before, memory(t, e.PID(1)), 48<<20)
	if log := readLog(t, e.Server(1)); strings.Count(log, "\n") > 500 {
		t.Errorf("the log has %d lines: strangers can fill it", strings.Count(log, "\n"))
	}
}

// Who begins a handshake and falls silent is let go after a while.
func TestHalfAHandshake(t *testing.T) {
	harness.SkipShort(t)
	t.Parallel()
	e := harness.StartZooraft(t, harness.Options{})
	addr := e.Server(1).ClientAddr
	hello := frame(&protocol.ConnectRequest{Timeout: 5000, Passwd: make([]byte, protocol.PasswdBytes)})
	var silent []*client
	for _, cut := range []int{0, 1, 4, 20, len(hello) - 1} {
		c := mustDial(t, addr)
		if _, err := c.nc.Write(hello[:cut]); err != nil {
			t.Fatal(err)
		}
		silent = append(silent, c)
	}
	began := time.Now()
	for _, c := range silent {
		must(t, "end of a silent connection", c.ended(callTimeout))
	}
	t.Logf("silent connections ended after %v", time.Since(began).Round(time.Millisecond))
	awaitConnections(t, addr, 0)
}

// Clients that ask for much, as fast as they can, and read nothing: the server ceases to read them, and holds no more
// than a bounded backlog for each.
func TestUnreadReplies(t *testing.T) {
	harness.SkipShort(t)
	const clients, requests, size = 30, 20000, 100 << 10 // 60 GB of replies
	e := harness.StartZooraft(t, harness.Options{})
	addr := e.Server(1).ClientAddr
	n := startNeighbour(t, addr)
	c := mustConnect(t, addr)
	must(t, "create", c.create("/big", strings.Repeat("x", size)))
	before := memory(t, e.PID(1))
	var sending sync.WaitGroup
	for range clients {
		c := mustConnect(t, addr)
		sending.Go(func() {
			c.nc.SetWriteDeadline(time.Now().Add(2 * time.Second)) // as long as this abuse lasts
			for xid := int32(1); xid <= requests; xid++ {
				if _, err := c.nc.Write(request(xid, protocol.OpGetData, &protocol.PathWatchRequest{Path: "/big"})); err != nil {
					if !errors.Is(err, os.ErrDeadlineExceeded) {
						t.Errorf("the server ended the connection of a slow reader: %v", err)
					}
					return
				}
			}
			// Whether the kernel's buffers hold all that is left, is its business.
		})
	}
	sending.Wait()
	grown(t, "with unread replies", before, memory(t, e.PID(1)), 64<<20)
	n.check()
}

// A client that sends tens of thousands of requests before it reads is answered all of them, in order.
func TestPipelining(t *testing.T) {
	harness.SkipShort(t)
	const requests = 30000
	e := harness.StartZooraft(t, harness.Options{})
	addr := e.Server(1).ClientAddr
	n := startNeighbour(t, addr)
	c := mustConnect(t, addr)
	must(t, "create", c.create("/p", "0"))
	before := memory(t, e.PID(1))
	sent := make(chan error, 1)
	first := c.xid + 1
	go func() {
		out := bufio.NewWriterSize(c.nc, 64<<10)
		for i := range int32(requests) {
			var b []byte
			if i%3 == 0 {
				b = request(first+i, protocol.OpSetData, &protocol.SetDataRequest{Path: "/p", Data: binary.BigEndian.AppendUint32(make([]byte, 1000), uint32(i)), Version: i / 3})
			} else {
				b = request(first+i, protocol.OpGetData, &protocol.PathWatchRequest{Path: "/p"})
			}
			if _, err := out.Write(b); err != nil {
				sent <- err
				return
			}
		}
		sent <- out.Flush()
	}()
	<-time.After(time.Second) // how long it does not read
	grown(t, "with requests in the pipeline", before, memory(t, e.PID(1)), 48<<20)
	c.in = bufio.NewReaderSize(c.nc, 64<<10)
	c.nc.SetReadDeadline(time.Now().Add(startTimeout))
	for i := range int32(requests) {
		h, b, err := c.receive()
		if err != nil || h.Xid != first+i || h.Err != protocol.ErrOK {
			t.Fatalf("reply %d: %+v, %v", i, h, err)
		}
		if i%3 == 0 {
			continue
		}
		d := protocol.NewDecoder(b)
		if data := d.Buffer(); len(data) != 1004 || binary.BigEndian.Uint32(data[1000:]) != uint32(i-i%3) {
			t.Fatalf("reply %d does not show the write before it", i)
		}
	}
	must(t, "send", <-sent)
	n.check()
}

// Events cannot be held back: a client that reads none of them loses its connection when too many wait, and keeps its
// session.
func TestUnreadEvents(t *testing.T) {
	harness.SkipShort(t)
	const lazy, events, size = 2, 700, 50 << 10                                                // more than twice the bound on a backlog
	e := harness.StartZooraft(t, harness.Options{Lines: []string{"maxSessionTimeout=120000"}}) // the lazy ones send nothing
	addr := e.Server(1).ClientAddr
	n := startNeighbour(t, addr)
	var lazies []*client
	for range lazy {
		c := mustDial(t, addr)
		must(t, "set receive buffer", c.nc.(*net.TCPConn).SetReadBuffer(256<<10))
		must(t, "handshake", c.shake(nil))
		_, err := c.call(protocol.OpAddWatch, &protocol.AddWatchRequest{Path: "/", Mode: 1}) // persistent, recursive
		must(t, "addWatch", err)
		lazies = append(lazies, c)
	}
	busy := mustConnect(t, addr)
	path := "/" + strings.Repeat("n", size)
	must(t, "create", busy.create(path, ""))
	before := memory(t, e.PID(1))
	began := time.Now()
	for range events {
		must(t, "set", busy.set(path, ""))
	}
	t.Logf("events: count=%d bytes-each=%d took=%v", events, size, time.Since(began).Round(time.Millisecond))
	awaitConnections(t, addr, 2)
	grown(t, "with unread events", before, memory(t, e.PID(1)), lazy*100<<20)
	t.Logf("all were let go after %v", time.Since(began).Round(time.Millisecond))
	for _, c := range lazies {
		c.nc.SetReadDeadline(time.Now().Add(callTimeout))
		for {
			h, _, err := c.receive()
			if errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatal("a connection that reads no events stands")
			}
			if err != nil {
				break
			}
			if h.Xid != protocol.XidNotification {
				t.Fatalf("got %+v, want an event", h)
			}
		}
		mustResume(t, addr, c).mustHold(t, path, "")
	}
	n.check()
}

// Thousands of connections that come and go, politely or not, leave nothing behind.
func TestConnectStorm(t *testing.T) {
	harness.SkipShort(t)
	const workers, rounds = 32, 200
	e := harness.StartZooraft(t, harness.Options{})
	addr := e.Server(1).ClientAddr
	n := startNeighbour(t, addr)
	before := memory(t, e.PID(1))
	var storm sync.WaitGroup
	began := time.Now()
	for w := range workers {
		storm.Go(func() {
			for i := range rounds {
				var c *client
				var err error
				switch (w + i) % 4 {
				case 0: // a port scanner
					c, err = dial(addr)
				case 1: // a client that dies
					c, err = connect(addr, nil)
				case 2: // one that dies without a word to the server's kernel
					if c, err = connect(addr, nil); err == nil {
						c.nc.(*net.TCPConn).SetLinger(0)
					}
				case 3:
					if c, err = connect(addr, nil); err == nil {
						_, err = c.call(protocol.OpCloseSession, nil)
					}
				}
				if err != nil {
					t.Errorf("connect: %v", err)
					return
				}
				c.nc.Close()
			}
		})
	}
	storm.Wait()
	took := time.Since(began)
	t.Logf("storm: connects=%d rate=%.0f/s", workers*rounds, workers*rounds/took.Seconds())
	n.check()
	awaitConnections(t, addr, 1)
	grown(t, "after the storm", before, memory(t, e.PID(1)), 48<<20)
}

// Ten thousand clients that are only there cost little, and nobody notices them.
func TestIdleConnections(t *testing.T) {
	harness.SkipShort(t)
	const wanted, workers = 10000, 64
	var limit syscall.Rlimit
	must(t, "read the limit of open files", syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	count := wanted
	if most := int64(limit.Max) - 500; most < wanted && most > 0 {
		count = int(most)
		t.Logf("the limit of %d open files allows %d connections only", limit.Max, count)
	}
	e := harness.StartZooraft(t, harness.Options{TickTime: 2 * time.Second})
	addr := e.Server(1).ClientAddr
	n := startNeighbour(t, addr)
	before := memory(t, e.PID(1))
	all := make([]*client, count)
	var opening sync.WaitGroup
	began := time.Now()
	for w := range workers {
		opening.Go(func() {
			for i := w; i < count; i += workers {
				c, err := connect(addr, nil)
				if err != nil {
					t.Errorf("connection %d: %v", i, err)
					return
				}
				all[i] = c
			}
		})
	}
	opening.Wait()
	defer func() {
		for _, c := range all {
			if c != nil {
				c.nc.Close()
			}
		}
	}()
	if t.Failed() {
		return
	}
	t.Logf("opened %d sessions in %v", count, time.Since(began).Round(time.Millisecond))
	if got, err := connections(addr); err != nil || got != count+1 {
		t.Errorf("connections: got %d, %v; want %d", got, err, count+1)
	}
	after := memory(t, e.PID(1))
	t.Logf("idle connections: count=%d bytes-each=%d", count, (after-before)/int64(count))
	grown(t, "with idle connections", before, after, int64(count)*24<<10)
	for i := 0; i < count; i += count / 100 {
		if _, err := all[i].get("/neighbour"); err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
	}
	n.check()
	for _, c := range all {
		c.nc.Close()
	}
	awaitConnections(t, addr, 1)
}
