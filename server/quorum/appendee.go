package quorum

import (
	"bufio"
	"errors"
	"io"
	"net"

	"github.com/hashicorp/raft"

	"zooraft/server/peer"
)

// appendAhead is how many of a leader's messages may wait for Raft. More than a
// leader sends; what is beyond stays in the socket.
const appendAhead = 64

// appendee is the follower's end of an append stream: one goroutine decodes, so
// that the next message is ready when Raft has stored the one before, and one
// answers.
type appendee struct {
	t       *transport
	conn    net.Conn
	answers chan raft.RPCResponse // from Raft, in order; never full
	ahead   chan struct{}         // a slot for each message that waits for its answer
	ended   chan struct{}
}

// serveAppends reads from conn until it ends. It blocks.
func (t *transport) serveAppends(conn net.Conn, from peer.Identity) {
	s := &appendee{
		t: t, conn: conn, answers: make(chan raft.RPCResponse, appendAhead), ahead: make(chan struct{}, appendAhead),
		ended: make(chan struct{}),
	}
	t.layer.wg.Go(s.answer)
	err := s.read()
	close(s.ended)
	conn.Close()
	switch {
	case errors.Is(err, errAppendFrame), errors.Is(err, errStrangeEntry):
		t.layer.log.Warn("refusing what a leader sends", "sid", from.SID, "error", err)
	case !errors.Is(err, io.EOF) && t.layer.ctx.Err() == nil:
		t.layer.log.Debug("append stream ended", "sid", from.SID, "error", err)
	}
}

func (s *appendee) read() error {
	br := bufio.NewReaderSize(s.conn, 64<<10)
	for {
		// A new buffer each time: Raft's log cache keeps the entries in it.
		frame, err := readFrame(br, nil, maxAppendFrame)
		if err != nil {
			return err
		}
		kind, q, err := decodeAppend(frame)
		if err != nil {
			return err
		}
		rpc := raft.RPC{Command: q, RespChan: s.answers}
		// What waits here is like a message that is long under way: the leader sends
		// no more, and need not be asked for it when there is room again.
		if len(q.Entries) > 0 && !s.t.owner.awaitRoom(s.t.layer.ctx.Done()) {
			return net.ErrClosed
		}
		s.t.metrics.ProposalsReceived.Add(int64(len(q.Entries)))
		if kind == appendNotice {
			rpc.RespChan = make(chan raft.RPCResponse, 1) // nobody asks
		} else {
			select {
			case s.ahead <- struct{}{}:
			case <-s.t.layer.ctx.Done():
				return net.ErrClosed
			}
		}
		select {
		case s.t.rpcs <- rpc:
		case <-s.t.layer.ctx.Done():
			return net.ErrClosed
		}
	}
}

// answer sends Raft's answers to the leader.
func (s *appendee) answer() {
	var b []byte
	for {
		select {
		case a := <-s.answers:
			<-s.ahead
			resp, _ := a.Response.(*raft.AppendEntriesResponse)
			if resp == nil {
				resp = &raft.AppendEntriesResponse{}
			}
			b = encodeAnswer(b[:0], resp, a.Error)
			if _, err := s.conn.Write(b); err != nil {
				s.conn.Close() // ends read
			}
		case <-s.ended:
			return
		case <-s.t.layer.ctx.Done():
			return
		}
	}
}
