package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// bareRole, if set, makes this process one of TestBareGoroutines' servers: what it serves, and, by words behind it, whom.
const bareRole = "ZOORAFT_BENCH_BARE"

const (
	bareWatches = "watches"  // and for how many connections
	bareComings = "sessions" // for any number
	bareFollows = "follower" // for how many watchers, and its log
	bareLeads   = "leader"   // for how many watchers, its log, and the followers' addresses
)

// TestBareGoroutines measures what TestBare does for watch events, a lone client's sets and sessions with nothing logged, by
// servers that do nothing either, but as a Go program does: a process each, a goroutine for each connection,
// packages net and os. It shows what the Go runtime leaves of what the system allows, and judges nothing.
func TestBareGoroutines(t *testing.T) {
	if role := os.Getenv(bareRole); role != "" {
		if err := bareServe(t, strings.Fields(role)); err != nil {
			t.Fatal(err)
		}
		return
	}
	asked(t)
	t.Run("watch events, 1,000 sessions on one znode", func(t *testing.T) {
		bareByGoroutines(t, bareWatches, 1000, func(addr string, _ *atomic.Bool, done *atomic.Int64) error {
			return bareWatcher(addr, done, func() {})
		})
	})
	t.Run("watch events, 50 sessions on 20 znodes", func(t *testing.T) { bareWritesByGoroutines(t, 50) })
	t.Run("set, lone client of the leader", func(t *testing.T) { bareWritesByGoroutines(t, 0) })
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
func bareServe(t *testing.T, role []string) error {
	l, err := bareListener()
	if err != nil {
		return err
	}
	what, rest := role[0], role[1:]
	n := 0
	if len(rest) > 0 {
		if n, err = strconv.Atoi(rest[0]); err != nil {
			return err
		}
	}
	var followers []net.Conn
	if what == bareLeads {
		for _, addr := range rest[2:] {
			c, err := net.Dial("tcp", addr)
			if err != nil {
				return err
			}
			followers = append(followers, c)
		}
	}
	var log *bareLog
	if len(rest) > 1 {
		log = newBareLog(t, rest[1])
	}
	fmt.Println(l.Addr()) // and what connects to it from now on does so behind the leader
	switch what {
	case bareWatches:
		return bareTell(l, n)
	case bareFollows:
		return bareFollow(l, n, log)
	case bareLeads:
		return bareLead(l, n, log, followers)
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

// bareFollow logs the entries that its leader sends, and tells n watchers of each that is committed.
func bareFollow(l net.Listener, n int, log *bareLog) error {
	c, err := l.Accept()
	if err != nil {
		return err
	}
	tell, err := bareWatched(l, n, func() {})
	if err != nil {
		return err
	}
	var buf [2 * bareEntry]byte
	for {
		size, err := c.Read(buf[:])
		if err != nil {
			return err
		}
		if size >= bareEntry { // alone or behind the notice
			if err := log.writeFile(1); err != nil {
				return err
			}
			if _, err := c.Write(buf[:bareAck]); err != nil {
				return err
			}
		}
		if size != bareEntry {
			if err := tell(); err != nil {
				return err
			}
		}
	}
}

// bareLead answers its client when an entry is on its disk and on a follower's, and tells n watchers. The followers'
// answers come to goroutines of their own, as they do where more than one entry may be under way.
func bareLead(l net.Listener, n int, log *bareLog, followers []net.Conn) error {
	acks := make(chan struct{}, 2*len(followers))
	for _, c := range followers {
		go func() {
			var buf [bareAck]byte
			for {
				if _, err := io.ReadFull(c, buf[:]); err != nil {
					return
				}
				acks <- struct{}{}
			}
		}()
	}
	client, err := l.Accept()
	if err != nil {
		return err
	}
	tell, err := bareWatched(l, n, func() {})
	if err != nil {
		return err
	}
	var buf [2 * bareEntry]byte
	toAll := func(n int) error {
		for _, c := range followers {
			if _, err := c.Write(buf[:n]); err != nil {
				return err
			}
		}
		return nil
	}
	for late := 0; ; late = len(followers) - 1 {
		if _, err := client.Read(buf[:]); err != nil {
			return err
		}
		if err := toAll(bareEntry); err != nil {
			return err
		}
		if err := log.writeFile(1); err != nil {
			return err
		}
		for range late + 1 { // those of the entry before that nobody waited for, too
			<-acks
		}
		if err := toAll(bareNotice); err != nil {
			return err
		}
		if _, err := client.Write(buf[:bareRequest]); err != nil {
			return err
		}
		if err := tell(); err != nil {
			return err
		}
	}
}

// bareTell tells n clients of an event, and begins again when all have asked for the next one.
func bareTell(l net.Listener, n int) error {
	var unasked atomic.Int64
	all := make(chan struct{}, 1)
	tell, err := bareWatched(l, n, func() {
		if unasked.Add(-1) == 0 {
			all <- struct{}{}
		}
	})
	if err != nil {
		return err
	}
	for {
		unasked.Store(int64(n))
		if err := tell(); err != nil {
			return err
		}
		<-all
	}
}

// bareWatched takes n clients, which it answers when they ask for the next event, and says so to asked. tell tells them of one.
func bareWatched(l net.Listener, n int, asked func()) (tell func() error, err error) {
	var conns []net.Conn
	for range n {
		c, err := l.Accept()
		if err != nil {
			return nil, err
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
				asked()
			}
		}()
	}
	var event [bareEvent]byte
	return func() error {
		for _, c := range conns {
			if _, err := c.Write(event[:]); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

// bareWatcher asks for the next event after each, until its connection ends, and says when it has been answered.
func bareWatcher(addr string, done *atomic.Int64, answered func()) error {
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
			answered()
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
	var g bareGroup
	defer g.kill()
	for i := range bareServers {
		g.start(t, what, bareShare(n, i))
	}
	g.measure(t, n, what == bareComings, client)
}

// bareShare is how many of n clients the i-th server has.
func bareShare(n, i int) string { return strconv.Itoa((n + bareServers - 1 - i) / bareServers) }

// bareWritesByGoroutines has a client set one znode after the other, when each of the watchers, if there are some, has heard
// of the one before and asked for the next.
func bareWritesByGoroutines(t *testing.T, watchers int) {
	var g bareGroup
	defer g.kill()
	dir := t.TempDir()
	for i := range bareServers - 1 {
		g.start(t, bareFollows, bareShare(watchers, i), filepath.Join(dir, strconv.Itoa(i)))
	}
	g.start(t, append([]string{bareLeads, bareShare(watchers, bareServers-1), filepath.Join(dir, "leader")}, g.addrs...)...)
	client, err := net.Dial("tcp", g.addrs[bareServers-1])
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	next := make(chan struct{}, watchers+1)
	set := func(done *atomic.Int64) {
		var buf [bareEntry]byte
		for {
			if _, err := client.Write(buf[:]); err != nil {
				return // the server has been ended
			}
			if _, err := client.Read(buf[:]); err != nil {
				return
			}
			if watchers == 0 {
				done.Add(1)
			} else {
				<-next
			}
		}
	}
	if watchers == 0 {
		g.measure(t, 1, false, func(_ string, _ *atomic.Bool, done *atomic.Int64) error {
			set(done)
			return nil
		})
		return
	}
	var answered atomic.Int64
	var setter sync.WaitGroup
	setter.Go(func() { set(nil) })
	g.measure(t, watchers, false, func(addr string, _ *atomic.Bool, done *atomic.Int64) error {
		defer func() { next <- struct{}{} }() // the setter finds out
		return bareWatcher(addr, done, func() {
			if answered.Add(1)%int64(watchers) == 0 {
				next <- struct{}{}
			}
		})
	})
	setter.Wait()
}

// bareGroup is servers in processes of their own.
type bareGroup struct {
	servers []*exec.Cmd
	addrs   []string
}

// start starts a server, and returns its address.
func (g *bareGroup) start(t *testing.T, role ...string) string {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestBareGoroutines$")
	cmd.Env = append(os.Environ(), bareRole+"="+strings.Join(role, " "))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := bareRelaxed(cmd.Start); err != nil {
		t.Fatal(err)
	}
	g.servers = append(g.servers, cmd)
	var addr string
	if _, err := fmt.Fscanln(out, &addr); err != nil {
		t.Fatal(err)
	}
	go io.Copy(io.Discard, out)
	g.addrs = append(g.addrs, addr)
	return addr
}

// bareRelaxed starts a process whose threads the system may wake as late as those of Zooraft (package main, slack_linux.go):
// without that a third of what a lone client costs is the Go runtime's monitor.
func bareRelaxed(start func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	if err != nil {
		return err
	}
	const slack = 2_000_000 // ns
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, slack, 0, 0, 0); err != nil {
		return err
	}
	err = start()
	return errors.Join(err, unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(before), 0, 0, 0))
}

// kill ends the servers that are left.
func (g *bareGroup) kill() {
	for _, s := range g.servers {
		s.Process.Kill()
	}
}

// measure runs n clients, spread over the servers, for bareFor. Those that come and go end when they are told to stop, the
// others with their servers.
func (g *bareGroup) measure(t *testing.T, n int, stops bool, client func(addr string, stop *atomic.Bool, done *atomic.Int64) error) {
	t.Helper()
	b := newBare()
	var stop atomic.Bool
	var wg sync.WaitGroup
	var pids []int
	for _, s := range g.servers {
		pids = append(pids, s.Process.Pid)
	}
	mine, theirs := cpuTime(t, os.Getpid()), cpuTime(t, pids...)
	for i := range n {
		wg.Go(func() {
			if err := client(g.addrs[i%len(g.addrs)], &stop, &b.done); err != nil {
				t.Error(err)
			}
		})
	}
	time.Sleep(bareFor)
	done := b.done.Load()
	b.generators.Store(int64(cpuTime(t, os.Getpid()) - mine))
	b.servers.Store(int64(cpuTime(t, pids...) - theirs))
	stop.Store(true)
	if stops {
		wg.Wait()
	}
	g.kill()
	for _, s := range g.servers {
		s.Wait()
	}
	wg.Wait()
	b.done.Store(done) // without those that came after the time
	b.report(t)
}
