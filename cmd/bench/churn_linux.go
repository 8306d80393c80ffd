package bench

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// lookEvery is how often a turnstile looks who is late.
const lookEvery = 20 * time.Millisecond

// turnstile opens and closes sessions, many at once, on one goroutine: a session
// is two requests, and a socket and a goroutine of the Go runtime's would cost more
// than these.
type turnstile struct {
	r       *run
	poll    int // epoll(7)
	servers []endpoint
	hello   []byte // opens a session
	bye     []byte // closes it
	visits  []visit
	resting int // visits without a socket
}

// endpoint is a server's address as the system wants it.
type endpoint struct {
	domain int
	addr   unix.Sockaddr
}

// visit is one session after another, each at the next server.
type visit struct {
	index  int
	slot   int32 // in turnstile.visits
	server int
	fd     int   // -1 while it rests
	began  int64 // ns on the run's clock, as all times here
	opened int64 // 0: not yet
	due    int64 // when to give up; of one that rests, when to begin
	pause  time.Duration
	out    []byte // still to be sent
	in     [256]byte
	n      int // in[:n] has been read
}

// startTurnstiles has the run's connections open and close sessions, and returns
// false if it cannot.
func (r *run) startTurnstiles(ctx context.Context) bool {
	var servers []netip.AddrPort
	for _, s := range r.Servers {
		a, err := net.ResolveTCPAddr("tcp", s)
		if err != nil || a.Zone != "" {
			return false // whoever dials it says what is wrong
		}
		servers = append(servers, a.AddrPort())
	}
	all := make([]*turnstile, min(runtime.GOMAXPROCS(0), r.Workload.Connections))
	for i := range all {
		poll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
		if err != nil {
			for _, t := range all[:i] {
				unix.Close(t.poll)
			}
			return false
		}
		s := session{timeout: r.SessionTimeout}
		all[i] = &turnstile{r: r, poll: poll, servers: endpoints(servers), hello: s.hello(), bye: closeFrame(closeXid)}
	}
	for i := range r.Workload.Connections {
		t := all[i%len(all)]
		t.visits = append(t.visits, visit{index: i, slot: int32(len(t.visits)), server: i, fd: -1, pause: firstPause})
	}
	for _, t := range all {
		t.resting = len(t.visits)
		r.loops.Go(func() { t.run(ctx) })
	}
	return true
}

// endpoints makes what one turnstile connects to: connecting writes to it.
func endpoints(servers []netip.AddrPort) []endpoint {
	var all []endpoint
	for _, s := range servers {
		port := int(s.Port())
		if ip := s.Addr().Unmap(); ip.Is4() {
			all = append(all, endpoint{unix.AF_INET, &unix.SockaddrInet4{Port: port, Addr: ip.As4()}})
		} else {
			all = append(all, endpoint{unix.AF_INET6, &unix.SockaddrInet6{Port: port, Addr: ip.As16()}})
		}
	}
	return all
}

// run returns when ctx has ended and with it, unless that takes too long, the
// sessions under way.
func (t *turnstile) run(ctx context.Context) {
	defer t.leave()
	var events [64]unix.EpollEvent
	var look, last int64
	for {
		now := t.r.clock.now()
		if ctx.Err() != nil {
			if last == 0 {
				last = now + int64(drainPatience)
			}
			if t.resting == len(t.visits) || now > last {
				return
			}
		}
		if now >= look {
			t.look(ctx, now)
			look = now + int64(lookEvery)
		}
		n, err := unix.EpollWait(t.poll, events[:], int(lookEvery.Milliseconds()))
		if err != nil && err != unix.EINTR {
			t.r.fail(fmt.Errorf("wait for sockets: %w", err))
			return
		}
		for _, e := range events[:max(n, 0)] {
			v := &t.visits[e.Fd]
			if err := t.ready(ctx, v); err != nil {
				t.broken(ctx, v, err)
			}
		}
	}
}

// leave closes what is open; those sessions expire.
func (t *turnstile) leave() {
	for i := range t.visits {
		t.hangUp(&t.visits[i])
	}
	unix.Close(t.poll)
}

// look begins the visits that are due, and ends those that are late.
func (t *turnstile) look(ctx context.Context, now int64) {
	for i := range t.visits {
		switch v := &t.visits[i]; {
		case now < v.due:
		case v.fd >= 0:
			t.broken(ctx, v, os.ErrDeadlineExceeded)
		default:
			t.begin(ctx, v)
		}
	}
}

// begin goes to the next server.
func (t *turnstile) begin(ctx context.Context, v *visit) {
	if ctx.Err() != nil {
		return
	}
	v.began = t.r.clock.now()
	v.opened, v.n, v.due = 0, 0, v.began+int64(t.r.patience())
	if err := t.connect(v); err != nil {
		t.broken(ctx, v, err)
	}
}

// connect connects and asks for a session.
func (t *turnstile) connect(v *visit) error {
	to := t.servers[v.server%len(t.servers)]
	fd, err := unix.Socket(to.domain, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	v.fd = fd
	t.resting--
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		return err
	}
	if err := unix.Connect(fd, to.addr); err != nil && err != unix.EINPROGRESS {
		return err
	}
	v.out = t.hello
	if err := v.send(); err != nil {
		return err
	}
	return t.watch(v, unix.EPOLL_CTL_ADD)
}

// watch waits for what the visit needs.
func (t *turnstile) watch(v *visit, op int) error {
	e := unix.EpollEvent{Events: unix.EPOLLIN, Fd: v.slot}
	if len(v.out) > 0 {
		e.Events |= unix.EPOLLOUT
	}
	return unix.EpollCtl(t.poll, op, v.fd, &e)
}

// send sends what the socket takes, which is nothing before it is connected.
func (v *visit) send() error {
	for len(v.out) > 0 {
		n, err := unix.Write(v.fd, v.out)
		switch err {
		case nil:
			v.out = v.out[n:]
		case unix.EINTR:
		case unix.EAGAIN:
			return nil
		default:
			return err
		}
	}
	return nil
}

// ready goes on with a visit whose socket is ready for something.
func (t *turnstile) ready(ctx context.Context, v *visit) error {
	if v.fd < 0 {
		return nil
	}
	if len(v.out) > 0 {
		if err := v.send(); err != nil || len(v.out) > 0 {
			return err
		}
		if err := t.watch(v, unix.EPOLL_CTL_MOD); err != nil {
			return err
		}
	}
	n, err := unix.Read(v.fd, v.in[v.n:])
	switch {
	case err == unix.EAGAIN || err == unix.EINTR:
		return nil
	case err != nil:
		return err
	case n == 0:
		return io.EOF
	}
	v.n += n
	if v.opened == 0 {
		return t.granted(v)
	}
	return t.closed(ctx, v)
}

// granted looks for the answer to the handshake, and closes the session.
func (t *turnstile) granted(v *visit) error {
	frame, size, ok, err := cutFrame(v.in[:v.n], 0, uint32(len(v.in)-lengthBytes))
	if !ok {
		return err
	}
	var s session
	if err := s.take(frame); err != nil {
		return err
	}
	v.n = copy(v.in[:], v.in[size:v.n])
	v.opened = t.r.clock.now()
	v.due = v.opened + int64(t.r.SessionTimeout)
	v.out = t.bye
	if err := v.send(); err != nil || len(v.out) == 0 {
		return err
	}
	return t.watch(v, unix.EPOLL_CTL_MOD)
}

// closed looks for the answer to closeSession, takes the visit into account and
// begins the next one.
func (t *turnstile) closed(ctx context.Context, v *visit) error {
	r, size, ok, err := cutReply(v.in[:v.n])
	switch {
	case err != nil:
		return err
	case size > len(v.in) || ok && r.xid != closeXid:
		return errMalformed
	case !ok:
		return nil
	case r.code != 0:
		return r.code
	}
	t.hangUp(v)
	t.r.visited(v.index, v.began, v.opened)
	v.server++
	v.pause = firstPause
	t.begin(ctx, v)
	return nil
}

// broken ends a visit that has failed.
func (t *turnstile) broken(ctx context.Context, v *visit, err error) {
	t.hangUp(v)
	addr := t.r.Servers[v.server%len(t.servers)]
	v.server++
	v.due = t.r.clock.now() + int64(v.pause)
	v.pause = min(2*v.pause, lastPause)
	if ctx.Err() == nil {
		t.r.refused(v.index, addr, err)
	}
}

func (t *turnstile) hangUp(v *visit) {
	if v.fd >= 0 {
		unix.Close(v.fd) // which takes it out of poll
		v.fd = -1
		v.out = nil
		t.resting++
	}
}
