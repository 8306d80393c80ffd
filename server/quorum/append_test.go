package quorum

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"zooraft/tests/testkit"

	"github.com/hashicorp/raft"
)

func logsFrom(first, n, term uint64) []*raft.Log {
	var logs []*raft.Log
	for i := range n {
		logs = append(logs, &raft.Log{
			Index: first + i, Term: term, Type: raft.LogCommand, Data: fmt.Appendf(nil, "entry %d", first+i),
			AppendedAt: time.Unix(1700000000, int64(i)).UTC(),
		})
	}
	return logs
}

// longLogs are entries whose data is not copied into a frame.
func longLogs(first, n uint64) []*raft.Log {
	logs := logsFrom(first, n, 9)
	for i, l := range logs {
		l.Data = bytes.Repeat(l.Data, shortData+i)
	}
	return logs
}

func TestAppendCodec(t *testing.T) {
	tests := []struct {
		name string
		kind byte
		q    raft.AppendEntriesRequest
	}{
		{"empty", appendEntries, raft.AppendEntriesRequest{}},
		{"notice", appendNotice, raft.AppendEntriesRequest{Term: 7, PrevLogEntry: 1 << 40, PrevLogTerm: 7, LeaderCommitIndex: 1 << 40}},
		{"entries", appendEntries, raft.AppendEntriesRequest{
			RPCHeader: raft.RPCHeader{ProtocolVersion: 3, ID: []byte("2"), Addr: []byte("zoo-2:3888")},
			Term:      9, PrevLogEntry: 41, PrevLogTerm: 8, LeaderCommitIndex: 40,
			Entries: append(logsFrom(42, 3, 9), &raft.Log{
				Index: 45, Term: 9, Type: raft.LogNoop, Extensions: []byte("x"), AppendedAt: time.Time{}.UTC(),
			}),
		}},
		{"long entries", appendEntries, raft.AppendEntriesRequest{
			RPCHeader: raft.RPCHeader{ProtocolVersion: 3, ID: []byte("2"), Addr: []byte("2")},
			Term:      9, PrevLogEntry: 41, PrevLogTerm: 8, LeaderCommitIndex: 40,
			Entries: slices.Concat(longLogs(42, 2), logsFrom(44, 2, 9), longLogs(46, 1)),
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := slices.Concat(encodeAppend(tt.kind, &tt.q, tt.q.PrevLogEntry, tt.q.PrevLogTerm, tt.q.Entries)...)
			frame, err := readFrame(bufio.NewReader(bytes.NewReader(b)), nil, maxAppendFrame)
			if err != nil {
				t.Fatal(err)
			}
			kind, got, err := decodeAppend(frame)
			if err != nil || kind != tt.kind || !reflect.DeepEqual(*got, tt.q) {
				t.Errorf("got kind %d, %+v, %v\nwant %d, %+v", kind, got, err, tt.kind, tt.q)
			}
			for cut := range frame {
				if _, _, err := decodeAppend(frame[:cut]); err == nil {
					t.Errorf("a frame cut at %d of %d was taken", cut, len(frame))
				}
			}
		})
	}
	a := raft.AppendEntriesResponse{Term: 3, LastLog: 77, NoRetryBackoff: true}
	got, failure, err := decodeAnswer(encodeAnswer(nil, &a, errors.New("full"))[4:])
	if err != nil || failure == nil || !reflect.DeepEqual(got, a) {
		t.Errorf("answer: got %+v, %v, %v", got, failure, err)
	}
}

// strangeLogs are entries that Raft would take into the log, and then fail for.
func strangeLogs() map[string]*raft.Log {
	conf := raft.EncodeConfiguration(raft.Configuration{Servers: []raft.Server{{ID: "1", Address: "1"}}})
	return map[string]*raft.Log{
		"unknown type":        {Type: 77},
		"no type of ours":     {Type: raft.LogAddPeerDeprecated, Data: []byte{0x90}},
		"no configuration":    {Type: raft.LogConfiguration},
		"torn configuration":  {Type: raft.LogConfiguration, Data: conf[:len(conf)-1]},
		"large configuration": {Type: raft.LogConfiguration, Data: append(conf, make([]byte, maxConfiguration)...)},
	}
}

// TestAppendRefuses: a peer can neither have this server allocate more than it has
// sent, but for some, nor give it an entry that it would fail for at each start.
func TestAppendRefuses(t *testing.T) {
	frame := func(entries ...*raft.Log) []byte {
		q := raft.AppendEntriesRequest{Term: 1}
		return slices.Concat(encodeAppend(appendEntries, &q, 0, 0, entries)...)[4:]
	}
	least := &raft.Log{AppendedAt: time.Unix(0, 0)}
	if size := len(frame(least, least)) - len(frame(least)); size != leastEntry {
		t.Errorf("the least entry takes %d bytes, not %d", size, leastEntry)
	}
	if _, q, err := decodeAppend(frame(slices.Repeat([]*raft.Log{least}, maxAppendCount)...)); err != nil || len(q.Entries) != maxAppendCount {
		t.Errorf("%d entries: %v", maxAppendCount, err)
	}
	if _, _, err := decodeAppend(frame(slices.Repeat([]*raft.Log{least}, maxAppendCount+1)...)); !errors.Is(err, errAppendFrame) {
		t.Errorf("%d entries: %v", maxAppendCount+1, err)
	}
	// What it says of their number is all that is known at first.
	claim := append(binary.AppendUvarint(frame()[:len(frame())-1], maxAppendCount), make([]byte, leastEntry*maxAppendCount-1)...)
	if allocs := testing.AllocsPerRun(10, func() {
		if _, _, err := decodeAppend(claim); !errors.Is(err, errAppendFrame) {
			t.Errorf("more entries than can be in the frame: %v", err)
		}
	}); allocs > 1 {
		t.Errorf("%v allocations for entries that are not there", allocs)
	}
	for _, typ := range []raft.LogType{raft.LogCommand, raft.LogNoop, raft.LogBarrier, raft.LogConfiguration} {
		if _, _, err := decodeAppend(frame(&raft.Log{Type: typ, Data: raft.EncodeConfiguration(raft.Configuration{})})); err != nil {
			t.Errorf("type %v: %v", typ, err)
		}
	}
	for name, l := range strangeLogs() {
		if _, _, err := decodeAppend(frame(l)); !errors.Is(err, errStrangeEntry) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzAppendFrame: what a peer sends must not hurt, and what is understood is
// understood the same when it is sent on.
func FuzzAppendFrame(f *testing.F) {
	q := raft.AppendEntriesRequest{Term: 2, PrevLogEntry: 5, PrevLogTerm: 1, Entries: logsFrom(6, 2, 2)}
	f.Add(slices.Concat(encodeAppend(appendEntries, &q, 5, 1, q.Entries)...)[4:])
	f.Add(slices.Concat(encodeAppend(appendNotice, &q, 5, 1, nil)...)[4:])
	f.Add(encodeAnswer(nil, &raft.AppendEntriesResponse{Term: 1, Success: true}, nil)[4:])
	for _, l := range strangeLogs() {
		if len(l.Data) < maxConfiguration {
			f.Add(slices.Concat(encodeAppend(appendEntries, &q, 5, 1, []*raft.Log{l})...)[4:])
		}
	}
	f.Add(slices.Concat(encodeAppend(appendEntries, &q, 5, 1, []*raft.Log{{
		Type: raft.LogConfiguration, Data: raft.EncodeConfiguration(raft.Configuration{Servers: []raft.Server{{ID: "1", Address: "1"}}}),
	}})...)[4:])
	f.Fuzz(func(t *testing.T, frame []byte) {
		decodeAnswer(frame)
		kind, q, err := decodeAppend(frame)
		if err != nil {
			return
		}
		if n := len(q.Entries); n > maxAppendCount || n*leastEntry > len(frame) {
			t.Fatalf("%d entries in %d bytes", n, len(frame))
		}
		for _, l := range q.Entries {
			switch l.Type {
			case raft.LogCommand, raft.LogNoop, raft.LogBarrier:
			case raft.LogConfiguration:
				raft.DecodeConfiguration(l.Data) // must not panic
			default:
				t.Fatalf("an entry of type %v", l.Type)
			}
		}
		again, same, err := decodeAppend(slices.Concat(encodeAppend(kind, q, q.PrevLogEntry, q.PrevLogTerm, q.Entries)...)[4:])
		if err != nil || again != kind || !reflect.DeepEqual(q, same) {
			t.Fatalf("%+v became %+v, %v", q, same, err)
		}
	})
}

// appendPair is an open append stream from server 1 to server 2, whose first
// message, with entry 1, is answered.
func appendPair(t *testing.T) (a, b *Node, p *appender) {
	t.Helper()
	a, b = transports(t)
	pipeline, err := a.trans.AppendEntriesPipeline("2", b.trans.LocalAddr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pipeline.Close() })
	p = pipeline.(*appender)
	ask(t, a, p, 0, logsFrom(1, 1, 1))
	answerNext(t, b, true, 1)
	if got := testkit.Await(t, p.Consumer(), "answer"); !got.Response().Success {
		t.Fatal("the first message was refused")
	}
	return a, b, p
}

// ask makes Raft's request for entries behind prev.
func ask(t *testing.T, n *Node, p *appender, prev uint64, entries []*raft.Log) raft.AppendFuture {
	t.Helper()
	f, err := p.AppendEntries(&raft.AppendEntriesRequest{
		RPCHeader: header(n), Term: 1, PrevLogEntry: prev, PrevLogTerm: min(prev, 1), Entries: entries,
	}, &raft.AppendEntriesResponse{})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// answerNext takes a message at the follower, checks which entries it brings,
// and answers it.
func answerNext(t *testing.T, n *Node, ok bool, want ...uint64) *raft.AppendEntriesRequest {
	t.Helper()
	rpc := testkit.Await(t, n.trans.Consumer(), "message")
	q := rpc.Command.(*raft.AppendEntriesRequest)
	var got []uint64
	for _, l := range q.Entries {
		got = append(got, l.Index)
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("message with entries %v, want %v", got, want)
	}
	rpc.Respond(&raft.AppendEntriesResponse{Term: 1, Success: ok}, nil)
	return q
}

func pending(p *appender) bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// TestEarlyEntries: what left early is not sent again, and Raft hears of it when
// it has asked.
func TestEarlyEntries(t *testing.T) {
	a, b, p := appendPair(t)
	a.trans.sendEarly(logsFrom(2, 2, 1), 1)
	if q := answerNext(t, b, true, 2, 3); q.PrevLogEntry != 1 || q.PrevLogTerm != 1 || q.LeaderCommitIndex != 1 || string(q.Addr) != string(a.trans.LocalAddr()) {
		t.Errorf("early message: %+v", q)
	}
	testkit.Until(t, "the answer is in", func() bool { p.mu.Lock(); defer p.mu.Unlock(); return p.answered == p.messages })
	if !pending(p) {
		t.Fatal("Raft heard an answer that it had not asked for")
	}
	// Raft asks in other portions: a part of the message, then the rest and more.
	ask(t, a, p, 1, logsFrom(2, 1, 1))
	f := ask(t, a, p, 2, logsFrom(3, 2, 1))
	if got := testkit.Await(t, p.Consumer(), "answer"); !got.Response().Success || got.Request().Entries[0].Index != 2 {
		t.Errorf("got %+v", got.Response())
	}
	if q := answerNext(t, b, true, 4); q.PrevLogEntry != 3 {
		t.Errorf("the rest follows %d, want 3", q.PrevLogEntry)
	}
	if got := testkit.Await(t, p.Consumer(), "answer"); got != f || !got.Response().Success || got.Error() != nil {
		t.Errorf("got %+v, %v", got.Response(), got.Error())
	}
}

// TestEarlyAnsweredAtOnce: a request hears the answer to the message that its
// entries left in, not to a later one.
func TestEarlyAnsweredAtOnce(t *testing.T) {
	a, b, p := appendPair(t)
	a.trans.sendEarly(logsFrom(2, 1, 1), 0)
	a.trans.sendEarly(logsFrom(3, 1, 1), 0)
	f := ask(t, a, p, 1, logsFrom(2, 1, 1))
	answerNext(t, b, true, 2)
	if got := testkit.Await(t, p.Consumer(), "answer, with a later message under way"); got != f || !got.Response().Success {
		t.Errorf("got %+v", got.Response())
	}
	answerNext(t, b, true, 3)
}

// TestEarlyOnlyWhatFollows: entries that the follower has not been brought up to
// do not leave early, nor those of another term.
func TestEarlyOnlyWhatFollows(t *testing.T) {
	a, b, p := appendPair(t)
	a.trans.sendEarly(logsFrom(3, 1, 1), 0)
	a.trans.sendEarly(logsFrom(2, 1, 2), 0)
	a.trans.sendEarly(logsFrom(2, 1, 1), 0)
	a.trans.sendEarly(logsFrom(3, 1, 1), 0)
	a.trans.sendEarly(logsFrom(4, 1, 1), 0) // one too many under way
	answerNext(t, b, true, 2)
	answerNext(t, b, true, 3)
	ask(t, a, p, 1, logsFrom(2, 3, 1))
	answerNext(t, b, true, 4)
}

// TestQueueTime: what is told of the wait for a follower is the entry's, from when
// it was logged, but not from before there was a stream to wait for.
func TestQueueTime(t *testing.T) {
	a, b, p := appendPair(t) // whose entry is years old
	check := func(count int64, least, most time.Duration) {
		t.Helper()
		if got := p.queue.Figures(); got.Count != count || got.Max < least.Milliseconds() || got.Max > most.Milliseconds()+1 {
			t.Errorf("got %+v, want %d with a maximum of %v to %v", got, count, least, most)
		}
	}
	check(1, 0, time.Since(p.opened))
	fresh := func(index uint64) []*raft.Log {
		logs := logsFrom(index, 1, 1)
		logs[0].AppendedAt = time.Now()
		return logs
	}
	a.trans.sendEarly(fresh(2), 0)
	a.trans.sendEarly(fresh(3), 0)
	entries := fresh(4)
	a.trans.sendEarly(entries, 0) // one too many under way
	check(3, 0, time.Since(p.opened))

	const wait = 300 * time.Millisecond
	answers := time.AfterFunc(wait, func() {
		for range 3 {
			select {
			case rpc := <-b.trans.Consumer():
				rpc.Respond(&raft.AppendEntriesResponse{Term: 1, Success: true}, nil)
			case <-t.Context().Done():
			}
		}
	})
	defer answers.Stop()
	ask(t, a, p, 3, entries)
	check(4, wait, time.Since(entries[0].AppendedAt))
	if got := testkit.Await(t, p.Consumer(), "answer"); !got.Response().Success {
		t.Errorf("got %+v", got.Response())
	}
}

// TestAppendPatience: the answer to what is long may come later.
func TestAppendPatience(t *testing.T) {
	a, b, p := appendPair(t)
	patience := func() time.Duration { p.mu.Lock(); defer p.mu.Unlock(); return p.patienceLocked() }
	const bytes = 1 << 20
	ask(t, a, p, 1, []*raft.Log{{Index: 2, Term: 1, Data: make([]byte, bytes)}})
	if got := patience(); got < raftRPCTimeout+timeFor(bytes) || got > raftRPCTimeout+timeFor(bytes+1<<10) {
		t.Errorf("an answer to %d bytes may take %v", bytes, got)
	}
	answerNext(t, b, true, 2)
	testkit.Until(t, "nothing is to be answered", func() bool { return patience() == raftRPCTimeout })
}

// TestAppendRefusal: a refusal is the answer to all that follows it.
func TestAppendRefusal(t *testing.T) {
	a, b, p := appendPair(t)
	a.trans.sendEarly(logsFrom(2, 1, 1), 0)
	answerNext(t, b, false, 2)
	testkit.Until(t, "the answer is in", func() bool { p.mu.Lock(); defer p.mu.Unlock(); return p.refused })
	ask(t, a, p, 1, logsFrom(2, 1, 1))
	if got := testkit.Await(t, p.Consumer(), "answer"); got.Response().Success {
		t.Error("Raft was told of success")
	}
	a.trans.sendEarly(logsFrom(3, 1, 1), 0)
	p.notice(2, 1)
	select {
	case rpc := <-b.trans.Consumer():
		t.Errorf("after a refusal came %+v", rpc.Command)
	case <-time.After(20 * time.Millisecond):
	}
}

// TestAppendBroken: requests end with the connection.
func TestAppendBroken(t *testing.T) {
	a, b, p := appendPair(t)
	ask(t, a, p, 1, logsFrom(2, 1, 1))
	testkit.Await(t, b.trans.Consumer(), "message")
	b.trans.Close()
	if got := testkit.Await(t, p.Consumer(), "answer"); got.Response().Success || got.Error() == nil {
		t.Errorf("got %+v, %v", got.Response(), got.Error())
	}
	testkit.Until(t, "new requests fail", func() bool {
		_, err := p.AppendEntries(&raft.AppendEntriesRequest{Term: 1, PrevLogEntry: 2, PrevLogTerm: 1}, &raft.AppendEntriesResponse{})
		return err != nil
	})
}

// TestCommitNotice: it goes to followers that have the entry and do not know yet.
func TestCommitNotice(t *testing.T) {
	a, b, p := appendPair(t)
	p.notice(2, 1) // not sent yet
	p.notice(1, 2) // another term
	p.notice(1, 1)
	p.notice(1, 1) // told
	q := answerNext(t, b, true)
	if q.LeaderCommitIndex != 1 || q.PrevLogEntry != 1 || q.PrevLogTerm != 1 {
		t.Errorf("notice: %+v", q)
	}
	ask(t, a, p, 1, logsFrom(2, 1, 1))
	answerNext(t, b, true, 2)
	if got := testkit.Await(t, p.Consumer(), "answer"); !got.Response().Success {
		t.Error("the answer to a notice was taken for that to the next message")
	}
}

// TestCommitWithinMessage: a message tells of no commit behind what it brings, or
// follows, for the follower's log may go on with what was never committed.
func TestCommitWithinMessage(t *testing.T) {
	large := logsFrom(11, 3, 1)
	for _, l := range large {
		l.Data = make([]byte, maxAppendBytes/2)
	}
	tests := []struct {
		name         string
		prev, commit uint64
		entries      []*raft.Log
		want         []uint64 // one for each message
	}{
		{"without entries", 10, 12, nil, []uint64{10}},
		{"to its end", 10, 13, logsFrom(11, 3, 1), []uint64{13}},
		{"beyond it", 10, 14, logsFrom(11, 3, 1), []uint64{13}},
		{"within", 10, 12, logsFrom(11, 3, 1), []uint64{12}},
		{"cut", 10, 14, large, []uint64{12, 13}},
		{"heartbeat", 0, 0, nil, []uint64{0}},
	}
	next := func(n *Node) uint64 {
		rpc := testkit.Await(t, n.trans.Consumer(), "message")
		rpc.Respond(&raft.AppendEntriesResponse{Term: 1, Success: true}, nil)
		return rpc.Command.(*raft.AppendEntriesRequest).LeaderCommitIndex
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			request := func(n *Node) *raft.AppendEntriesRequest {
				return &raft.AppendEntriesRequest{
					RPCHeader: header(n), Term: 1, PrevLogEntry: tt.prev, PrevLogTerm: min(tt.prev, 1), Entries: tt.entries,
					LeaderCommitIndex: tt.commit,
				}
			}
			a, b := transports(t)
			sent := make(chan error, 1)
			go func() { sent <- a.trans.AppendEntries("2", "2", request(a), &raft.AppendEntriesResponse{}) }()
			if got := next(b); got != tt.want[0] { // the rest is for Raft to send
				t.Errorf("by itself it tells of %d, want %d", got, tt.want[0])
			}
			if err := testkit.Await(t, sent, "answer"); err != nil {
				t.Error(err)
			}
			p, err := a.trans.AppendEntriesPipeline("2", "2")
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			q := request(a)
			if _, err := p.AppendEntries(q, &raft.AppendEntriesResponse{}); err != nil {
				t.Fatal(err)
			}
			for i, want := range tt.want {
				if got := next(b); got != want {
					t.Errorf("message %d of the stream tells of %d, want %d", i, got, want)
				}
			}
			if q.LeaderCommitIndex != tt.commit {
				t.Errorf("Raft's request was changed")
			}
			if told := p.(*appender).told; told != slices.Max(tt.want) {
				t.Errorf("the stream takes the follower to know of %d, want %d", told, slices.Max(tt.want))
			}
		})
	}
}

// TestAppendStream has Raft's part played at random: entries leave early or not,
// Raft asks for them in other portions, the follower is slow at times. Each
// entry must arrive once, in order, and each request be answered in its turn.
func TestAppendStream(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 1))
	a, b, p := appendPair(t)
	const last = 3000
	slow := rand.New(rand.NewPCG(seed, 2))
	received, over := make(chan error, 1), make(chan struct{})
	defer close(over)
	go func() {
		next := uint64(2)
		for {
			select {
			case <-over:
				return
			case rpc := <-b.trans.Consumer():
				q := rpc.Command.(*raft.AppendEntriesRequest)
				// Without entries it may speak of what Raft has asked for so far.
				if q.PrevLogEntry != next-1 && (len(q.Entries) > 0 || q.PrevLogEntry > next) {
					t.Errorf("a message follows %d, the last entry was %d", q.PrevLogEntry, next-1)
					received <- nil
					return
				}
				next += uint64(len(q.Entries))
				if slow.IntN(8) == 0 {
					time.Sleep(time.Duration(slow.IntN(300)) * time.Microsecond)
				}
				rpc.Respond(&raft.AppendEntriesResponse{Term: 1, Success: true, LastLog: next - 1}, nil)
				if next == last+1 && len(q.Entries) > 0 {
					received <- nil
				}
			case <-time.After(2 * time.Minute):
				received <- fmt.Errorf("nothing after entry %d", next-1)
				return
			}
		}
	}()
	answered := make(chan error, 1)
	go func() {
		next := uint64(2)
		for next <= last {
			select {
			case f := <-p.Consumer():
				q, r := f.Request(), f.Response()
				if !r.Success || q.PrevLogEntry != next-1 || r.LastLog < next-1+uint64(len(q.Entries)) {
					answered <- fmt.Errorf("request behind %d for %d entries: %+v; next is %d", q.PrevLogEntry, len(q.Entries), r, next)
					return
				}
				next += uint64(len(q.Entries))
			case <-time.After(2 * time.Minute):
				answered <- fmt.Errorf("no answer behind %d", next-1)
				return
			}
		}
		answered <- nil
	}()
	stored, asked := uint64(1), uint64(1)
	for asked < last {
		if n := min(rnd.Uint64N(5), last-stored); n > 0 {
			if rnd.IntN(5) > 0 {
				a.trans.sendEarly(logsFrom(stored+1, n, 1), asked)
			}
			stored += n
		}
		if n := rnd.Uint64N(stored - asked + 1); n > 0 || rnd.IntN(4) == 0 {
			ask(t, a, p, asked, logsFrom(asked+1, n, 1))
			asked += n
		}
	}
	if err := testkit.Await(t, received, "end at the follower"); err != nil {
		t.Error(err)
	}
	if err := testkit.Await(t, answered, "end at the leader"); err != nil {
		t.Error(err)
	}
}
