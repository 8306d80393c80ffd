package server

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"zooraft/protocol"
	"zooraft/server/admin"
	"zooraft/server/client"
	"zooraft/server/quorum"
)

// The parts of a slow request are one after the other, and make up the whole.
func TestSlowRequestIsDivided(t *testing.T) {
	start := time.Now()
	at := func(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	for _, tt := range []struct {
		name   string
		in     client.Slow
		stages quorum.Stages
		known  bool
		want   admin.SlowRequest
	}{
		{"write", client.Slow{Index: 7, Arrived: at(0), Replied: at(1000)},
			quorum.Stages{Logged: at(10), Stored: at(30), Applied: at(990)}, true,
			admin.SlowRequest{Total: ms(1000), Queue: ms(10), Fsync: ms(20), Replicate: ms(960), Apply: ms(10)}},
		{"write whose entry is not remembered", client.Slow{Index: 7, Arrived: at(0), Replied: at(1000)}, quorum.Stages{}, false,
			admin.SlowRequest{Total: ms(1000), Apply: ms(1000)}},
		{"clocks that do not agree", client.Slow{Index: 7, Arrived: at(20), Replied: at(1000)},
			quorum.Stages{Logged: at(10), Stored: at(15), Applied: at(900)}, true,
			admin.SlowRequest{Total: ms(980), Replicate: ms(880), Apply: ms(100)}},
		{"sync", client.Slow{Sync: true, Arrived: at(0), Replied: at(1001), Turn: at(1000)}, quorum.Stages{}, false,
			admin.SlowRequest{Total: ms(1001), Sync: ms(1000), Apply: ms(1)}},
		{"read behind a write", client.Slow{Arrived: at(0), Replied: at(1000), Turn: at(999)}, quorum.Stages{}, false,
			admin.SlowRequest{Total: ms(1000), Queue: ms(999), Apply: ms(1)}},
		{"read of much", client.Slow{Arrived: at(0), Replied: at(1000)}, quorum.Stages{}, false,
			admin.SlowRequest{Total: ms(1000), Apply: ms(1000)}},
	} {
		l := newSlowLog(hclog.NewNullLogger(), func(uint64) (quorum.Stages, bool) { return tt.stages, tt.known })
		l.note(&tt.in)
		got := l.recent()[0]
		l.close()
		tt.want.At, tt.want.Op = tt.in.Replied, got.Op
		if got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

// A stall writes some lines, the worst first, and says how many it does not.
func TestSlowLogIsShort(t *testing.T) {
	var out bytes.Buffer
	l := newSlowLog(hclog.New(&hclog.LoggerOptions{Output: &out}), nil)
	start := time.Now()
	for i := range 10_000 {
		ms := time.Duration(1000+i*7919%10_000) * time.Millisecond // each once
		l.note(&client.Slow{Session: 0x1f, Xid: int32(i), Op: protocol.OpGetData, Path: "/a\nb", Arrived: start, Replied: start.Add(ms)})
	}
	if recent := l.recent(); len(recent) != slowKept || recent[0].Xid != 9999 || recent[slowKept-1].Xid != 9900 {
		t.Errorf("%d kept, from %d to %d", len(recent), recent[0].Xid, recent[len(recent)-1].Xid)
	}
	l.close()
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(lines) != slowLines+1 {
		t.Fatalf("%d lines:\n%s", len(lines), out.String())
	}
	for i, line := range lines[:slowLines] {
		if !strings.Contains(line, fmt.Sprintf("total-ms=%d ", 10_999-i)) || !strings.Contains(line, "session=0x1f") || !strings.Contains(line, `a\nb`) {
			t.Errorf("line %d: %s", i, line)
		}
	}
	if want := "slow requests left out: count=9990"; !strings.HasSuffix(lines[slowLines], want) {
		t.Errorf("last line %q, want %q", lines[slowLines], want)
	}
}
