package history

import (
	"slices"
	"testing"
	"time"

	"zooraft/protocol"
)

// script writes the records of one client by hand. Each record is 1 ms later than the one before, unless at says when.
type script struct {
	Client
	now  time.Duration
	conn int
	xid  int32
}

func newScript(name string) *script { return &script{Client: Client{Name: name}} }

func (s *script) at(t time.Duration) *script { s.now = t; return s }

func (s *script) add(r Record) int {
	s.now += time.Millisecond
	r.At, r.Conn, r.Server = s.now, s.conn, 1
	s.Records = append(s.Records, r)
	return len(s.Records) - 1
}

func (s *script) connect(id protocol.SessionID) *script {
	s.conn++
	s.add(Record{Kind: Connected, Began: s.now, Session: id, Timeout: time.Second})
	return s
}

func (s *script) mark(k Kind) *script { s.add(Record{Kind: k}); return s }

func (s *script) call(r Record) int {
	s.xid++
	r.Kind, r.Xid = Call, s.xid
	return s.add(r)
}

// reply answers the call with index i; what a reply repeats of its call is filled in.
func (s *script) reply(i int, r Record) *script {
	c := s.Records[i]
	r.Kind, r.Call, r.Xid, r.Op, r.Flags, r.Version = Reply, i, c.Xid, c.Op, c.Flags, c.Version
	if r.Path == "" {
		r.Path = c.Path
	}
	s.add(r)
	return s
}

func stat(czxid, mzxid, pzxid int64) *protocol.Stat {
	return &protocol.Stat{Czxid: czxid, Mzxid: mzxid, Pzxid: pzxid}
}

func (s *script) callGet(path string, watch bool) int {
	return s.call(Record{Op: protocol.OpGetData, Path: path, Watch: watch})
}

func (s *script) get(path string, zxid, mzxid int64, value string) *script {
	return s.reply(s.callGet(path, false), Record{Zxid: zxid, Value: value, Stat: stat(1, mzxid, 1)})
}

func (s *script) getWatch(path string, zxid, mzxid int64) *script {
	return s.reply(s.callGet(path, true), Record{Zxid: zxid, Stat: stat(1, mzxid, 1)})
}

func (s *script) getNone(path string, zxid int64) *script {
	return s.reply(s.callGet(path, false), Record{Zxid: zxid, Err: protocol.ErrNoNode})
}

func (s *script) existsNoneWatch(path string, zxid int64) *script {
	return s.reply(s.call(Record{Op: protocol.OpExists, Path: path, Watch: true}), Record{Zxid: zxid, Err: protocol.ErrNoNode})
}

func (s *script) childrenWatch(path string, zxid, pzxid int64) *script {
	return s.reply(s.call(Record{Op: protocol.OpGetChildren2, Path: path, Watch: true}),
		Record{Zxid: zxid, Stat: stat(1, 1, pzxid)})
}

func (s *script) children(path string, zxid, pzxid int64) *script {
	return s.reply(s.call(Record{Op: protocol.OpGetChildren2, Path: path}), Record{Zxid: zxid, Stat: stat(1, 1, pzxid)})
}

func (s *script) callSet(path, value string) int {
	return s.call(Record{Op: protocol.OpSetData, Path: path, Value: value, Version: -1})
}

func (s *script) set(path, value string, zxid int64) *script {
	return s.reply(s.callSet(path, value), Record{Zxid: zxid, Stat: stat(1, zxid, 1)})
}

func (s *script) create(path string, flags int32, zxid int64) *script {
	st := stat(zxid, zxid, zxid)
	if protocol.Ephemeral(flags) {
		st.EphemeralOwner = int64(s.session())
	}
	return s.reply(s.call(Record{Op: protocol.OpCreate2, Path: path, Flags: flags}), Record{Zxid: zxid, Stat: st})
}

func (s *script) session() protocol.SessionID {
	for _, r := range slices.Backward(s.Records) {
		if r.Kind == Connected {
			return r.Session
		}
	}
	return 0
}

func (s *script) delete(path string, zxid int64) *script {
	return s.reply(s.call(Record{Op: protocol.OpDelete, Path: path, Version: -1}), Record{Zxid: zxid})
}

func (s *script) syncGet(path string, zxid, mzxid int64, value string) *script {
	sync := s.call(Record{Op: protocol.OpSync, Path: path})
	get := s.callGet(path, false)
	s.reply(sync, Record{Zxid: zxid})
	return s.reply(get, Record{Zxid: zxid, Value: value, Stat: stat(1, mzxid, 1)})
}

func (s *script) ping(zxid int64) *script {
	return s.reply(s.call(Record{Op: protocol.OpPing}), Record{Zxid: zxid})
}

func (s *script) close(zxid int64) *script {
	return s.reply(s.call(Record{Op: protocol.OpCloseSession}), Record{Zxid: zxid})
}

func (s *script) event(t protocol.EventType, path string, zxid int64) *script {
	s.add(Record{Kind: Event, Event: t, Path: path, Zxid: zxid})
	return s
}

func historyOf(scripts ...*script) *History {
	h := &History{Seed: 7}
	for _, s := range scripts {
		h.Clients = append(h.Clients, s.Client)
	}
	return h
}

// rules are the names of the rules that were broken, each once, sorted.
func rules(violations []Violation) []string {
	var out []string
	for _, v := range violations {
		out = append(out, v.Rule)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func expectRules(t *testing.T, got []Violation, want ...string) {
	t.Helper()
	if names := rules(got); !slices.Equal(names, want) {
		t.Errorf("broken rules: got %q, want %q: %v", names, want, got)
	}
}
