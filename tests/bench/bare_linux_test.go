package bench

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Sizes on the wire of what TestBare sends: about those of Zooraft with values of valueBytes.
const (
	bareRequest  = 48
	bareEvent    = 68
	bareReply    = valueBytes + 88
	bareEntry    = valueBytes + 128
	bareAck      = 12
	bareNotice   = 24
	bareHello    = 49 // and what is granted
	bareGrant    = 41
	bareBye      = 12
	bareFarewell = 20
	bareChange   = 40 // of a session, in the log and on the way there

	bareServers    = 3
	bareGenerators = 2
	bareFor        = 4 * time.Second
	bareLogBytes   = 64 << 20
	bareBlock      = 4096
	bareBlocks     = 8
)

// TestBare measures what is left of some loads when the servers do nothing: the system calls that each server has to
// make, on threads that share nothing, without protocol, state or goroutines. It shows which figures of TestCompare the
// system bounds, and judges nothing.
func TestBare(t *testing.T) {
	asked(t)
	// The Go scheduler is not told of the calls that block, so each thread needs a processor of its own to it, and
	// nothing may want to stop them all.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(bareServers + bareGenerators + 2))
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	t.Run("get 128 x 1", func(t *testing.T) { bareGets(t, clients) })
	t.Run("watch events, 1,000 sessions on one znode", func(t *testing.T) { bareEvents(t, 1000) })
	t.Run("watch events, 50 sessions on 20 znodes", func(t *testing.T) { bareWrites(t, 50) })
	t.Run("set, lone client of the leader", func(t *testing.T) { bareWrites(t, 0) })
	t.Run("sessions opened and closed, 128 at once", func(t *testing.T) { bareSessions(t, clients, true) })
	t.Run("sessions opened and closed, 128 at once, nothing logged", func(t *testing.T) { bareSessions(t, clients, false) })
}

// bareGets answers every request with a value.
func bareGets(t *testing.T, n int) {
	b := newBare()
	servers, generators := b.connect(t, n)
	for i := range bareServers {
		b.thread(&b.servers, every(servers, i, bareServers), nil, func(fd, _ int) error {
			b.done.Add(1)
			return bareSend(fd, bareReply)
		})
	}
	took := make([]samples, bareGenerators)
	for i := range took {
		mine := every(generators, i, bareGenerators)
		took[i] = make(samples, 0, 1<<20)
		sent := make(map[int]time.Time, len(mine))
		b.thread(&b.generators, mine, func() error {
			for _, fd := range mine {
				sent[fd] = time.Now()
				if err := bareSend(fd, bareRequest); err != nil {
					return err
				}
			}
			return nil
		}, func(fd, _ int) error {
			now := time.Now()
			took[i] = append(took[i], sample{sent[fd], now.Sub(sent[fd])})
			sent[fd] = now
			return bareSend(fd, bareRequest)
		})
	}
	b.report(t)
	q := slices.Concat(took...).quantiles(.5, .99)
	t.Logf("p50 %v, p99 %v", q[0], q[1])
}

// bareEvents has each server tell its clients of an event, answer them when they ask for the next one, and begin again
// when all have.
func bareEvents(t *testing.T, n int) {
	b := newBare()
	servers, generators := b.connect(t, n)
	for i := range bareServers {
		mine := every(servers, i, bareServers)
		unasked := 0
		tell := func() error {
			for _, fd := range mine {
				if err := bareSend(fd, bareEvent); err != nil {
					return err
				}
			}
			unasked = len(mine)
			return nil
		}
		b.thread(&b.servers, mine, tell, func(fd, _ int) error {
			b.done.Add(1)
			if err := bareSend(fd, bareReply); err != nil {
				return err
			}
			if unasked--; unasked > 0 {
				return nil
			}
			return tell()
		})
	}
	for i := range bareGenerators {
		b.thread(&b.generators, every(generators, i, bareGenerators), nil, func(fd, size int) error {
			if size == bareReply {
				return nil
			}
			return bareSend(fd, bareRequest) // the event, alone or behind the reply
		})
	}
	b.report(t)
}

// bareWrites stores one client's entries on the disks of a leader and two followers. An answer takes the leader's and
// one follower's. If there are watchers, each server tells its own of each entry, and answers them when they ask for the
// next event; the next entry comes when all have been answered.
func bareWrites(t *testing.T, watchers int) {
	b := newBare()
	dir := t.TempDir()
	leader, client := b.pair(t)
	servers, generators := b.connect(t, watchers)
	// member runs a server, which tells its watchers by tell.
	member := func(i int, others []int, read func(fd, size int, tell func() error) error) {
		mine := every(servers, i, bareServers)
		tell := func() error {
			for _, fd := range mine {
				if err := bareSend(fd, bareEvent); err != nil {
					return err
				}
			}
			return nil
		}
		b.thread(&b.servers, slices.Concat(others, mine), nil, func(fd, size int) error {
			if slices.Contains(mine, fd) {
				b.done.Add(1)
				return bareSend(fd, bareReply)
			}
			return read(fd, size, tell)
		})
	}
	var followers []int
	for i := range bareServers - 1 {
		ours, theirs := b.pair(t)
		followers = append(followers, ours)
		log := newBareLog(t, filepath.Join(dir, fmt.Sprint("follower", i)))
		member(i+1, []int{theirs}, func(fd, size int, tell func() error) error {
			if size >= bareEntry { // alone or behind the notice
				if err := log.write(1); err != nil {
					return err
				}
				if err := bareSend(fd, bareAck); err != nil {
					return err
				}
			}
			if size != bareEntry {
				return tell()
			}
			return nil
		})
	}
	log := newBareLog(t, filepath.Join(dir, "leader"))
	stored, acks, answered := 0, 0, 0
	toAll := func(n int) error {
		for _, fd := range followers {
			if err := bareSend(fd, n); err != nil {
				return err
			}
		}
		return nil
	}
	member(0, append(followers, leader), func(fd, size int, tell func() error) error {
		if fd == leader {
			if err := toAll(bareEntry); err != nil {
				return err
			}
			if err := log.write(1); err != nil {
				return err
			}
			stored++
		} else {
			acks += size / bareAck
		}
		// Both followers acknowledged what came before, so one more is one of them.
		if answered == stored || acks < 2*answered+1 {
			return nil
		}
		answered++
		if watchers == 0 {
			b.done.Add(1)
		}
		if err := toAll(bareNotice); err != nil {
			return err
		}
		if err := bareSend(leader, bareRequest); err != nil {
			return err
		}
		return tell()
	})
	ask := func() error { return bareSend(client, bareEntry) }
	var replies atomic.Int64
	for i := range bareGenerators {
		mine, begin := every(generators, i, bareGenerators), func() error { return nil }
		if i == 0 {
			mine, begin = append(mine, client), ask
		}
		b.thread(&b.generators, mine, begin, func(fd, size int) error {
			switch {
			case fd == client && watchers == 0:
				return ask()
			case fd == client:
				return nil
			case size == bareEvent:
				return bareSend(fd, bareRequest)
			case replies.Add(1)%int64(watchers) == 0:
				return ask()
			}
			return nil
		})
	}
	b.report(t)
}

// bareQuorum is what servers tell each other beside the bytes they send: how much of what is on the way.
type bareQuorum [bareServers]struct {
	forwarded, entries, acks, committed atomic.Int64
	toLeader, fromLeader                int // the ends of a follower's connection to the leader
}

// bareSessions has each server accept connections, grant sessions and end them. If they are logged, what has come
// meanwhile goes to the leader, the first of them, and is answered when it is on its disk and a follower's.
func bareSessions(t *testing.T, n int, logged bool) {
	b := newBare()
	dir := t.TempDir()
	quorum := new(bareQuorum)
	for i := 1; i < bareServers; i++ {
		quorum[i].fromLeader, quorum[i].toLeader = b.pair(t)
	}
	var addrs []unix.Sockaddr
	for i := range bareServers {
		l := bareSocket(t)
		must(t, unix.Bind(l, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
		must(t, unix.Listen(l, n))
		must(t, unix.SetNonblock(l, true))
		addr, err := unix.Getsockname(l)
		must(t, err)
		addrs = append(addrs, addr)
		s := &bareSessionServer{b: b, quorum: quorum, self: i, listener: l, logged: logged}
		if logged {
			s.log = newBareLog(t, filepath.Join(dir, fmt.Sprint(i)))
		}
		b.poller(&b.servers, s.begin, s.ready, s.after)
	}
	for i := range bareGenerators {
		server := i
		open := func(poll int) error {
			fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
			if err != nil {
				return err
			}
			if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
				return err
			}
			server++
			if err := unix.Connect(fd, addrs[server%len(addrs)]); err != nil && err != unix.EINPROGRESS {
				return err
			}
			if err := bareSend(fd, bareHello); err != nil {
				return err
			}
			return bareWatch(poll, fd)
		}
		b.poller(&b.generators, func(poll int) error {
			for range n / bareGenerators {
				if err := open(poll); err != nil {
					return err
				}
			}
			return nil
		}, func(poll, fd int) error {
			switch size, err := bareRead(fd); {
			case err != nil:
				return err
			case size == bareGrant:
				return bareSend(fd, bareBye)
			default:
				if err := unix.Close(fd); err != nil {
					return err
				}
				return open(poll)
			}
		}, nil)
	}
	b.report(t)
}

// bareSessionServer is one of three, of which the first leads.
type bareSessionServer struct {
	b        *bare
	quorum   *bareQuorum
	self     int
	listener int
	logged   bool
	log      *bareLog

	waiting   []bareAsked
	forwarded int // of those that wait, with the leader

	// The leader's: what is being logged, of each server; and how often it was.
	under        [bareServers]int
	rounds, acks int64
}

type bareAsked struct{ fd, size int }

func (s *bareSessionServer) begin(poll int) error {
	fds := []int{s.listener}
	for i := range s.quorum {
		if i > 0 && s.self == 0 {
			fds = append(fds, s.quorum[i].fromLeader)
		}
	}
	if s.self > 0 {
		fds = append(fds, s.quorum[s.self].toLeader)
	}
	for _, fd := range fds {
		if err := bareWatch(poll, fd); err != nil {
			return err
		}
	}
	return nil
}

func (s *bareSessionServer) ready(poll, fd int) error {
	if fd == s.listener {
		return bareAccept(poll, fd)
	}
	size, err := bareRead(fd)
	if err != nil {
		return err
	}
	for i := 1; i < len(s.quorum); i++ {
		if fd == s.quorum[i].fromLeader {
			s.acks += s.quorum[i].acks.Swap(0)
			return s.commit()
		}
	}
	if fd == s.quorum[s.self].toLeader && s.self > 0 {
		return s.follow(fd)
	}
	s.waiting = append(s.waiting, bareAsked{fd, size})
	if !s.logged {
		return s.answer(1)
	}
	return nil
}

// follow logs the entries that have come, and answers what is committed.
func (s *bareSessionServer) follow(fd int) error {
	if n := s.quorum[s.self].entries.Swap(0); n > 0 {
		if err := s.log.write(int(n)); err != nil {
			return err
		}
		s.quorum[s.self].acks.Add(n)
		if err := bareSend(fd, bareAck); err != nil {
			return err
		}
	}
	n := int(s.quorum[s.self].committed.Swap(0))
	s.forwarded -= n
	return s.answer(n)
}

// commit answers what is logged, if the leader and a follower have it.
func (s *bareSessionServer) commit() error {
	if s.under == [bareServers]int{} || s.acks < 2*s.rounds-1 {
		return nil
	}
	for i := 1; i < len(s.quorum); i++ {
		s.quorum[i].committed.Add(int64(s.under[i]))
		if err := bareSend(s.quorum[i].fromLeader, bareNotice); err != nil {
			return err
		}
	}
	n := s.under[0]
	s.under = [bareServers]int{}
	return s.answer(n)
}

// after sends what has come on its way to the log.
func (s *bareSessionServer) after() error {
	if !s.logged {
		return nil
	}
	if s.self > 0 {
		n := len(s.waiting) - s.forwarded
		if n == 0 {
			return nil
		}
		s.forwarded += n
		s.quorum[s.self].forwarded.Add(int64(n))
		return bareSend(s.quorum[s.self].toLeader, min(n*bareChange, len(bareBytes)))
	}
	if s.under != [bareServers]int{} {
		return nil
	}
	s.under[0] = len(s.waiting)
	all := s.under[0]
	for i := 1; i < len(s.quorum); i++ {
		s.under[i] = int(s.quorum[i].forwarded.Swap(0))
		all += s.under[i]
	}
	if all == 0 {
		return nil
	}
	for i := 1; i < len(s.quorum); i++ {
		s.quorum[i].entries.Add(1)
		if err := bareSend(s.quorum[i].fromLeader, min(all*bareChange, len(bareBytes))); err != nil {
			return err
		}
	}
	s.rounds++
	if err := s.log.write(all*bareChange/bareBlock + 1); err != nil {
		return err
	}
	return s.commit()
}

// answer answers the first n that wait.
func (s *bareSessionServer) answer(n int) error {
	for _, asked := range s.waiting[:n] {
		switch asked.size {
		case bareHello:
			if err := bareSend(asked.fd, bareGrant); err != nil {
				return err
			}
		case bareBye:
			s.b.done.Add(1)
			if _, err := bareCall(syscall.SYS_SENDTO, asked.fd, unsafe.Pointer(&bareBytes), bareFarewell, unix.MSG_MORE); err != nil {
				return err
			}
			if err := errors.Join(unix.Shutdown(asked.fd, unix.SHUT_WR), unix.Close(asked.fd)); err != nil {
				return err
			}
		default:
			return fmt.Errorf("%d bytes", asked.size)
		}
	}
	s.waiting = slices.Delete(s.waiting, 0, n)
	return nil
}

// bareAccept takes the connections that wait at a listener.
func bareAccept(poll, l int) error {
	for {
		fd, _, err := unix.Accept4(l, unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK)
		if err == unix.EAGAIN {
			return nil
		}
		if err != nil {
			return err
		}
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
			return err
		}
		if err := bareWatch(poll, fd); err != nil {
			return err
		}
	}
}

// bare is threads that answer each other until their time is over, or one has failed.
type bare struct {
	until   time.Time
	threads sync.WaitGroup
	failed  atomic.Pointer[error]
	done    atomic.Int64 // operations

	servers, generators atomic.Int64 // processor time, ns
}

func newBare() *bare { return &bare{until: time.Now().Add(bareFor)} }

// connect makes n connections and gives their ends.
func (b *bare) connect(t *testing.T, n int) (servers, generators []int) {
	t.Helper()
	for range n {
		s, g := b.pair(t)
		servers, generators = append(servers, s), append(generators, g)
	}
	return servers, generators
}

// pair makes a connection through the loopback.
func (b *bare) pair(t *testing.T) (one, other int) {
	t.Helper()
	l := bareSocket(t)
	defer unix.Close(l)
	must(t, unix.Bind(l, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	must(t, unix.Listen(l, 1))
	addr, err := unix.Getsockname(l)
	must(t, err)
	other = bareSocket(t)
	must(t, unix.Connect(other, addr))
	one, _, err = unix.Accept4(l, unix.SOCK_CLOEXEC)
	must(t, err)
	for _, fd := range []int{one, other} {
		must(t, unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1))
		must(t, unix.SetNonblock(fd, true))
		t.Cleanup(func() { unix.Close(fd) })
	}
	return one, other
}

// every is each n-th of all, from the i-th on.
func every(all []int, i, n int) []int {
	var mine []int
	for ; i < len(all); i += n {
		mine = append(mine, all[i])
	}
	return mine
}

// thread runs begin and then calls read with what each socket has brought, and adds its processor time to cpu.
func (b *bare) thread(cpu *atomic.Int64, fds []int, begin func() error, read func(fd, size int) error) {
	b.poller(cpu, func(poll int) error {
		for _, fd := range fds {
			if err := bareWatch(poll, fd); err != nil {
				return err
			}
		}
		if begin != nil {
			return begin()
		}
		return nil
	}, func(_, fd int) error {
		size, err := bareRead(fd)
		if err != nil {
			return err
		}
		return read(fd, size)
	}, nil)
}

// poller runs begin and then calls ready with each socket of its epoll(7) that has something, and after, which may be
// nil, when there are no more, and adds its processor time to cpu.
func (b *bare) poller(cpu *atomic.Int64, begin func(poll int) error, ready func(poll, fd int) error, after func() error) {
	b.threads.Go(func() {
		runtime.LockOSThread() // and the thread ends with it
		if err := b.loop(begin, ready, after); err != nil {
			b.failed.Store(&err)
		}
		var u unix.Rusage
		if err := unix.Getrusage(unix.RUSAGE_THREAD, &u); err != nil {
			b.failed.Store(&err)
		}
		cpu.Add(u.Utime.Nano() + u.Stime.Nano())
	})
}

func (b *bare) loop(begin func(poll int) error, ready func(poll, fd int) error, after func() error) error {
	poll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return err
	}
	defer unix.Close(poll)
	if err := begin(poll); err != nil {
		return err
	}
	var events [64]unix.EpollEvent
	for time.Now().Before(b.until) && b.failed.Load() == nil {
		const patience = 20 // ms
		n, err := bareCall(syscall.SYS_EPOLL_WAIT, poll, unsafe.Pointer(&events), len(events), patience)
		if err != nil && err != syscall.EINTR { // by the scheduler, which wants to be asked
			return err
		}
		for _, e := range events[:n] {
			if err := ready(poll, int(e.Fd)); err != nil {
				return err
			}
		}
		if after != nil {
			if err := after(); err != nil {
				return err
			}
		}
	}
	return nil
}

// report waits for the end and tells what it took.
func (b *bare) report(t *testing.T) {
	t.Helper()
	b.threads.Wait()
	if err := b.failed.Load(); err != nil {
		t.Fatal(*err)
	}
	n := b.done.Load()
	if n == 0 {
		t.Fatal("nothing was done")
	}
	us := func(ns int64) float64 { return float64(ns) / float64(n) / 1e3 }
	t.Logf("%.0f/s, servers %.1f us of CPU each, generator %.1f", float64(n)/bareFor.Seconds(), us(b.servers.Load()), us(b.generators.Load()))
}

var bareBytes [2 * valueBytes]byte

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// bareSocket opens a socket that blocks.
func bareSocket(t *testing.T) int {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	must(t, err)
	return fd
}

// bareWatch has poll tell of what a socket brings, edge-triggered.
func bareWatch(poll, fd int) error {
	e := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET&0xffffffff, Fd: int32(fd)}
	return unix.EpollCtl(poll, unix.EPOLL_CTL_ADD, fd, &e)
}

// bareRead reads what a socket has.
func bareRead(fd int) (int, error) {
	var buf [4096]byte
	n, err := bareCall(syscall.SYS_READ, fd, unsafe.Pointer(&buf), len(buf), 0)
	if err != nil {
		return 0, fmt.Errorf("read: %w", err)
	}
	return n, nil
}

// bareSend sends n bytes.
func bareSend(fd, n int) error {
	sent, err := bareCall(syscall.SYS_WRITE, fd, unsafe.Pointer(&bareBytes), n, 0)
	if err == nil && sent < n {
		err = fmt.Errorf("sent %d of %d bytes", sent, n)
	}
	return err
}

// bareCall makes a system call, which may block, without telling the Go scheduler.
func bareCall(trap uintptr, fd int, p unsafe.Pointer, n, last int) (int, error) {
	r, _, errno := syscall.RawSyscall6(trap, uintptr(fd), uintptr(p), uintptr(n), uintptr(last), 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(r), nil
}

// bareLog is a file of written zeros that is written to past the page cache.
type bareLog struct {
	f     *os.File
	fd    int    // f's
	block []byte // as many as one write takes at most
	at    int
}

func newBareLog(t *testing.T, path string) *bareLog {
	t.Helper()
	if err := os.WriteFile(path, make([]byte, bareLogBytes), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_DIRECT, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	b := make([]byte, (bareBlocks+1)*bareBlock)
	skip := -int(uintptr(unsafe.Pointer(&b[0]))) & (bareBlock - 1)
	return &bareLog{f: f, fd: int(f.Fd()), block: b[skip:][:bareBlocks*bareBlock]}
}

// write writes the next n blocks, bareBlocks at most, and makes them durable.
func (l *bareLog) write(n int) error {
	n *= bareBlock
	if _, err := bareCall(syscall.SYS_PWRITE64, l.fd, unsafe.Pointer(&l.block[0]), min(n, len(l.block)), l.at); err != nil {
		return err
	}
	l.at = (l.at + n) % (bareLogBytes - len(l.block))
	_, err := bareCall(syscall.SYS_FDATASYNC, l.fd, nil, 0, 0)
	return err
}

// writeFile is write as a Go program has it, whose scheduler is told of both calls.
func (l *bareLog) writeFile(n int) error {
	n *= bareBlock
	if _, err := l.f.WriteAt(l.block[:min(n, len(l.block))], int64(l.at)); err != nil {
		return err
	}
	l.at = (l.at + n) % (bareLogBytes - len(l.block))
	return unix.Fdatasync(l.fd)
}
