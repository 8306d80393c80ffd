package differ

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// connect opens a connection: connect NAME [timeout=MS] [session=NAME] [id=N] [passwd=HEX] [zxid=Z] [ro=none|0|1]
// [server=N] [version=N] [extra=HEX] [cut=N] [queued]. With queued, the frame goes out with the connection's next step.
func (p *player) connect(c *command) ([]record, error) {
	name := c.args[0].val
	l := &link{name: name, timeout: defaultTimeout}
	if old := p.links[name]; old != nil {
		l.session, l.passwd, l.last, l.xid = old.session, old.passwd, old.last, old.xid
		if !old.closed {
			// The server cuts it when it sees the new one; whether the client does first must not matter.
			defer old.nc.Close()
			old.closed = true
		}
	} else {
		p.order = append(p.order, name)
	}
	session, passwd := l.session, l.passwd
	if a, ok := named(c.args, "session"); ok {
		if a.val == "new" {
			session, passwd, l.last = 0, nil, 0
		} else if other := p.links[a.val]; other != nil {
			session, passwd, l.last = other.session, other.passwd, other.last
		} else {
			return nil, fmt.Errorf("no connection %q", a.val)
		}
	}
	ints := map[string]int64{"timeout": defaultTimeout, "version": 0, "id": session}
	for key := range ints {
		if a, ok := named(c.args, key); ok {
			n, err := strconv.ParseInt(a.val, 0, 64)
			if err != nil {
				return nil, err
			}
			ints[key] = n
		}
	}
	zxid := l.last
	if a, ok := named(c.args, "zxid"); ok {
		var err error
		if zxid, err = p.normal.absolute(a.val, l.last); err != nil {
			return nil, err
		}
	}
	var w wire
	w.i32(int32(ints["version"]))
	w.i64(zxid)
	w.i32(int32(ints["timeout"]))
	w.i64(ints["id"])
	if len(passwd) == 0 {
		passwd = make([]byte, 16)
	}
	secret := arg{val: string(passwd)}
	if a, ok := named(c.args, "passwd"); ok {
		b, err := hex.DecodeString(strings.TrimPrefix(a.val, "~"))
		if err != nil {
			return nil, err
		}
		secret = arg{val: string(b), null: a.null}
	}
	w.str(secret)
	ro, _ := named(c.args, "ro")
	switch ro.val {
	case "", "0":
		w.bool(false)
	case "1":
		w.bool(true)
	case "none":
	default:
		return nil, fmt.Errorf("bad ro %q", ro.val)
	}
	if a, ok := named(c.args, "cut"); ok {
		n, err := strconv.Atoi(a.val)
		if err != nil || n > len(w) {
			return nil, fmt.Errorf("bad cut %q", a.val)
		}
		w = w[:len(w)-n]
	}
	if a, ok := named(c.args, "extra"); ok {
		b, err := hex.DecodeString(a.val)
		if err != nil {
			return nil, err
		}
		w = append(w, b...)
	}
	nc, err := p.dial(c)
	if err != nil {
		return nil, err
	}
	l.nc = nc
	p.links[name] = l
	if slices.ContainsFunc(c.args, func(a arg) bool { return a.val == "bare" }) { // no handshake
		return nil, nil
	}
	p.sent++
	l.queue = binary.BigEndian.AppendUint32(l.queue, uint32(len(w)))
	l.queue = append(l.queue, w...)
	if slices.ContainsFunc(c.args, func(a arg) bool { return a.val == "queued" }) {
		// Everything after it is in the same write: what comes back is read by hand.
		return p.connectQueued(l)
	}
	nc.SetWriteDeadline(time.Now().Add(patience))
	nc.Write(l.queue)
	l.queue = nil
	return p.connected(l), nil
}

func (p *player) dial(c *command) (net.Conn, error) {
	if a, ok := named(c.args, "tls"); ok {
		return p.target.DialTLS(a.val)
	}
	return Dial(p.target.Addr(serverOf(c.args)))
}

func (p *player) connected(l *link) []record {
	payload, err := l.read(patience)
	if err != nil {
		l.nc.Close()
		l.closed = true
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return []record{{text: "nothing comes"}}
		}
		return []record{{text: "closed"}}
	}
	text, id, passwd := connected(p.normal, l.name, payload)
	if id != 0 {
		l.session, l.passwd = id, passwd
	}
	out := []record{{text: text}}
	if id == 0 {
		out = append(out, p.receive(l, func() bool { return false })...)
	}
	return out
}

// connectQueued sends a ping right behind the ConnectRequest.
func (p *player) connectQueued(l *link) ([]record, error) {
	if err := p.enqueue(l, &command{verb: "ping"}); err != nil {
		return nil, err
	}
	l.nc.SetWriteDeadline(time.Now().Add(patience))
	l.nc.Write(l.queue)
	l.queue = nil
	out := p.connected(l)
	return append(out, p.receive(l, func() bool { return len(l.pending) == 0 })...), nil
}

// Dial connects within some seconds. A server that accepts and closes at once may have done so before the dialer asks how its connect ended:
// that is a connection that was closed, too.
func Dial(addr string) (net.Conn, error) {
	nc, err := net.DialTimeout("tcp", addr, patience)
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) {
		ours, theirs := net.Pipe()
		theirs.Close()
		return ours, nil
	}
	return nc, err
}

func serverOf(args []arg) string {
	a, _ := named(args, "server")
	return a.val
}
