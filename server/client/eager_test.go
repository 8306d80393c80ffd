package client

import (
	"testing"

	"zooraft/fsm"
	"zooraft/protocol"
)

func TestEagerACLCheck(t *testing.T) {
	f := start(t, func(c *Config) { c.EagerACLCheck = true })
	p := f.connect()
	readable := []protocol.ACL{{Perms: protocol.PermRead, Scheme: "world", ID: "anyone"}}
	nobody := []protocol.ACL{{Perms: protocol.PermAll, Scheme: "bogus", ID: "x"}}
	if h, _ := p.call(1, protocol.OpCreate, &protocol.CreateRequest{Path: "/p", ACL: readable}); h.Err != 0 {
		t.Fatalf("create: %v", h.Err)
	}
	ttl := &protocol.CreateTTLRequest{CreateRequest: *create("/p/x", ""), TTL: 5}
	for _, tt := range []struct {
		name  string
		op    protocol.OpCode
		body  appender
		want  protocol.ErrCode
		eager bool
	}{
		{"create", protocol.OpCreate, create("/p/x", ""), protocol.ErrNoAuth, true},
		{"create2", protocol.OpCreate2, create("/p/x", ""), protocol.ErrNoAuth, true},
		{"create with bad flags", protocol.OpCreate, &protocol.CreateRequest{Path: "/p/x", ACL: protocol.OpenACL, Flags: 9}, protocol.ErrNoAuth, true},
		{"createContainer", protocol.OpCreateContainer, create("/p/x", ""), protocol.ErrNoAuth, false},
		{"createTTL", protocol.OpCreateTTL, ttl, protocol.ErrBadArguments, false},
		{"delete", protocol.OpDelete, &protocol.DeleteRequest{Path: "/p/x", Version: -1}, protocol.ErrNoAuth, true},
		{"setData", protocol.OpSetData, &protocol.SetDataRequest{Path: "/p", Version: 9}, protocol.ErrNoAuth, true},
		{"setACL", protocol.OpSetACL, &protocol.SetACLRequest{Path: "/p", ACL: protocol.OpenACL, Version: -1}, protocol.ErrNoAuth, true},
		{"bad list, no parent", protocol.OpCreate, &protocol.CreateRequest{Path: "/no/x", ACL: nobody}, protocol.ErrInvalidACL, true},
		{"bad list in setACL", protocol.OpSetACL, &protocol.SetACLRequest{Path: "/no", ACL: nobody, Version: -1}, protocol.ErrInvalidACL, true},
		{"null id", protocol.OpCreate, &protocol.CreateRequest{Path: "/x", ACL: []protocol.ACL{{Scheme: "digest", NullID: true}}}, protocol.ErrMarshalling, false},
		{"no parent", protocol.OpCreate, create("/no/x", ""), protocol.ErrNoNode, false},
		{"bad path", protocol.OpCreate, create("bad", ""), protocol.ErrBadArguments, false},
		{"bad path in setData", protocol.OpSetData, &protocol.SetDataRequest{Path: "/p/", Version: -1}, protocol.ErrBadArguments, false},
		{"system node", protocol.OpDelete, &protocol.DeleteRequest{Path: "/", Version: -1}, protocol.ErrBadArguments, false},
		{"bad path and list in setACL", protocol.OpSetACL, &protocol.SetACLRequest{Path: "//", ACL: nobody, Version: -1}, protocol.ErrInvalidACL, true},
		{"bad list and flags of the root", protocol.OpCreate, &protocol.CreateRequest{Path: "/", ACL: nobody, Flags: 99}, protocol.ErrBadArguments, false},
		{"allowed", protocol.OpCreate, create("/ok", ""), protocol.ErrOK, false},
	} {
		before, _ := p.call(2, protocol.OpExists, get("/"))
		h, _ := p.call(3, tt.op, tt.body)
		after, _ := p.call(4, protocol.OpExists, get("/"))
		if h.Err != tt.want || (h.Zxid == 0) != tt.eager || (after.Zxid == before.Zxid) != tt.eager {
			t.Errorf("%s: %v of zxid %#x, between %#x and %#x; want %v, eagerly %v", tt.name, h.Err, h.Zxid, before.Zxid, after.Zxid, tt.want, tt.eager)
		}
	}
	// The root's empty path is checked as the root, and what is always there as nothing.
	readable[0].Perms |= protocol.PermAdmin
	if h, _ := p.call(5, protocol.OpSetACL, &protocol.SetACLRequest{Path: "/", ACL: readable, Version: -1}); h.Err != 0 {
		t.Fatalf("setACL: %v", h.Err)
	}
	if h, _ := p.call(6, protocol.OpSetData, &protocol.SetDataRequest{Version: -1}); h.Err != protocol.ErrNoAuth || h.Zxid != 0 {
		t.Errorf("setData of the empty path: %+v", h)
	}
	if h, _ := p.call(7, protocol.OpDelete, &protocol.DeleteRequest{Path: "/zookeeper", Version: -1}); h.Err != protocol.ErrBadArguments || h.Zxid == 0 {
		t.Errorf("delete of a system node: %+v", h)
	}
	if h, _ := p.call(8, protocol.OpSetACL, &protocol.SetACLRequest{Path: "/", ACL: protocol.OpenACL, Version: -1}); h.Err != 0 {
		t.Fatalf("setACL: %v", h.Err)
	}

	// What is under way may grant what is missing now.
	f.b.hold(true)
	p.send(5, protocol.OpSetData, &protocol.SetDataRequest{Path: "/ok", Version: -1})
	p.send(6, protocol.OpCreate, create("/p/x", ""))
	eventually(t, "both are under way", func() bool { return f.s.outstanding.Load() == 2 })
	f.b.hold(false)
	if h, _ := p.reply(); h.Xid != 5 || h.Err != 0 {
		t.Errorf("the write before: %+v", h)
	}
	if h, _ := p.reply(); h.Xid != 6 || h.Err != protocol.ErrNoAuth || h.Zxid == 0 {
		t.Errorf("a write behind one that is under way: %+v, want it judged when it is applied", h)
	}
}

func TestWithoutDigest(t *testing.T) {
	f := start(t, func(c *Config) { c.Options = fsm.NoDigest })
	p := f.connect()
	h, _ := p.call(1, protocol.OpCreate, &protocol.CreateRequest{Path: "/a", ACL: []protocol.ACL{{Perms: 31, Scheme: "digest", ID: "u:h"}}})
	if h.Err != protocol.ErrInvalidACL {
		t.Errorf("a digest id in a list: %v", h.Err)
	}
	if h, _ := p.call(protocol.XidAuth, protocol.OpAuth, &protocol.AuthPacket{Scheme: "digest", Auth: []byte("u:p")}); h.Err != protocol.ErrAuthFailed {
		t.Errorf("auth: %v", h.Err)
	}
	p.closed()
}
