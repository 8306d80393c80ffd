package bench

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"zooraft/protocol"
)

func TestTemplate(t *testing.T) {
	tpl := newTemplate(protocol.OpSetData, func(n int) record {
		return &protocol.SetDataRequest{Path: keyPath("/bench/run-00", n), Data: []byte("00000000"), Version: -1}
	})
	out := numbered(tpl, []byte("before"), 77, 1_234_567)
	want := encoded([]byte("before"), 77, protocol.OpSetData,
		&protocol.SetDataRequest{Path: "/bench/run-00/01234/567", Data: []byte("00000000"), Version: -1})
	if !bytes.Equal(out, want) {
		t.Errorf("got %q, want %q", out, want)
	}
}

func TestNextXid(t *testing.T) {
	if got := nextXid(math.MaxInt32); got != 1 {
		t.Errorf("got %d, want 1", got)
	}
}

func TestSkew(t *testing.T) {
	const keys, n = 10, 200_000
	k := newSkew(keys, 1)
	r := rand.New(rand.NewPCG(1, 2))
	counts := make([]float64, keys)
	for range n {
		counts[k.key(r)]++
	}
	sum := 0.0
	for i := range keys {
		sum += 1 / float64(i+1)
	}
	for i, got := range counts {
		if want := n / sum / float64(i+1); math.Abs(got-want) > 0.05*want {
			t.Errorf("key %d: got %v, want about %.0f", i, got, want)
		}
	}
}

func TestParseUsage(t *testing.T) {
	stat := "12 (a) b) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0 1 0 99"
	u, err := parseUsage(stat, "Name:\ta\nVmHWM:\t  2048 kB\nVmRSS:\t  1024 kB\n")
	if err != nil || u.name != "a) b" || u.cpu != 200*clockTick || u.rss != 1<<20 || u.peak != 2<<20 {
		t.Errorf("got %+v, %v", u, err)
	}
	for _, bad := range []string{"", "1 (a", "1 (a) S 1 2", "1 (a) S 1 2 3 4 5 6 7 8 9 10 x 50 0"} {
		if _, err := parseUsage(bad, ""); !errors.Is(err, errProc) {
			t.Errorf("%q: got %v", bad, err)
		}
	}
}

// FuzzReplies feeds a connection with bytes in pieces: it must not panic, and
// never hold more than it was given.
func FuzzReplies(f *testing.F) {
	f.Add(replyFrame(1, protocol.ErrOK, &protocol.Stat{}), uint8(7))
	f.Add(append(replyFrame(1, protocol.ErrNoNode, nil), replyFrame(protocol.XidPing, protocol.ErrOK, nil)...), uint8(1))
	f.Add(replyFrame(protocol.XidNotification, protocol.ErrOK, &protocol.WatcherEvent{Type: protocol.EventNodeDataChanged, Path: "/r/00000/000"}), uint8(0))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0}, uint8(3))
	f.Fuzz(func(t *testing.T, b []byte, piece uint8) {
		answered := 0
		out := &fanOut{nodes: make([]watched, 1)}
		c := newConn(0, clock{}, 2, 40, 0)
		c.src = nothing{}
		c.answered = func(pending, reply, int64) error { answered++; return nil }
		c.unasked = func(r reply, _ int64) error { _, err := out.event(r.body); return err }
		c.ring[0], c.ring[1], c.under = pending{xid: 1}, pending{xid: 2}, 2
		for len(b) > 0 {
			n := min(len(b), int(piece)+1, len(c.in)-c.to)
			if n == 0 {
				t.Fatal("no room to read")
			}
			copy(c.in[c.to:], b[:n])
			c.to += n
			b = b[n:]
			if err := c.consume(1); err != nil {
				return
			}
			if len(c.in) > 1<<20 {
				return // a long frame has been announced; its rest would follow
			}
		}
		if answered > 2 {
			t.Errorf("%d replies to 2 requests", answered)
		}
	})
}

// FuzzHandshake feeds answers to the handshake.
func FuzzHandshake(f *testing.F) {
	f.Add((&protocol.ConnectResponse{Timeout: 1000, SessionID: 7, HasReadOnly: true}).Append(nil))
	f.Add((&protocol.ConnectResponse{}).Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		var s session
		if err := s.take(b); (err == nil) != (s.id != 0) {
			t.Errorf("got %v and session %v", err, s.id)
		}
	})
}
