package client

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"

	"zooraft/protocol"
)

// A connection's replies come in the order of its requests, each read shows what
// the writes before it made, and never what those behind it make, however
// requests are cut into packets, batches and syncs.
func TestPipelineOrder(t *testing.T) {
	for _, aside := range []bool{false, true} {
		t.Run(fmt.Sprintf("syncAside=%v", aside), func(t *testing.T) {
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			f := start(t, func(c *Config) { c.GlobalOutstandingLimit = 50 })
			f.b.syncAside = aside
			var wg sync.WaitGroup
			for n := range 4 {
				p := f.connect()
				wg.Go(func() { pipelineOrder(p, rand.New(rand.NewPCG(seed, uint64(n))), fmt.Sprintf("/c%d", n)) })
			}
			wg.Wait()
		})
	}
}

// expectation is what a reply must be.
type expectation struct {
	xid  int32
	op   protocol.OpCode
	err  protocol.ErrCode
	data string
}

func pipelineOrder(p *peer, rnd *rand.Rand, path string) {
	const total = 3000
	if h, _ := p.call(1, protocol.OpCreate, create(path, "0")); h.Err != 0 {
		p.t.Errorf("create: %v", h.Err)
		return
	}
	expected := make(chan expectation, total)
	go func() {
		defer close(expected)
		var out []byte
		value := 0
		for i := range int32(total) {
			e := expectation{xid: i + 2}
			switch k := rnd.IntN(100); {
			case k < 35:
				value++
				e.op = protocol.OpSetData
				out = append(out, request(e.xid, e.op, &protocol.SetDataRequest{Path: path, Data: strconv.AppendInt(nil, int64(value), 10), Version: -1})...)
			case k < 80:
				e.op, e.data = protocol.OpGetData, strconv.Itoa(value)
				out = append(out, request(e.xid, e.op, get(path))...)
			case k < 85:
				e.op = protocol.OpSync
				out = append(out, request(e.xid, e.op, &protocol.SyncRequest{Path: path})...)
			case k < 90:
				e.op, e.xid = protocol.OpPing, protocol.XidPing
				out = append(out, request(e.xid, e.op, nil)...)
			case k < 93:
				e.op, e.err = protocol.OpDelete, protocol.ErrBadVersion
				out = append(out, request(e.xid, e.op, &protocol.DeleteRequest{Path: path, Version: 1 << 30})...)
			case k < 96: // undecodable
				e.op, e.err = protocol.OpSetData, protocol.ErrMarshalling
				out = append(out, request(e.xid, e.op, nil)...)
			default:
				e.op, e.err = protocol.OpGetChildren, protocol.ErrNoNode
				out = append(out, request(e.xid, e.op, get(path+"/none"))...)
			}
			expected <- e
			if rnd.IntN(20) == 0 {
				n := len(out) - rnd.IntN(12)
				p.nc.Write(out[:n])
				out = append(out[:0], out[n:]...)
			}
		}
		p.nc.Write(out)
	}()
	var last int64
	for e := range expected {
		b, err := p.tryFrame()
		if err != nil {
			p.t.Errorf("%s: waiting for xid %d: %v", path, e.xid, err)
			return
		}
		h, body := splitReply(b)
		if h.Xid != e.xid || h.Err != e.err {
			p.t.Errorf("%s: got xid %d, %v, want xid %d, %v (%v)", path, h.Xid, h.Err, e.xid, e.err, e.op)
			return
		}
		if h.Zxid < last {
			p.t.Errorf("%s: zxid goes back from %d to %d", path, last, h.Zxid)
			return
		}
		last = h.Zxid
		d := protocol.NewDecoder(body)
		switch e.op {
		case protocol.OpGetData:
			if got := string(d.Buffer()); got != e.data {
				p.t.Errorf("%s: xid %d read %q, want %q", path, e.xid, got, e.data)
				return
			}
		case protocol.OpSync:
			if got := d.String(); got != path {
				p.t.Errorf("sync echoes %q, want %q", got, path)
			}
		}
	}
}

// While a write waits, reads behind it wait too, and neither another
// connection's reads nor out-of-band auth do.
func TestReadWaitsForOwnWrite(t *testing.T) {
	f := start(t, nil)
	p, other := f.connect(), f.connect()
	f.b.hold(true)
	p.send(1, protocol.OpCreate, create("/a", "x"))
	p.send(2, protocol.OpGetData, get("/a"))
	p.send(protocol.XidAuth, protocol.OpAuth, &protocol.AuthPacket{Scheme: "digest", Auth: []byte("u:p")})
	if h, _ := p.reply(); h.Xid != protocol.XidAuth || h.Zxid != 0 {
		t.Errorf("first reply %+v, want that to auth", h)
	}
	if h, _ := other.call(1, protocol.OpGetData, get("/a")); h.Err != protocol.ErrNoNode {
		t.Errorf("other connection: %v, want NoNode", h.Err)
	}
	f.b.hold(false)
	for xid := int32(1); xid <= 2; xid++ {
		if h, _ := p.reply(); h.Xid != xid || h.Err != 0 {
			t.Errorf("reply %+v, want xid %d without error", h, xid)
		}
	}
}

// Requests over the limits are not lost, only read later.
func TestBackPressure(t *testing.T) {
	f := start(t, func(c *Config) { c.GlobalOutstandingLimit = 10 })
	p, q := f.connect(), f.connect()
	f.b.hold(true)
	const n = 2 * maxPending
	go func() {
		for i := range int32(n) {
			p.nc.Write(request(i+1, protocol.OpCreate, create(fmt.Sprintf("/n%d", i), "")))
		}
	}()
	eventually(t, "limit reached", func() bool { return f.s.Stats().Outstanding == 11 })
	// Another connection still gets its share in: half of the limit.
	for i := range int32(8) {
		q.send(i+1, protocol.OpCreate, create(fmt.Sprintf("/q%d", i), ""))
	}
	q.send(9, protocol.OpPing, nil)
	eventually(t, "five more", func() bool { return f.s.Stats().Outstanding == 16 })
	f.b.hold(false)
	for i := range int32(n) {
		if h, _ := p.reply(); h.Xid != i+1 || h.Err != 0 {
			t.Fatalf("reply %+v, want xid %d", h, i+1)
		}
	}
	for i := range int32(8) {
		if h, _ := q.reply(); h.Xid != i+1 || h.Err != 0 {
			t.Errorf("reply %+v, want xid %d", h, i+1)
		}
	}
	if h, _ := q.reply(); h.Xid != protocol.XidPing {
		t.Errorf("reply %+v, want a ping's", h)
	}
}
