package client

import (
	"io"
	"time"
)

// telnetBreak is what telnet sends for Ctrl-C; ZooKeeper counts it among the
// words, and closes.
const telnetBreak = "\xff\xf4\xff\xfd"

// fourLetters answers a four-letter word and reports whether the connection was
// for one. It looks at the first four bytes only: taken for a frame's length,
// any word would be beyond every limit (ZooKeeper Administrator's Guide, "The
// Four Letter Words").
func (c *conn) fourLetters() bool {
	for c.in.word() == nil {
		if !c.fill() {
			return true
		}
	}
	word := string(c.in.word())
	if word == telnetBreak {
		return true
	}
	for _, b := range []byte(word) {
		if b < 'a' || b > 'z' {
			return false
		}
	}
	if c.srv.cfg.Words == nil {
		return false
	}
	c.asking.Store(true)
	c.counts.received.Add(1) // before the answer, which counts it
	c.in.r += len(word)
	answer, known := c.srv.cfg.Words(word, behind{c})
	if !known {
		c.in.r -= len(word)
		c.counts.received.Add(-1)
		return false
	}
	c.srv.log.Info("Processing " + word + " command from " + c.name())
	c.nc.SetWriteDeadline(time.Now().Add(c.srv.handshakeTimeout))
	if c.isDead() {
		return true
	}
	if answer == "" {
		return true
	}
	if _, err := io.WriteString(c.stream, answer); err != nil {
		c.kill(causeIO)
		return true
	}
	c.counts.sent.Add(1)
	c.closeWrite()
	return true
}

// behind reads what comes behind a word.
type behind struct{ c *conn }

func (b behind) Read(p []byte) (int, error) {
	in := &b.c.in
	for in.r == in.w {
		if !b.c.fill() {
			return 0, io.ErrUnexpectedEOF
		}
	}
	n := copy(p, in.buf[in.r:in.w])
	in.r += n
	return n, nil
}
