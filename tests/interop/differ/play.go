package differ

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
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
	queue   []byte // frames that go out with the next step
	closed  bool
}

type pending struct {
	xid, op int32
}

var errClosed = errors.New("closed by the server")

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

// open makes a connection with a session that is not part of the scenario.
func (p *player) open(server, name string) (*link, error) {
	nc, err := net.DialTimeout("tcp", p.target.Addr(server), patience)
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
	return &env{root: p.root, zxid: func(text string) (int64, error) { return p.normal.absolute(text, l.last) }}
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
	for !l.closed && !enough() {
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

// silent checks that nothing but silence follows a request: NAME silent OP...
func (p *player) silent(l *link, c *command) ([]record, error) {
	inner, err := inner(l.name, c.args[1:])
	if err != nil {
		return nil, err
	}
	if err := p.enqueue(l, &inner); err != nil {
		return nil, err
	}
	l.nc.Write(l.queue)
	l.queue = l.queue[:0]
	payload, err := l.read(silence)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		l.pending = l.pending[:0]
		return nil, nil
	case err != nil:
		l.nc.Close()
		l.closed = true
		return []record{{text: "closed"}}, nil
	}
	r, _ := p.frame(l, payload)
	return []record{r}, nil
}

func inner(who string, args []arg) (command, error) {
	c := command{who: who, verb: args[0].val, args: args[1:]}
	if op, ok := operations[c.verb]; !ok || len(positional(c.args)) < op.arity {
		return c, fmt.Errorf("no operation %q", c.verb)
	}
	return c, nil
}

// until repeats a request until its reply has the error that is awaited, and keeps that one: NAME until ERR OP...
func (p *player) until(l *link, c *command) ([]record, error) {
	inner, err := inner(l.name, c.args[1:])
	if err != nil {
		return nil, err
	}
	want := c.args[0].val
	return p.repeat(l, &inner, want, func(last record) bool {
		words := strings.Fields(last.text)
		return len(words) > 3 && words[3] == want
	})
}

// fence syncs until the connection's server knows of all that any connection has heard of. One sync need not be enough
// for ZooKeeper.
func (p *player) fence(l *link) ([]record, error) {
	sync := command{who: l.name, verb: "sync", args: []arg{{val: "$"}}}
	return p.repeat(l, &sync, "up to date", func(record) bool { return l.last >= p.normal.highest })
}

// repeat asks until the reply is the one that is awaited.
func (p *player) repeat(l *link, c *command, what string, awaited func(record) bool) ([]record, error) {
	xid := l.xid
	deadline := time.Now().Add(patience)
	var events []record
	for {
		if l.closed {
			return append(events, record{text: "closed"}), nil
		}
		l.xid = xid
		if err := p.enqueue(l, c); err != nil {
			return nil, err
		}
		p.sent--
		got := p.flush(l)
		var last record
		for _, r := range got {
			if r.event {
				events = append(events, r)
			} else {
				last = r
			}
		}
		if awaited(last) {
			return append(events, last), nil
		}
		if time.Now().After(deadline) {
			return append(events, last, record{text: "not " + what + " in time"}), nil
		}
		time.Sleep(pollInterval)
	}
}

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
	nc, err := net.DialTimeout("tcp", p.target.Addr(serverOf(c.args)), patience)
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

// expire drops a connection and waits until its session is no more. What tells is an ephemeral node.
func (p *player) expire(l *link) ([]record, error) {
	marker := p.root + "/expiring-" + l.name
	c := command{verb: "create", args: []arg{{val: marker}, {key: "flags", val: "1"}}}
	if l.closed {
		return nil, errClosed
	}
	if err := p.enqueue(l, &c); err != nil {
		return nil, err
	}
	out := p.flush(l)
	l.nc.Close()
	l.closed = true
	deadline := time.Now().Add(patience + time.Duration(l.timeout)*time.Millisecond)
	exists := command{verb: "exists", args: []arg{{val: marker}}}
	for {
		payload, _, err := frame(1, &exists, &env{})
		if err != nil {
			return nil, err
		}
		if err := p.control.send(payload); err != nil {
			return nil, err
		}
		b, err := p.control.read(patience)
		if err != nil {
			return nil, err
		}
		if _, zxid, code := reply(newNormal(0), 3, b); code == -101 {
			p.normal.highest = max(p.normal.highest, zxid)
			return out, nil
		}
		if time.Now().After(deadline) {
			return append(out, record{text: "does not expire"}), nil
		}
		time.Sleep(pollInterval)
	}
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

// end ends the session of a connection that is no more, if it still lives.
func (p *player) end(l *link) error {
	nc, err := net.DialTimeout("tcp", p.target.Addr(""), patience)
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

func serverOf(args []arg) string {
	a, _ := named(args, "server")
	return a.val
}
