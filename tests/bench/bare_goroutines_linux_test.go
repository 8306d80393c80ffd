package bench

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// bareRole, if set, makes this process one of TestBareGoroutines' servers: what it serves, and how many connections.
const bareRole = "ZOORAFT_BENCH_BARE"

const (
	bareWatches = "watches"
	bareComings = "sessions"
)

// TestBareGoroutines measures what TestBare does for watch events and sessions with nothing logged, by servers that do
// nothing either, but as a Go program does: a process each, a goroutine for each connection, package net.
// It shows what the Go runtime leaves of what the system allows, and judges nothing.
func TestBareGoroutines(t *testing.T) {
	if role := os.Getenv(bareRole); role != "" {
		if err := bareServe(role); err != nil {
			t.Fatal(err)
		}
		return
	}
	asked(t)
	t.Run("watch events, 1,000 sessions on one znode", func(t *testing.T) { bareByGoroutines(t, bareWatches, 1000, bareWatcher) })
	t.Run("sessions opened and closed, 128 at once, nothing logged", func(t *testing.T) {
		bareByGoroutines(t, bareComings, clients, bareComer)
	})
}

// bareListener is what servers listen with: TCP that is not MPTCP, and no keep-alive.
func bareListener() (net.Listener, error) {
	lc := net.ListenConfig{KeepAlive: -1}
	lc.SetMultipathTCP(false)
	return lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
}

// bareServe prints its address and serves until it is killed.
func bareServe(role string) error {
	what, number, _ := strings.Cut(role, " ")
	n, err := strconv.Atoi(number)
	if err != nil {
		return err
	}
	l, err := bareListener()
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	if what == bareWatches {
		return bareTell(l, n)
	}
	idle := make(chan net.Conn)
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		select {
		case idle <- c:
		default:
			go func() {
				for ; ; c = <-idle {
					bareSession(c)
				}
			}()
		}
	}
}

// bareSession grants a session and ends it.
func bareSession(c net.Conn) {
	defer c.Close()
	var buf [bareReply]byte
	for _, size := range []int{bareGrant, bareFarewell} {
		if _, err := c.Read(buf[:]); err != nil {
			return
		}
		if _, err := c.Write(buf[:size]); err != nil {
			return
		}
	}
	c.(*net.TCPConn).CloseWrite()
}

// bareTell tells n clients of an event, answers them when they ask for the next one, and begins again when all have.
func bareTell(l net.Listener, n int) error {
	var unasked atomic.Int64
	all := make(chan struct{}, 1)
	var conns []net.Conn
	for range n {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		conns = append(conns, c)
		go func() {
			var buf [bareReply]byte
			for {
				if _, err := c.Read(buf[:]); err != nil {
					return
				}
				if _, err := c.Write(buf[:]); err != nil {
					return
				}
				if unasked.Add(-1) == 0 {
					all <- struct{}{}
				}
			}
		}()
	}
	var event [bareEvent]byte
	for {
		unasked.Store(int64(n))
		for _, c := range conns {
			if _, err := c.Write(event[:]); err != nil {
				return err
			}
		}
		<-all
	}
}

// bareWatcher asks for the next event after each, until its connection ends.
func bareWatcher(addr string, _ *atomic.Bool, done *atomic.Int64) error {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	var buf [2 * bareReply]byte
	for {
		n, err := c.Read(buf[:])
		if err != nil {
			return nil // the server has been ended
		}
		if n == bareReply {
			continue
		}
		done.Add(1)
		if _, err := c.Write(buf[:bareRequest]); err != nil {
			return nil
		}
	}
}

// bareComer opens and ends sessions until it is to stop.
func bareComer(addr string, stop *atomic.Bool, done *atomic.Int64) error {
	d := net.Dialer{KeepAlive: -1}
	d.SetMultipathTCP(false)
	once := func() error {
		c, err := d.Dial("tcp", addr)
		if err != nil {
			return err
		}
		defer c.Close()
		var buf [bareReply]byte
		for _, size := range []int{bareHello, bareBye} {
			if _, err := c.Write(buf[:size]); err != nil {
				return err
			}
			if _, err := c.Read(buf[:]); err != nil {
				return err
			}
		}
		done.Add(1)
		return nil
	}
	for !stop.Load() {
		if err := once(); err != nil {
			return err
		}
	}
	return nil
}

// bareByGoroutines runs n clients of servers in processes of their own.
func bareByGoroutines(t *testing.T, what string, n int, client func(addr string, stop *atomic.Bool, done *atomic.Int64) error) {
	var servers []*exec.Cmd
	var addrs []string
	for i := range bareServers {
		cmd := exec.Command(os.Args[0], "-test.run=^TestBareGoroutines$")
		cmd.Env = append(os.Environ(), fmt.Sprint(bareRole, "=", what, " ", (n+bareServers-1-i)/bareServers))
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		defer cmd.Process.Kill()
		var addr string
		if _, err := fmt.Fscanln(out, &addr); err != nil {
			t.Fatal(err)
		}
		go io.Copy(io.Discard, out)
		servers, addrs = append(servers, cmd), append(addrs, addr)
	}
	b := newBare()
	var stop atomic.Bool
	var wg sync.WaitGroup
	before := cpuOf(t)
	for i := range n {
		wg.Go(func() {
			if err := client(addrs[i%len(addrs)], &stop, &b.done); err != nil {
				t.Error(err)
			}
		})
	}
	time.Sleep(bareFor)
	done := b.done.Load()
	b.generators.Store(int64(cpuOf(t) - before))
	stop.Store(true)
	if what == bareComings {
		wg.Wait() // those that watch end with their servers
	}
	for _, s := range servers {
		s.Process.Kill()
		s.Wait()
		b.servers.Add(int64(s.ProcessState.UserTime() + s.ProcessState.SystemTime()))
	}
	wg.Wait()
	b.done.Store(done) // without those that came after the time
	b.report(t)
}

// cpuOf is the processor time of this process.
func cpuOf(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
