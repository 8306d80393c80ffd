package client

import (
	"errors"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// sleepers are the connections that have no goroutine, for they have been quiet.
// One goroutine waits for all of them: it gives one to each that has bytes to
// read, and ends those that were silent for their session timeout.
//
// Asleep is who is in conns, and whoever takes it out wakes it. What an
// awake connection owns is nobody's meanwhile; its outbox is sent by others as ever.
type sleepers struct {
	srv  *Server
	poll *os.File // of epoll(7), itself waited for by the Go runtime
	raw  syscall.RawConn

	mu    sync.Mutex
	conns map[uint64]*conn // by number
	due   int64            // when to look who has been silent for too long, ns on the server's clock; 0: never
	arm   arming
}

// arming is one call of epoll_ctl. It is kept with its function values, so that to
// fall asleep allocates nothing.
type arming struct {
	poll, op  int
	event     unix.EpollEvent
	err       error
	raw       syscall.RawConn
	with, ctl func(fd uintptr)
}

func (a *arming) init() {
	a.with = func(poll uintptr) {
		a.poll = int(poll)
		if err := a.raw.Control(a.ctl); err != nil {
			a.err = err
		}
	}
	a.ctl = func(fd uintptr) { a.err = unix.EpollCtl(a.poll, a.op, int(fd), &a.event) }
}

// newSleepers returns nil if the system does not have what it takes; then nobody
// sleeps.
func newSleepers(s *Server) *sleepers {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil
	}
	_ = unix.SetNonblock(fd, true) // os.NewFile wants it, epoll does not care
	z := &sleepers{srv: s, poll: os.NewFile(uintptr(fd), "epoll"), conns: make(map[uint64]*conn)}
	z.arm.init()
	if z.raw, err = z.poll.SyscallConn(); err == nil {
		err = z.poll.SetDeadline(time.Time{}) // fails if the runtime does not wait for it
	}
	if err != nil {
		z.poll.Close()
		return nil
	}
	return z
}

// close ends run. Who sleeps must be dead.
func (z *sleepers) close() {
	if z != nil {
		z.poll.Close()
	}
}

// add puts a connection to sleep. Its goroutine, which calls it, must leave it
// alone then, as another may have it already; with false it is still awake.
func (z *sleepers) add(c *conn) bool {
	z.mu.Lock()
	defer z.mu.Unlock()
	if !z.watchLocked(c) {
		return false
	}
	z.conns[c.number] = c
	if c.isDead() { // and kill may have missed it
		z.wakeLocked(c)
		return true
	}
	if due := c.silentAt(); z.due == 0 || due < z.due {
		z.due = due
		_ = z.poll.SetReadDeadline(time.Now().Add(time.Duration(due - z.srv.now())))
	}
	return true
}

// watchLocked begins to wait for bytes, of which it is told once. Nothing ends it:
// who wakes otherwise dies, and what the poll tells of one that does not sleep is
// passed over.
func (z *sleepers) watchLocked(c *conn) bool {
	a := &z.arm
	a.op = unix.EPOLL_CTL_MOD
	if !c.polled {
		a.op = unix.EPOLL_CTL_ADD
	}
	a.event = unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLONESHOT, Fd: int32(c.number), Pad: int32(c.number >> 32)}
	a.err, a.raw = nil, c.sock
	if err := z.raw.Control(a.with); err != nil {
		a.err = err
	}
	a.raw = nil
	c.polled = c.polled || a.err == nil
	return a.err == nil
}

// wake gives c a goroutine if it sleeps. It may be called by anyone, under any
// lock.
func (z *sleepers) wake(c *conn) {
	if z == nil {
		return
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.conns[c.number] != nil {
		z.wakeLocked(c)
	}
}

func (z *sleepers) wakeLocked(c *conn) {
	delete(z.conns, c.number)
	z.srv.hands.take(life{c, (*conn).awake})
}

// run waits until close. It is a goroutine of the server.
func (z *sleepers) run() {
	defer z.srv.wg.Done()
	var events [128]unix.EpollEvent
	n := 0
	wait := func(fd uintptr) bool {
		var err error
		n, err = unix.EpollWait(int(fd), events[:], 0)
		return err == nil && n > 0
	}
	for {
		switch err := z.raw.Read(wait); {
		case err == nil:
			z.mu.Lock()
			for _, e := range events[:n] {
				number := uint64(uint32(e.Fd)) | uint64(uint32(e.Pad))<<32
				if c := z.conns[number]; c != nil {
					z.wakeLocked(c)
				}
			}
			z.mu.Unlock()
		case errors.Is(err, os.ErrDeadlineExceeded):
			z.sweep()
		default:
			return
		}
	}
}

// sweep ends who has been silent for too long, and sets when it is called next.
func (z *sleepers) sweep() {
	z.mu.Lock()
	defer z.mu.Unlock()
	now := z.srv.now()
	z.due = 0
	for _, c := range z.conns {
		switch due := c.silentAt(); {
		case due <= now:
			z.wakeLocked(c) // which finds it out itself
		case z.due == 0 || due < z.due:
			z.due = due
		}
	}
	var deadline time.Time
	if z.due != 0 {
		deadline = time.Now().Add(time.Duration(z.due - now))
	}
	_ = z.poll.SetReadDeadline(deadline)
}

// awake takes up the life of a connection that slept.
func (c *conn) awake() {
	c.asked = false
	c.stayAwake()
	c.serve()
}
