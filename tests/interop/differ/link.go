package differ

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

// link is a connection of a scenario.
type link struct {
	name    string
	nc      net.Conn
	session int64
	passwd  []byte
	timeout int32
	xid     int32
	last    int64 // highest zxid seen in a reply
	pending []pending
	digests digests
	queue   []byte // frames that go out with the next step
	ending  bool   // its last reply has come
	closed  bool
}

type pending struct {
	xid, op int32
}

var errClosed = errors.New("closed by the server")

// open makes a connection with a session that is not part of the scenario.
func (p *player) open(server, name string) (*link, error) {
	nc, err := Dial(p.target.Addr(server))
	if err != nil {
		return nil, err
	}
	l := &link{name: name, nc: nc, timeout: defaultTimeout}
	var w wire
	w.i32(0)
	w.i64(0)
	w.i32(defaultTimeout)
	w.i64(0)
	w.i32(16)
	w = append(w, make([]byte, 16)...)
	w.bool(false)
	if err := l.send(w); err != nil {
		return nil, err
	}
	payload, err := l.read(patience)
	if err != nil {
		return nil, fmt.Errorf("open session: %w", err)
	}
	_, l.session, l.passwd = connected(newNormal(0), "", payload)
	return l, nil
}

// end ends the session of a connection that is no more, if it still lives.
func (p *player) end(l *link) error {
	nc, err := Dial(p.target.Addr(""))
	if err != nil {
		return err
	}
	defer nc.Close()
	again := &link{nc: nc}
	var w wire
	w.i32(0)
	w.i64(0)
	w.i32(defaultTimeout)
	w.i64(l.session)
	w.str(arg{val: string(l.passwd)})
	w.bool(false)
	if err := again.send(w); err != nil {
		return err
	}
	if _, err := again.read(patience); err == nil {
		again.ask(-11) // whatever it answers: it may have been refused
	}
	return nil
}

// identify gives a connection a digest's identity, for servers that ask for one.
func (l *link) identify() (int64, error) {
	var w wire
	w.i32(0)
	w.str(arg{val: "digest"})
	w.str(arg{val: "differ:differ"})
	return l.ask(100, w...)
}

// sync returns the last zxid of the ensemble.
func (l *link) sync() (int64, error) {
	var w wire
	w.str(arg{null: true})
	return l.ask(9, w...)
}

// ask sends a request and returns the zxid of its reply.
func (l *link) ask(op int32, body ...byte) (int64, error) {
	var w wire
	w.i32(-2)
	w.i32(op)
	w = append(w, body...)
	if err := l.send(w); err != nil {
		return 0, err
	}
	b, err := l.read(patience)
	if err != nil {
		return 0, err
	}
	_, zxid, _ := reply(newNormal(0), op, b)
	return zxid, nil
}

func (l *link) send(payload []byte) error {
	l.nc.SetWriteDeadline(time.Now().Add(patience))
	b := binary.BigEndian.AppendUint32(nil, uint32(len(payload)))
	_, err := l.nc.Write(append(b, payload...))
	return err
}

// read takes one frame.
func (l *link) read(wait time.Duration) ([]byte, error) {
	l.nc.SetReadDeadline(time.Now().Add(wait))
	var head [4]byte
	if _, err := io.ReadFull(l.nc, head[:]); err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil, err
		}
		return nil, errClosed
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > maxFrame {
		return nil, fmt.Errorf("frame of %d bytes", n)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(l.nc, b); err != nil {
		return nil, errClosed
	}
	return b, nil
}
