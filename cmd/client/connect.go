package client

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"time"

	"zooraft/protocol"
)

// run keeps the session connected until it ends.
func (c *Client) run() {
	defer close(c.over)
	end := Closed
	pause := minPause
	next := 0         // which of the list
	tried := 0        // how many of the list, in this round
	var left []target // addresses of the last of them
	lost := ""        // the address that the session was on
	var why error     // no server of this round could be reached
	for c.ctx.Err() == nil {
		var was bool
		var err error
		t := c.takeBetter()
		if t.addr == "" && len(left) == 0 {
			left, err = c.targets(c.ctx, c.addrs[next%len(c.addrs)], lost)
			next++
			tried++
		}
		if t.addr == "" && len(left) > 0 {
			t, left = left[0], left[1:]
		}
		if t.addr != "" {
			was, err = c.session(t)
		}
		if errors.Is(err, errAuth) || errors.Is(err, ErrLogin) {
			end = AuthFailed
			c.mu.Lock()
			c.failure = err
			c.mu.Unlock()
			break
		}
		if errors.Is(err, errRefused) {
			end = Expired
			break
		}
		if was {
			tried, pause = 0, minPause
			left, lost, why = nil, t.addr, nil // a name may have others by now
			c.failAll(protocol.ErrConnectionLoss)
			c.allHeard()
		}
		c.mu.Lock()
		closing := c.closing
		c.mu.Unlock()
		if closing {
			break
		}
		if was {
			c.cfg.OnEvent(sessionEvent("Disconnected"))
			continue
		}
		why = telling(why, err)
		if len(left) == 0 && tried >= len(c.addrs) {
			c.roundFailed(why)
			tried, why = 0, nil
			select {
			case <-c.ctx.Done():
			case <-time.After(pause):
			}
			pause = min(2*pause, maxPause)
		}
	}
	c.mu.Lock()
	c.setStateLocked(end)
	c.mu.Unlock()
	code := protocol.ErrSessionExpired
	if end == AuthFailed {
		code = protocol.ErrAuthFailed
	}
	c.failAll(code)
	c.allHeard()
	switch end {
	case AuthFailed:
		c.cfg.OnEvent(sessionEvent("AuthFailed"))
	case Expired:
		c.cfg.OnEvent(sessionEvent("Expired"))
	default:
		c.cfg.OnEvent(sessionEvent("Closed"))
	}
}

// roundFailed ends what waits for a connection: no server could be reached.
func (c *Client) roundFailed(err error) {
	c.mu.Lock()
	c.rounds++
	c.failure = err
	c.setStateLocked(c.state)
	c.mu.Unlock()
	c.failAll(protocol.ErrConnectionLoss)
}

func (c *Client) failAll(code protocol.ErrCode) {
	c.mu.Lock()
	calls := append(c.pending, c.waiting...)
	c.pending, c.waiting = nil, nil
	c.mu.Unlock()
	for _, p := range calls {
		p.end(reply{code: code})
	}
}

func (p *call) end(r reply) {
	if p.heard != nil {
		p.heard(r.code)
	}
	p.done <- r
}

// session connects to one server and reads until the connection ends. was is
// whether it had been established.
func (c *Client) session(t target) (was bool, err error) {
	ctx, cancel := context.WithTimeout(c.ctx, t.limit)
	defer cancel()
	nc, err := c.dial(ctx, t)
	if err != nil {
		return false, err
	}
	defer nc.Close()
	// Close cuts short whatever this waits for.
	stop := context.AfterFunc(c.ctx, func() { nc.Close() })
	defer stop()

	// Before there is a session to be kept alive: tickets may take as long as they need.
	var m Mechanism
	if c.cfg.Login != nil {
		if m, err = c.cfg.Login(c.ctx, t.host()); err != nil {
			return false, fmt.Errorf("%s: %w", t.addr, err)
		}
	}
	nc.SetDeadline(time.Now().Add(t.limit))
	in := bufio.NewReader(nc)
	defer c.detach()
	resp, err := c.handshake(nc, in)
	if err != nil {
		return false, fmt.Errorf("%s: %w", t.addr, err)
	}
	c.granted(t.name, resp)
	if m != nil {
		if err := c.login(m, nc, in); err != nil {
			return true, fmt.Errorf("%s: %w", t.addr, err)
		}
	}
	nc.SetDeadline(time.Time{})

	c.attach(nc, resp)
	granted := time.Duration(resp.Timeout) * time.Millisecond
	pings := make(chan struct{})
	pinged := make(chan struct{})
	go func() {
		defer close(pinged)
		c.ping(granted/3, pings)
	}()
	defer func() { <-pinged }()
	defer close(pings)
	if resp.ReadOnly {
		ctx, cancel := context.WithCancel(c.ctx)
		searched := make(chan struct{})
		go func() {
			defer close(searched)
			if c.search(ctx, t.addr) {
				nc.Close() // and on to the one that was found
			}
		}()
		defer func() { <-searched }()
		defer cancel()
	}
	return true, c.read(nc, in, granted*2/3)
}

// dial connects, with TLS where that is asked for; it gives up when ctx ends.
func (c *Client) dial(ctx context.Context, t target) (net.Conn, error) {
	nc, err := c.cfg.Dial(ctx, t.addr)
	if err != nil || c.cfg.Secure == nil {
		return nc, err
	}
	stop := context.AfterFunc(ctx, func() { nc.SetDeadline(time.Unix(1, 0)) })
	secure, err := c.cfg.Secure(nc, t.host())
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		nc.Close()
		return nil, fmt.Errorf("%s: %w", t.addr, err)
	}
	return secure, nil
}

func (c *Client) handshake(nc net.Conn, in *bufio.Reader) (resp protocol.ConnectResponse, err error) {
	c.mu.Lock()
	req := protocol.ConnectRequest{
		LastZxidSeen: c.zxid,
		Timeout:      int32(c.cfg.Timeout.Milliseconds()),
		SessionID:    c.id,
		Passwd:       c.passwd,
		ReadOnly:     c.cfg.ReadOnly,
		HasReadOnly:  true,
	}
	// Others do not know of a session that a server alone has granted.
	if !c.global {
		req.SessionID, req.Passwd = 0, make([]byte, protocol.PasswdBytes)
	}
	closing := c.closing
	c.asked = !closing // Close waits for what comes of it
	c.mu.Unlock()
	if closing {
		return resp, net.ErrClosed
	}
	b, mark := protocol.BeginFrame(nil)
	if _, err := nc.Write(protocol.EndFrame(req.Append(b), mark)); err != nil {
		return resp, err
	}
	frame, err := c.readFrame(in)
	if err != nil {
		return resp, err
	}
	d := protocol.NewDecoder(frame)
	resp.Decode(&d)
	switch {
	case d.Err() != nil:
		return resp, d.Err()
	case resp.Timeout <= 0:
		return resp, errRefused
	case resp.ReadOnly && !c.cfg.ReadOnly:
		return resp, errReadOnly
	}
	return resp, nil
}

// granted takes the session that a server has granted, and tells of it: before anything
// is answered, for answers are this goroutine's to read, and before Await returns.
func (c *Client) granted(server string, resp protocol.ConnectResponse) {
	c.mu.Lock()
	c.server = server
	c.timeout = time.Duration(resp.Timeout) * time.Millisecond
	c.id, c.passwd = resp.SessionID, slices.Clone(resp.Passwd)
	c.global = c.global || !resp.ReadOnly
	c.mu.Unlock()
	if resp.ReadOnly {
		c.cfg.OnEvent(sessionEvent("ConnectedReadOnly"))
	} else {
		c.cfg.OnEvent(sessionEvent("SyncConnected"))
	}
}

// attach makes the session connected: identities first, then the watches it had,
// then what has been waiting.
func (c *Client) attach(nc net.Conn, resp protocol.ConnectResponse) {
	state := Connected
	if resp.ReadOnly {
		state = ConnectedReadOnly
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nc, c.asked = nc, false
	c.rounds, c.failure = 0, nil
	for i := range c.auths {
		c.authing = append(c.authing, make(chan struct{}))
		c.writeLocked(protocol.XidAuth, protocol.OpAuth, c.auths[i].Append(nil))
	}
	c.sendWatchesLocked()
	waiting := c.waiting
	c.waiting = nil
	for _, p := range waiting {
		c.sendLocked(p)
	}
	c.setStateLocked(state)
}

func (c *Client) detach() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nc, c.server, c.asked = nil, "", false
	c.setStateLocked(Connecting)
}

// allHeard ends the waits for answers to identities: there will be none.
func (c *Client) allHeard() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, heard := range c.authing {
		close(heard)
	}
	c.authing = nil
}

// watchBytes bounds the paths in one setWatches: a server's limit of a request
// is a megabyte.
const watchBytes = 128 << 10

// sendWatchesLocked puts watches back. The server tells at once what has happened
// since the last zxid.
func (c *Client) sendWatchesLocked() {
	var req protocol.SetWatches2
	size := 0
	send := func() {
		if size == 0 {
			return
		}
		req.RelativeZxid = c.zxid
		if len(req.Persistent)+len(req.Recursive) > 0 {
			c.writeLocked(protocol.XidSetWatches, protocol.OpSetWatches2, req.Append(nil))
		} else {
			c.writeLocked(protocol.XidSetWatches, protocol.OpSetWatches, req.SetWatches.Append(nil))
		}
		req, size = protocol.SetWatches2{}, 0
	}
	add := func(set map[string]bool, list *[]string) {
		for _, path := range slices.Sorted(maps.Keys(set)) {
			*list = append(*list, path)
			if size += len(path) + 4; size > watchBytes {
				send()
			}
		}
	}
	add(c.watches.data, &req.Data)
	add(c.watches.exist, &req.Exist)
	add(c.watches.child, &req.Child)
	add(c.watches.persistent, &req.Persistent)
	add(c.watches.recursive, &req.Recursive)
	send()
}

// ping keeps the session alive until done is closed.
func (c *Client) ping(every time.Duration, done <-chan struct{}) {
	tick := time.NewTicker(max(every, 10*time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-done:
			return
		case <-tick.C:
			c.mu.Lock()
			if c.nc != nil {
				c.writeLocked(protocol.XidPing, protocol.OpPing, nil)
			}
			c.mu.Unlock()
		}
	}
}

// read handles frames until the connection ends or has been silent for long.
func (c *Client) read(nc net.Conn, in *bufio.Reader, silence time.Duration) error {
	for {
		nc.SetReadDeadline(time.Now().Add(silence))
		frame, err := c.readFrame(in)
		if err != nil {
			return err
		}
		if err := c.handle(frame); err != nil {
			return err
		}
	}
}

func (c *Client) readFrame(in *bufio.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > uint32(c.cfg.MaxReplyBytes) {
		return nil, fmt.Errorf("%w: %d bytes, of which %d are allowed", errMalformed, n, c.cfg.MaxReplyBytes)
	}
	frame := make([]byte, n)
	_, err := io.ReadFull(in, frame)
	return frame, err
}

func (c *Client) handle(frame []byte) error {
	d := protocol.NewDecoder(frame)
	var h protocol.ReplyHeader
	h.Decode(&d)
	if d.Err() != nil {
		return d.Err()
	}
	switch h.Xid {
	case protocol.XidPing, protocol.XidSetWatches:
		return nil
	case protocol.XidAuth:
		if h.Err != protocol.ErrOK {
			return errAuth
		}
		c.mu.Lock()
		if len(c.authing) > 0 {
			close(c.authing[0])
			c.authing = c.authing[1:]
		}
		c.mu.Unlock()
		return nil
	case protocol.XidNotification:
		var e protocol.WatcherEvent
		e.Decode(&d)
		if d.Err() != nil {
			return d.Err()
		}
		c.notify(&e, h.Zxid)
		return nil
	}
	c.mu.Lock()
	if len(c.pending) == 0 || c.pending[0].xid != h.Xid {
		c.mu.Unlock()
		return fmt.Errorf("%w: nothing with xid %d is under way", errMalformed, h.Xid)
	}
	p := c.pending[0]
	c.pending = c.pending[1:]
	c.zxid = max(c.zxid, h.Zxid)
	c.mu.Unlock()
	p.end(reply{code: h.Err, body: frame[len(frame)-d.Remaining():]})
	return nil
}

func (c *Client) notify(e *protocol.WatcherEvent, zxid int64) {
	c.mu.Lock()
	wanted := c.watches.fire(e.Type, e.Path)
	c.mu.Unlock()
	if wanted {
		c.cfg.OnEvent(Event{State: "SyncConnected", Type: e.Type.String(), Path: c.below(e.Path), Zxid: zxid})
	}
}
