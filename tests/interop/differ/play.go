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
	"time"
)

const (
	// patience is how long a reply, an event or an end is awaited.
	patience = 20 * time.Second
	// maxFrame bounds what is taken from a server.
	maxFrame = 64 << 20
	// defaultTimeout is a session's, in ms: no stall of the machine may end one.
	defaultTimeout = 60000
	pollInterval   = 20 * time.Millisecond
	// silence is how long a step that says that nothing comes waits for it. It cannot be awaited.
	silence = 300 * time.Millisecond
)

// Target is an ensemble that scenarios are played to.
type Target interface {
	// Name is what the target is called in a difference.
	Name() string
	// Addr is the client address of a server: its number, or leader or follower.
	Addr(server string) string
	// DialTLS connects to the port for TLS of the only server, with the certificate of a client, "none" for none.
	DialTLS(client string) (net.Conn, error)
	// Restart restarts all servers and waits until they serve.
	Restart()
	// Word sends a four-letter word.
	Word(server, word string) (string, error)
}

// Transcript is what came back.
type Transcript struct {
	Steps    [][]string // for each step what its connection received; one more for the end
	Requests int        // frames sent
}

// player plays one scenario to one target.
type player struct {
	target  Target
	control *link // stands outside the scenario
	normal  *normal
	root    string
	links   map[string]*link
	order   []string // names of links, as they came
	out     [][]record
	sent    int
}

// Play plays a scenario to a target, below the node /root. It fails where the scenario cannot be played; that a server
// answers something strange, or nothing, is part of what it returns.
func Play(t Target, s *Scenario, root string) (*Transcript, error) {
	p := &player{target: t, root: "/" + root, links: map[string]*link{}}
	var err error
	if p.control, err = p.open("", ""); err != nil {
		return nil, err
	}
	defer p.control.nc.Close()
	if slices.ContainsFunc(s.Config.Lines, func(line string) bool { return strings.HasPrefix(line, "enforce.auth.enabled") }) {
		if _, err := p.control.identify(); err != nil {
			return nil, err
		}
	}
	// Whatever server it is, it has caught up after this.
	base, err := p.control.sync()
	if err != nil {
		return nil, fmt.Errorf("%s: first sync: %w", t.Name(), err)
	}
	p.normal = newNormal(base)
	if err := p.makeRoot(); err != nil {
		return nil, err
	}
	for i := range s.Steps {
		records, err := p.step(s.Steps[i].Text)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %s: %s: %w", s.File, s.Steps[i].Line, t.Name(), s.Steps[i].Text, err)
		}
		p.out = append(p.out, records)
	}
	p.out = append(p.out, p.finish())
	tr := &Transcript{Requests: p.sent}
	for _, records := range p.out {
		for i := range records {
			records[i].text = strings.ReplaceAll(records[i].text, p.root, "$")
		}
		tr.Steps = append(tr.Steps, p.normal.settle(records))
	}
	return tr, p.clean()
}

// makeRoot makes the node that the scenario works under. Below it there is nothing.
func (p *player) makeRoot() error {
	c := command{verb: "create", args: []arg{{val: p.root}}}
	payload, _, err := frame(1, &c, &env{})
	if err != nil {
		return err
	}
	if err := p.control.send(payload); err != nil {
		return err
	}
	b, err := p.control.read(patience)
	if err != nil {
		return fmt.Errorf("make %s: %w", p.root, err)
	}
	if text, _, code := reply(p.normal, 1, b); code != 0 {
		return fmt.Errorf("make %s: %s", p.root, text)
	}
	return nil
}

// step plays one step and returns what its connection received up to its end.
func (p *player) step(text string) ([]record, error) {
	c, err := parseCommand(text)
	if err != nil {
		return nil, err
	}
	switch c.verb {
	case "connect":
		return p.connect(&c)
	case "word":
		answer, err := p.target.Word(serverOf(c.args), c.args[0].val)
		if err != nil {
			answer = "(cut off) " + answer
		}
		return []record{{text: strconv.Quote(answer)}}, nil
	case "restart":
		return nil, p.restart()
	}
	who := c.who
	if who == "" {
		who = c.args[0].val
	}
	l := p.links[who]
	if l == nil {
		return nil, fmt.Errorf("no connection %q", who)
	}
	switch c.verb {
	case "drop":
		l.nc.Close()
		l.closed = true
		return nil, nil
	case "expire":
		return p.expire(l)
	case "closed":
		return p.receive(l, func() bool { return false }), nil
	case "await": // N events, one if it is not said
		n := 1
		if len(c.args) > 1 {
			if n, err = strconv.Atoi(c.args[1].val); err != nil {
				return nil, err
			}
		}
		var got []record
		for range n {
			more := false
			got = append(got, p.receive(l, func() bool { was := more; more = true; return was })...)
		}
		return got, nil
	case "silent":
		return p.silent(l, &c)
	case "until":
		return p.until(l, &c)
	case "fence":
		return p.fence(l)
	}
	if l.closed {
		return []record{{text: "closed"}}, nil
	}
	if err := p.enqueue(l, &c); err != nil {
		return nil, err
	}
	if c.queued {
		return nil, nil
	}
	return p.flush(l), nil
}

func (p *player) env(l *link) *env {
	return &env{root: p.root, digests: &l.digests, zxid: func(text string) (int64, error) { return p.normal.absolute(text, l.last) }}
}

// enqueue adds a step's frame to what goes out next.
func (p *player) enqueue(l *link, c *command) error {
	p.sent++
	if c.verb == "frame" || c.verb == "bytes" {
		b, err := hex.DecodeString(c.args[0].val)
		if err != nil {
			return err
		}
		if c.verb == "bytes" {
			l.queue = append(l.queue, b...)
			if _, ok := named(c.args, "reply"); ok {
				l.pending = append(l.pending, pending{})
			}
			return nil
		}
		l.queue = binary.BigEndian.AppendUint32(l.queue, uint32(len(b)))
		l.queue = append(l.queue, b...)
		if len(b) >= 8 {
			l.pending = append(l.pending, pending{int32(binary.BigEndian.Uint32(b)), int32(binary.BigEndian.Uint32(b[4:]))})
		} else {
			l.pending = append(l.pending, pending{})
		}
		return nil
	}
	xid := int32(0)
	switch c.verb {
	case "ping":
		xid = -2
	case "auth":
		xid = -4
	default:
		l.xid++
		xid = l.xid
	}
	if a, ok := named(c.args, "xid"); ok {
		n, err := strconv.ParseInt(a.val, 0, 32)
		if err != nil {
			return err
		}
		xid = int32(n)
	}
	payload, op, err := frame(xid, c, p.env(l))
	if err != nil {
		return err
	}
	l.queue = binary.BigEndian.AppendUint32(l.queue, uint32(len(payload)))
	l.queue = append(l.queue, payload...)
	l.pending = append(l.pending, pending{xid, op})
	return nil
}

// flush sends what is queued and receives until all has been answered.
func (p *player) flush(l *link) []record {
	// A failure to send shows at receiving; what the server sent before it ended is still there.
	l.nc.SetWriteDeadline(time.Now().Add(patience))
	l.nc.Write(l.queue)
	l.queue = l.queue[:0]
	return p.receive(l, func() bool { return len(l.pending) == 0 })
}

// receive takes frames until enough says so, or the connection ends. Replies to auth and sasl may overtake others, so
// they come first.
func (p *player) receive(l *link, enough func() bool) []record {
	var out, ahead []record
	for !l.closed && (l.ending || !enough()) {
		payload, err := l.read(patience)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			l.nc.Close()
			l.closed = true
			out = append(out, record{text: "nothing comes"})
		case err != nil:
			l.nc.Close()
			l.closed = true
			out = append(out, record{text: "closed"})
		default:
			r, outOfBand := p.frame(l, payload)
			if outOfBand {
				ahead = append(ahead, r)
			} else {
				out = append(out, r)
			}
		}
	}
	return append(ahead, out...)
}

// frame is what a received frame says.
func (p *player) frame(l *link, payload []byte) (r record, outOfBand bool) {
	if len(payload) < 16 {
		return record{text: "SHORT FRAME " + hex.EncodeToString(payload)}, false
	}
	xid := int32(binary.BigEndian.Uint32(payload))
	i := slices.IndexFunc(l.pending, func(q pending) bool { return q.xid == xid || q.op == 11 && xid == -2 })
	if xid == -1 && (i != 0 || len(payload) > 16) {
		text, zxid := event(p.normal, payload)
		return record{text: text, event: true, zxid: zxid}, false
	}
	op := int32(0)
	if i >= 0 {
		op = l.pending[i].op
		l.pending = slices.Delete(l.pending, i, i+1)
	} else if len(l.pending) > 0 {
		l.pending = l.pending[1:]
	}
	text, zxid, code := reply(p.normal, op, payload)
	if op == 102 {
		text = l.digests.heard(payload[16:], text)
	}
	// After these the server closes the connection, a moment later: nothing may be sent in between.
	l.ending = l.ending || code == -6 && zxid == -1 || code == -124 || code == -115 && op >= 100 || code == 0 && op == -11
	if i < 0 {
		text += " UNASKED"
	}
	l.last = max(l.last, zxid)
	p.normal.highest = max(p.normal.highest, zxid)
	switch op {
	case 1, 2, 5, 7, 14, 15, 16, 19, 20, 21:
		if code == 0 {
			p.normal.own[zxid] = true
		}
	}
	return record{text: text}, op == 100 || op == 102
}

// restart restarts the servers; zxids are relative to what they are after it.
func (p *player) restart() error {
	p.target.Restart()
	for _, l := range p.links {
		l.nc.Close()
		l.closed = true
	}
	old := p.control
	old.nc.Close()
	var err error
	if p.control, err = p.open("", ""); err != nil {
		return err
	}
	if err := p.end(old); err != nil {
		return err
	}
	if p.normal.base, err = p.control.sync(); err != nil {
		return err
	}
	p.normal.rebased++
	p.normal.own = map[int64]bool{}
	p.normal.since = time.Now()
	return nil
}

// finish asks each open connection for what it has not been sent yet.
func (p *player) finish() []record {
	var out []record
	for _, name := range p.order {
		l := p.links[name]
		if l.closed {
			continue
		}
		if l.session == 0 { // no handshake
			l.nc.Close()
			l.closed = true
			continue
		}
		if p.enqueue(l, &command{verb: "sync", args: []arg{{null: true}}}) != nil {
			continue
		}
		for _, r := range p.flush(l) {
			r.text = name + ": " + r.text
			out = append(out, r)
		}
	}
	return out
}

// clean ends all sessions, so that none expires in a later scenario, and leaves the nodes.
func (p *player) clean() error {
	for id := range p.normal.sessions {
		for _, l := range p.links {
			if l.session != id {
				continue
			}
			if !l.closed {
				if p.enqueue(l, &command{verb: "close"}) == nil {
					p.flush(l)
				}
				l.nc.Close()
				l.closed = true
				continue
			}
			if err := p.end(l); err != nil {
				return err
			}
		}
	}
	_, err := p.control.ask(-11)
	if errors.Is(err, errClosed) {
		err = nil
	}
	return err
}
