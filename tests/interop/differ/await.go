package differ

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

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
	got, err := p.repeat(l, &inner, want, func(last record) bool {
		words := strings.Fields(last.text)
		return len(words) > 3 && words[3] == want
	})
	if err == nil && p.normal.rebased > 0 && len(got) > 0 {
		// What was to come may have come before a restarted server was asked for its zxid, or after it.
		last := &got[len(got)-1]
		if words := strings.Fields(last.text); len(words) > 3 {
			words[2] = "z"
			last.text = strings.Join(words, " ")
		}
		p.normal.rebased++
		p.normal.base, err = p.control.sync()
	}
	return got, err
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
